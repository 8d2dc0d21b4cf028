"""One proof under way: what all its checks need, and each question asked once."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Union

from gpucheck.facts.plan import Check, Choice, Package
from gpucheck.install.proof import libraries, running
from gpucheck.install.proof.asking import Child, Prover, Said
from gpucheck.install.proof.reading import Reading
from gpucheck.install.proof.surroundings import Surroundings

# Seconds; many times what was measured on two busy cores (import 3 to 12 s, all libraries 5 s, a first use from NFS is
# slower, a first operation on a GPU whose code comes as PTX takes a minute or two).
LIMITS = {"where": 60.0, "consistency": 120.0, "libraries": 240.0, "loader": 120.0, "driver": 60.0, "tensorflow": 480.0}
_FRAMEWORKS = ("tensorflow", "tensorflow_core")


class Before(NamedTuple):
    """What was wrong in an environment before anything was installed into it: no installation is at fault for it.

    conflicts: uv's complaints. damaged: "name: path and trouble".
    """

    conflicts: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


class Case(NamedTuple):
    """What all checks need."""

    prover: Prover
    choice: Choice
    root: str
    user: dict[str, str]
    around: Surroundings
    packages: tuple[Package, ...]
    before: Before
    thorough: bool


class Asked:
    """Asks each question once, when the first check needs it."""

    def __init__(self, case: Case, reading: Reading, running_: Union[Child, None]) -> None:
        """running_: TensorFlow's child, started already."""
        self.case = case
        self.reading = reading
        self._running = running_
        self.own = libraries.owned(reading)
        self._said: dict[str, Said] = {}
        self._ran: Union[running.Ran, None] = None
        self.made: dict[str, Check] = {}

    def ask(self, command: str, **told: Any) -> Said:
        """The prover's answer; asked once, with what it is told then."""
        if command not in self._said:
            self._said[command] = self.case.prover.ask(command, LIMITS[command], **told).said()
        return self._said[command]

    def ran(self) -> running.Ran:
        """TensorFlow's own words."""
        if self._ran is None:
            prover, limit = self.case.prover, LIMITS["tensorflow"]

            def again(leave_out: int, hide: bool) -> Said:
                environ = {**prover.environ, "CUDA_VISIBLE_DEVICES": "-1"} if hide else prover.environ
                return prover.ask("tensorflow", limit, environ, leave_out=leave_out).said()

            self._ran = running.gather((self._running or prover.ask("tensorflow", limit)).said(), again)
        return self._ran

    def framework(self) -> Union[str, None]:
        """TensorFlow's library that holds its loader."""
        names = ("libtensorflow_framework.so.2", "libtensorflow_framework.so.1", "libtensorflow_framework.so")
        places = (f"{site}/{part}/{name}" for site in self.reading.folders for part in _FRAMEWORKS for name in names)
        return next((place for place in places if os.path.isfile(place)), None)
