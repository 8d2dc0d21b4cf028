"""The speed test with the frameworks as the index gives them: TensorFlow 2.21, 2.10 with Keras 2, JAX, PyTorch."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Union

import jsonschema
import pytest
from real_environments import environment

from gpucheck.bench import data
from gpucheck.bench.job import INPUTS, OPTIMIZERS, SEED, WORKER, WORKLOADS, compiled
from gpucheck.bench.process import Worker, WorkerFailed
from gpucheck.bench.seat import LEARNED_ERROR, LEARNED_LOSS
from gpucheck.bench.work import work
from gpucheck.bench.workloads import load
from gpucheck.facts.bench import Failure, Result
from gpucheck.facts.gap import Gap
from gpucheck.render.bench import json as json_format

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: wheels for Linux are examined"),
]

BACKENDS = {"tfnocuda": "tensorflow", "tf210": "tensorflow", "kjax": "jax", "ktorch": "torch"}
# Losses of the first steps of each workload, and of mlp with each optimizer, as TensorFlow 2.21 has them.
GOLDEN = json.loads((Path(__file__).parent / "golden" / "bench-losses.json").read_text())
STEPS = 20
SECONDS = 300.0
SCHEMA = json.loads((Path(json_format.__file__).parent / "bench.schema.json").read_text())


def kept(**more: str) -> dict[str, str]:
    """The environment for a worker or a command: nothing of the tests' own."""
    names = ("PATH", "HOME", "LANG", "TMPDIR", "GPUCHECK_TRACEBACK")
    return {**{name: os.environ[name] for name in names if name in os.environ}, **more}


class Backend(NamedTuple):
    """A real worker with the sample loaded."""

    name: str
    backend: str
    worker: Worker

    def build(self, workload: str, optimizer: Union[str, None] = None, **changes: Any) -> dict[str, Any]:
        """Build it under the name "main", as a run does."""
        chosen = load(workload)
        asked = {
            "model": "main",
            "layers": chosen.layers,
            "recipe": chosen.recipe(optimizer or chosen.optimizer),
            "batch_size": chosen.batch_size,
            "precision": "float32",
            "jit": compiled(self.backend, None),
            "input": "resident",
            **changes,
        }
        return self.worker.ask("build", SECONDS, **asked)

    def refused(self, workload: str, **changes: Any) -> Union[Failure, None]:
        """Why it cannot be built."""
        try:
            self.build(workload, **changes)
        except WorkerFailed as failed:
            return failed.failure
        return None

    def losses(self, steps: int = STEPS) -> list[float]:
        told = self.worker.ask("check", SECONDS, model="main", steps=steps)
        assert len(told["losses"]) == steps
        return [float(one) for one in told["losses"]]

    def learn(self, steps: int) -> tuple[float, float]:
        """Loss of the last five batches, and error."""
        told = self.worker.ask("learn", SECONDS, model="main", steps=steps)
        last = told["losses"][-5:]
        return sum(last) / len(last), float(told["error"])

    def time(self, steps: int) -> float:
        told = self.worker.ask("time", SECONDS, model="main", steps=steps)
        assert told["steps"] >= 1
        return float(told["seconds"]) / int(told["steps"])


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    name = request.param
    python, which = str(environment(name) / "bin" / "python"), BACKENDS[name]
    environ = kept(CUDA_VISIBLE_DEVICES="-1", JAX_PLATFORMS="cpu", KERAS_BACKEND=which)
    worker = Worker([python, WORKER], environ)
    worker.start()
    try:
        told = worker.ask("open", SECONDS, backend=which, device="cpu", tf32=False)
        assert told["parts"][which]
        worker.ask("load", SECONDS, data=data.choose("sample")._asdict(), seed=SEED)
        yield Backend(name, which, worker)
    finally:
        worker.kill()


def agree(losses: list[float], expected: list[float], within: float = 1e-2) -> None:
    apart = [abs(one / two - 1) for one, two in zip(losses, expected, strict=False)]
    assert max(apart) < within, apart


