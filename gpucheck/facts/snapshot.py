"""All facts of one machine at one moment. Rules see this and nothing else."""

from typing import TYPE_CHECKING, NamedTuple, Union

from gpucheck.facts.deep import Deep
from gpucheck.facts.driver import Driver
from gpucheck.facts.environment import Environment
from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.libraries import Libraries
from gpucheck.facts.log import Log
from gpucheck.facts.python import Python
from gpucheck.facts.system import System
from gpucheck.facts.toolkits import Toolkits
from gpucheck.facts.windows import Windows

if TYPE_CHECKING:  # a look at a machine holds none, and its start does not pay for them
    from gpucheck.facts.containers import Containers

SCHEMA = "gpucheck.snapshot/1"


class ProbeRun(NamedTuple):
    """How one probe went."""

    name: str
    seconds: float
    outcome: str  # "ok", or why its facts are gaps


class Snapshot(NamedTuple):
    schema: str
    version: str  # gpucheck's
    taken: str  # ISO 8601, UTC
    system: Union[System, Gap]
    environment: Union[Environment, Gap]
    driver: Union[Driver, Gap]
    gpus: Union[tuple[Gpu, ...], Gap]
    toolkits: Union[Toolkits, Gap]
    python: Union[Python, Gap]
    libraries: Union[Libraries, Gap]
    deep: Union[Deep, None, Gap]  # None: --deep was not asked for
    probes: tuple[ProbeRun, ...]
    windows: Union[Windows, None, Gap] = None  # None: not Windows
    log: Union[Log, None] = None  # None: no log was given
    containers: Union["Containers", None] = None  # None: no Dockerfile or compose file was given
    simulated: Union[str, None] = None  # the recorded machine of a rehearsal; None: a real look

    @property
    def of_log_alone(self) -> bool:
        """No machine was looked at: the facts are what a log says."""
        return self.log is not None and not self.probes

    @property
    def of_text_alone(self) -> bool:
        """No machine was looked at: the facts are what a log or container files say."""
        return (self.log is not None or self.containers is not None) and not self.probes
