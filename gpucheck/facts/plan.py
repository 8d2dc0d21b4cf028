"""What an installation is asked for, what was chosen and why not another, and what came of it. JSON in and out."""

from typing import Literal, NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.objection import Objection as Objection  # noqa: PLC0414  a part of the contract
from gpucheck.facts.versions import CudaVersion, CudnnVersion, LibcVersion, PackageVersion, PythonVersion

SCHEMA = "gpucheck.plan/1"
RECEIPT_SCHEMA = "gpucheck.receipt/1"
REFUSAL_SCHEMA = "gpucheck.refusal/1"  # a choice without a release
EXPLANATION_SCHEMA = "gpucheck.explanation/1"
FAILURE_SCHEMA = "gpucheck.failure/1"


class Request(NamedTuple):
    """What the user asks for.

    tensorflow: an exact version, None for the one that fits best. cpu: without CUDA, GPU or not.
    extras: names of compat/extras.py (--with). packages: requirements that --with named and no extra is called.
    cuda: with CUDA, GPU or not (tensorflow[and-cuda]).
    """

    tensorflow: Union[str, None] = None
    cpu: bool = False
    extras: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    cuda: bool = False


class Target(NamedTuple):
    """What packages are chosen for: a Python on a system. Of this machine, or of a snapshot's.

    libc: None on Windows and with musl. python: major and minor at least.
    """

    os: Literal["linux", "windows"]
    machine: str  # x86_64, aarch64
    libc: Union[LibcVersion, None, Gap]
    python: PythonVersion


class Candidate(NamedTuple):
    """A release of the table with every reason against it, most decisive first; none: it fits."""

    version: PackageVersion
    objections: tuple[Objection, ...]


class Package(NamedTuple):
    """One file to install.

    size: bytes, None where the index does not tell. why: what requires it, in words ("tensorflow", "--with jupyter").
    url: where it was found, without credentials; a path for a wheelhouse.
    """

    name: str
    version: PackageVersion
    file: str
    url: str
    sha256: str
    size: Union[int, None]
    why: str


class Route(NamedTuple):
    """Another way, where no release fits: WSL2, a CPU build, another interpreter.

    steps: lines for a shell, or prose (#).
    """

    title: str
    steps: tuple[str, ...]
    source: str


class Choice(NamedTuple):
    """What the table says, before any index was asked. Pure: made from a snapshot.

    release: the row's version; None: none fits, see candidates and routes. package: the distribution that is installed.
    requirements: for uv, with the extra and the bounds that this machine needs. reasons: why these, one sentence each.
    exclude_newer: RFC 3339 date; files uploaded later are not considered (an old release with its own era's
    dependencies). cuda, cudnn: what the wheel was built with; None for a CPU build. brings_cuda: its CUDA libraries
    come as wheels.
    cures: names in install/cures.py that this release needs. derived: from the index and not in the table: untested.
    """

    request: Request
    target: Union[Target, Gap]
    release: Union[PackageVersion, None]
    package: str
    requirements: tuple[str, ...]
    exclude_newer: Union[str, None]
    cuda: Union[CudaVersion, None]
    cudnn: Union[CudnnVersion, None]
    brings_cuda: bool
    cures: tuple[str, ...]
    reasons: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    routes: tuple[Route, ...]
    derived: bool = False


class Room(NamedTuple):
    """Bytes that a step needs on a file system. folder: where it writes; free: there, Gap where it cannot be known."""

    what: str  # downloads, environment, ...
    folder: str
    bytes: int
    free: Union[int, Gap]


class Plan(NamedTuple):
    """A choice, proven to resolve: every file with its hash.

    by_hand: the commands that do the same without gpucheck. taken_over: pip's settings that were handed to uv, masked.
    """

    schema: str
    version: str  # gpucheck's
    made: str  # ISO 8601, UTC
    choice: Choice
    packages: tuple[Package, ...]
    rooms: tuple[Room, ...]
    by_hand: tuple[str, ...]
    taken_over: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Check(NamedTuple):
    """One part of the proof. state: unproven is not failed: no GPU is here to try it on."""

    name: str
    state: Literal["proven", "failed", "unproven", "skipped"]
    what: str  # one sentence with the values seen
    lines: tuple[str, ...] = ()  # evidence: the library that fails to load, the file that is missing


class Cure(NamedTuple):
    """What was done to a known defect. done: paths made, relative to the environment, so that they can be undone."""

    name: str
    what: str
    done: tuple[str, ...]


class Proof(NamedTuple):
    checks: tuple[Check, ...]
    cures: tuple[Cure, ...]
    seconds: float

    @property
    def good(self) -> bool:
        return all(check.state != "failed" for check in self.checks)


class Receipt(NamedTuple):
    """Left in the environment, in .gpucheck/receipt.json: what was installed, and what was proven."""

    schema: str
    version: str
    made: str
    plan: Plan
    proof: Proof
    transaction: str  # its name: what `undo` goes back over
