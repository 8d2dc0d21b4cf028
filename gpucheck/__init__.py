"""gpucheck: does TensorFlow use the GPU here, and if not, what is the cause and the fix?

>>> import gpucheck
>>> report = gpucheck.doctor()          # doctest: +SKIP
>>> report.verdict                      # doctest: +SKIP
'ok'
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own: nothing is imported here, so that the command can first see to sys.path
if TYPE_CHECKING:
    from gpucheck.facts.snapshot import Snapshot
    from gpucheck.findings import Report

__version__ = "0.1.0"
__all__ = ["__version__", "doctor", "snapshot"]


def doctor(python: str | None = None, deep: bool = False, *, timeout: float = 10.0) -> Report:
    """Look at this machine and judge it.

    Parameters
    ----------
    python: the interpreter to examine; by default the one that runs this (a notebook's kernel, say).
    deep: import TensorFlow in a child process and run real operations on every GPU.
    timeout: seconds for everything together; with `deep` at least 120 are given.

    Returns
    -------
    A report: ``report.verdict``, ``report.findings``; Jupyter shows it as a table. Never raises for what the machine
    is like: what hangs, crashes or cannot be read is told in the report.
    """
    from gpucheck import api

    return api.doctor(python, deep, timeout=timeout)


def snapshot(python: str | None = None, deep: bool = False, *, timeout: float = 10.0) -> Snapshot:
    """Look at this machine and give the facts alone. Parameters as for `doctor`."""
    from gpucheck import api

    return api.snapshot(python, deep, timeout=timeout)
