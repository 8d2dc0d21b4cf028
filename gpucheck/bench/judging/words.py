"""Numbers as they stand in a sentence."""

from __future__ import annotations

from gpucheck.facts.bench import Interval


def milliseconds(seconds: float) -> str:
    """0.0123 ms, 0.41 ms, 3.80 ms, 67.4 ms, 370 ms: never fewer than two digits that mean something."""
    value = seconds * 1e3
    return f"{value:.{_decimals(value)}f} ms"


def times(ratio: Interval) -> str:
    """9.2 (8.9 to 9.6), 1.04 (1.01 to 1.07), 0.50 (0.48 to 0.52)."""
    places = 0 if ratio.value >= 100 else 1 if ratio.value >= 5 else 2
    return f"{ratio.value:.{places}f} ({ratio.low:.{places}f} to {ratio.high:.{places}f})"


def plural(count: int, noun: str) -> str:
    """1 round, 3 rounds."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _decimals(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 4
