"""What only Windows has: display adapters of the registry, three PATHs, runtime DLLs, switches. Facts alone.

Driver, toolkits, libraries and the interpreter are told in the same facts as on Linux.
"""

from typing import Literal, NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import DriverVersion, LibraryVersion

Scope = Literal["user", "machine", "process"]


class Adapter(NamedTuple):
    """A display adapter, as the registry has it: with or without a driver of its maker."""

    name: str  # DriverDesc, or what Windows calls a device that has no driver
    vendor: Union[str, None]  # PCI: 10de; None: no PCI device (a virtual or a remote display)
    device: Union[str, None]  # PCI: 2684
    provider: Union[str, None]  # who made its driver: NVIDIA, Microsoft; None: it has no driver
    driver_version: Union[str, None]  # Windows' form: 31.0.15.5222
    nvidia_version: Union[DriverVersion, None]  # the same in NVIDIA's: 552.22; None: another maker's
    address: Union[str, None]  # PCI: 0000:01:00.0; None: not recorded
    present: Union[bool, Gap]  # False: the registry remembers a card that is not in the computer any more
    key: str  # where this was read


class PathEntry(NamedTuple):
    """One entry of a PATH."""

    text: str  # as it stands: with %VARIABLES% and quotes
    expanded: Union[str, Gap]  # a gap: it names a variable that gpucheck does not read
    exists: Union[bool, Gap]


class SearchPath(NamedTuple):
    """A PATH. length: in characters, as it stands. expandable: stored as REG_EXPAND_SZ, so that %VARIABLES% count."""

    scope: Scope
    length: int
    expandable: Union[bool, None]  # None: of the process
    entries: tuple[PathEntry, ...]


class ScopedVariable(NamedTuple):
    """CUDA_PATH, CUDA_PATH_V11_2 … as they are set for the user, for the machine and in this process."""

    scope: Scope
    name: str
    value: str


class RuntimeDll(NamedTuple):
    """A DLL that TensorFlow or cuDNN needs and that is neither's own: of Visual C++, zlibwapi.dll.

    path: the file that would be loaded; None: none would. ignored: files of that name that the search does not reach.
    """

    name: str
    wanted_by: str
    path: Union[str, None, Gap]
    version: Union[LibraryVersion, None, Gap]
    via: Union[str, None]
    ignored: tuple[str, ...]


class CudnnTree(NamedTuple):
    """cuDNN in a CUDA toolkit that it was copied into, or where its zip was unpacked: one file of each of the three."""

    root: str
    dll: Union[str, None]  # in bin
    header: Union[str, None]  # in include
    library: Union[str, None]  # in lib\\x64


class Windows(NamedTuple):
    build: Union[str, None, Gap]  # 10.0.19045
    adapters: Union[tuple[Adapter, ...], Gap]
    path_user: Union[SearchPath, None, Gap]
    path_machine: Union[SearchPath, None, Gap]
    path_process: Union[SearchPath, None, Gap]
    variables: Union[tuple[ScopedVariable, ...], Gap]
    long_paths: Union[bool, None, Gap]  # LongPathsEnabled; None: Windows does not know the switch
    runtime: Union[tuple[RuntimeDll, ...], None, Gap]  # None: no TensorFlow is examined
    zlibwapi: Union[RuntimeDll, None, Gap]  # None: the cuDNN that would be loaded does not need it
    cudnn_trees: Union[tuple[CudnnTree, ...], Gap]  # those that hold a part of cuDNN at least
    store_python: Union[bool, Gap]  # the examined interpreter is the Microsoft Store's
    home: str
