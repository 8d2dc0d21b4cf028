"""Measure `gpucheck bench`: its step beside the best loops written by hand, its duration, its cost, its repeatability.

    python3 scripts/benchmark_bench.py --python PATH … [--rounds 12] [--repeat 3] [--only steps,whole,watching,repeat]

--python: Pythons with TensorFlow, JAX or PyTorch, and Keras beside it; all of them are measured in one interleaved run.
"steps": every way to take the training step lives in a process of its own (0.5 to 0.9 GB each); they are visited in
random order, after a wait for a quiet machine; visits during which others used over 10 % of the CPUs do not count.
The loops written by hand are in scripts/steps; the fastest is chosen in rounds of its own.
On two cores: twenty minutes for four environments. The tables go to standard output as Markdown, and to --output.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from own_environment import ROOT, SetupFailed, make, require_python

if TYPE_CHECKING:
    from interleaved import Environment, Plan, Screened, Variant

Rows = list[list[str]]
NEAR = 0.03  # gpucheck's step may differ by so much from the best loop's
LONGEST = 60.0  # seconds of a default run on the CPU, the framework's set-up aside
WATCHING = 0.01  # of the CPUs


# --- the step


def steps(environments: list[Environment], plan: Plan, raw: dict[str, Any]) -> list[tuple[str, Rows]]:
    """All ways of all environments, interleaved."""
    from interleaved import GPUCHECK, close, opened, run_rounds, screen, tell

    from gpucheck.bench.process import WorkerFailed

    screened: dict[Environment, Screened] = {}
    for one in environments:
        try:
            screened[one] = screen(one, plan, tell)
        except (WorkerFailed, ValueError) as failed:
            tell(f"left out: {one.title}: {failed}")
    variants: list[Variant] = []
    try:
        for one, chosen in screened.items():
            module = "on_" + one.backend
            modules = dict.fromkeys((GPUCHECK, chosen.best, chosen.plain, *chosen.others), module)
            modules.update({"Keras fit": "on_keras", "Keras train_on_batch": "on_keras"})
            variants += opened(one, modules, tell)
        alive = run_rounds(variants, plan.rounds, plan, tell)
    finally:
        close(variants)
    raw["screening"] = [[one.title, chosen.medians] for one, chosen in screened.items()]
    raw["visits"] = [[one.environment.title, one.name, one.losses, one.visits] for one in variants]
    tables = []
    for one, chosen in screened.items():
        ours = [each for each in alive if each.environment is one]
        tables += [(one.title, _steps(ours, chosen)), ("", _screening(chosen))]
    return tables


def _steps(variants: list[Variant], chosen: Screened) -> Rows:
    """One environment."""
    from interleaved import GPUCHECK, apart, figure, ratio

    named = {one.name: one for one in variants}
    base, reference = named.get(chosen.best), named.get(GPUCHECK)
    rows = [["step", "ms", "95 %", "against the best loop", "95 %", "rounds", "parameters", "losses apart"]]
    for one in sorted(variants, key=lambda each: figure(each).value):
        found = figure(one)
        against, count = ratio(one, base) if base else (None, 0)
        title = f"**{one.name}**" if one is reference else one.name
        rows.append(
            [
                f"{title} (the best loop)" if one is base else title,
                f"{found.value * 1e3:.1f}",
                f"{found.low * 1e3:.1f} to {found.high * 1e3:.1f}",
                f"{against.value:.3f}" if against else "too noisy",
                f"{against.low:.3f} to {against.high:.3f}" if against else "",
                f"{count} of {len(one.visits)}",
                f"{one.parameters:,}",
                f"{apart(one, reference):.1e}" if reference else "",
            ]
        )
    mine = ratio(reference, base)[0] if base and reference else None
    if mine is not None:
        near = "yes" if mine.value - 1 <= NEAR else "NO"
        rows.append([f"gpucheck within {NEAR:.0%} of the best loop: {near}", *[""] * 7])
    return rows


def _screening(chosen: Screened) -> Rows:
    rows = [["loop by hand, in the choosing rounds", "ms"]]
    return rows + [[name, f"{step * 1e3:.1f}"] for name, step in sorted(chosen.medians.items(), key=lambda one: one[1])]


# --- whole runs


def whole(environments: list[Environment], patience: float, raw: dict[str, Any]) -> Rows:
    """A default run on the CPU."""
    from whole_runs import run_whole

    head = ["environment", "whole, s", "set-up of the framework, s", "of it", "the rest, s", f"within {LONGEST:g} s"]
    rows = [[*head, "floor, ms", "floor / step", "exit code"]]
    for one in environments:
        run = run_whole(one.python, patience=patience)
        raw.setdefault("whole", []).append([one.title, run])
        apart = sum(run.set_up.values())
        parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in run.set_up.items())
        rest = run.seconds - apart
        floor = f"{run.floor * 1e3:.2f}" if run.floor else "unknown"
        share = f"{run.floor / run.step:.1%}" if run.floor and run.step else "unknown"
        cells = [f"{run.seconds:.1f}", f"{apart:.1f}", parts, f"{rest:.1f}", _yes(rest <= LONGEST), floor, share]
        rows.append([one.title, *cells, str(run.code)])
    return rows


def watching(environments: list[Environment], seconds: float, raw: dict[str, Any]) -> Rows:
    """What the parent and its sampler use of the CPUs while blocks are timed."""
    from whole_runs import processors, run_watched

    rows = [["environment", "timed, s", "parent, CPU ms", "sampler, CPU ms", "of all CPUs", f"below {WATCHING:.0%}"]]
    for one in environments:
        found = run_watched(one.python, seconds)
        raw.setdefault("watching", []).append([one.title, found])
        share = (found.parent + found.sampler) / found.seconds / processors()
        milliseconds = [f"{part * 1e3:.0f}" for part in (found.parent, found.sampler)]
        rows.append([one.title, f"{found.seconds:.1f}", *milliseconds, f"{share:.2%}", _yes(share < WATCHING)])
    return rows


def repeat(environments: list[Environment], times: int, seconds: float, patience: float, raw: dict[str, Any]) -> Rows:
    """The same run again and again, environments in turn: nothing differs, so what is seen is noise."""
    from whole_runs import run_whole

    runs: dict[str, list[Any]] = {one.title: [] for one in environments}
    for _ in range(times):
        for one in environments:
            runs[one.title].append(run_whole(one.python, "--time", f"{seconds:g}", patience=patience))
    raw["repeat"] = runs
    rows = [
        ["environment", f"step of each run, ms (--time {seconds:g})", "largest / least", "A/A noise that each claims"]
    ]
    for title, ones in runs.items():
        told = [one.step for one in ones if one.step]
        spread = f"{max(told) / min(told) - 1:.1%}" if len(told) > 1 else "unknown"
        noise = ", ".join("unknown" if one.noise is None else f"{one.noise:.1%}" for one in ones)
        rows.append([title, ", ".join(f"{step * 1e3:.2f}" for step in told), spread, noise])
    return rows


def _yes(answer: bool) -> str:
    return "yes" if answer else "NO"


# --- the report


def markdown(title: str, rows: Rows) -> str:
    """One table; without a title it belongs to the one before."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(
        ["", *([f"### {title}", ""] if title else []), lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]
    )


