"""What `gpucheck bench` measured, and what follows from it: everything that a result file holds.

``None``: there is no such thing here (a CPU has no clocks-event reasons); a gap: it could not be learned.
Times are seconds, shares and relative differences are fractions of 1, sizes are bytes.
"""

from typing import Literal, NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot

SCHEMA = "gpucheck.bench/1"

Word = Literal["faster", "same", "slower", "cannot-tell"]
Change = Literal["FASTER", "SAME", "SLOWER", "CANNOT TELL"]
FailureKind = Literal[
    "import", "no-device", "data", "memory", "crash", "hang", "not-learning", "unsupported", "framework", "interrupted"
]


class Interval(NamedTuple):
    """A median and the 95 % bootstrap interval around it."""

    value: float
    low: float
    high: float


class Settings(NamedTuple):
    """What is computed and how: the same on every device."""

    workload: str
    workload_hash: str  # sha256 of the network, its recipe and the worker that runs it
    backend: str
    precision: str
    jit: bool
    tf32: bool  # TensorFloat-32 in float32 products on a GPU; off, so that both sides compute the same
    input: str  # resident, host or fit
    optimizer: str
    data: str  # sample, full, synthetic, or a file's name
    seed: int
    time: float  # seconds of measuring asked for, per batch size
    simulated: Union[str, None] = None  # what was planted: no real GPU was measured


class Part(NamedTuple):
    """A version or a number that decides how fast it is: tensorflow 2.21.0, CPU model, threads."""

    name: str
    value: str


class Work(NamedTuple):
    """What one step takes, by formula (bench/work.py)."""

    parameters: int
    flops: float  # floating-point operations
    bytes_fused: float  # least traffic: every tensor that must pass through memory, once
    bytes_unfused: float  # every operation reads its inputs and writes its output


class Phase(NamedTuple):
    """Set-up, shown apart: import, data, build, first-step (compilation included) …"""

    name: str
    seconds: float


class Failure(NamedTuple):
    """Why a device has no figure, or no more of them."""

    kind: FailureKind
    message: str
    phase: str  # what it was doing
    detail: tuple[str, ...] = ()  # the last words of the worker's standard error


class Learning(NamedTuple):
    """Did it train? Batch loss (cross-entropy alone) and error on test images after so many steps."""

    steps: int
    loss: float
    error: float


class Block(NamedTuple):
    """Some steps, timed together: the clock stops when the device is done. A reason leaves it out of the figure."""

    round: int
    steps: int
    seconds: float
    singles: tuple[float, ...]  # single steps after the block, each waited for
    begin: float  # since the run began
    end: float
    foreign_cpu: Union[float, Gap]  # share of the usable CPUs that other processes took
    canary: Union[float, Gap]  # seconds of the fixed work next to the block
    clock_reasons: Union[tuple[str, ...], None, Gap]  # clocks-event reasons set during the block
    gpu_processes: Union[int, None, Gap]  # other processes on the GPU
    energy: Union[float, None, Gap]  # joules of the GPU, idle included
    left_out: tuple[str, ...] = ()  # foreign-cpu, canary, clocks, gpu-process


class Aside(NamedTuple):
    """The same step with other settings, timed briefly beside the figure: what this device can do at its best."""

    jit: bool
    tf32: bool
    input: str
    step: Union[float, Gap]


class Figures(NamedTuple):
    """One device at one batch size."""

    step: Interval  # of the blocks' means
    p95: Union[float, None]  # of single steps
    images_per_second: float
    gflops: float  # achieved: work / step
    joules_per_step: Union[float, None, Gap]  # idle subtracted
    idle_watts: Union[float, None, Gap]
    noise: Union[float, None]  # A/A: relative difference of halves of its own blocks (statistics.split_noise)
    blocks: int  # counted
    left_out: int


class Leg(NamedTuple):
    """One device at one batch size, in a process of its own."""

    device: str  # cpu, gpu:0
    name: str
    parts: tuple[Part, ...]  # versions, threads, compute capability
    phases: tuple[Phase, ...]
    failure: Union[Failure, None]
    learning: Union[Learning, None]
    losses: tuple[float, ...]  # same seed, dropout off
    floor: Union[float, Gap]  # the same loop on an empty model
    product_gflops: Union[float, Gap]  # reached on a large matrix product
    memory: Union[int, None, Gap]  # most in use: the GPU's, for the CPU resident in RAM
    warmup: tuple[float, ...]  # mean step of each window
    blocks: tuple[Block, ...]
    asides: tuple[Aside, ...]
    figures: Union[Figures, None]


class Reason(NamedTuple):
    """Why a verdict is what it is: launch-bound, input-bound, throttled, pcie, no-kernels, wrong-numbers …"""

    name: str
    text: str


class Verdict(NamedTuple):
    """One GPU against the CPU, at one batch size."""

    device: str
    word: Word
    ratio: Union[Interval, None]  # CPU's step / GPU's step, paired by rounds
    noise: Union[float, None]  # of the ratio, as in Figures
    sentence: str
    reasons: tuple[Reason, ...]


class Trial(NamedTuple):
    """One batch size."""

    batch_size: int
    work: Work
    legs: tuple[Leg, ...]
    verdicts: tuple[Verdict, ...]


class Sample(NamedTuple):
    """Telemetry at one moment."""

    time: float  # since the run began
    device: str  # cpu, gpu:0
    utilization: Union[float, None] = None  # share
    memory: Union[int, None] = None
    power: Union[float, None] = None  # watts
    temperature: Union[float, None] = None  # degrees Celsius
    clock: Union[float, None] = None  # MHz: SM clock, CPU frequency
    memory_clock: Union[float, None] = None
    reasons: tuple[str, ...] = ()  # clocks-event reasons
    processes: Union[int, None] = None  # other processes on it
    pcie_generation: Union[int, None] = None
    pcie_width: Union[int, None] = None


class SeedLine(NamedTuple):
    """What the 2017 script would have printed, and the true step under it (device cpu or gpu:0)."""

    device: str
    text: str  # Step 100 (epoch 0.12), 91.3 ms
    printed: float
    step: float
    validation: float  # seconds of the 79 validation batches that the printed figure holds


class Doctor(NamedTuple):
    """What doctor says of this machine."""

    verdict: str
    headline: str
    findings: tuple[str, ...]  # names


class Difference(NamedTuple):
    """One device against a saved result: new step / old step."""

    device: str
    batch_size: int
    change: Change
    ratio: Union[Interval, None]
    threshold: float  # the relative change that it had to clear
    sentence: str


class Comparison(NamedTuple):
    """This run against a saved one."""

    file: str
    unlike: tuple[str, ...]  # what differs between the environments, compared all the same
    differences: tuple[Difference, ...]


class Result(NamedTuple):
    """A whole run."""

    schema: str
    version: str  # gpucheck's
    taken: str  # ISO 8601, UTC
    arguments: tuple[str, ...]
    settings: Settings
    environment: tuple[Part, ...]  # what all legs share: system, CPU, CPUs usable, driver, Python
    doctor: Union[Doctor, Gap]
    trials: tuple[Trial, ...]
    samples: tuple[Sample, ...]
    canaries: tuple[float, ...]
    seed_lines: tuple[SeedLine, ...]
    comparison: Union[Comparison, None]
    no_gpu: Union[str, None]  # why no GPU was measured; None where one was
    interrupted: bool
    seconds: float  # the whole run
    exit_code: int
    facts: Union[Snapshot, Gap]
    notes: tuple[str, ...] = ()  # beside the verdicts: from which batch size on a GPU wins …
