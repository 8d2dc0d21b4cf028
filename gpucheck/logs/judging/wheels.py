"""No wheel for this Python: its version, or its 32 bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Union

from gpucheck.compat.releases import of_version
from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import PackageVersion
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import on_windows
from gpucheck.rules.engine import Found, found

NO_WHEEL, _32_BIT, CONFLICT = "python-version-no-wheel", "python-32bit", "requirements-conflict"
WHICH_PYTHON = "python -c \"import struct, sys; print(sys.version, struct.calcsize('P') * 8, 'bit')\""
FRAMEWORKS = ("tensorflow", "tensorflow-gpu", "tensorflow-cpu", "tf-nightly", "torch", "torchvision", "jaxlib", "jax")


def of_packages(log: Log, packages: Iterable[str], *messages: str) -> list[Clue]:
    """The clues of these messages that speak of one of these packages."""
    wanted = tuple(packages)
    return [clue for clue in log.all(*messages) if clue.get("package") in wanted]


def lines_of(*clues: Union[Clue, None]) -> list[tuple[str, object, str]]:
    """At most four lines as evidence, in their order."""
    lines = {clue.line: clue for clue in clues if clue is not None}
    return [told(lines[line]) for line in sorted(lines)[:4]]


def _signs_of_32_bit(log: Log) -> list[Clue]:
    told_ = [clue for clue in log.all("python-banner", "traceback-file") if clue.get("bits") == "32"]
    return [*told_, *log.all("windows-32-bit-program")]


@cause(_32_BIT, Place.INSTALLER, explains=(NO_WHEEL, CONFLICT, "msvc-redistributable-missing"))
def too_narrow(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    refused = [*_refused(log), *log.all("dll-load-failed"), *log.all("windows-error")]
    signs = _signs_of_32_bit(log)
    own = [clue for clue in log.all("pip-wheel-not-supported") if _for_this_python(clue, log)]
    if (refused and signs) or own:
        yield found(
            "This Python is a 32-bit program, and there are only 64-bit wheels.",
            lines_of(*refused[:2], *signs[:1], *own[:1]),
            ["# install a 64-bit Python, then:", "py -m venv tf", WHICH_PYTHON],
        )


def _for_this_python(clue: Clue, log: Log) -> bool:
    """A 64-bit Windows wheel for just this version of Python was refused: it is the bits."""
    tag = clue.get("python_tag") or ""
    pythons = {value.replace(".", "")[: len(tag) - 2] for value in _pythons(log)}
    return clue.get("platform_tag") == "win_amd64" and bool(pythons) and pythons == {tag.removeprefix("cp")}


def _pythons(log: Log) -> tuple[str, ...]:
    """The versions of Python that the log names, "3.12"."""
    said = [value for message in ("python-banner", "traceback-file") for value in log.values(message, "python")]
    return tuple(dict.fromkeys(".".join(value.split(".")[:2]) for value in said))


def _refused(log: Log) -> list[Clue]:
    """The lines that say that there is no wheel of a framework for this Python."""
    clues = of_packages(
        log, FRAMEWORKS, "pip-no-version", "pip-wheel-not-supported", "pip-other-python", "uv-no-wheel",
        "uv-wheels-for-others", "uv-other-python", "uv-no-file",
    )  # fmt: skip
    clues = [clue for clue in clues if clue.get("kind") != "platform" and clue.get("tag_kind") != "platform"]
    return [clue for clue in clues if clue.message != "pip-no-version" or _of_python(clue)]


def _of_python(clue: Clue) -> bool:
    """pip found nothing at all, or the release that was asked for exists and is not in the list for this Python."""
    if clue.get("versions") is None:
        return False
    if clue.get("versions") == "0":
        return True
    wanted = (clue.get("requirement") or "").partition("==")[2].strip()
    if not wanted or clue.get("package") not in ("tensorflow", "tensorflow-gpu", "tensorflow-cpu"):
        return bool(wanted) and clue.get("package") in FRAMEWORKS
    version, oldest = PackageVersion.parse(wanted), PackageVersion.parse(clue.get("oldest") or "")
    if version is None or oldest is None:
        return False
    exists = any(of_version(os, "x86_64", wanted) is not None for os in ("linux", "windows"))
    return version < oldest or exists


@cause(NO_WHEEL, Place.INSTALLER, explains=(CONFLICT, "tensorflow-not-installed", "wrong-python-environment"))
def no_wheel(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    refused = _refused(log)
    nothing = all(clue.message == "pip-no-version" and clue.get("versions") == "0" for clue in refused)
    if not refused or (nothing and log.first("index-unreachable")) or _contradicts(refused, log) or _at_odds(refused):
        return
    first = refused[0]
    ignored = log.first("pip-ignored-for-python")
    yield found(
        f"There is no wheel of {first.get('requirement') or first.get('package')} for this Python{_known(first, log)}.",
        lines_of(*refused[:3], ignored),
        [WHICH_PYTHON, *_advice(first, log, snapshot)],
    )


def _contradicts(refused: list[Clue], log: Log) -> bool:
    """A wheel for just this Python was refused: then its version is not the reason."""
    return any(_for_this_python(clue, log) for clue in refused)


def _at_odds(refused: list[Clue]) -> bool:
    """A 64-bit wheel that somebody chose for his Python was refused, and the index has nothing at all for it either."""
    chosen = any(clue.get("platform_tag") == "win_amd64" for clue in refused)
    return chosen and any(clue.get("versions") == "0" for clue in refused)


@question(Place.INSTALLER)
def why_both_refused(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    refused = _refused(log)
    if _at_odds(refused):
        yield left(
            "pip refuses this wheel for 64-bit Windows, and finds no other on the index.",
            lines_of(*refused[:3]),
            {_32_BIT: "the line says 32 bit", NO_WHEEL: "it says another version than the wheel's name"},
            WHICH_PYTHON,
        )


def _known(clue: Clue, log: Log) -> str:
    have = clue.get("python") or next(iter(_pythons(log)), None)
    if have is not None:
        return f", which is {have}"
    if clue.get("tag"):
        return f" ({clue.get('tag')})"
    oldest = clue.get("oldest")
    return f": what pip offers it begins with {oldest}" if oldest else ": its version, or it is a 32-bit one"


def _advice(clue: Clue, log: Log, snapshot: Snapshot) -> Iterator[str]:
    wanted = (clue.get("requirement") or "").partition("==")[2].strip() or clue.get("version")
    os = "windows" if on_windows(log, snapshot) else "linux"
    row = of_version(os, "x86_64", wanted) if wanted and (clue.get("package") or "").startswith("tensorflow") else None
    if row is not None:
        newest = row.pythons.split()[-1]
        yield f"# {row.version} has wheels for Python {', '.join(row.pythons.split())}"
        yield f"uv venv --python {newest} tf" if os == "linux" else f"py -{newest} -m venv tf"
    else:
        yield "# make an environment with a 64-bit Python that it has wheels for: gpucheck install --dry-run names it"


@question(Place.INSTALLER)
def why_no_distribution(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """pip's last line alone, or an empty list behind a network that does not answer."""
    bare = [one for one in of_packages(log, FRAMEWORKS, "pip-no-version") if one.get("versions") is None]
    clues = [*of_packages(log, FRAMEWORKS, "pip-no-distribution"), *bare]
    if clues:
        yield left(
            f"pip found nothing to install for {clues[0].get('requirement')}.",
            lines_of(*clues[:1], log.first("index-unreachable")),
            {NO_WHEEL: "this Python is older or newer than the release's wheels",
             _32_BIT: "the line says 32 bit"},
            WHICH_PYTHON,
        )  # fmt: skip
