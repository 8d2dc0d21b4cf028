"""Measure `gpucheck fleet`: time and memory by the number of nodes, and the size of the page.

    python3 scripts/benchmark_fleet.py [--nodes 1000,3000,10000,30000] [--formats html,json] [--processes 2]

Nodes are synthetic: the recorded machines of tests/machines, each with names, times, UUIDs and loads of its own, one in
a hundred with another driver, one in a thousand broken. The command runs whole, from the shell's point of view: start,
read, judge, compare, write. Memory is the most that it and its processes hold together (proportional set size where
the system tells it, for what they share counts once). On a machine that others use, too, seconds say more of them than
of gpucheck: what is judged is CPU seconds over processors, which is the time where nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
from own_environment import ROOT, SetupFailed, make, program, require_python

LONGEST, MOST_MIB, LARGEST_PAGE = 30.0, 500, 5e6  # of 10,000 nodes


class Run(NamedTuple):
    """One run. wall, cpu: seconds. memory: MiB. size: bytes of what was written."""

    wall: float
    cpu: float
    memory: float
    size: int
    code: int


def recorded() -> list[dict[str, Any]]:
    """Every machine of the tests, as a node would send it."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    import looked
    import machines

    from gpucheck.facts.codec import encode

    return [encode(looked.snapshot(name)) for name in machines.names()]


def write_nodes(folder: Path, number: int, of: list[dict[str, Any]]) -> int:
    """So many files. Returns their bytes."""
    source = random.Random(number)
    texts = [json.dumps(one) for one in of]
    size = 0
    for at in range(number):
        node = json.loads(texts[at % len(texts)])
        node["taken"] = f"2026-11-{1 + at % 28:02}T{at % 24:02}:00:00Z"
        for gpu in node["gpus"] if isinstance(node["gpus"], list) else ():
            gpu["uuid"] = f"GPU-{source.getrandbits(128):032x}"
            gpu["temperature_c"] = source.randint(30, 60)
        driver = node["driver"]
        if at % 100 == 7 and isinstance(driver, dict) and isinstance(driver["module_version"], str):
            driver["module_version"] = f"570.{source.randint(80, 180)}.03"
        text = json.dumps(node)
        if at % 1000 == 9:
            text = text[: len(text) // 2]
        (folder / f"node{at:05}.json").write_text(text)
        size += len(text)
    return size


def measure(python: Path, folder: Path, format: str, output: Path) -> Run:
    """The command, watched from outside."""
    import psutil

    begin = time.perf_counter()
    words = [str(python), "-m", "gpucheck", "fleet", str(folder), "--format", format, "--output", str(output)]
    child = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT)
    watched, most, cpu = psutil.Process(child.pid), 0.0, {}
    while child.poll() is None:
        together = 0.0
        for one in _family(watched):
            try:
                info = one.memory_full_info()
                together += getattr(info, "pss", info.rss)
                times = one.cpu_times()
                cpu[one.pid] = times.user + times.system
            except psutil.Error:
                pass
        most = max(most, together)
        time.sleep(0.1)
    return Run(time.perf_counter() - begin, sum(cpu.values()), most / 2**20, output.stat().st_size, child.returncode)


def _family(process: Any) -> list[Any]:
    import psutil

    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def show(rows: list[list[str]]) -> None:
    print("| " + " | ".join(rows[0]) + " |\n|" + " ---: |" * len(rows[0]))
    for row in rows[1:]:
        print("| " + " | ".join(row) + " |")


def main() -> int:
    require_python()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="1000,3000,10000,30000", help="numbers of nodes, with commas")
    parser.add_argument("--formats", default="html,json", help="formats to write, with commas")
    parser.add_argument("--here", action="store_true", help="measure with the Python that runs this")
    given = parser.parse_args()
    try:
        python = Path(sys.executable) if given.here else make(ROOT / ".venv-test", "test")
    except SetupFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    if Path(sys.executable) != python and python.resolve() != Path(sys.executable).resolve():
        return subprocess.run([str(program(python.parent.parent, "python")), *sys.argv, "--here"]).returncode
    machines = recorded()
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{os.cpu_count()} processors, load {load}, Python {sys.version.split()[0]}, {len(machines)} machines\n")
    processors = min(2, os.cpu_count() or 1)
    rows = [["nodes", "format", "MB read", "s", "CPU s", "CPU ms a node", "MiB", "kB written", "exit code"]]
    fine = True
    for number in map(int, given.nodes.split(",")):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "nodes"
            folder.mkdir()
            size = write_nodes(folder, number, machines)
            for format in given.formats.split(","):
                run = measure(python, folder, format, Path(place) / f"out.{format}")
                each = f"{run.cpu / number * 1e3:.2f}"
                rows.append(
                    [
                        *(f"{number:,}", format, f"{size / 1e6:.0f}", f"{run.wall:.1f}", f"{run.cpu:.1f}", each),
                        *(f"{run.memory:.0f}", f"{run.size / 1e3:,.0f}", str(run.code)),
                    ]
                )
                if number == 10_000:
                    page = format != "html" or run.size < LARGEST_PAGE
                    fine = fine and run.cpu / processors <= LONGEST and run.memory <= MOST_MIB and page
    show(rows)
    limits = f"{LONGEST:g} s on {processors} processors, {MOST_MIB} MiB and a page of 5 MB"
    print(f"\n10,000 nodes within {limits}: {'yes' if fine else 'NO'}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
