r"""Windows takes both separators; what is shown has its own.

The probes that both systems share join names with "/". So that no report says C:\venv\Lib\site-packages/tensorflow,
their facts go through here once.
"""

from __future__ import annotations

from typing import Any

from gpucheck.facts.gap import Gap
from gpucheck.facts.paths import is_windows


def with_backslashes(fact: Any) -> Any:
    """The same facts; in every text that is a path, and behind the colon of a gap's reason, "/" becomes a backslash."""
    if isinstance(fact, str):
        return fact.replace("/", "\\") if is_windows(fact) else fact
    if isinstance(fact, Gap):
        words, colon, path = fact.reason.partition(": ")
        return Gap(f"{words}{colon}{with_backslashes(path)}", fact.kind) if colon else fact
    if hasattr(fact, "_fields"):
        return type(fact)(*(with_backslashes(value) for value in fact))
    if isinstance(fact, tuple):
        return tuple(with_backslashes(one) for one in fact)
    return fact
