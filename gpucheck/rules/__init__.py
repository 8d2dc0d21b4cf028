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
    "windows",
    "libraries",
    "runtime",
    "cudnn",
    "cudnn_copies",
    "toolkits",
    "environment",
    "search_path",
    "deep",
)


# Subjects of one system: a start on the other does not pay for them.
_WINDOWS = ("windows", "search_path")


def load(system: str = "") -> None:
    """Import every subject, which registers its rules, and put them in the order above, whoever was imported first.

    system: only the subjects of that one, where it is known.
    """
    from importlib import import_module

    from gpucheck.rules.engine import RULES

    for subject in SUBJECTS:
        if system != "linux" or subject not in _WINDOWS:
            import_module(f"gpucheck.rules.{subject}")
    places = {f"gpucheck.rules.{subject}": place for place, subject in enumerate(SUBJECTS)}
    ordered = sorted(RULES.items(), key=lambda item: places[item[1].judge.__module__])
    RULES.clear()
    RULES.update(ordered)