def tolerance(backend: Backend, optimizer: str) -> float:
    """PyTorch adds its epsilon elsewhere: Adam's after the correction of bias, RMSprop's after the root."""
    return {"adam": 5e-2, "rmsprop": 0.25}.get(optimizer, 1e-2) if backend.backend == "torch" else 1e-2


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_workload_has_the_parameters_that_are_derived_computes_what_others_compute_and_learns(
    backend: Backend, workload: str
) -> None:
    chosen = load(workload)
    told = backend.build(workload)
    assert told["parameters"] == work(chosen, chosen.batch_size, chosen.optimizer).parameters
    agree(backend.losses(), GOLDEN["workloads"][workload], tolerance(backend, chosen.optimizer))
    loss, error = backend.learn(chosen.learning_steps)
    assert loss < LEARNED_LOSS
    assert error < LEARNED_ERROR


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_does_the_same_on_every_backend(backend: Backend, optimizer: str) -> None:
    backend.build("mlp", optimizer)
    agree(backend.losses(), GOLDEN["optimizers"][optimizer], tolerance(backend, optimizer))


@pytest.mark.parametrize("optimizer", [one for one in OPTIMIZERS if one != "momentum"])
def test_every_optimizer_learns_the_tutorials_network(backend: Backend, optimizer: str) -> None:
    """On one backend: that they do the same is seen above."""
    if backend.name == "tfnocuda":
        backend.build("mnist-cnn", optimizer)
        loss, error = backend.learn(100)
        assert loss < LEARNED_LOSS
        assert error < LEARNED_ERROR


@pytest.mark.parametrize("workload", ["keras-cnn", "mlp"])
def test_a_compiled_step_computes_the_same(backend: Backend, workload: str) -> None:
    if backend.backend == "jax":
        with pytest.raises(WorkerFailed, match="JAX"):
            backend.build(workload, jit=False)
        return
    if backend.backend == "torch" and workload == "keras-cnn":
        return  # it would compile for half a minute
    refused = backend.refused(workload, jit=True)
    if refused is not None:  # torch.compile needs a C++ compiler and Python's headers
        assert backend.backend == "torch", refused
        assert any(one in refused.message for one in ("compiler", "Python.h", "Inductor")), refused
        return
    agree(backend.losses(), GOLDEN["workloads"][workload], tolerance(backend, load(workload).optimizer))


@pytest.mark.parametrize("input", INPUTS)
def test_every_input_feeds_the_network(backend: Backend, input: str) -> None:
    told = backend.build("mlp", input=input)
    assert told["parameters"] == work(load("mlp"), 64, "adam").parameters
    assert 0 < backend.time(40) < 1.0
    loss, error = backend.learn(100)
    assert (loss < LEARNED_LOSS, error < LEARNED_ERROR) == (True, True)


@pytest.mark.parametrize("workload", ["mnist-cnn", "vit"])
def test_keras_builds_the_same_network(backend: Backend, workload: str) -> None:
    told, chosen = backend.build(workload, input="fit"), load(workload)
    assert told["parameters"] == work(chosen, chosen.batch_size, chosen.optimizer).parameters
    assert backend.time(5) > 0


# float16 is slow on CPUs: 40 s for the few steps of a convolution in TensorFlow 2.10.
@pytest.mark.parametrize(
    ("workload", "precision"), [("mnist-cnn", "mixed_bfloat16"), ("vit", "mixed_bfloat16"), ("mlp", "mixed_float16")]
)
def test_half_precision_steps_or_says_why_not(backend: Backend, workload: str, precision: str) -> None:
    refused = backend.refused(workload, precision=precision)
    if refused is not None:
        assert refused.kind in ("unsupported", "framework"), refused
        assert len(refused.message) > 20
        assert backend.worker.alive
        return
    losses = backend.losses(5)
    assert all(math.isfinite(one) for one in losses)
    agree(losses, GOLDEN["workloads"][workload], 0.15)


