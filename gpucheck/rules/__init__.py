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
    """Import every subject, which registers its rules."""
    from importlib import import_module

    for subject in SUBJECTS:
        import_module(f"gpucheck.rules.{subject}")
