"""Every reason against a TensorFlow release on a machine, stated once: for doctor's fixes and for `gpucheck install`.

Pure. What is not known makes no objection: doubts.py names it instead, so that nothing is acquitted silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Union

from gpucheck.compat import architectures, drivers
from gpucheck.compat.cudnn import LAST_BEFORE_TURING
from gpucheck.compat.releases import least_unrecorded, releases
from gpucheck.compat.tensorflow import AVX_SOURCE, FIRST_WITH_AVX, ISSUES, Release, final
from gpucheck.facts.gap import Gap, known
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.objection import Objection
from gpucheck.facts.python import capability_codes
from gpucheck.facts.versions import (
    ComputeCapability,
    CudaVersion,
    DriverVersion,
    LibcVersion,
    PackageVersion,
)
from gpucheck.rules.here import Here
from gpucheck.rules.installed import broken_clause
from gpucheck.rules.presence import named

_FIRST_FROM_TURING, _MUCH_LATER = "9.11.0", "9.99"
_version = cache(PackageVersion)
_TURING = ComputeCapability("7.5")
# The defects that are cured after the installation, and how the cure is called (install/cures.py).
CURES = {"Q01": "libcusolver-beside-cusparse"}
_FILES = "the wheels on the index (2026-11-23)"
# Of the extra [and-cuda] or of how the wheel finds what that brings: nothing to a CPU build.
_DEFECTS = ("K02", "K06", "Q01")
_BLACKWELL_SOURCE = "tensorflow#89272, #97387, #99592, #101746; build_info.py"


def objections(
    row: Release, at: Here, cpu: bool = False, cured: Iterable[str] = (), wanted: bool = False
) -> tuple[Objection, ...]:
    """Every reason against this release here, the most decisive first; () if it fits.

    Parameters
    ----------
    row: of this system's table (compat.releases).
    cpu: it need not use a GPU.
    cured: names of issues that a cure follows (the keys of CURES).
    wanted: somebody asked for this very version, so that being a release candidate is nothing against it.
    """
    return tuple(_against(row, at, cpu, cured, wanted))


def fits(row: Release, at: Here, cpu: bool = False, cured: Iterable[str] = (), wanted: bool = False) -> bool:
    """Is there no objection? The same as `objections`, without looking for a second one."""
    return next(_against(row, at, cpu, cured, wanted), None) is None


def _against(row: Release, at: Here, cpu: bool, cured: Iterable[str], wanted: bool) -> Iterator[Objection]:
    yield from _of_interpreter(row, at)
    yield from _of_system(row, at)
    if not cpu:
        yield from _of_platform(row)
        yield from _of_gpus(row, at)
        yield from _of_driver(row, at)
        yield from _of_packages(row, at, set(cured))
    if not final(row) and not wanted:
        yield _issue(row, "K20", "name it to have it all the same")._replace(name="pre-release")


def brings_cuda(row: Release) -> bool:
    """Do CUDA's libraries come as wheels (the extra [and-cuda])?"""
    return bool(row.cudnn_wheel)


def takes_cudnn(row: Release, version: str) -> bool:
    """Does the extra [and-cuda] admit this version of cuDNN's wheel?"""
    return brings_cuda(row) and broken_clause(row.cudnn_wheel, PackageVersion(version)) is None


def open_cudnn(row: Release) -> bool:
    """Does it admit one that has dropped everything older than Turing (K10)? 9.11 is the first."""
    return takes_cudnn(row, _FIRST_FROM_TURING) or takes_cudnn(row, _MUCH_LATER)


def _of_interpreter(row: Release, at: Here) -> Iterator[Objection]:
    kind, version = known(at.implementation, None), known(at.python, None)
    if known(at.bits, None) == 32:
        what = f"the Python is a 32-bit program; TensorFlow {row.version} has 64-bit wheels only"
        yield Objection("python-32bit", what, _FILES, "take a 64-bit Python")
    if kind not in ("cpython", None):
        what = f"the Python is {kind}; TensorFlow {row.version} has wheels for the usual CPython only"
        yield Objection("python-not-cpython", what, _FILES, "take a CPython")
    if version is not None and f"{version.major}.{version.minor}" not in row.pythons.split():
        what = f"TensorFlow {row.version} has wheels for Python {_listed(row.pythons)}, this is {version}"
        yield Objection("no-wheel-for-python", what, _FILES, f"take Python {row.pythons.split()[-1]}")


def _of_system(row: Release, at: Here) -> Iterator[Objection]:
    if "Q02" in row.issues.split():
        yield _issue(row, "Q02", "take 2.11.0 or 2.12.1")
    if row.glibc and not isinstance(at.libc, Gap) and known(at.os, None) == "linux":
        if at.libc is None:
            what = f"TensorFlow {row.version}'s wheels need glibc {row.glibc}; this system has none (musl?)"
            yield Objection("no-glibc", what, _FILES, "take a system or a container with glibc")
        elif at.libc < LibcVersion(row.glibc):
            what = f"TensorFlow {row.version}'s wheels need glibc {row.glibc} or later; this system has {at.libc}"
            yield Objection("glibc-too-old", what, _FILES, "take a newer distribution, or a container of one")
    if known(at.avx, None) is False and _version(row.version) >= _version(FIRST_WITH_AVX):
        what = f"TensorFlow {row.version} is compiled with AVX, which this CPU lacks: it dies of an illegal instruction"
        yield Objection("cpu-no-avx", what, AVX_SOURCE, "in a virtual machine pass the host's CPU through")


