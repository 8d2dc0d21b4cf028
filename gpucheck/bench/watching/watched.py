"""When a GPU was looked at and what was seen: what can be said of the time between two moments."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from itertools import pairwise
from typing import Any, Union

from gpucheck.bench.judging.gates import SLOWING
from gpucheck.bench.watching.records import Count, Reasons
from gpucheck.facts.gap import Gap

_REASONS_EVERY = 1.0  # seconds that may lie between two readings of a time that was watched
_PROCESSES_EVERY = 2.5
_MOST_NOTED = 200_000


class Watched:
    """When a GPU was looked at, and what was seen. Times rise, but for a mark's within microseconds."""

    def __init__(self) -> None:
        self.counter_step: Union[float, None] = None
        self.last_processes: Union[int, None] = None
        self._reasons: deque[tuple[float, Reasons]] = deque(maxlen=_MOST_NOTED)
        self._processes: deque[tuple[float, Count]] = deque(maxlen=_MOST_NOTED)

    def note(self, time: float, reasons: Reasons, processes: Count, asked: bool) -> None:
        """asked: the processes were asked for, too."""
        self._reasons.append((time, reasons))
        if asked:
            self._processes.append((time, processes))
            self.last_processes = processes if isinstance(processes, int) else None

    def reasons(self, begin: float, end: float) -> Reasons:
        """Those set at any reading of that time. One that slows is told even if it was not watched throughout."""
        found = _within(self._reasons, begin, end)
        told = [seen for _, seen in found if isinstance(seen, tuple)]
        names = tuple(dict.fromkeys(name for seen in told for name in seen))
        answer: Reasons = _answer(found, begin, end, _REASONS_EVERY, names, bool(set(names) & set(SLOWING)))
        return answer

    def processes(self, begin: float, end: float) -> Count:
        found = _within(self._processes, begin, end)
        most = max((seen for _, seen in found if isinstance(seen, int)), default=0)
        answer: Count = _answer(found, begin, end, _PROCESSES_EVERY, most, most > 0)
        return answer


def _within(noted: deque[tuple[float, Any]], begin: float, end: float) -> list[tuple[float, Any]]:
    rows = list(noted)
    at = bisect_left(rows, begin, key=lambda row: row[0])
    return [row for row in rows[at:] if row[0] <= end]


def _answer(found: list[tuple[float, Any]], begin: float, end: float, every: float, value: Any, seen: bool) -> Any:
    """What was seen is so even if it was not looked at throughout. That there was nothing must have been looked at."""
    if seen:
        return value
    for _, one in found:
        if isinstance(one, Gap):
            return one
    if found and all(one is None for _, one in found):
        return None
    times = [begin, *(time for time, _ in found), end]
    longest = max(later - earlier for earlier, later in pairwise(times))
    if not found or longest > every:
        return Gap(f"the GPU was not looked at for {longest:.1f} s", "not-collected")
    return value
