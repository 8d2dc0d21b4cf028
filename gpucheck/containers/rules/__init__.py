"""Rules about container files: pure functions from one image or service to findings. One module per subject."""

from __future__ import annotations

# The order is the order of decisiveness, as in gpucheck.rules.
SUBJECTS = ("packages", "fitting", "environment", "driver", "services")


def load() -> None:
    """Import every subject, which registers its rules, and put them in the order above, whoever was imported first."""
    from importlib import import_module

    from gpucheck.containers.rules.engine import RULES

    for subject in SUBJECTS:
        import_module(f"{__name__}.{subject}")
    places = {f"{__name__}.{subject}": place for place, subject in enumerate(SUBJECTS)}
    ordered = sorted(RULES.items(), key=lambda item: places[item[1].judge.__module__])
    RULES.clear()
    RULES.update(ordered)