def _of_platform(row: Release) -> Iterator[Objection]:
    if row.cuda:
        return
    if row.glibc:
        what = f"TensorFlow {row.version}'s wheels for aarch64 hold no CUDA"
        yield Objection("no-cuda-on-aarch64", what, row.source, "NVIDIA's own container has a build with CUDA")
    else:
        what = f"TensorFlow {row.version}'s wheels for Windows hold no CUDA (2.10.1 was the last with it)"
        source = next(one.source for one in ISSUES if one.name == "K12")
        yield Objection("K12", what, source, "run it in WSL2, whose Linux wheels have it")


def _of_gpus(row: Release, at: Here) -> Iterator[Objection]:
    for gpu in known(at.gpus, ()) if row.cuda else ():
        capability = known(gpu.compute_capability, None)
        if capability is not None:
            yield from _of_gpu(row, gpu, capability, known(at.os, "linux"))


def _of_gpu(row: Release, gpu: Gpu, capability: ComputeCapability, os: str) -> Iterator[Objection]:
    architecture = architectures.name_of(capability)
    about = f"{named(gpu)} has compute capability {capability}" + (f" ({architecture})" if architecture else "")
    reach = architectures.reach_of(CudaVersion(row.cuda))
    if reach is not None and capability.major > reach.newest:
        built = f"TensorFlow {row.version} is built with CUDA {row.cuda}, which has no code for that"
        if capability.major >= architectures.BLACKWELL:
            failing = f"{built}, and its PTX is reported to fail there"
            yield Objection("gpu-too-new-for-build", f"{about}; {failing}", _BLACKWELL_SOURCE, "NVIDIA's container")
        else:
            yield Objection("gpu-too-new-for-build", f"{about}; {built}", reach.source, "take a newer TensorFlow")
    elif row.capabilities and not runs(row, capability):
        codes = ", ".join(code.text for code, _ in capability_codes(row.capabilities))
        what = f"{about}; TensorFlow {row.version} has code for {codes} alone"
        yield Objection("gpu-too-old-for-build", what, row.source, "take a TensorFlow that has code for it")
    elif not row.capabilities and capability < least_unrecorded(os, row):
        what = f"{about}; TensorFlow {row.version} asks for {least_unrecorded(os, row)} or higher"
        yield Objection("gpu-too-old-for-build", what, row.source)
    if capability < _TURING and brings_cuda(row) and not takes_cudnn(row, LAST_BEFORE_TURING) and open_cudnn(row):
        what = f"{about}; TensorFlow {row.version} asks for a cuDNN ({row.cudnn_wheel}) without code for that"
        yield Objection("cudnn-dropped-gpu", what, row.source, "take an older TensorFlow")


def runs(row: Release, capability: ComputeCapability) -> bool:
    """Has the build code for it, or PTX that the driver compiles? Of the recorded list alone."""
    codes = capability_codes(row.capabilities)
    return native(row, capability) or any(ptx and code <= capability for code, ptx in codes)


def native(row: Release, capability: ComputeCapability) -> bool:
    """Machine code: of the same major version, with an equal or lower minor."""
    codes = capability_codes(row.capabilities)
    return any(code.major == capability.major and code <= capability for code, _ in codes)


def driver_floor(row: Release, windows: bool) -> Union[DriverVersion, None]:
    """The lowest driver for a release's CUDA, of Windows' drivers or of Linux's; None where no table tells."""
    floor = drivers.floor_for(CudaVersion(row.cuda)) if row.cuda else None
    return drivers.lowest(floor, windows) if floor else None


def _of_driver(row: Release, at: Here) -> Iterator[Objection]:
    version, floor = known(at.driver, None), driver_floor(row, at.windows_driver)
    if version is None or floor is None or version >= floor:
        return
    # NVIDIA's forward compatibility package: a newer libcuda on an old kernel module, seen to work.
    if at.compat is not None and at.compat.major >= CudaVersion(row.cuda).major:
        return
    of = "Windows driver" if at.windows_driver else "driver"
    what = f"TensorFlow {row.version} (CUDA {row.cuda}) needs {of} {floor} or later, this is {version}"
    source = next(one.source for one in drivers.FLOORS if drivers.floor_for(CudaVersion(row.cuda)) is one)
    yield Objection("driver-too-old", what, source, f"upgrade the driver to {floor} or later")


def _of_packages(row: Release, at: Here, cured: set[str]) -> Iterator[Objection]:
    issues, version = row.issues.split(), known(at.python, None)
    if "K01" in issues and version is not None and (version.major, version.minor) >= (3, 11):
        yield _issue(row, "K01", "take Python 3.9 or 3.10, or a later TensorFlow")
    remedies = {"K02": "take 2.15.1", "K06": "take 2.16.2", "Q01": "gpucheck install cures it"}
    for name in _DEFECTS:
        if name in issues and name not in cured:
            yield _issue(row, name, remedies[name])


def _issue(row: Release, name: str, remedy: str) -> Objection:
    issue = next(one for one in ISSUES if one.name == name)
    return Objection(name, f"TensorFlow {row.version}: {issue.what}", issue.source, remedy)


def _listed(pythons: str) -> str:
    return pythons.replace(" ", ", ")


def table(at: Here) -> tuple[Release, ...]:
    """The rows of this machine's system, oldest first; () where TensorFlow has none, or the system is not known."""
    if isinstance(at.os, Gap) or isinstance(at.machine, Gap):
        return ()
    return releases(at.os, at.machine)