@pytest.mark.parametrize("workload", ["mnist-cnn"])
def test_a_batch_that_does_not_fit_is_told_as_memory_and_the_worker_lives(backend: Backend, workload: str) -> None:
    import resource

    pid = backend.worker.pid
    assert pid is not None
    old = resource.prlimit(pid, resource.RLIMIT_AS)
    held = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (held + (1 << 30), old[1]))
    try:
        with pytest.raises(WorkerFailed) as caught:
            backend.build(workload, batch_size=1 << 20)
    finally:
        if backend.worker.alive:
            resource.prlimit(pid, resource.RLIMIT_AS, old)
    # A library that is not told of a failed allocation may die of it: then that is told.
    assert caught.value.failure.kind in ("memory", "crash"), caught.value.failure


# Whole runs


def bench(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "gpucheck", "bench", *words]
    return subprocess.run(argv, capture_output=True, env=kept(**environ), text=True, timeout=400)


def read(done: subprocess.CompletedProcess[str]) -> Result:
    assert done.returncode in (0, 3), done.stderr[-3000:]
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(done.stdout))
    return json_format.read(done.stdout)


def busy(result: Result) -> bool:
    """Was the machine too busy to tell?"""
    gates = {why for trial in result.trials for leg in trial.legs for one in leg.blocks for why in one.left_out}
    return bool(gates & {"foreign-cpu", "canary"})


@pytest.mark.parametrize("name", BACKENDS)
def test_a_whole_run_measures_the_cpu(name: str) -> None:
    python = str(environment(name) / "bin" / "python")
    done = bench("--python", python, "--time", "6", "--devices", "cpu", "--format", "json")
    result = read(done)
    (leg,) = result.trials[0].legs
    assert leg.failure is None
    assert leg.learning is not None
    if done.returncode == 0:
        assert leg.figures is not None
        assert isinstance(leg.floor, float)
        assert leg.figures.step.value > 3 * leg.floor
        assert leg.figures.gflops < 1.2 * (leg.product_gflops if isinstance(leg.product_gflops, float) else math.inf)
    else:
        assert busy(result), result.trials[0]
    assert not any(isinstance(block.foreign_cpu, Gap) for block in leg.blocks), leg.blocks
    assert {aside.input for aside in leg.asides} >= {"host", "fit"}
    assert result.settings.backend == BACKENDS[name]


def test_a_planted_speedup_is_found_on_a_real_tensorflow() -> None:
    python = str(environment("tfnocuda") / "bin" / "python")
    for _ in range(2):
        words = ("--python", python, "--workload", "mlp", "--time", "6", "--format", "json")
        result = read(bench(*words, "--simulate", "speedup=4"))
        (verdict,) = result.trials[0].verdicts
        if verdict.word != "cannot-tell":
            break
        assert busy(result), verdict
    else:
        return  # twice too busy, and said so
    assert (verdict.word, verdict.ratio is None) == ("faster", False)
    assert verdict.ratio is not None
    assert 3.4 < verdict.ratio.value < 4.6
    assert verdict.sentence.startswith("SIMULATED")


def test_the_parent_imports_no_framework() -> None:
    """With TensorFlow in the examined Python, and numpy beside gpucheck or not."""
    python = str(environment("tfnocuda") / "bin" / "python")
    program = (
        "import sys, os\nfrom gpucheck import options, output\nfrom typer.main import get_command\n"
        "try:\n    get_command(options.app)(sys.argv[1:], standalone_mode=False)\nexcept BaseException as error:\n"
        "    print(repr(error), file=sys.stderr)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'tensorflow', 'keras', 'jax', 'jaxlib', 'torch', 'numpy', 'matplotlib'}), file=sys.stderr)"
    )
    words = ("bench", "--python", python, "--devices", "cpu", "--workload", "mlp", "--time", "1", "--data", "synthetic")
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, env=kept(), text=True, timeout=300
    )
    assert done.stderr.splitlines()[-1] == "[]", done.stderr[-2000:]
    assert "mlp" in done.stdout
