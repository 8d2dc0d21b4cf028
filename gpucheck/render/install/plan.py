"""A plan at a terminal: what, why, how large, where, and the same by hand. Without a plan: what stands in its way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from gpucheck.facts.gap import Gap, known
from gpucheck.facts.plan import Candidate, Choice, Package, Plan, Room, Route, Target
from gpucheck.render.install.amounts import size
from gpucheck.render.page import hang, painted
from gpucheck.render.text import count, listed, plain

_SHOWN = 5  # candidates that were passed over, newest first


def render(plan: Plan, width: int = 80, color: bool = False, verbose: bool = False, brief: bool = False) -> str:
    """What would be installed. verbose: every release that was passed over. brief: without packages and commands."""
    return painted(lambda console: _paint(console, plan, verbose, brief), width, color)


def refused(choice: Choice, width: int = 80, color: bool = False, verbose: bool = False) -> str:
    """Why no release fits, and the next best ways."""
    return painted(lambda console: _paint_refusal(console, choice, verbose), width, color)


def explained(
    candidate: Candidate, choice: Choice, routes: Sequence[Route] = (), width: int = 80, color: bool = False
) -> str:
    """Why this release, or why not, by which rule, from which source, and what would change it.

    choice: what is taken where no release is named. routes: other ways to this release, or to a GPU.
    """

    def paint(console: Console) -> None:
        _paint_candidate(console, candidate, choice)
        for route in routes:
            _paint_route(console, route)

    return painted(paint, width, color)


def title(choice: Choice) -> str:
    """``TensorFlow 2.21.0 with CUDA 12.5.1 and cuDNN 9 for Python 3.12 on linux x86_64``"""
    cuda = (
        f" with CUDA {choice.cuda} and cuDNN {choice.cudnn}"
        if choice.cuda is not None and not choice.request.cpu
        else " for the CPU"
    )
    return f"TensorFlow {choice.release}{cuda}, {place(choice.target)}"


def place(target: object) -> str:
    """``Python 3.12 on linux x86_64``"""
    if not isinstance(target, Target):
        return "for a Python that is not known"
    return f"Python {target.python} on {target.os} {target.machine}"


def _paint(console: Console, plan: Plan, verbose: bool, brief: bool) -> None:
    choice = plan.choice
    hang(console, "", "", title(choice), style="bold", column=0)
    console.print()
    for at, reason in enumerate(choice.reasons):
        hang(console, "" if at else "why", "bold", reason)
    if not brief:
        _paint_packages(console, plan.packages)
    _paint_total(console, plan.packages)
    _paint_rooms(console, plan.rooms)
    for at, note in enumerate((*plan.taken_over, *plan.notes)):
        hang(console, "" if at else "note", "bold", note)
    _paint_passed(console, choice, verbose)
    for route in choice.routes:
        _paint_route(console, route)
    if not brief:
        _paint_lines(console, "by hand", plan.by_hand)


def _paint_packages(console: Console, packages: tuple[Package, ...]) -> None:
    console.print()
    names = max([len(one.name) for one in packages], default=0)
    versions = max([len(one.version.text) for one in packages], default=0)
    for one in sorted(packages, key=lambda package: (-(package.size or 0), package.name)):
        row = f"{plain(one.name):{names}}  {plain(one.version):{versions}}  {size(one.size):>12}  "
        why = plain(one.why)
        room = console.width - len(row) - 2
        shown = why if len(why) <= room else f"{why[: room - 1]}…" if room > 12 else ""
        console.print(Text.assemble("  ", row, (shown, "dim")), soft_wrap=True)


def _paint_total(console: Console, packages: tuple[Package, ...]) -> None:
    total = sum(one.size or 0 for one in packages)
    unknown = sum(one.size is None for one in packages)
    rest = f", {unknown} of unknown size" if unknown else ""
    console.print()
    hang(console, "download", "bold", f"{size(total)} in {count(len(packages), 'package')}{rest}")


def _paint_rooms(console: Console, rooms: tuple[Room, ...]) -> None:
    for at, room in enumerate(rooms):
        free = "free room unknown" if isinstance(room.free, Gap) else f"{size(room.free)} free"
        short = known(room.free, room.bytes) < room.bytes
        text = f"{size(room.bytes)} for {room.what} in {room.folder} ({free}{': too little' if short else ''})"
        hang(console, "" if at else "disk", "bold", text)


def _paint_passed(console: Console, choice: Choice, verbose: bool) -> None:
    """Neighbours with the same reason are one line: with the newest one's values."""
    if choice.request.tensorflow is not None and choice.release is not None and not verbose:
        return  # nobody asked for another
    passed = [one for one in choice.candidates if one.objections]
    newer = [one for one in passed if choice.release is None or one.version > choice.release]
    groups = [[one] for one in passed] if verbose else _grouped(newer)[:_SHOWN]
    for at, group in enumerate(groups):
        versions = listed([one.version.text for one in group], 3)
        hang(console, "" if at else "not", "bold", f"{versions}: {group[0].objections[0].what}")
    rest = len(passed) - sum(map(len, groups))
    if rest:
        hang(console, "", "", f"{count(rest, 'release')} more (--explain VERSION tells why)", style="dim")


def _grouped(candidates: list[Candidate]) -> list[list[Candidate]]:
    return [list(group) for _, group in groupby(candidates, key=lambda one: one.objections[0].name)]


def _paint_lines(console: Console, head: str, lines: tuple[str, ...]) -> None:
    if lines:
        console.print()
        hang(console, "", "", head, style="bold", column=0)
    for line in lines:
        console.print(Text(f"  {plain(line)}", style="dim" if line.startswith("#") else "green"), soft_wrap=True)


def _paint_refusal(console: Console, choice: Choice, verbose: bool) -> None:
    wanted = f"TensorFlow {choice.request.tensorflow}" if choice.request.tensorflow else "No TensorFlow release"
    verb = "does not fit" if choice.request.tensorflow else "fits"
    text = f"{wanted} {verb} {place(choice.target)}"
    if isinstance(choice.target, Gap):
        text = f"No plan: {choice.target.reason}"
    hang(console, "", "", text, style="bold red", column=0)
    console.print()
    _paint_passed(console, choice, verbose)
    for route in choice.routes:
        _paint_route(console, route)


def _paint_route(console: Console, route: Route) -> None:
    _paint_lines(console, route.title, route.steps)
    if route.source:
        hang(console, "", "", f"({route.source})", indent=2, style="dim", column=0)


def _paint_candidate(console: Console, candidate: Candidate, choice: Choice) -> None:
    chosen = choice.release == candidate.version
    if candidate.objections:
        head, style = f"TensorFlow {candidate.version}: not for {place(choice.target)}", "bold red"
    else:
        rest = "and is the one that is chosen" if chosen else f"; {choice.release} is newer and fits, too"
        head, style = f"TensorFlow {candidate.version} fits {place(choice.target)}{' ' if chosen else ''}{rest}", "bold"
    hang(console, "", "", head, style=style, column=0)
    for objection in candidate.objections:
        console.print()
        console.print(Text(plain(objection.name), style="bold"), soft_wrap=True)
        hang(console, "", "", objection.what, indent=2, column=0)
        hang(console, "source", "dim", objection.source, indent=2)
        if objection.remedy:
            hang(console, "remedy", "dim", objection.remedy, indent=2)
    if candidate.objections and choice.release is not None:
        console.print()
        hang(console, "instead", "bold", f"{title(choice)}: gpucheck install")
    if chosen:
        console.print()
        for at, reason in enumerate(choice.reasons):
            hang(console, "" if at else "why", "bold", reason)
