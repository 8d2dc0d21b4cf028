"""What `gpucheck bench` does, once its words are understood: choose, measure, tell. No option is declared here.

Nothing that was measured is lost: where a file cannot be written, the answer goes to standard output.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from gpucheck import api
from gpucheck.commands import arguments
from gpucheck.facts.bench import Comparison, Doctor, Result, Settings
from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.interruption import listen
from gpucheck.output import Unwritable, WrongUsage, check_place, colored, columns, complain, write

if TYPE_CHECKING:
    from gpucheck.bench.job import Job
    from gpucheck.bench.run import Run
    from gpucheck.bench.simulation import Simulation

LOOK_SECONDS = 10.0
DISTRIBUTIONS = {  # backend -> distributions that bring it
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tf-nightly", "tensorflow-intel"),
    "jax": ("jax",),
    "torch": ("torch",),
}


class Words(NamedTuple):
    """The command line, understood. Lists are split, names are checked."""

    python: Optional[str] = None
    devices: Optional[str] = None
    workload: str = "mnist-cnn"
    backend: Optional[str] = None
    batch_sizes: tuple[int, ...] = ()
    time: float = 30.0
    precision: str = "float32"
    jit: Optional[bool] = None
    input: str = "resident"
    optimizer: Optional[str] = None
    data: str = "sample"
    seed_line: bool = False
    format: str = "terminal"
    output: Optional[str] = None
    plot: Optional[str] = None
    save: Optional[str] = None
    compare: Optional[str] = None
    compare_unlike: bool = False
    fail_under: Optional[float] = None
    fail_slower: Optional[float] = None
    load: Optional[str] = None
    simulate: Optional[str] = None
    verbose: bool = False
    brief: bool = False  # of gpucheck smoke: without what is only told beside the verdict


# What --load leaves no place for: it shows what was measured then.
_OF_A_MEASUREMENT = (
    *("python", "devices", "workload", "backend", "batch_sizes", "time", "precision", "jit", "input", "optimizer"),
    *("data", "seed_line", "simulate"),
)


def bench(words: Words) -> int:
    """Measure, or show a saved result; compare; tell. Gives the exit code."""
    _check(words)
    old = read(words.compare) if words.compare else None
    if words.load is not None:
        result = read(words.load)
        result = result._replace(comparison=_compared(old, result, words))
        code = _exit_code(result, words, old)
        return _tell(result._replace(exit_code=code), words, code)
    listen()
    look = api.look_here(arguments.interpreter(words.python), False, LOOK_SECONDS)
    report = api.judge(look)
    job = _job(words, look)
    result = _measured(job, look, report, words, old)
    return _tell(result, words, result.exit_code)


def measure(words: Words, look: Snapshot, report: api.Report) -> Result:
    """Measure on a machine that was looked at and judged; a signal ends it with what is known. Raises `WrongUsage`."""
    return _measured(_job(words, look), look, report, words, None)


def gate(result: Result, speedup: float) -> int:
    """What --fail-under says to what was measured: 0 it is reached, 1 it is not, 3 that cannot be told."""
    from gpucheck.bench.judging.verdict import fail_under

    codes = [fail_under(one, speedup) for trial in result.trials for one in trial.verdicts] or [3]
    return 1 if 1 in codes else max(codes)


def _check(words: Words) -> None:
    places = [path for path in (words.output, words.save, words.plot) if path is not None]
    for path in places:
        check_place(path)
    if len({os.path.realpath(path) for path in places}) < len(places):
        raise WrongUsage("--output, --save and --plot need a file each")
    plain = Words()
    given = [name for name in _OF_A_MEASUREMENT if getattr(words, name) != getattr(plain, name)]
    if words.load is not None and given:
        option = given[0].replace("batch_sizes", "batch_size").replace("_", "-")
        raise WrongUsage(f"--load shows a saved result: --{option} is for a measurement")
    if words.plot is not None:
        if not words.plot.lower().endswith((".png", ".svg")):
            raise WrongUsage("--plot takes a file named .png or .svg")
        _require_plotting("--plot")
    if words.fail_slower is not None and words.compare is None:
        raise WrongUsage("--fail-slower needs --compare FILE")
    if words.seed_line and (words.workload != "mnist-cnn" or words.input == "fit"):
        raise WrongUsage("--seed-line repeats the 2017 script: with --workload mnist-cnn, and not with --input fit")
    if words.backend == "jax" and words.jit is False:
        raise WrongUsage("JAX compiles every training step: --jit off is not for --backend jax")


def _require_plotting(option: str) -> None:
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise WrongUsage(f"{option} needs matplotlib, which the extra gpucheck-cli[plot] brings")


# Choosing


def _job(words: Words, look: Snapshot) -> Job:
    from gpucheck.bench.data import BadData, choose
    from gpucheck.bench.devices import BadDevices
    from gpucheck.bench.devices import choose as choose_devices
    from gpucheck.bench.job import SEED, SIMULATED, Job, Limits, compiled, workload_hash
    from gpucheck.bench.simulation import BadSimulation, parse
    from gpucheck.bench.workloads import load

    python = look.python
    if isinstance(python, Gap):
        raise WrongUsage(f"no Python to measure with: {python.reason}")
    if isinstance(python.version, Gap):
        raise WrongUsage(f"{python.executable} does not tell which Python it is: {python.version.reason}")
    backend, workload = backend_of(words, python), load(words.workload)
    simulation: Union[Simulation, None] = None
    try:
        simulation = parse(words.simulate) if words.simulate is not None else None
        data = choose(words.data)
        devices = choose_devices(words.devices, look.gpus, os.environ, _processor(), simulation)
    except BadSimulation as error:
        raise WrongUsage(f"--simulate: {error}") from error
    except BadDevices as error:
        raise WrongUsage(f"--devices: {error}") from error
    except BadData as error:
        raise WrongUsage(f"--data: {error}") from error
    settings = Settings(
        workload=workload.name,
        workload_hash=workload_hash(workload),
        backend=backend,
        precision=words.precision,
        jit=compiled(backend, words.jit),
        tf32=False,
        input=words.input,
        optimizer=words.optimizer or workload.optimizer,
        data=data.label,
        seed=SEED,
        time=words.time,
        simulated=simulation.text if simulation else None,
    )
    sizes = words.batch_sizes or (workload.batch_size,)
    said = tuple(sys.argv[1:])
    return Job(
        *(python.executable, os.environ, devices, workload, settings.optimizer, sizes, data, settings),
        words.seed_line,
        said,
        SIMULATED if simulation and simulation.fault else Limits(),
        words.brief,
    )


def backend_of(words: Words, python: Python) -> str:
    """--backend, else KERAS_BACKEND, else keras.json, else the first that is installed: TensorFlow, JAX, PyTorch."""
    installed = _installed(python)
    asked = words.backend or os.environ.get("KERAS_BACKEND") or python.keras_backend
    if isinstance(asked, str) and asked in DISTRIBUTIONS and (words.backend or installed is None or asked in installed):
        backend = asked
    elif installed:
        backend = next(iter(installed))
    else:
        backend = "tensorflow"
    if installed is not None and backend not in installed:
        others = f" ({', '.join(installed)} is there: --backend)" if installed else ""
        lacking = _NAMES[backend] if installed or words.backend else "TensorFlow, JAX or PyTorch"
        raise WrongUsage(f"{python.executable} has no {lacking}{others}; --python names another Python to measure with")
    return backend


_NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def _installed(python: Python) -> Union[tuple[str, ...], None]:
    if isinstance(python.distributions, Gap):
        return None
    there = {one.name for one in python.distributions}
    return tuple(name for name, brings in DISTRIBUTIONS.items() if there & set(brings))


def _processor() -> str:
    from gpucheck.bench.watching.machine import environment

    return next((part.value for part in environment() if part.name == "CPU"), "CPU")


# Measuring


def _measured(job: Job, look: Snapshot, report: api.Report, words: Words, old: Union[Result, None]) -> Result:
    from gpucheck.bench.judging.compare import unlike
    from gpucheck.bench.run import Run, Unlike
    from gpucheck.bench.watching.machine import environment
    from gpucheck.render.bench.progress import start

    stream = sys.stderr
    alive = stream is not None and stream.isatty()
    progress = start(stream, alive, None, alive and not os.environ.get("NO_COLOR"))

    def acceptable(result: Result) -> tuple[str, ...]:
        return () if old is None or words.compare_unlike else unlike(old, result)

    run = Run(job, (*environment(), *_driver(look)), progress)
    try:
        run.measure(acceptable)
    except Unlike as differing:
        listed = "; ".join(differing.lines)
        raise WrongUsage(
            f"{words.compare} is of another environment, so it is not compared ({listed}); --compare-unlike does it"
        ) from differing
    finally:
        progress.close()
    return _concluded(run, look, report, words, old)


def _driver(look: Snapshot) -> tuple[Any, ...]:
    from gpucheck.facts.bench import Part

    version = getattr(look.driver, "version", None)
    return (Part("driver version", str(version)),) if version is not None and not isinstance(version, Gap) else ()


def _concluded(run: Run, look: Snapshot, report: api.Report, words: Words, old: Union[Result, None]) -> Result:
    from gpucheck.render.causes import headline

    doctor = Doctor(report.verdict, headline(report), tuple(finding.name for finding in report.findings))
    result = run.result(doctor, None, look)
    notes = (*_missing(run.job, words), *result.notes)
    result = result._replace(no_gpu=_no_gpu(result, report, words), notes=notes)
    result = result._replace(comparison=_compared(old, result, words))
    faults = [leg.failure for trial in result.trials for leg in trial.legs]
    if faults and all(one is not None and one.kind == "data" for one in faults):
        raise WrongUsage(f"--data: {faults[0].message}" if faults[0] else "--data")
    code = run.stopped_with if run.interrupted else _exit_code(result, words, old)
    return result._replace(exit_code=code)


def _missing(job: Job, words: Words) -> list[str]:
    """Devices that were asked for and are not there."""
    from gpucheck.bench.devices import names

    there = {device.name for device in job.devices}
    count = len([name for name in there if name != "cpu"])
    seen = "no GPU was found" if count == 0 else f"of those asked for, {count} {'is' if count == 1 else 'are'} there"
    return [f"{name} was asked for; {seen}" for name in names(words.devices) if name != "all" and name not in there]


def _no_gpu(result: Result, report: api.Report, words: Words) -> Union[str, None]:
    """Why no GPU was measured: doctor's first word on it, else what the framework said."""
    from gpucheck.bench.devices import names

    gpus = [leg for trial in result.trials for leg in trial.legs if leg.device != "cpu"]
    if any(leg.blocks for leg in gpus) or result.settings.simulated is not None:
        return None
    if words.devices is not None and names(words.devices) == ("cpu",):
        return "only the CPU was asked for"
    first = next((one for one in report.findings if one.severity.value == "error"), None)
    nothing = report.find("ok-cpu-expected")
    if first is None and nothing is not None and not gpus:
        return f"no NVIDIA GPU is visible here (gpucheck explain {nothing.name})"
    failed = next((leg.failure.message for leg in gpus if leg.failure is not None), None)
    if first is not None:
        said = f"{first.message} (gpucheck explain {first.name})"
        return f"{failed}. {said}" if failed else said
    if failed:
        return failed
    there = report.snapshot.gpus
    if isinstance(there, Gap):
        return f"it is not known whether there is one: {there.reason}"
    from gpucheck.render.causes import headline

    return headline(report)


