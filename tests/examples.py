"""How many examples a property test tries: all that it names, or a fifth in the fast part of the suite.

The fast part loads Hypothesis's profile "fast" (``--hypothesis-profile=fast``); everything else runs "full".
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

FULL = 100
# Time is no sign of a fault where two workers share a machine with others.
settings.register_profile("full", max_examples=FULL, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fast", settings.get_profile("full"), max_examples=20)


def scaled(number: int) -> int:
    """The number itself in the full suite, its fifth in the fast part."""
    return max(3, number * settings().max_examples // FULL)


def examples(number: int, **others: Any) -> settings:
    """Settings of a test that tries so many examples in the full suite; others: as `hypothesis.settings` takes them."""
    return settings(max_examples=scaled(number), **others)
