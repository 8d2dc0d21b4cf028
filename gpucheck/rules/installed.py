"""Which copy of a distribution the examined Python imports, and whether its version fits a requirement. No rules."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.gap import known, need
from gpucheck.facts.python import Distribution, Python
from gpucheck.facts.versions import PackageVersion

# Distributions that all unpack into the folder tensorflow/. conda's metapackages are told apart by their build string.
TENSORFLOWS = (
    "tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tf-nightly", "tf-nightly-cpu", "tf-nightly-gpu",
    "tensorflow-intel", "intel-tensorflow", "tensorflow-rocm", "tensorflow-cpu-aws", "tensorflow-directml",
    "nvidia-tensorflow",
)  # fmt: skip


def copies(python: Python, name: str) -> tuple[Distribution, ...]:
    """All installed copies, the one that is imported first.

    Raises
    ------
    Unknown: the distributions were not listed.
    """
    order = {folder: at for at, folder in enumerate(known(python.site_dirs, ()))}
    found = [one for one in need(python.distributions) if one.name == name]
    return tuple(sorted(found, key=lambda one: order.get(one.location, len(order))))


def installed(python: Python, name: str) -> Union[Distribution, None]:
    """The copy that is imported, None where there is none."""
    return next(iter(copies(python, name)), None)


def by_conda(one: Distribution) -> bool:
    return one.build is not None


def broken_clause(requirement: str, version: PackageVersion) -> Union[str, None]:
    """The first clause of ">=1.26.0,<2.2.0" that a version does not meet, None where it meets all.

    Only the operators that the tables hold: >=, <=, <, ==, !=, ~= (PEP 440).
    """
    for clause in filter(None, requirement.split(",")):
        operator = clause[:2] if clause[1:2] == "=" else clause[:1]
        bound = PackageVersion(clause[len(operator) :])
        meets = {
            ">=": version >= bound,
            "<=": version <= bound,
            "<": version < bound,
            "==": version == bound,
            "!=": version != bound,
            "~=": version >= bound and version.parts[: len(bound.parts) - 1] == bound.parts[:-1],
        }[operator]
        if not meets:
            return clause
    return None
