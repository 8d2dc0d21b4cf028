"""What the findings on expectations mean, as the rules say it of theirs: for explain, docs/rules and the formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gpucheck.expecting.judging import APPLIED, NOT_MEASURABLE, NOT_MET
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, Rule


def documented() -> dict[str, Rule]:
    """Their names, severities and words. `judge` finds nothing: what is expected stands in no snapshot."""
    return {one.name: one for one in (_rule(NOT_MET, _not_met), _rule(NOT_MEASURABLE, _open), _rule(APPLIED, _applied))}


_SEVERITY = {NOT_MET: Severity.ERROR, NOT_MEASURABLE: Severity.WARNING, APPLIED: Severity.INFO}


def _rule(name: str, described: Callable[[Snapshot], Iterator[Found]]) -> Rule:
    return Rule(name, _SEVERITY[name], name == NOT_MEASURABLE, (), described.__doc__ or "", described)


def _not_met(snapshot: Snapshot) -> Iterator[Found]:
    """Something is not as `--expect FILE` or `[tool.gpucheck]` says that it should be.

    ## What it means
    The file names what this machine or this environment must have: a driver, so many GPUs of a kind, a TensorFlow, a
    cuDNN, a speed-up, or no warning of some name. What was found is something else. The evidence says what was found
    and where, and which key of which file expects another.

    ## Why it matters
    The machine may work all the same; somebody decided that this is not enough. So it is an error, and the exit code
    is 1.

    ## How to fix it
    Change the machine, or the expectation. Where the file is a surprise: the nearest pyproject.toml with a table
    `[tool.gpucheck]` is read, in the current folder or above it; `--expect FILE` names another.

    ## References
    - https://packaging.python.org/en/latest/specifications/version-specifiers/
    """
    yield from ()


def _open(snapshot: Snapshot) -> Iterator[Found]:
    """Something is expected of this machine, and it could not be measured whether it is so.

    ## What it means
    The fact that a key of the file is about is not known here: NVML does not answer, a file must not be read, a
    recording does not hold it, or the measured speed-up is too uncertain to lie on one side.

    ## Why it matters
    What is not known is neither met nor missed. The verdict stays open, the exit code is 3 (with `--strict` 1): a gate
    that asks for 0 stays shut.

    ## How to fix it
    The reason says what stood in the way. For a speed-up measure longer, on a machine with nothing else to do.

    ## References
    - https://packaging.python.org/en/latest/specifications/version-specifiers/
    """
    yield from ()


def _applied(snapshot: Snapshot) -> Iterator[Found]:
    """A file says what is expected of this machine, and it was read.

    ## What it means
    `--expect FILE` was given, or a pyproject.toml in the current folder or above it has a table `[tool.gpucheck]`. What
    it expects was held against what was found here; `ignore`, `strict` and `timeout` of it count as the options do.

    ## Why it matters
    An answer that depends on a file says so: in another folder it may be another one.

    ## How to fix it
    Nothing is wrong. Another file is named by `--expect FILE`; in a folder outside of the project none is read.

    ## References
    - https://packaging.python.org/en/latest/specifications/pyproject-toml/
    """
    yield from ()
