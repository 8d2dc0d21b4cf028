"""Rules: pure functions from a snapshot to findings, one module per subject. They never see a machine."""

from __future__ import annotations

# The order is the order of decisiveness: see engine.rule.
SUBJECTS = (
    # what is the matter with the machine, from the kernel up
    "kernel",
    "holders",
    "container",
    "wsl",
    "nodes",
    "driver",
    "compatibility",
    "devices",
    "gpus",
    "visibility",
    "answers",
    "architectures",
    "health",
    # what is the matter with the environment
    "python",
    "wheels",
    "installation",
    "tensorflow",
    "packages",
    "libraries",
    "runtime",
    "cudnn",
    "toolkits",
    "environment",
    "deep",
)


def load() -> None:
    """Import every subject, which registers its rules, and put them in the order above, whoever was imported first."""
    from importlib import import_module

    from gpucheck.rules.engine import RULES

    places = {import_module(f"gpucheck.rules.{subject}").__name__: place for place, subject in enumerate(SUBJECTS)}
    ordered = sorted(RULES.items(), key=lambda item: places[item[1].judge.__module__])
    RULES.clear()
    RULES.update(ordered)