# Comparing and telling


def read(path: str) -> Result:
    """The result that --save wrote. Raises `WrongUsage`: there is none."""
    from gpucheck.facts.codec import BadFacts
    from gpucheck.render.bench.json import read

    try:
        return read(api.read_text(path))
    except api.BadFile as error:
        raise WrongUsage(f"{path}: {error}") from error
    except (BadFacts, ValueError, RecursionError) as error:
        raise WrongUsage(f"{path}: no result of gpucheck bench: {error}") from error
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror or error}") from error


def _compared(old: Union[Result, None], result: Result, words: Words) -> Union[Comparison, None]:
    from gpucheck.bench.judging.compare import compare, unlike

    if old is None or words.compare is None:
        return None if words.load is None else result.comparison
    if words.load is not None and not words.compare_unlike and (lines := unlike(old, result)):
        raise WrongUsage(f"{words.compare} is of another environment ({'; '.join(lines)}); --compare-unlike compares")
    threshold = None if words.fail_slower is None else words.fail_slower / 100
    return compare(old, result, os.path.basename(words.compare), threshold)


def _exit_code(result: Result, words: Words, old: Union[Result, None]) -> int:
    from gpucheck.bench.devices import names
    from gpucheck.bench.judging.verdict import exit_code

    asked = [one for one in names(words.devices) if one != "all"]
    return exit_code(result, asked, words.fail_under, words.fail_slower is not None)


