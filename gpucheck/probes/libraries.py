"""CUDA's shared libraries: all copies, and for each one that the examined TensorFlow opens what the loader gives."""

from __future__ import annotations

from typing import Union

from gpucheck.compat import libraries as table
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Libraries, LibraryCopy, Wanted
from gpucheck.facts.python import Python, SharedObject, TensorFlowBuild
from gpucheck.facts.toolkits import Toolkits
from gpucheck.facts.versions import CudaVersion, CudnnVersion, LibraryVersion
from gpucheck.host import Elf, Host
from gpucheck.probes.copies import Collection, collect
from gpucheck.probes.loader import Asker, Hit, Loader
from gpucheck.probes.search_paths import origin

# Opened when they are first used, never in TensorFlow's check: a GPU is registered without them (seen in 2.16.1,
# 2.18.1 and 2.21.0 over a fake libcuda). TensorRT is left out: what it adds is optional and its absence a known noise.
_LATER = ("nccl", "cupti")


def probe(
    host: Host, examined: Union[Python, Gap], kits: Union[Toolkits, Gap], loader: Union[Loader, None] = None
) -> Libraries:
    """Find the copies and follow the loader for the examined TensorFlow.

    Parameters
    ----------
    examined: the interpreter's facts; where they are a gap only the system's copies are found.
    loader: one for this host that others use, too; another is made for an interpreter of another architecture.
    """
    machine = examined.machine if isinstance(examined, Python) and isinstance(examined.machine, str) else None
    if loader is None or machine not in (None, loader.machine):
        loader = Loader(host, machine)
    found = collect(loader, examined, kits)
    copies = tuple(found.found.values())
    wanted: Union[tuple[Wanted, ...], None, Gap]
    if isinstance(examined, Gap):
        wanted = examined
    elif examined.tensorflow is None or isinstance(examined.tensorflow, Gap):
        wanted = examined.tensorflow
    else:
        wanted = _Wants(loader, found, examined).of(examined.tensorflow)
    return Libraries(
        copies if found.unread is None else found.unread,
        loader.search_dirs(),
        loader.preload,
        wanted,
    )


