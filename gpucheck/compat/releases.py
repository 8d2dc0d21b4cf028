"""TensorFlow releases of every system in one form, and which distribution holds one. Look-up only."""

from __future__ import annotations

from functools import cache
from typing import Union

from gpucheck.compat.tensorflow import (
    AARCH64,
    LEAST_BEFORE_1_5_ON_LINUX,
    LEAST_UNRECORDED,
    RELEASES,
    CpuRelease,
    Release,
    find,
)
from gpucheck.compat.tensorflow_windows import WINDOWS
from gpucheck.facts.versions import ComputeCapability, PackageVersion

CPU_SOURCE = "files of tensorflow-cpu on the index (2026-11-23)"
# Defects of what CUDA builds ask for; a CPU build of the same release does not have them.
_OF_CUDA = {"K01", "K02", "K06", "K07", "K10", "Q01"}
# No wheel of tensorflow-cpu for Windows, or for one Python alone.
_NO_CPU_ON_WINDOWS = ("2.2.3", "2.4.2")


@cache
def releases(os: str, machine: str) -> tuple[Release, ...]:
    """The rows of a system ("linux", "windows") and architecture, oldest first; () where TensorFlow has no wheels."""
    if machine == "x86_64":
        return {"linux": RELEASES, "windows": WINDOWS}.get(os, ())
    return tuple(map(_on_aarch64, AARCH64)) if (os, machine) == ("linux", "aarch64") else ()


def _on_aarch64(row: CpuRelease) -> Release:
    """What METADATA asks is x86_64's, which is what was read."""
    same = find(row.version)
    others = (one for one in (same.issues.split() if same else ()) if one not in _OF_CUDA)
    issues = " ".join((*others, *row.issues.split()))
    bounds = (same.numpy, same.protobuf, "", issues) if same else ("", "", "", issues)
    uploaded = same.uploaded if same else ""
    return Release(row.version, "tensorflow", row.pythons, "", "", (), row.glibc, *bounds, row.source, uploaded)


def of_version(os: str, machine: str, version: str) -> Union[Release, None]:
    """A system's row by its version as PEP 440 compares it ("2.18" is 2.18.0); None where there is none."""
    rows = releases(os, machine)
    exact = next((row for row in rows if row.version == version), None)
    # A post release has the numbers of the one before it: it is meant by its full name alone.
    wanted = PackageVersion.parse(version) if "post" not in version else None
    same = (row for row in rows if PackageVersion(row.version) == wanted and "post" not in row.version)
    return exact or next(same, None)


def minor_of(text: str) -> Union[tuple[int, int], None]:
    """(2, 21) of "2.21", "2.21.*" and "2.21.x"; None for everything else."""
    pieces = text.strip().split(".")
    wild = len(pieces) == 3 and pieces[2] in ("*", "x")
    if (len(pieces) == 2 or wild) and all(one.isascii() and one.isdigit() and len(one) < 5 for one in pieces[:2]):
        return int(pieces[0]), int(pieces[1])
    return None


def least_unrecorded(os: str, row: Release) -> ComputeCapability:
    """The least compute capability of a release whose wheel does not record its list."""
    early = os == "linux" and PackageVersion(row.version) < PackageVersion("1.5")
    return ComputeCapability(LEAST_BEFORE_1_5_ON_LINUX if early else LEAST_UNRECORDED)


def cpu_package(os: str, machine: str, version: str) -> str:
    """The smallest distribution that holds a release's CPU build.

    tensorflow-cpu is there for x86_64 in 1.15.0 and from 2.1.0 on. On Windows tensorflow itself is the CPU build from
    2.11 on, on aarch64 always, and up to 2.0 wherever tensorflow-gpu is the other one.
    """
    at = PackageVersion(version)
    has_it = at == PackageVersion("1.15.0") or at >= PackageVersion("2.1")
    if machine != "x86_64" or not has_it:
        return "tensorflow"
    if os == "windows" and (at >= PackageVersion("2.11") or version in _NO_CPU_ON_WINDOWS):
        return "tensorflow"
    return "tensorflow-cpu"
