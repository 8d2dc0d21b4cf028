"""Measure `gpucheck doctor`: its cost, its answer with any probe hung, and beside rivals on the same broken machines.

    python3 scripts/benchmark_doctor.py [--env PYTHON] [--runs 15] [--timeout 3] [--only cost,hung,faults,typer]

--env: a Python with TensorFlow to examine (default: the one that tests/real_environments.py keeps, if it is there).
As root on Linux everything runs in a mount namespace of its own that has a GPU on its PCI bus and a driver's files, so
that all tools see one coherent machine; otherwise only the driver's libraries and nvidia-smi are there. The libraries
are tests/native/*.c, compiled here. Rivals are installed from the package index, each into its own environment under
.cache/benchmark; one that cannot be installed is named and left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from broken_machine import FAULTS, HANG, Fault, Machine, enter_namespace, folder
from dead_folder import dead_folder
from measured_run import Run, become_reaper, run
from own_environment import ROOT, require_python

CACHE = ROOT / ".cache" / "benchmark"


class Tool(NamedTuple):
    """A command to compare. requirements: what pip installs for it."""

    name: str
    requirements: tuple[str, ...]
    command: tuple[str, ...]  # the first word is a program of its environment


# PyTorch's CPU wheel is not on PyPI (there the wheel brings CUDA); where no index or folder has it, it is left out.
TOOLS = (
    Tool("torch collect_env", ("torch==2.13.0+cpu",), ("python", "-m", "torch.utils.collect_env")),
    Tool("rapids-cli", ("rapids-cli",), ("rapids", "doctor")),
    Tool("env-doctor", ("env-doctor",), ("env-doctor", "check")),
    Tool("cuda-doctor", ("cuda-doctor",), ("cuda-doctor",)),
    Tool("mlenvdoctor", ("mlenvdoctor",), ("mlenvdoctor", "diagnose")),
    Tool("gpumedic", ("gpumedic[nvidia]",), ("gpumedic", "scan")),
)
GPUCHECK = Tool("gpucheck", (str(ROOT),), ("gpucheck", "doctor"))


# --- environments


def program(tool: Tool) -> list[str] | None:
    """The tool's command, installed if need be; None where it cannot be."""
    folder = CACHE / re.sub(r"\W+", "-", tool.name)
    binaries = folder / "bin"
    stamp = folder / "installed"
    wanted = " ".join(tool.requirements)
    if tool is not GPUCHECK and stamp.exists() and stamp.read_text() == wanted:
        return [str(binaries / tool.command[0]), *tool.command[1:]]
    try:
        if not (binaries / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(binaries / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *tool.requirements], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except subprocess.CalledProcessError as error:
        words = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        print(f"left out: {tool.name}: {words[-1] if words else error}", file=sys.stderr)
        return None
    stamp.write_text(wanted)
    return [str(binaries / tool.command[0]), *tool.command[1:]]


def examined(given: str | None) -> str | None:
    """The Python with TensorFlow that is examined."""
    if given:
        return given
    with contextlib.suppress(ImportError, AttributeError):
        import real_environments

        return str(real_environments.python("tf221"))
    return None


# --- the tables


def cost(machine: Machine, python: str | None, runs: int, rivals: dict[str, list[str]]) -> list[list[str]]:
    """CPU and wall seconds of everything, interleaved, as medians."""
    environ = machine.become(FAULTS[0])
    gpucheck = rivals["gpucheck"]
    own = str(Path(gpucheck[0]).parent / "python")
    choice = ["--python", python] if python else []
    commands = {
        "python -c pass": [own, "-c", "pass"],
        "gpucheck doctor --format json": [*gpucheck, "--format", "json", *choice],
        "gpucheck doctor": [*gpucheck, *choice],
        **{name: command for name, command in rivals.items() if name != "gpucheck"},
    }
    taken: dict[str, list[Run]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            if turn <= 5 or command[0].startswith(str(Path(own).parent)):  # rivals are slow: five times each
                one = run(command, environ)
                if turn:  # the first warms the caches
                    taken[name].append(one)
    base = statistics.median(one.cpu for one in taken["python -c pass"])
    rows = [["command", "CPU s", "times `python -c pass`", "wall s", "exit code"]]
    for name, ones in taken.items():
        cpu, wall = statistics.median(one.cpu for one in ones), statistics.median(one.wall for one in ones)
        codes = ", ".join(sorted({"hang" if one.code is None else str(one.code) for one in ones}))
        rows.append([name, f"{cpu:.3f}", f"{cpu / base:.1f}", f"{wall:.3f}", codes])
    return rows


def hung(machine: Machine, python: str | None, gpucheck: list[str], timeout: float) -> list[list[str]]:
    """Each probe hung in turn: does the answer come in time, and does it name what hung?"""
    rows = [["what hangs", "wall s", f"within {timeout + 0.5:g} s", "exit code", "named", "findings made all the same"]]
    sleeper = machine.folder / "python3"
    sleeper.write_text("#!/bin/sh\nsleep 600\n")
    sleeper.chmod(0o755)
    nvml, libcuda = r"NVML[^\"]{0,60}" + HANG, r"(cuInit|libcuda)[^\"]{0,60}" + HANG
    cases = [
        Case("nothing", "."),
        Case("NVML: nvmlInit", nvml, _fault(FAKE_HANG="nvmlInit")),
        Case("NVML: a question about a GPU", nvml, _fault(FAKE_HANG="nvmlDeviceGetName")),
        Case("libcuda: cuInit", libcuda, _fault(FAKE_HANG="cuInit")),
        Case("NVML, and libcuda dies of SIGSEGV", nvml, _fault(FAKE_HANG="nvmlInit", FAKE_SEGV="cuInit")),
        Case(
            "nvidia-smi (asked where NVML fails)",
            r"(nvidia-smi|smi)[^}]{0,80}" + HANG,
            _fault("hang", FAKE_CODES="nvmlInit=999,cuInit=999"),
        ),
        Case("the examined Python", r"python3[^\"]{0,60}" + HANG, python=str(sleeper)),
    ]
    with contextlib.ExitStack() as stack:
        if machine.dressed:
            with contextlib.suppress(OSError):
                dead = stack.enter_context(dead_folder(machine.folder / "dead"))
                # After the C library's own folder: before it, not even the dynamic loader of `ls` comes past it.
                behind = f"{machine.libraries}:{_folder_of_libc()}:{dead}"
                cases += [
                    Case("a dead disk on LD_LIBRARY_PATH", HANG, environ={"LD_LIBRARY_PATH": behind}),
                    Case("a dead disk first on PATH", HANG, environ={"PATH": f"{dead}:{os.environ['PATH']}"}),
                    Case("CUDA_HOME on a dead disk", HANG, environ={"CUDA_HOME": f"{dead}/cuda"}),
                    Case("a Python on a dead disk", HANG, python=f"{dead}/python"),
                ]
        for case in cases:
            choice = ["--python", case.python or python] if case.python or python else []
            command = [*gpucheck, "--format", "json", "--timeout", str(timeout), *choice]
            one = run(command, {**machine.become(case.fault), **case.environ}, timeout + 20)
            rows.append(_hung_row(case.name, one, timeout, case.words))
    return rows


class Case(NamedTuple):
    """One thing that hangs, and the words by which an answer names it."""

    name: str
    words: str
    fault: Fault = FAULTS[0]
    environ: dict[str, str] = {}  # noqa: RUF012 (never changed)
    python: str | None = None


def _folder_of_libc() -> str:
    maps = Path("/proc/self/maps").read_text()
    return next(os.path.dirname(line.split()[-1]) for line in maps.splitlines() if "/libc.so" in line)


def _hung_row(name: str, one: Run, timeout: float, pattern: str) -> list[str]:
    try:
        report = json.loads(one.out)
        made = str(len(report["findings"]))
    except (ValueError, KeyError, TypeError):
        made = "no report"
    named = "-" if pattern == "." else _yes(re.search(pattern, one.out, re.IGNORECASE) is not None)
    code = "hang" if one.code is None else str(one.code)
    return [name, f"{one.wall:.2f}", _yes(one.wall <= timeout + 0.5), code, named, made]


def _fault(smi: str = "ok", **environ: str) -> Fault:
    return Fault("", "", environ, smi)


def faults(machine: Machine, python: str | None, tools: dict[str, list[str]]) -> list[list[str]]:
    """Who answered what. A cell: exit code, seconds, T for a traceback, HANG, and + where the cause is named."""
    rows = [["fault", *tools]]
    for fault in FAULTS:
        row = [fault.name]
        environ = machine.become(fault)
        for name, command in tools.items():
            words = ["--timeout", "3", *(["--python", python] if python else [])] if name == "gpucheck" else []
            row.append(_cell(fault, run([*command, *words], environ)))
        rows.append(row)
        print(" | ".join(row), file=sys.stderr)
    return rows


def _cell(fault: Fault, one: Run) -> str:
    if one.code is None:
        return "HANG"
    text = one.out + one.err
    marks = "T" if "Traceback (most recent call last)" in text else ""
    named = re.search(fault.words, text, re.IGNORECASE) is not None
    return f"{one.code}{marks} {one.wall:.1f} s {'+' if named else '-'}"


def typer(runs: int) -> list[list[str]]:
    """What the command-line library itself costs: the same three-option command with two versions of it."""
    script = CACHE / "typer_app.py"
    script.write_text(_TYPER)
    rows = [["typer", "CPU s", "wall s"]]
    pythons: dict[str, str] = {}
    for requirement in ("typer<0.29", "typer"):
        found = program(Tool(f"typer {requirement[5:]}", (requirement,), ("python",)))
        if found:
            asked = [found[0], "-c", "from importlib.metadata import version; print(version('typer'))"]
            pythons[run(asked, dict(os.environ)).out.strip()] = found[0]
    taken: dict[str, list[Run]] = {version: [] for version in pythons}
    for turn in range(runs + 1):
        for version, python in pythons.items():
            one = run([python, str(script), "doctor"], dict(os.environ))
            if turn:
                taken[version].append(one)
    for version, ones in taken.items():
        cpu, wall = statistics.median(one.cpu for one in ones), statistics.median(one.wall for one in ones)
        rows.append([version, f"{cpu:.3f}", f"{wall:.3f}"])
    return rows


_TYPER = """
import typer
app = typer.Typer(add_completion=False)
@app.command()
def doctor(python: str = "", format: str = "terminal", deep: bool = False): pass
@app.command()
def snapshot(output: str = ""): pass
app()
"""


def _yes(answer: bool) -> str:
    return "yes" if answer else "NO"


def show(title: str, rows: list[list[str]], markdown: bool) -> None:
    if markdown:
        print(f"\n### {title}\n")
        print("| " + " | ".join(rows[0]) + " |\n|" + " --- |" * len(rows[0]))
        for row in rows[1:]:
            print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
        return
    print(f"\n{title}\n")
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())  # noqa: B905 (3.10 and older)


def main() -> int:
    require_python()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", help="a Python with TensorFlow to examine")
    parser.add_argument("--runs", type=int, default=15, help="runs of each measured command (default 15)")
    parser.add_argument(
        "--timeout", type=float, default=3.0, help="gpucheck's --timeout while a probe hangs (default 3)"
    )
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--only", default="cost,hung,faults,typer", help="parts, with commas (default: all)")
    parser.add_argument("--no-rivals", action="store_true", help="gpucheck alone")
    given = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    enter_namespace()
    become_reaper()
    parts = given.only.split(",")
    found = {tool.name: program(tool) for tool in (GPUCHECK, *(() if given.no_rivals else TOOLS))}
    tools = {name: command for name, command in found.items() if command}
    python = examined(given.env)
    with folder() as place:
        machine = Machine(place)
        print(f"examined Python: {python or 'the first on PATH (no TensorFlow environment given)'}")
        print(f"machine: {'coherent (mount namespace)' if machine.dressed else 'libraries and nvidia-smi only'}")
        load = " ".join(f"{one:.1f}" for one in os.getloadavg())
        print(f"{os.cpu_count()} processors, load {load}, Python {sys.version.split()[0]}")
        if "cost" in parts:
            show("Cost on a healthy machine (medians)", cost(machine, python, given.runs, tools), given.markdown)
        if "hung" in parts:
            title = f"Any one probe hung, --timeout {given.timeout:g}"
            show(title, hung(machine, python, tools["gpucheck"], given.timeout), given.markdown)
        if "faults" in parts:
            show("Fault table", faults(machine, python, tools), given.markdown)
            words = [["fault", "named by (regular expression)"], *([one.name, f"`{one.words}`"] for one in FAULTS)]
            show("How naming is judged, for all alike", words, given.markdown)
        if "typer" in parts:
            show("typer", typer(given.runs), given.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
