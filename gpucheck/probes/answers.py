"""What a child process left behind, read. Lines that are no JSON object are passed over: a library may print."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, Union

from gpucheck.facts.driver import UserLibrary
from gpucheck.facts.gap import Gap
from gpucheck.host import Answer

Stage = dict[str, Any]


class Told(NamedTuple):
    """A child's lines by stage, and how it ended where it did not say "done"."""

    stages: dict[str, Stage]  # the first of each name
    gpus: tuple[Stage, ...]  # each GPU's lines made one; "more" is true in one that was broken off
    done: bool
    end: Union[Literal["crashed", "hung"], None]  # None: it came to its own end
    how: str  # "SIGSEGV", "no answer before the deadline" …
    devices: tuple[Stage, ...] = ()  # libcuda's


def read(answer: Answer) -> Union[Told, Gap]:
    """Read the lines of the nvml and cuda children; a gap where there was no child."""
    import json

    if answer.ended == "not-started":
        return Gap(f"not asked: {answer.errors or 'no child process'}", "not-collected")
    stages: dict[str, Stage] = {}
    gpus: dict[Any, Stage] = {}
    devices: list[Stage] = []
    for line in answer.lines:
        try:
            stage = json.loads(line)
        except (ValueError, RecursionError):  # cut short by a crash, or a library's own words
            continue
        if not isinstance(stage, dict):
            continue
        if stage.get("stage") == "gpu":
            number = whole(stage.get("number"))
            gpus[number] = {**gpus.get(number, {}), "more": False, **stage}
        elif stage.get("stage") == "device":
            devices.append(stage)
        else:
            stages.setdefault(str(stage.get("stage")), stage)
    end, how = ending(answer)
    return Told(stages, tuple(gpus.values()), "done" in stages, end, how, tuple(devices))


def ending(answer: Answer) -> tuple[Union[Literal["crashed", "hung"], None], str]:
    """How a child ended, in words."""
    if answer.ended == "deadline":
        return "hung", "no answer before the deadline"
    if answer.ended == "signal":
        return "crashed", signal_name(answer.code or 0)
    if answer.code:
        lines = answer.errors.strip().splitlines()
        return "crashed", f"exit status {answer.code}" + (f": {lines[-1]}" if lines else "")
    return None, ""


def signal_name(number: int) -> str:
    """SIGSEGV for 11. Linux numbers, whatever system this runs on (signal(7))."""
    return _SIGNALS.get(number, f"signal {number}")


_SIGNALS = {4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV"}


def text(value: Any) -> Union[str, None]:
    """A field that is text or nothing."""
    return value if isinstance(value, str) else None


def whole(value: Any) -> Union[int, None]:
    """A field that is a whole number or nothing."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def not_loaded(
    soname: str, load: Stage, libraries: Union[Iterable[UserLibrary], Gap]
) -> tuple[Literal["not-found", "unloadable"], str]:
    """Tell "there is no such file" from "it does not load": dlerror's words are the same for a dangling link.

    load: what the child said of it; on Windows, where one sentence stands for both, it has looked for the file itself.

    Returns the status and the words, completed where a file is there that the loader passed over.
    """
    words = str(load.get("message"))
    if "there" in load:
        path = text(load.get("path"))
        return ("unloadable", f"{path}: {words}") if path else ("not-found", words)
    mine = words.startswith(f"{soname}:") or f"library {soname}:" in words  # glibc's order of words, musl's
    if not mine or "No such file" not in words or "needed by" in words:
        return "unloadable", words
    if isinstance(libraries, Gap):
        return "not-found", words
    passed = [one for one in libraries if one.soname == soname and one.reached]
    if not passed:
        return "not-found", words
    return "unloadable", f"{words} (passed over: " + ", ".join(f"{one.path}, {_why(one)}" for one in passed) + ")"


def _why(library: UserLibrary) -> str:
    return library.defect if isinstance(library.defect, str) else "not readable"
