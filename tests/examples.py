"""How many examples a property test tries: all that it names, or few in the fast part of the suite.

The fast part loads Hypothesis's profile "fast" (``--hypothesis-profile=fast``); everything else runs "full".
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

FULL = 100
# Time is no sign of a fault where two workers share a machine with others.
settings.register_profile("full", max_examples=FULL, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fast", settings.get_profile("full"), max_examples=20)


def few_or(few: int, all_: int) -> int:
    """A size that differs between the fast part and the full suite."""
    return few if settings().max_examples < FULL else all_


def examples(number: int, few: int | None = None, **others: Any) -> settings:
    """Settings of a test that tries so many examples in the full suite, and few (a fifth) in the fast part.

    others: as `hypothesis.settings` takes them.
    """
    return settings(max_examples=few_or(few or number // 5, number), **others)
