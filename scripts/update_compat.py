"""Does gpucheck/compat still say what the index holds? Reads the real wheels by range requests and reports differences.

    python scripts/update_compat.py                 names of all wheels, and the inside of the newest ones
    python scripts/update_compat.py 2.18.1 2.10.1   these releases, inside too
    python scripts/update_compat.py --all           the inside of one wheel of every release (some 400 MB of ranges)

Exit code: 0 nothing differs, 1 something does, 2 the index could not be asked. The tables are changed by hand: what the
docs and issues say of a release is in no wheel. Needs pypi-simple and remotezip (dependency group "test").
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version
from published import File, Inside, files, inside, of_system

from gpucheck.compat.releases import releases
from gpucheck.compat.tensorflow import Release, final

SYSTEMS = (("linux", "x86_64"), ("windows", "x86_64"), ("linux", "aarch64"))
PROJECTS = ("tensorflow", "tensorflow-gpu")
# Of some releases the wheel of tensorflow is a shim: what it requires holds the code.
SHIMS = {("windows", "x86_64"): "tensorflow-intel", ("linux", "aarch64"): "tensorflow-cpu-aws"}
# Its wheels of 2.12 and later are placeholders that fail on purpose: in no table (see compat.refused).
LAST_OF_TENSORFLOW_GPU = Version("2.11.0")


class Difference(NamedTuple):
    """One field of one row. table, index: as text; "(nothing)" for a row or wheels that are not there."""

    system: str
    version: str
    field: str
    table: str
    index: str

    def __str__(self) -> str:
        return f"{self.version:<12} {self.system:<16} {self.field:<14} table: {self.table:<30} index: {self.index}"


def listed(system: str, row: Release, found: Sequence[File], shim: Sequence[File] = ()) -> Iterator[Difference]:
    """What the names of a release's wheels say, beside its row.

    found: of that system and version alone. shim: the same of the distribution that holds the code, where that is
    another one: a Python needs a wheel of both, unless the row's issues say that it has none (Q02).
    """
    if not found:
        yield Difference(system, row.version, "wheels", row.package, "(nothing)")
        return
    there = {one for file in found for one in file.pythons}
    if shim and "Q02" not in row.issues.split():
        there &= {one for file in shim for one in file.pythons}
    pythons = sorted(there, key=Version)
    if (pythons or shim) and row.pythons.split() != pythons:
        yield Difference(system, row.version, "pythons", row.pythons, " ".join(pythons) or "(nothing)")
    glibc = sorted({file.glibc for file in found if file.glibc}, key=Version)
    if glibc and row.glibc not in glibc:
        yield Difference(system, row.version, "glibc", row.glibc, " ".join(glibc))
    uploaded = sorted({file.uploaded for file in found if file.uploaded})
    if row.uploaded and uploaded and not uploaded[0] <= row.uploaded <= uploaded[-1]:
        yield Difference(system, row.version, "uploaded", row.uploaded, " ".join((uploaded[0], uploaded[-1])))


def read(system: str, row: Release, wheel: Inside) -> Iterator[Difference]:
    """What the inside of one wheel of a release says, beside its row. What the wheel does not say is not compared."""
    bounds = (("numpy", row.numpy, wheel.requirements.get("numpy", ())),)
    bounds += (("protobuf", row.protobuf, wheel.requirements.get("protobuf", ())),)
    bounds += (("cudnn_wheel", row.cudnn_wheel, wheel.cudnn_wheel if row.cuda else ()),)
    for field, told, asked in bounds:
        if asked and not any(_same(told, one) for one in asked):
            yield Difference(system, row.version, field, told or '""', " or ".join(map(str, asked)))
    info = wheel.info
    # 1.15 to 2.2 have the major alone, under names of their own.
    cuda = _decoded(info.get("cuda_version") or info.get("cuda_version_number"))
    cudnn = _decoded(info.get("cudnn_version") or info.get("cudnn_version_number"))
    if "is_cuda_build" in info and bool(info["is_cuda_build"]) != bool(row.cuda):
        yield Difference(system, row.version, "is_cuda_build", str(bool(row.cuda)), str(info["is_cuda_build"]))
    if row.cuda and cuda and not _starts(row.cuda, cuda):
        yield Difference(system, row.version, "cuda", row.cuda, cuda)
    if row.cudnn and cudnn and not _starts(row.cudnn, cudnn):
        yield Difference(system, row.version, "cudnn", row.cudnn, cudnn)
    capabilities = info.get("cuda_compute_capabilities")
    if row.cuda and capabilities and sorted(capabilities) != sorted(row.capabilities):
        yield Difference(system, row.version, "capabilities", " ".join(row.capabilities), " ".join(capabilities))


def described(system: str, file: File, wheel: Inside) -> Iterator[Difference]:
    """What a wheel says of itself that no row knows: the fields of the row that has to be written."""
    info, asked = wheel.info, wheel.requirements
    told = {
        "pythons": sorted(file.pythons, key=Version),
        "glibc": [file.glibc] if file.glibc else [],
        "uploaded": [file.uploaded] if file.uploaded else [],
        "numpy": asked.get("numpy", ()),
        "protobuf": asked.get("protobuf", ()),
        "cudnn_wheel": wheel.cudnn_wheel,
        "is_cuda_build": [info["is_cuda_build"]] if "is_cuda_build" in info else [],
        "cuda": [_decoded(info.get("cuda_version"))] if info.get("cuda_version") else [],
        "cudnn": [_decoded(info.get("cudnn_version"))] if info.get("cudnn_version") else [],
        "capabilities": info.get("cuda_compute_capabilities") or (),
    }
    for field, values in told.items():
        text = " ".join(str(one) for one in values)
        if text:
            yield Difference(system, str(file.version), field, "(nothing)", text)


def _same(told: str, asked: SpecifierSet) -> bool:
    try:
        return SpecifierSet(told) == SpecifierSet(str(asked))
    except InvalidSpecifier:
        return told == str(asked)


def _decoded(value: object) -> str:
    """ "64_112" is how Windows wheels say 11.2, "64_8" how they say 8, and "64_80" how they say 8.0."""
    text = str(value or "")
    if text.startswith("64_"):
        digits = text.removeprefix("64_")
        text = f"{digits[:-1]}.{digits[-1]}" if len(digits) > 1 else digits
    return text


def _starts(one: str, other: str) -> bool:
    """The same numbers as far as both go."""
    mine, theirs = one.split("."), other.split(".")
    shared = min(len(mine), len(theirs))
    return mine[:shared] == theirs[:shared]


def unknown(system: tuple[str, str], rows: Sequence[Release], found: Iterable[File]) -> list[File]:
    """The first wheel of each release that no row knows: newer than the table, or forgotten."""
    versions = {Version(row.version) for row in rows}
    oldest = min(versions, default=Version("0"))
    new: dict[Version, File] = {}
    for file in found:
        if file.version not in versions and file.version > oldest and not file.version.is_prerelease:
            new.setdefault(file.version, file)
    return list(new.values()) if rows else []


def wheels_of(row: Release, found: dict[str, list[File]]) -> list[File]:
    return [file for file in found[row.package] if file.version == Version(row.version)]


def compare(client: object, wanted: Sequence[str], every: bool, jobs: int) -> tuple[list[Difference], str]:
    """All differences, and what was looked at in words."""
    whole = {project: files(client, project) for project in PROJECTS}  # type: ignore[arg-type]
    whole["tensorflow-gpu"] = [file for file in whole["tensorflow-gpu"] if file.version <= LAST_OF_TENSORFLOW_GPU]
    shims = {system: of_system(files(client, name), *system) for system, name in SHIMS.items()}  # type: ignore[arg-type]
    differences: list[Difference] = []
    tasks: list[tuple[str, Release | None, File]] = []
    rows_seen = 0
    for system in SYSTEMS:
        name = "-".join(system)
        found = {project: of_system(whole[project], *system) for project in PROJECTS}
        rows = releases(*system)
        for file in unknown(system, rows, found["tensorflow"]) if not wanted else []:
            pythons = " ".join(sorted(file.pythons, key=Version))
            differences.append(Difference(name, str(file.version), "row", "(nothing)", f"{file.name} ({pythons} …)"))
            tasks.append((name, None, file))
        newest = {row.version for row in (*rows[-1:], *[row for row in rows if final(row)][-1:])}
        for row in rows:
            if wanted and row.version not in wanted:
                continue
            rows_seen += 1
            mine = wheels_of(row, found)
            differences += listed(name, row, mine, wheels_of(row, {row.package: shims.get(system, [])}))
            if mine and (every or wanted or row.version in newest):
                tasks.append((name, row, max(mine, key=lambda file: sorted(map(Version, file.pythons)))))
    session = client.s  # type: ignore[attr-defined]

    def look(task: tuple[str, Release | None, File]) -> list[Difference]:
        system, row, file = task
        wheel = inside(file, session)
        return list(described(system, file, wheel) if row is None else read(system, row, wheel))

    with ThreadPoolExecutor(jobs) as threads:
        for one in threads.map(look, tasks):
            differences += one
    return (
        differences,
        f"{rows_seen} rows beside {sum(map(len, whole.values()))} wheels' names, {len(tasks)} wheels read",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", help="releases of the table")
    parser.add_argument("--all", action="store_true", help="look into a wheel of every release")
    parser.add_argument("--jobs", type=int, default=4, help="wheels at a time")
    parser.add_argument("--index-url", help="another index than the default one (PEP 503)")
    words = parser.parse_args(arguments)
    from pypi_simple import PyPISimple
    from requests import RequestException

    with PyPISimple(*([words.index_url] if words.index_url else [])) as client:
        try:
            differences, looked = compare(client, words.versions, words.all, words.jobs)
        except (RequestException, OSError) as error:
            print(f"the index could not be asked: {type(error).__name__}", file=sys.stderr)
            return 2
    for one in differences:
        print(one)
    print(f"{looked}: {len(differences) or 'no'} difference{'s' if len(differences) > 1 else ''}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
