"""CUDA's DLLs: all copies, and for each one that the examined TensorFlow opens what Windows gives it."""

from __future__ import annotations

from typing import Union

from gpucheck.compat import dlls
from gpucheck.compat import libraries as table
from gpucheck.compat.releases import of_version
from gpucheck.facts import paths
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Libraries, LibraryCopy, Wanted
from gpucheck.facts.python import Python, TensorFlowBuild
from gpucheck.facts.toolkits import Toolkits
from gpucheck.facts.versions import CudaVersion, CudnnVersion, LibraryVersion
from gpucheck.host import Host, Pe
from gpucheck.probes.windows.copies import Collection, collect
from gpucheck.probes.windows.loader import Hit, Loader


def probe(host: Host, examined: Union[Python, Gap], kits: Union[Toolkits, Gap], loader: Loader) -> Libraries:
    """Find the copies and follow Windows' search for the examined TensorFlow.

    Parameters
    ----------
    loader: for the examined interpreter (`gpucheck.probes.windows.program`).
    """
    found = collect(loader, examined, kits)
    wanted: Union[tuple[Wanted, ...], None, Gap]
    if isinstance(examined, Gap):
        wanted = examined
    elif examined.tensorflow is None or isinstance(examined.tensorflow, Gap):
        wanted = examined.tensorflow
    else:
        wanted = _Wants(loader, found).of(examined.tensorflow)
    copies = tuple(found.found.values())
    return Libraries(copies if found.unread is None else found.unread, loader.search_dirs(), (), wanted)


class _Wants:
    """Follows TensorFlow's own check, DLL by DLL: what is open already satisfies what comes later."""

    def __init__(self, loader: Loader, found: Collection) -> None:
        self.loader = loader
        self.found = found
        self.open: set[str] = set()

    def of(self, build: TensorFlowBuild) -> Union[tuple[Wanted, ...], None, Gap]:
        """All that this build opens; None for a CPU build."""
        for fact in (build.cuda_build, build.cuda_version, build.cudnn_version, build.version):
            if isinstance(fact, Gap):
                return fact
        if not build.cuda_build:
            build = _before_build_info(build) or build
        if not build.cuda_build:
            return None
        cuda, cudnn = build.cuda_version, build.cudnn_version
        if not isinstance(cuda, CudaVersion) or not isinstance(cudnn, CudnnVersion):
            return Gap("the build does not say its CUDA version", "unsupported")
        asker = _asker(build)
        wants: list[Wanted] = []
        for library in table.checked_by(build.version):  # type: ignore[arg-type]
            name = dlls.dll(library, cuda, cudnn)
            if name is None and library != "cublasLt":
                return Gap(f"the DLLs of CUDA {cuda} are not in gpucheck's table", "unsupported")
            if name is not None:
                wants.append(self._want(library, name, asker, True))
        return (*wants, *self._parts(wants[-1], cudnn.major))

    def _parts(self, whole: Wanted, major: int) -> list[Wanted]:
        """cuDNN's own parts, which it opens by name at the first convolution."""
        if not isinstance(whole.path, str) or whole.defect is not None:
            return []
        names = table.CUDNN_PARTS.get(major, ())
        return [self._want("cudnn", dlls.part(name, major), whole.soname, False) for name in names]

    def _want(self, library: str, name: str, asker: str, needed: bool) -> Wanted:
        hits = self.loader.hits(name)
        reached = {paths.key(hit.path) for hit in hits if isinstance(hit, Hit)}
        same = [copy for copy in self.found.found.values() if copy.soname.lower() == name.lower()]
        elsewhere = tuple(copy.path for copy in same if paths.key(copy.path) not in reached)
        if not hits:
            return Wanted(name, library, asker, needed, None, None, None, (), elsewhere, None)
        first = hits[0]
        if isinstance(first, Gap):
            return Wanted(name, library, asker, needed, first, None, first, (), elsewhere, first)
        self.open.add(name.lower())
        return Wanted(
            name,
            library,
            asker,
            needed,
            first.path,
            first.via,
            self._version(first.path),
            tuple(hit.path for hit in hits[1:] if isinstance(hit, Hit)),
            elsewhere,
            first.defect or self._missing(first.path),
        )

    def _version(self, path: str) -> Union[LibraryVersion, None, Gap]:
        copy: Union[LibraryCopy, None] = self.found.found.get(paths.key(path))
        return copy.version if copy else Gap(f"version not known: {path}", "unsupported")

    def _missing(self, path: str) -> Union[str, None, Gap]:
        """The first of NVIDIA's DLLs that this one needs and that would not be found: Windows then gives up."""
        header = self.loader.header(path)
        for name in header.imports if isinstance(header, Pe) else ():
            if dlls.library_of(name) is None or name.lower() in self.open:
                continue
            hits = self.loader.hits(name)
            if not hits:
                return f"needs {name}, which is not found"
            if isinstance(hits[0], Gap):
                return hits[0]
            if hits[0].defect:
                return f"needs {name}, which is {hits[0].defect}: {hits[0].path}"
            self.open.add(name.lower())
        return None


def _before_build_info(build: TensorFlowBuild) -> Union[TensorFlowBuild, None]:
    """tensorflow-gpu 1.0 to 1.3 has no build_info.py: what it was built with is in the table alone."""
    if build.cuda_build is not None or build.distribution != "tensorflow-gpu" or not build.version:
        return None
    row = of_version("windows", "x86_64", str(build.version))
    if row is None or not row.cuda:
        return None
    return build._replace(cuda_build=True, cuda_version=CudaVersion(row.cuda), cudnn_version=CudnnVersion(row.cudnn))


def _asker(build: TensorFlowBuild) -> str:
    objects = () if isinstance(build.objects, Gap) else build.objects
    return next((paths.base(one.path) for one in objects), "_pywrap_tensorflow_internal.pyd")
