"""What an index really holds of a TensorFlow release: its wheels' names, and METADATA and build_info.py out of them.

The wheels are read by range requests (a megabyte or two of half a gigabyte), never downloaded. Nothing is compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email import message_from_bytes
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from gpucheck.probes.tensorflow import read_build_info

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage, PyPISimple

_INFO = "python/platform/build_info.py"
_GLIBC = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
_PLATFORMS = {
    ("linux", "x86_64"): re.compile(r"(manylinux|linux).*_x86_64$"),
    ("linux", "aarch64"): re.compile(r"(manylinux|linux).*_aarch64$"),
    ("windows", "x86_64"): re.compile(r"win_amd64$"),
}


class File(NamedTuple):
    """A wheel. pythons: "3.12". glibc: the oldest that its tags allow, "" on Windows. uploaded: a day, or ""."""

    name: str
    url: str
    version: Version
    pythons: frozenset[str]
    platforms: frozenset[str]
    glibc: str
    uploaded: str


class Inside(NamedTuple):
    """Read from one wheel. requirements: of METADATA without extras: name -> every bound, of whatever Python.

    cudnn_wheel: what the extra asks. info: of build_info.py, {} where the wheel has none.
    """

    requirements: dict[str, tuple[SpecifierSet, ...]]
    cudnn_wheel: tuple[SpecifierSet, ...]
    info: dict[str, Any]


def files(client: PyPISimple, project: str) -> list[File]:
    """Every wheel of a project that was not withdrawn."""
    from pypi_simple import NoSuchProjectError

    try:
        page = client.get_project_page(project)
    except NoSuchProjectError:
        return []
    return [found for package in page.packages if not package.is_yanked and (found := _file(package))]


def _file(package: DistributionPackage) -> File | None:
    try:
        _, version, _, tags = parse_wheel_filename(package.filename)
    except InvalidWheelFilename:
        return None
    pythons = {match.group(1, 2) for tag in tags if (match := re.match(r"cp(\d)(\d+)$", tag.interpreter))}
    return File(
        package.filename,
        package.url,
        version,
        frozenset(".".join(pair) for pair in pythons),
        frozenset(tag.platform for tag in tags),
        _glibc([tag.platform for tag in tags]),
        package.upload_time.date().isoformat() if package.upload_time else "",
    )


def _glibc(platforms: Sequence[str]) -> str:
    found = []
    for platform in platforms:
        if match := re.match(r"manylinux_(\d+)_(\d+)_", platform):
            found.append(".".join(match.groups()))
        elif name := platform.split("_")[0] if platform.startswith("manylinux") else "":
            found.append(_GLIBC[name])
    return min(found, key=Version, default="")


def of_system(found: Sequence[File], system: str, machine: str) -> list[File]:
    return [file for file in found if any(_PLATFORMS[system, machine].match(one) for one in file.platforms)]


def inside(file: File, session: Any) -> Inside:
    """METADATA and build_info.py of one wheel."""
    from remotezip import RemoteZip

    with RemoteZip(file.url, session=session, initial_buffer_size=1 << 20) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith(".dist-info/METADATA")))
        info = next((name for name in names if name.endswith(_INFO)), None)
        values = read_build_info(archive.read(info)) if info else {}
    return Inside(*_requirements(metadata), values or {})


def _requirements(metadata: bytes) -> tuple[dict[str, tuple[SpecifierSet, ...]], tuple[SpecifierSet, ...]]:
    asked: dict[str, tuple[SpecifierSet, ...]] = {}
    cudnn: tuple[SpecifierSet, ...] = ()
    for line in message_from_bytes(metadata).get_all("Requires-Dist") or ():
        try:
            one = Requirement(line)
        except InvalidRequirement:
            continue
        extra = one.marker is not None and "extra" in str(one.marker)
        if extra and one.name.startswith("nvidia-cudnn"):
            cudnn = (*cudnn, one.specifier)
        elif not extra:
            asked[one.name] = (*asked.get(one.name, ()), one.specifier)
    return asked, cudnn
