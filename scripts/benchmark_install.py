"""Measure `gpucheck install` beside plain uv and pip: the plan, a cold and a warm install, snapshot and restore.

    python3 scripts/benchmark_install.py [--only plan,cold,warm,snapshot] [--cpu] [--runs 3] [--pip]

What is installed is what gpucheck chooses for a machine made by hand (an RTX 4090), or for --snapshot FILE; uv and pip
get the requirements of that choice. gpucheck's time is from the choice to the last linked file; its proof comes after
that, and has no counterpart elsewhere. Cold: every run begins with an empty uv cache, below --folder, and downloads
everything. Warm: uv's usual cache, filled by one run that is not timed. Runs of the rivals take turns.
snapshot: --env ENVIRONMENT is first copied by hard links to below --folder (same file system); it is not written to.

Run it with a Python that has what gpucheck depends on (scripts/test.py makes one). --pip adds pip, with a cache of its
own that its first run fills.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from own_environment import ROOT, program, require_python

from gpucheck import api
from gpucheck.facts.plan import Choice, Request
from gpucheck.facts.snapshot import Snapshot
from gpucheck.install.choosing import resolve
from gpucheck.install.fetching import warm
from gpucheck.install.indexes import locking, settings, uv
from gpucheck.install.indexes.settings import Settings

Row = list[str]


class Bench:
    """What all parts share. base: the interpreter that environments are made from."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.runs: int = given.runs
        self.pip: bool = given.pip
        self.env: str | None = given.env
        self.folder = Path(given.folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.facts = api.read_file(given.snapshot) if given.snapshot else by_hand(given.python)
        self.request = Request(tensorflow=given.tensorflow, cpu=given.cpu)
        self.choice: Choice = resolve.choose(self.facts, self.request)
        if self.choice.release is None:
            sys.exit("no release fits: " + "; ".join(one.title for one in self.choice.routes))
        self.base = interpreter(given.python)
        self.settings: Settings = settings.read(self.base)
        self.venv = self.folder / "environment"
        self.size = 0  # bytes of all wheels

    def cold_cache(self) -> Settings:
        cache = self.folder / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        return self.settings._replace(cache=str(cache))

    def uv(self, settings: Settings, *words: str) -> None:
        done = uv.run(words, settings=settings)
        if done.code:
            sys.exit(f"uv {' '.join(words[:3])}: {done.err[-2000:]}")

    def fresh(self, settings: Settings) -> str:
        """A new environment's interpreter."""
        self.uv(settings, "venv", "--quiet", "--clear", "--python", self.base, str(self.venv))
        return str(program(self.venv, "python"))

    def by_uv(self, settings: Settings) -> None:
        python = self.fresh(settings)
        until = ["--exclude-newer", self.choice.exclude_newer] if self.choice.exclude_newer else []
        words = ["pip", "install", "--only-binary", ":all:", "--python", python, *until, *uv.options(settings)]
        self.uv(settings, *words, *self.choice.requirements)

    def by_gpucheck(self, settings: Settings) -> None:
        """As carrying.py does it, up to the proof."""
        lock = locking.lock(self.choice, settings, base_python=self.base)
        self.size = sum(one.size or 0 for one in lock.packages)
        ready = warm.warm(lock.packages, settings, self.base, folder=str(self.folder / "downloads"))
        python = self.fresh(settings)
        path = self.folder / "pylock.toml"
        path.write_text(ready.lock)
        words = ["pip", "install", "--preview-features", "pylock", "--no-deps", "--offline", "--python", python]
        self.uv(ready.settings, *words, *uv.options(ready.settings), "--requirements", str(path))

    def by_pip(self, python: str) -> None:
        words = ["-m", "pip", "install", "--quiet", "--cache-dir", str(self.folder / "pip")]
        subprocess.run([python, *words, *self.choice.requirements], check=True)

    def pips(self) -> str:
        """A new environment's interpreter, with a pip."""
        shutil.rmtree(self.venv, ignore_errors=True)
        subprocess.run([self.base, "-m", "venv", str(self.venv)], check=True)
        return str(program(self.venv, "python"))

    def clean(self) -> None:
        shutil.rmtree(self.venv, ignore_errors=True)


def by_hand(minor: str) -> Snapshot:
    from install_machines import machine

    return machine(python=f"{minor}.0")


def interpreter(minor: str) -> str:
    from real_environments import _interpreter

    return _interpreter(uv.binary(), minor) or sys.exit(f"no Python {minor} on this machine")


def timed(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


def spread(times: list[float]) -> str:
    """Median, and all of them where there are few."""
    middle = f"{statistics.median(times):.2f} s"
    return middle if len(times) == 1 else f"{middle} ({', '.join(f'{one:.2f}' for one in sorted(times))})"


def ratio(one: list[float], other: list[float]) -> float:
    return statistics.median(one) / statistics.median(other)


def verdict(good: bool) -> str:
    return "yes" if good else "NO"


# --- parts


def plan(bench: Bench) -> list[Row]:
    """The choice alone, from a snapshot that is there; and with the index."""
    import_words = [sys.executable, "-c", "import gpucheck.install.choosing.resolve"]
    imported = [timed(lambda: subprocess.run(import_words, check=True, cwd=ROOT)) for _ in range(5)]
    bare = [timed(lambda: subprocess.run([sys.executable, "-c", ""], check=True)) for _ in range(5)]
    pure = [timed(lambda: resolve.choose(bench.facts, bench.request)) for _ in range(50)]
    rows = [["plan", "median", "target", "held"]]
    choose = statistics.median(pure)
    rows.append(["choice from a snapshot, no index", f"{choose * 1e3:.1f} ms", "≤ 50 ms", verdict(choose <= 0.05)])
    more = (statistics.median(imported) - statistics.median(bare)) * 1e3
    rows.append(["its imports, in a fresh interpreter", f"{more:.0f} ms", "-", "-"])
    for title, fresh in (("with the index, uv's cache empty", True), ("with the index, again", False)):
        times = []
        for _ in range(bench.runs):
            found = bench.cold_cache() if fresh else bench.settings._replace(cache=str(bench.folder / "cache"))
            times.append(timed(lambda: locking.lock(bench.choice, found, base_python=bench.base)))  # noqa: B023 (called at once)
        rows.append([title, spread(times), "≤ 2 s", verdict(statistics.median(times) <= 2)])
    shutil.rmtree(bench.folder / "cache", ignore_errors=True)
    return rows


def cold(bench: Bench) -> list[Row]:
    ours: list[float] = []
    theirs: list[float] = []
    for turn in range(bench.runs):
        rivals = [(theirs, bench.by_uv), (ours, bench.by_gpucheck)]
        for times, install in rivals if turn % 2 == 0 else reversed(rivals):
            found = bench.cold_cache()
            os.sync()
            times.append(timed(lambda: install(found)))  # noqa: B023 (called at once)
            bench.clean()
    shutil.rmtree(bench.folder / "cache", ignore_errors=True)
    times_uv = ratio(ours, theirs)
    return [
        [f"cold install, {bench.size / 1e6:,.0f} MB of wheels", "seconds", "times uv's", "target", "held"],
        ["uv", spread(theirs), "1", "-", "-"],
        ["gpucheck, up to its proof", spread(ours), f"{times_uv:.2f}", "≤ 1.1", verdict(times_uv <= 1.1)],
    ]


def warm_install(bench: Bench) -> list[Row]:
    bench.by_gpucheck(bench.settings)
    ours: list[float] = []
    theirs: list[float] = []
    pips: list[float] = []
    for turn in range(bench.runs):
        rivals = [(theirs, bench.by_uv), (ours, bench.by_gpucheck)]
        for times, install in rivals if turn % 2 == 0 else reversed(rivals):
            bench.clean()
            times.append(timed(lambda: install(bench.settings)))  # noqa: B023 (called at once)
    bench.clean()
    for turn in range(2 if bench.pip else 0):
        python = bench.pips()
        taken = timed(lambda: bench.by_pip(python))  # noqa: B023 (called at once)
        pips += [taken] if turn else []
        bench.clean()
    shutil.rmtree(bench.folder / "pip", ignore_errors=True)
    times_uv = ratio(ours, theirs)
    rows = [
        [f"warm install, {bench.size / 1e6:,.0f} MB of wheels", "seconds", "times uv's", "target", "held"],
        ["uv", spread(theirs), "1", "-", "-"],
        ["gpucheck, up to its proof", spread(ours), f"{times_uv:.2f}", "≤ 1.3", verdict(times_uv <= 1.3)],
    ]
    if pips:
        faster = ratio(pips, ours)
        good = verdict(faster >= 5)
        rows.append(["pip", spread(pips), f"{ratio(pips, theirs):.1f}", f"{faster:.1f} × gpucheck's, ≥ 5", good])
    return rows


def snapshot(bench: Bench) -> list[Row]:
    """A transaction on a copy of a real environment: begun, left (restored), committed, undone."""
    from gpucheck.install.changing import transaction, trees

    source = bench.env or str(Path.home() / ".cache" / "gpucheck-tests" / "tf221")
    if not os.path.isdir(source):
        return [["snapshot", "seconds"], ["left out: name an environment with --env", "-"]]
    copy = str(bench.folder / "copy")
    shutil.rmtree(copy, ignore_errors=True)
    trees.link(source, copy)
    files, size = weight(copy)
    times: dict[str, list[float]] = {"snapshot": [], "restore": [], "commit": [], "undo": []}
    room = 0
    for _ in range(bench.runs):
        before = free(bench.folder)
        with stopwatch(times["snapshot"]):
            begun = transaction.begin(copy, False)
            begun.__enter__()
        room = max(room, before - free(bench.folder))
        with stopwatch(times["restore"]):
            begun.__exit__(None, None, None)
        with transaction.begin(copy, False) as change, stopwatch(times["commit"]):
            change.commit()
        with stopwatch(times["undo"]):
            transaction.undo(copy)
    shutil.rmtree(bench.folder / "copy", ignore_errors=True)
    shutil.rmtree(transaction.journal.beside(copy), ignore_errors=True)
    rows = [[f"environment of {files:,} files, {size / 1e9:.1f} GB", "seconds", "target", "held"]]
    words = {
        "snapshot": f"snapshot (hard links; {room / 1e6:.0f} MB of disk)",
        "restore": "restore, the snapshot's removal included",
        "commit": "commit, all synced to the disk",
        "undo": "undo of what was committed",
    }
    for name, title in words.items():
        rows.append([title, spread(times[name]), "seconds (≤ 10)", verdict(statistics.median(times[name]) <= 10)])
    return rows


@contextlib.contextmanager
def stopwatch(into: list[float]) -> Iterator[None]:
    begun = perf_counter()
    yield
    into.append(perf_counter() - begun)


def weight(folder: str) -> tuple[int, int]:
    sizes = [os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(folder) for name in names]
    return len(sizes), sum(sizes)


def free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    "plan": plan,
    "cold": cold,
    "warm": warm_install,
    "snapshot": snapshot,
}


def show(rows: list[Row]) -> None:
    print("\n| " + " | ".join(rows[0]) + " |\n|" + " --- |" * len(rows[0]))
    for row in rows[1:]:
        print("| " + " | ".join(row) + " |", flush=True)


def main() -> int:
    require_python()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas (default: all)")
    parser.add_argument("--tensorflow", help="a release (default: the one that gpucheck chooses)")
    parser.add_argument("--cpu", action="store_true", help="the CPU build: 0.3 GB instead of 3.4")
    parser.add_argument("--python", default="3.12", help="minor version of Python to install for (default 3.12)")
    parser.add_argument("--snapshot", help="choose for this machine; --python must be of its Python's version")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--pip", action="store_true", help="pip, too: downloads everything once more")
    parser.add_argument(
        "--env", help="environment for the snapshot part (default: the tests' own with TensorFlow 2.21)"
    )
    parser.add_argument("--folder", default=str(ROOT / ".cache" / "benchmark" / "install"), help="where it works")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    bench = Bench(given)
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{bench.choice.package} {bench.choice.release}: {', '.join(bench.choice.requirements)}")
    engine = uv.run(["--version"], settings=bench.settings).out.strip()
    print(f"{os.cpu_count()} processors, load {load}, Python {given.python}, {engine}")
    for name in wanted:
        show(PARTS[name](bench))
    bench.clean()
    return 0


if __name__ == "__main__":
    sys.exit(main())
