"""Whole runs of `gpucheck bench`: how long one takes, what watching costs, how far apart the same run comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Union

import psutil
from interleaved import wait_for_quiet

from gpucheck import api
from gpucheck.bench.run import Run
from gpucheck.bench.seat import Seat
from gpucheck.commands.bench import Words, _job


class Whole(NamedTuple):
    """One run on the CPU. seconds: of the clock, start to end; set_up: the framework's part of it, phase by phase."""

    code: int
    seconds: float
    set_up: dict[str, float]
    step: Union[float, None]
    low: Union[float, None]
    high: Union[float, None]
    noise: Union[float, None]
    floor: Union[float, None]
    blocks: int
    left_out: int


def run_whole(python: str, *words: str, patience: float) -> Whole:
    """`gpucheck bench --python PYTHON --devices cpu WORDS`, as a user runs it."""
    wait_for_quiet(patience)
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "result.json"
        command = [sys.executable, "-m", "gpucheck", "bench", "--python", python, "--devices", "cpu"]
        begin = time.perf_counter()
        done = subprocess.run([*command, *words, "--save", str(saved)], capture_output=True, text=True)
        seconds = time.perf_counter() - begin
        if not saved.exists():
            raise ValueError(f"gpucheck bench ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        leg = json.loads(saved.read_text())["trials"][0]["legs"][0]
    figures = leg["figures"] or {}
    step = figures.get("step") or {}
    values = step if isinstance(step, dict) else dict(zip(("value", "low", "high"), step, strict=True))
    value, low, high = (values.get(name) for name in ("value", "low", "high"))
    return Whole(
        code=done.returncode,
        seconds=seconds,
        set_up={one["name"]: one["seconds"] for one in leg["phases"]},
        step=value,
        low=low,
        high=high,
        noise=figures.get("noise"),
        floor=leg["floor"] if isinstance(leg["floor"], float) else None,
        blocks=figures.get("blocks", 0),
        left_out=figures.get("left_out", 0),
    )


class Overhead(NamedTuple):
    """CPU seconds during timed blocks, and the blocks' own seconds."""

    parent: float
    sampler: float
    seconds: float


class _Silent:
    def begin(self, what: str) -> None: ...
    def phase(self, text: str) -> None: ...
    def round(self, n: int, of: Any, eta_seconds: Any, so_far: str) -> None: ...
    def note(self, text: str) -> None: ...


def run_watched(python: str, seconds: float) -> Overhead:
    """A run in this process, which counts its own CPU time and the sampler's while a block is timed, canaries apart."""
    look = api.look_here(python, False, 10.0)
    run = Run(_job(Words(python=python, devices="cpu", time=seconds), look), (), _Silent())
    seat, parts = run.seats[0], [0.0, 0.0, 0.0]
    inner: Callable[[float], dict[str, Any]] = seat.block

    def block(asked: float) -> dict[str, Any]:
        before = _spent(run.telemetry.pid)
        told = inner(asked)
        for at, (end, begin) in enumerate(zip(_spent(run.telemetry.pid), before, strict=True)):
            parts[at] += end - begin
        return told

    _replace_block(seat, block)
    run.measure()
    return Overhead(*parts)


def _replace_block(seat: Seat, block: Callable[[float], dict[str, Any]]) -> None:
    setattr(seat, "block", block)  # noqa: B010 (a method of one object)


def _spent(sampler: Union[int, None]) -> tuple[float, float, float]:
    times = psutil.Process(sampler).cpu_times() if sampler else None
    return time.process_time(), times.user + times.system if times else 0.0, time.perf_counter()


def processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
