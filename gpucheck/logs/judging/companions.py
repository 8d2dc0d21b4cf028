"""Imports that fail for the version of a package that every framework hangs on: NumPy and protobuf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import gpu_works
from gpucheck.rules.engine import Found, found

_NUMPY, _PROTOBUF = "numpy2-abi-break", "protobuf-incompatible"


def _evidence(*clues: Union[Clue, None]) -> list[tuple[str, object, str]]:
    return [told(clue) for clue in clues if clue is not None]


@cause(_NUMPY, Place.TRACEBACK, explains=("deep-import-failed",))
def numpy(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    built = log.first("numpy-1-module", "numpy-removed-name")
    abi = next((clue for clue in log.all("numpy-abi") if clue.get("kind") == "numpy2"), None)
    size = next((clue for clue in log.all("numpy-size-changed") if clue.get("kind") == "numpy2"), None)
    clue = built or abi or size
    if clue is None:
        return
    backwards = size is clue and clue.get("expected") == "96"
    version = next(iter(log.values("numpy-1-module", "numpy")), None)
    yield found(
        "A package that was built for NumPy 2 was imported with NumPy 1."
        if backwards
        else f"A package that was built for NumPy 1 was imported with NumPy {version or '2'}.",
        _evidence(clue, abi if abi is not clue else None, log.first("numpy-import-failed")),
        [
            "python -m pip install --upgrade numpy" if backwards else "python -m pip install 'numpy<2'",
            "# or TensorFlow 2.18 or later, which is built for NumPy 2",
            "# a package in ~/.local comes into every environment: PYTHONNOUSERSITE=1 keeps it out",
        ],
        severity=Severity.WARNING if gpu_works(log) else None,
    )


@question(Place.TRACEBACK)
def why_numpy_fails(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("numpy-import-failed")
    if clue is not None and not gpu_works(log) and log.first("numpy-abi") is None:
        yield left(
            "A package could not use the NumPy that is there.",
            [told(clue)],
            {_NUMPY: "NumPy is 2.x, and the package was built for 1.x",
             "incomplete-installation": "NumPy is older than the package asks, or installed twice"},
            "python -m pip show numpy tensorflow; python -m pip check",
        )  # fmt: skip


@cause("numpy-too-old", Place.TRACEBACK, explains=("deep-import-failed",))
def old_numpy(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """A package was built for a newer NumPy than the one that is there.

    ## What it means
    Packages in machine code hold the number of the NumPy interface that they were built for ("module compiled against
    API version 0x10 but this version of numpy is 0xf"). A newer NumPy serves them, an older one does not.

    ## Why it matters
    The import fails, mostly in a place that says nothing of NumPy.

    ## How to fix
    Update NumPy within the bounds that TensorFlow states. Where that changes nothing, a second, older NumPy comes
    first: the system's, or one in ~/.local.

    ## References
    https://numpy.org/doc/stable/user/troubleshooting-importerror.html
    https://github.com/tensorflow/tensorflow/issues/57106
    """
    built = log.all("numpy-abi", "numpy-size-changed")
    clue = next((one for one in built if one.get("kind") == "older-numpy"), None)
    if clue is not None and log.first("numpy-1-module") is None:
        yield found(
            "A package was built for a newer NumPy than the one that was imported.",
            _evidence(clue, log.first("numpy-import-failed")),
            ["python -m pip install --upgrade numpy", "python -c 'import numpy; print(numpy.__file__)'"],
        )


@cause(_NUMPY, Place.INSTALLER, severity=Severity.WARNING)
def numpy_by_the_resolver(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clues = [clue for clue in log.all("pip-conflict") if clue.get("needs") == "numpy" and _is_major(clue, "2")]
    if clues:
        yield found(
            f"{clues[0].get('package')} {clues[0].get('version')} asks for {clues[0].get('requirement')}, and NumPy "
            f"{clues[0].get('has')} was installed.",
            _evidence(*clues[:2]),
            ["python -m pip install 'numpy<2'", "python -m pip check"],
        )


def _is_major(clue: Clue, major: str) -> bool:
    return (clue.get("has") or "").partition(".")[0] == major


@cause(_PROTOBUF, Place.TRACEBACK, explains=("deep-import-failed",))
def protobuf(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    new, old = log.first("protobuf-descriptors"), log.first("protobuf-versions") or _name_of_protobuf(log)
    gone = log.first("protobuf-name-gone")
    clue = new or old or gone
    if clue is None:
        return
    have, needs = clue.get("protobuf"), clue.get("protobuf_compiled")
    versions = f" ({have}, and it needs {needs})" if have else ""
    newer = new is not None or clue is gone
    yield found(
        f"protobuf is {'newer' if newer else 'older'} than this TensorFlow's generated code allows{versions}.",
        _evidence(clue),
        [
            "python -m pip install 'protobuf<3.21'" if newer else "python -m pip install --upgrade protobuf",
            "python -m pip check",
        ]
        if clue is not gone
        else ["python -m pip install 'protobuf<6'", "# it is printed and TensorFlow goes on"],
        severity=Severity.WARNING if clue is gone or gpu_works(log) else None,
    )


@cause(_PROTOBUF, Place.TRACEBACK, explains=("deep-import-failed",))
def protobuf_linked(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("protobuf-linked-versions")
    if clue is not None:
        yield found(
            "Two versions of protobuf's C++ library met in one process: another package was built with another one.",
            _evidence(clue),
            ["python -m pip check", "# a fresh environment with TensorFlow first, then the others one by one"],
        )


def _name_of_protobuf(log: Log) -> Union[Clue, None]:
    """cannot import name 'builder' from 'google.protobuf.internal': the generated code is newer than the package."""
    named = log.all("cannot-import-name")
    of_protobuf = ("builder", "runtime_version")  # names that only generated code asks for
    return next((one for one in named if "google.protobuf" in one.text or one.get("name") in of_protobuf), None)


@cause(_PROTOBUF, Place.INSTALLER, severity=Severity.WARNING)
def protobuf_by_the_resolver(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    ours = ("tensorflow", "tensorboard", "keras", "tf-", "jax")
    clues = [clue for clue in log.all("pip-conflict") if clue.get("needs") == "protobuf"]
    clues = [clue for clue in clues if (clue.get("package") or "").startswith(ours)]
    if clues:
        yield found(
            f"{clues[0].get('package')} {clues[0].get('version')} asks for {clues[0].get('requirement')}, and protobuf "
            f"{clues[0].get('has')} was installed.",
            _evidence(*clues[:2]),
            [f"python -m pip install '{(clues[0].get('requirement') or 'protobuf').split(';')[0].strip()}'"],
        )