def machine() -> str:
    from gpucheck.bench.watching.machine import environment

    load = " ".join(f"{one:.1f}" for one in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    parts = ", ".join(f"{part.name} {part.value}" for part in environment())
    return f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC; {parts}; load at the start {load}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", nargs="+", required=True, metavar="PATH", help="the Pythons to measure with")
    parser.add_argument("--rounds", type=int, default=12, help="rounds that are counted (default 12)")
    parser.add_argument("--screening", type=int, default=6, help="rounds that choose the best loop (default 6)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one block (default 1)")
    parser.add_argument("--patience", type=float, default=4.0, help="longest wait for a quiet machine (default 4 s)")
    parser.add_argument("--seed", type=int, default=66478, help="of the order of visits")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help='of "steps" (default cpu)')
    parser.add_argument("--repeat", type=int, default=3, help='runs of "repeat" (default 3)')
    parser.add_argument("--time", type=float, default=10.0, help='--time of "watching" and "repeat" (default 10)')
    parser.add_argument("--only", default="steps,whole,watching,repeat", help="parts, with commas (default: all)")
    parser.add_argument("--output", metavar="FILE", help="the tables, as Markdown")
    parser.add_argument("--raw", metavar="FILE", help="every single visit and run, as JSON")
    return parser.parse_args()


def main() -> int:
    require_python()
    given = arguments()
    try:
        import gpucheck.bench.watching.load  # noqa: F401
    except ImportError:
        try:
            own = make(ROOT / ".venv-benchmark")
        except SetupFailed as failure:
            sys.exit(str(failure))
        return subprocess.run([str(own), *sys.argv]).returncode
    from interleaved import Plan, examine

    try:
        environments = [examine(os.path.abspath(python), given.device) for python in given.python]
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    plan = Plan(given.rounds, given.screening, given.seconds, given.patience, random.Random(given.seed))
    parts, raw, texts = given.only.split(","), {"machine": machine(), "arguments": sys.argv[1:]}, []

    def show(title: str, rows: Rows) -> None:
        texts.append(markdown(title, rows))
        print(texts[-1], flush=True)

    print(raw["machine"])
    if "steps" in parts:
        for title, rows in steps(environments, plan, raw):
            show(title, rows)
    if "whole" in parts:
        show("A default run on the CPU", whole(environments, given.patience, raw))
    if "watching" in parts:
        show("What watching costs", watching(environments, given.time, raw))
    if "repeat" in parts:
        show("The same run again", repeat(environments, given.repeat, given.time, given.patience, raw))
    if given.output:
        Path(given.output).write_text(f"{raw['machine']}\n" + "\n".join(texts) + "\n", encoding="utf-8")
    if given.raw:
        Path(given.raw).write_text(json.dumps(raw, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
