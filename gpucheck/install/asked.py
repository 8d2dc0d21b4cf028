"""The words of the command line, understood as a request: which TensorFlow, and what else. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Union

from gpucheck.compat import extras, refused
from gpucheck.facts.plan import Request
from gpucheck.install.errors import Refused
from gpucheck.install.masking import masked

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# How TensorFlow may be called. Which distribution is installed is chosen (compat/releases.py), not asked for.
_TENSORFLOW = ("tensorflow", "tensorflow-gpu", "tensorflow-cpu")
_ONE_VERSION = "name one version (tensorflow==2.20.0, or ==2.20.*), or none and the one that fits best is taken"


def asked(names: Sequence[str] = (), cpu: bool = False, others: Sequence[str] = ()) -> Request:
    """Understand `gpucheck install NAMES --with OTHERS`.

    Parameters
    ----------
    names: tensorflow[==VERSION], once or not at all.
    others: of --with: names of compat/extras.py, or requirements as in PEP 508.

    Raises
    ------
    Refused: not a requirement, not a version, or a name that must not be installed (compat/refused.py).
    """
    version, wants_cpu = _tensorflow(names)
    wanted: list[str] = []
    packages: list[str] = []
    for text in others:
        requirement = _parsed(text)
        name = _normal(requirement.name)
        plain = not (requirement.specifier or requirement.extras or requirement.marker)
        if plain and extras.find(name) is not None:
            wanted.append(name)
        else:
            _check(requirement, name)
            packages.append(str(requirement))
    return Request(version, cpu or wants_cpu, tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(packages)))


def _tensorflow(names: Sequence[str]) -> tuple[Union[str, None], bool]:
    if len(names) > 1:
        raise Refused(f"{' '.join(names)}: one TensorFlow is installed; other packages go behind --with")
    if not names:
        return None, False
    requirement = _parsed(names[0])
    name = _normal(requirement.name)
    version = _version(requirement)
    # tensorflow-gpu is what the releases up to 2.0 were called; of itself it is refused.
    if name not in _TENSORFLOW or (name == "tensorflow-gpu" and not _was_called_gpu(version)):
        _refuse(name)
        raise Refused(f"{name} is not TensorFlow: gpucheck install --with {name}")
    return version, name == "tensorflow-cpu"


def _version(requirement: Requirement) -> Union[str, None]:
    clauses = list(requirement.specifier)
    if requirement.url or requirement.marker or set(requirement.extras) - {"and-cuda"}:
        raise Refused(f"{requirement.name} with an address, a condition or an extra: {_ONE_VERSION}")
    if not clauses:
        return None
    if len(clauses) > 1 or clauses[0].operator != "==":
        raise Refused(f"{requirement}: {_ONE_VERSION}")
    return clauses[0].version


def _was_called_gpu(version: Union[str, None]) -> bool:
    from packaging.version import Version

    return version is not None and Version(version.removesuffix(".*")) < Version("2.1")


def _check(requirement: Requirement, name: str) -> None:
    """Raises Refused."""
    if requirement.url:
        raise Refused(f"{name}: only packages from the index are installed, not from an address")
    if name in ("tensorflow", "tensorflow-cpu"):
        raise Refused(f"{requirement} goes in front of --with: gpucheck install {requirement}")
    _refuse(name)


def _refuse(name: str) -> None:
    row = refused.find(name)
    if row is not None:
        raise Refused(f"{name} is not installed: it {row.why}", (f"instead: {row.instead}", f"({row.source})"))


def _parsed(text: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text.strip())
    except InvalidRequirement as error:
        what = str(error).splitlines()[0]
        raise Refused(f"{masked(text)!r} is not a requirement such as scipy or scipy>=1.11: {what}") from error


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