class _Wants:
    """Follows TensorFlow's own check, library by library: what is open already satisfies what comes later."""

    def __init__(self, loader: Loader, found: Collection, examined: Python) -> None:
        self.loader = loader
        self.found = found
        self.open: dict[str, str] = {}
        self.asked: frozenset[str] = frozenset()  # names of libraries that TensorFlow opens by itself
        self.dependencies: list[Wanted] = []
        # DT_RPATH of the program itself counts for objects without a RUNPATH: conda's python has one.
        program = examined.real_executable if isinstance(examined.real_executable, str) else None
        elf = loader.elf(program) if program else None
        is_old = isinstance(elf, Elf) and not elf.runpath
        self.program_rpath = origin(elf.rpath, program) if program and isinstance(elf, Elf) and is_old else ()

    def of(self, build: TensorFlowBuild) -> Union[tuple[Wanted, ...], None, Gap]:
        """All that this build opens; None for a CPU build."""
        for fact in (build.cuda_build, build.cuda_version, build.cudnn_version, build.objects, build.version):
            if isinstance(fact, Gap):
                return fact
        if not build.cuda_build:
            return None
        asker = self._asker(build.objects)  # type: ignore[arg-type]
        if asker is None:
            return Gap(f"TensorFlow's own libraries are not in {build.root}")
        cuda, cudnn = build.cuda_version, build.cudnn_version
        if not isinstance(cuda, CudaVersion) or not isinstance(cudnn, CudnnVersion):
            return Gap("the build does not say its CUDA version", "unsupported")
        checked = table.checked_by(build.version)  # type: ignore[arg-type]
        self.asked = frozenset((*checked, *_LATER))
        wants: list[Wanted] = []
        for library in (*checked, *_LATER):
            soname = table.soname(library, cuda, cudnn)
            if soname is None and library in checked and library != "cublasLt":
                return Gap(f"the sonames of CUDA {cuda} are not in gpucheck's table", "unsupported")
            if soname is not None:
                wants.append(self._want(library, soname, asker, library in checked))
                wants += self.dependencies
                self.dependencies = []
            if soname is not None and library == "cudnn":
                whole = next(one for one in wants if one.soname == soname)
                wants += self._parts(whole, asker)
        return tuple(wants)

    def _asker(self, objects: tuple[SharedObject, ...]) -> Union[Asker, None]:
        """The object that opens CUDA (tsl's dso_loader.cc): the framework library, in TensorFlow 1 pywrap's."""
        names = ("libtensorflow_framework.so", "_pywrap_tensorflow_internal.so")
        for name in names:
            for one in objects:
                if name in one.path:
                    return Asker(one.path.rpartition("/")[2], one.runpath, (*one.rpath, *self.program_rpath))
        return None

    def _want(self, library: str, soname: str, asker: Asker, needed: bool) -> Wanted:
        hits = self.loader.hits(soname, asker)
        reached = {hit.path for hit in hits if isinstance(hit, Hit)}
        elsewhere = tuple(
            copy.path for copy in self.found.found.values() if copy.soname == soname and copy.path not in reached
        )
        if not hits:
            return Wanted(soname, library, asker.name, needed, None, None, None, (), elsewhere, None)
        first = hits[0]
        if isinstance(first, Gap):
            return Wanted(soname, library, asker.name, needed, first, None, first, (), elsewhere, first)
        self.open[soname] = first.path
        return Wanted(
            soname,
            library,
            asker.name,
            needed,
            first.path,
            first.via,
            self._version(first.path),
            tuple(hit.path for hit in hits[1:] if isinstance(hit, Hit)),
            elsewhere,
            first.defect or self._missing(first.path, asker, needed),
        )

    def _copy(self, path: str) -> Union[LibraryCopy, None]:
        folder, _, name = path.rpartition("/")
        return self.found.found.get(f"{self.loader.real_dir(folder)}/{name}")

    def _version(self, path: str) -> Union[LibraryVersion, None, Gap]:
        if self._copy(path) is None:
            # A folder that only TensorFlow's RUNPATH leads to.
            self.found.add_file(path, "RUNPATH of TensorFlow")
        copy = self._copy(path)
        return copy.version if copy else Gap(f"version not known: {path}", "unsupported")

    def _missing(self, path: str, asker: Asker, needed: bool) -> Union[str, None, Gap]:
        """The first of NVIDIA's libraries that this one needs and that would not be found: the loader then gives up.

        Those that are found and that TensorFlow does not open by itself (nvJitLink) are noted as wanted, too.
        """
        elf = self.loader.elf(path)
        if not isinstance(elf, Elf):
            return None
        own = self._own(path, elf, asker)
        for soname in elf.needed:
            library = table.library_of(soname)
            if library is None or soname in self.open:
                continue
            hits = self.loader.hits(soname, own)
            if not hits:
                return f"needs {soname}, which is not found"
            if isinstance(hits[0], Gap):
                return hits[0]
            if hits[0].defect:
                return f"needs {soname}, which is {hits[0].defect}: {hits[0].path}"
            self.open[soname] = hits[0].path
            if library not in self.asked:
                self.dependencies.append(self._want(library, soname, own, needed))
        return None

    def _own(self, path: str, elf: Elf, asker: Asker) -> Asker:
        rpath = () if elf.runpath else (*origin(elf.rpath, path), *(() if asker.runpath else asker.rpath))
        return Asker(path.rpartition("/")[2], origin(elf.runpath, path), rpath)

    def _parts(self, whole: Wanted, asker: Asker) -> list[Wanted]:
        """cuDNN's own parts, which it opens at the first convolution."""
        if not isinstance(whole.path, str):
            return []
        elf = self.loader.elf(whole.path)
        if not isinstance(elf, Elf) or elf.defect:
            return []
        own = self._own(whole.path, elf, asker)
        major = whole.soname.rpartition(".")[2]
        names = table.CUDNN_PARTS.get(int(major), ()) if major.isdigit() else ()
        return [self._want("cudnn", f"libcudnn_{name}.so.{major}", own, False) for name in names]
