"""What is installed: names and versions of *.dist-info, *.egg-info and conda's records, from folder names alone.

importlib.metadata would read every METADATA and costs more CPU time than all of this; only the names of interest are
kept, all copies of them, in the order of sys.path (the first one is imported).
"""

from __future__ import annotations

from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Distribution
from gpucheck.facts.versions import PackageVersion
from gpucheck.host import Host

# Prefixes and whole names, normalised as on an index (PEP 503).
_FAMILIES = (
    "tensorflow",
    "tf-",
    "keras",
    "nvidia-",
    "tensorrt",
    "jax",
    "torch",
    "pytorch",
    "cuda-",
    "intel-tensorflow",
)
_NAMES = frozenset(
    {"numpy", "protobuf", "ml-dtypes", "h5py", "tensorboard", "triton", "cupy", "cudnn", "cudatoolkit", "nccl", "pip"}
)
_CONDA_FAMILIES = ("libcublas", "libcufft", "libcurand", "libcusolver", "libcusparse", "libnvjitlink", "libtensorflow")


def normal_name(name: str) -> str:
    """PEP 503: lower case, runs of "-", "_" and "." are one "-"."""
    text = name.lower().replace("_", "-").replace(".", "-")
    while "--" in text:
        text = text.replace("--", "-")
    return text


def of_interest(name: str) -> bool:
    return name in _NAMES or name.startswith(_FAMILIES)


def split_folder(folder: str) -> Union[tuple[str, str], None]:
    """Name and version of "numpy-2.4.6.dist-info" or "six-1.16.0-py3.10.egg-info"."""
    stem, dot, kind = folder.rpartition(".")
    if not dot or kind not in ("dist-info", "egg-info"):
        return None
    pieces = stem.split("-")
    if len(pieces) < 2 or not pieces[0] or not PackageVersion(pieces[1]).parts:
        return None
    return normal_name(pieces[0]), pieces[1]


def scan(host: Host, folders: tuple[str, ...], prefix: Union[str, None]) -> Union[tuple[Distribution, ...], Gap]:
    """Distributions of interest in these folders, in their order.

    Parameters
    ----------
    prefix: the environment's folder, for conda's records; None: not known.

    Returns
    -------
    A gap where a folder could not be listed.
    """
    found: list[Distribution] = []
    builds = _conda_builds(host, prefix) if prefix else {}
    for folder in folders:
        names = host.names(folder)
        if isinstance(names, Gap):
            return names
        for name in names or ():
            if name.endswith("-info"):
                pair = split_folder(name)
                if pair and of_interest(pair[0]):
                    found.append(_distribution(host, folder, name, pair, builds))
    have = {one.name for one in found}
    for name, (version, build) in builds.items():
        # CUDA's own libraries come from conda without any Python part.
        if name not in have and (of_interest(name) or name.startswith(_CONDA_FAMILIES)):
            found.append(Distribution(name, PackageVersion(version), f"{prefix}/conda-meta", build, None))
    return tuple(found)


def _distribution(
    host: Host, folder: str, entry: str, pair: tuple[str, str], builds: dict[str, tuple[str, str]]
) -> Distribution:
    name, version = pair
    build = builds.get(name)
    by_conda = build is not None and PackageVersion(build[0]) == PackageVersion(version)
    return Distribution(
        name,
        PackageVersion(version),
        folder,
        build[1] if build and by_conda else None,
        None if by_conda else _complete(host, folder, entry),
    )


def _complete(host: Host, folder: str, entry: str) -> Union[bool, None, Gap]:
    """Was its installation finished? None: its installer leaves no sign.

    Measured with uv 0.13.9 killed at six moments: RECORD, METADATA and WHEEL are there while up to 837 of numpy's
    files are missing, because they come with the payload; INSTALLER is written when all of it lies in place, and was
    missing exactly where files were. pip writes INSTALLER and then RECORD last, too. Packages of distributions and
    conda have neither or are unpacked whole.
    """
    if entry.endswith(".egg-info") or folder.endswith("/dist-packages") or folder.startswith(("/usr/lib", "/nix/")):
        return None
    marks = host.names(f"{folder}/{entry}")
    if isinstance(marks, Gap):
        return marks
    return marks is not None and "RECORD" in marks and "INSTALLER" in marks


def _conda_builds(host: Host, prefix: str) -> dict[str, tuple[str, str]]:
    """name -> (version, build string) from the names of conda-meta's records."""
    records = host.names(f"{prefix}/conda-meta")
    builds: dict[str, tuple[str, str]] = {}
    for record in records if isinstance(records, tuple) else ():
        pieces = record[: -len(".json")].rsplit("-", 2) if record.endswith(".json") else []
        if len(pieces) == 3:
            builds[normal_name(pieces[0])] = (pieces[1], pieces[2])
    return builds