def _tell(result: Result, words: Words, code: int) -> int:
    """Write what was asked for. One file that cannot be written does not cost the others, nor the answer."""
    from gpucheck.render.bench import json

    failed = False
    if words.save is not None and not _written(json.render(result), words.save):
        failed = True
        _rescue(json.render(result))
    if words.plot is not None:
        from gpucheck.render.bench.pictures import draw

        svg = words.plot.lower().endswith(".svg")
        failed |= not _written(draw(result, "svg" if svg else "png"), words.plot)
    text = _rendered(result, words)
    if words.output is not None and not _written(text, words.output):
        failed = True
        write(_rendered(result, words._replace(output=None)), None)
    elif words.output is None:
        write(text, None)
    return 2 if failed and code == 0 else code


def _rescue(document: str) -> None:
    """What --save could not write, where anything can be written at all."""
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="gpucheck-bench-", suffix=".json", delete=False, encoding="utf-8"
        ) as file:
            file.write(document)
    except OSError:
        return
    complain(f"the result is kept in {file.name}")


def _written(content: Union[str, bytes], path: str) -> bool:
    try:
        write(content, path)
    except Unwritable as error:
        complain(str(error))
        return False
    return True


def _rendered(result: Result, words: Words) -> str:
    if words.format == "json":
        from gpucheck.render.bench import json

        return json.render(result)
    if words.format == "markdown":
        from gpucheck.render.bench import markdown

        return markdown.render(result)
    if words.format == "html":
        from gpucheck.render.bench import html

        return html.render(result)
    from gpucheck.render.bench import terminal

    width, color = (80, False) if words.output else (columns(), colored())
    return terminal.render(result, width, color, words.verbose)
