"""What came of each part of a smoke test, in one word and one sentence.

A smoke test says "the GPU works". So a machine without one fails here, where doctor (nothing is wrong with it) passes
it; and a speed test that cannot tell whether the GPU is faster passes, unless a speed-up was asked for.
"""

from __future__ import annotations

from typing import Union

from gpucheck.facts.bench import Leg, Result
from gpucheck.facts.deep import Deep, Operation
from gpucheck.facts.gap import Gap, Unknown
from gpucheck.facts.snapshot import Snapshot
from gpucheck.rules.presence import nvidia_here
from gpucheck.smoke.result import Outcome, SmokePart

FRAMEWORKS = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}
_WORDS = {"matmul": "matrix product", "conv2d": "convolution"}
_SPOILED = ("wrong-numbers", "not-learning", "no-kernels")  # reasons of bench for which a GPU is of no use
NO_GPU = "no GPU was computed on"


def operation(snapshot: Snapshot, seconds: float) -> SmokePart:
    """A real operation on each GPU, by TensorFlow: what doctor --deep does."""
    return SmokePart("operation", *_operation(snapshot), seconds)


def _operation(snapshot: Snapshot) -> tuple[Outcome, str]:
    deep = snapshot.deep
    if deep is None:
        if shows_none(snapshot):
            return "error", f"{NO_GPU}: this machine shows none"
        return "not-run", "this recorded machine was not asked to compute"
    if isinstance(deep, Gap):
        return "unknown", deep.reason
    if deep.status != "ok":
        return "error", _not_imported(deep)
    if isinstance(deep.devices, Gap):
        return "unknown", deep.devices.reason
    if not deep.devices:
        return "error", f"TensorFlow {deep.tensorflow_version or ''} lists no GPU{_why_none(snapshot)}"
    if isinstance(deep.operations, Gap):
        return "unknown", deep.operations.reason
    failed = [one for one in deep.operations if one.status != "ok"]
    computed = {one.device for one in deep.operations}
    missing = [one for one in deep.devices if one not in computed]
    if failed or missing:
        return "error", "; ".join([*map(_failure, failed), *(f"nothing was computed on {one}" for one in missing)])
    names = " and a ".join(dict.fromkeys(_WORDS[one.operation] for one in deep.operations))
    return "ok", f"a {names} on {', '.join(deep.devices)} gave the CPU's numbers"


def _not_imported(deep: Deep) -> str:
    what = {
        "not-installed": "TensorFlow is not installed",
        "import-failed": "TensorFlow cannot be imported",
        "crashed": "TensorFlow crashes",
        "hung": "TensorFlow gave no answer in time",
    }[deep.status]
    return f"{what}: {deep.error}" if deep.error else what


def _why_none(snapshot: Snapshot) -> str:
    return "; this machine shows none" if shows_none(snapshot) else ""


def shows_none(snapshot: Snapshot) -> bool:
    """Is it known that no NVIDIA GPU is here?"""
    try:
        return nvidia_here(snapshot) is None
    except Unknown:
        return False


def _failure(one: Operation) -> str:
    words = {"wrong-numbers": "gave wrong numbers", "hung": "hung", "crashed": "killed the process"}
    what = words.get(one.status, "failed")
    return f"{one.device}: a {_WORDS[one.operation]} {what}{f' ({one.error})' if one.error else ''}"


def operation_of_bench(result: Union[Result, None], framework: str, seconds: float) -> SmokePart:
    """The same where there is no TensorFlow: training steps by the framework that there is, on each GPU."""
    gpus = _gpus(result) if result else []
    failed = [one for one in gpus if one.failure is not None and not one.blocks]
    if failed:
        said = "; ".join(f"{one.device}: {one.failure.message}" for one in failed if one.failure)
        return SmokePart("operation", "error", said, seconds)
    done = [one for one in gpus if one.learning is not None or one.blocks]
    if gpus and len(done) == len(gpus):
        names = ", ".join(one.device for one in gpus)
        return SmokePart(
            "operation", "ok", f"{FRAMEWORKS[framework]} trained on {names}; there is no TensorFlow", seconds
        )
    if result is not None and not gpus and not result.interrupted:
        return SmokePart("operation", "error", f"{NO_GPU}: {result.no_gpu or 'none is visible here'}", seconds)
    return SmokePart("operation", "unknown", f"it did not come to an operation by {FRAMEWORKS[framework]}", seconds)


def nothing_visible(snapshot: Snapshot, visible: Union[bool, Gap], framework: str) -> SmokePart:
    """No TensorFlow, and no GPU for the framework that there is."""
    if isinstance(visible, Gap) and not shows_none(snapshot):
        return SmokePart(
            "operation", "unknown", f"it is not known which GPUs {FRAMEWORKS[framework]} sees: {visible.reason}"
        )
    why = "this machine shows none" if shows_none(snapshot) else "CUDA_VISIBLE_DEVICES names none that NVML lists"
    return SmokePart("operation", "error", f"{NO_GPU} by {FRAMEWORKS[framework]}: {why}")


def bench(result: Result, gate: Union[int, None], fail_under: Union[float, None], seconds: float) -> SmokePart:
    """gate: the exit code of --fail-under for what was measured; None: it was not asked for."""
    outcome, said = _bench(result, gate)
    words = [f"{said.rstrip('.')}."]
    if gate is not None and fail_under is not None:
        words.append(f"--fail-under is {fail_under:g}.")
    if result.interrupted:
        words.append("It was ended before its time.")
    return SmokePart("bench", outcome, " ".join(words), seconds)


def _bench(result: Result, gate: Union[int, None]) -> tuple[Outcome, str]:
    legs = [leg for trial in result.trials for leg in trial.legs]
    verdicts = [one for trial in result.trials for one in trial.verdicts]
    said = " ".join(one.sentence for one in verdicts)
    failed = [leg for leg in legs if leg.failure is not None]
    if failed and not (result.interrupted and all(leg.failure and leg.failure.kind == "crash" for leg in failed)):
        return "error", "; ".join(f"{leg.device}: {leg.failure.message}" for leg in failed if leg.failure)
    spoiled = [reason.text for one in verdicts for reason in one.reasons if reason.name in _SPOILED]
    if spoiled:
        return "error", "; ".join(spoiled)
    if not any(leg.blocks for leg in _gpus(result)):
        missing = "It came to no step on a GPU." if result.interrupted else result.no_gpu or "No GPU was measured."
        return ("unknown" if result.interrupted else "error"), missing
    if gate is None:
        return "ok", said or "A GPU trained."
    return ("ok" if gate == 0 else "error" if gate == 1 else "unknown"), said or "Nothing can be told."


def _gpus(result: Result) -> list[Leg]:
    return [leg for trial in result.trials for leg in trial.legs if leg.device != "cpu"]


def speed(result: Union[Result, None]) -> Union[tuple[float, float], Gap]:
    """How many times as fast as the CPU the slowest GPU was, from and to."""
    verdicts = [one for trial in result.trials for one in trial.verdicts] if result else []
    unclear = next((one for one in verdicts if one.word == "cannot-tell" or one.ratio is None), None)
    if unclear is not None:
        return Gap(unclear.sentence.rstrip("."), "unsupported")
    ratios = [one.ratio for one in verdicts if one.ratio is not None]
    if not ratios:
        return Gap("no GPU's speed was measured", "not-collected")
    slowest = min(ratios, key=lambda one: one.value)
    return slowest.low, slowest.high
