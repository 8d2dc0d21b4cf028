"""Requirements that exclude each other: what pip's and uv's resolvers say of it."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.logs.judging import Place, cause
from gpucheck.logs.judging.wheels import lines_of
from gpucheck.rules.engine import Found, found

_GENERAL = "requirements-conflict"
_OURS = ("tensorflow", "tensorboard", "keras", "torch", "jax", "tf-")


def _sides(log: Log, package: str) -> list[Clue]:
    """Who asks for this package, where the resolver gave up; one of them is a framework or what belongs to it."""
    if log.first("pip-resolution-impossible") is None:
        return []
    sides = [clue for clue in log.all("pip-depends") if clue.get("needs") == package]
    return sides if any((clue.get("package") or "").startswith(_OURS) for clue in sides) else []


def _said(clue: Clue) -> str:
    who = f"{clue.get('package')} {clue.get('version')}" if clue.get("package") else "the request"
    return f"{who} asks for {clue.get('requirement')}"


@cause("protobuf-incompatible", Place.INSTALLER, explains=(_GENERAL,))
def protobuf(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    yield from _of(log, "protobuf")


@cause("numpy2-abi-break", Place.INSTALLER, explains=(_GENERAL,))
def numpy(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """Only where one side wants NumPy 2: other conflicts about NumPy are conflicts like any."""
    if any("numpy==2" in (side.get("requirement") or "").replace(">=", "==") for side in _sides(log, "numpy")):
        yield from _of(log, "numpy")


@cause("torch-cudnn-pin-conflict", Place.INSTALLER, explains=(_GENERAL,))
def cudnn(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    for wheel in ("nvidia-cudnn-cu12", "nvidia-cudnn-cu11", "nvidia-cudnn-cu13"):
        yield from _of(log, wheel)


def _of(log: Log, package: str) -> Iterator[Found]:
    sides = _sides(log, package)
    if len(sides) > 1:
        yield found(
            f"No version of {package} satisfies everybody: {'; '.join(_said(side) for side in sides[:3])}.",
            lines_of(*sides[:3], log.first("pip-resolution-impossible")),
            [f"# loosen the pin of {package}, or take a TensorFlow that accepts it", "gpucheck install --dry-run"],
        )


@cause(_GENERAL, Place.INSTALLER)
def conflict(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """What is asked for cannot be installed together.

    ## What it means
    Two packages ask for versions of a third one that exclude each other, or a pin of one's own excludes what a package
    asks for. pip says ResolutionImpossible, uv "No solution found".

    ## Why it matters
    Nothing is installed.

    ## How to fix
    Remove pins, most of all exact ones (==), and let the resolver choose; or give each framework an environment.
    `gpucheck install --dry-run` shows versions that fit each other and this machine.

    ## References
    https://pip.pypa.io/en/stable/topics/dependency-resolution/
    """
    clue = log.first("pip-resolution-impossible", "uv-no-solution")
    if clue is not None:
        sides = log.all("pip-depends")[:3]
        yield found(
            f"The requirements exclude each other{': ' + '; '.join(_said(side) for side in sides) if sides else ''}.",
            lines_of(*sides, clue),
            ["# remove exact pins (==), or an environment for each framework", "gpucheck install --dry-run"],
        )
