"""What the words of a command line ask for. What must never be installed is refused by name, with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from gpucheck.compat import extras as table
from gpucheck.compat import refused
from gpucheck.facts.plan import Request
from gpucheck.install.errors import Refused

# Names of TensorFlow itself: which distribution it is, and whether CUDA is meant.
_TENSORFLOW = {"tensorflow": False, "tensorflow-gpu": False, "tensorflow-cpu": True, "keras": False}


def request(names: Sequence[str], cpu: bool, extras: Sequence[str]) -> Request:
    """Understand ``tensorflow==2.18.1`` and ``--with jupyter,keras-hub``.

    Parameters
    ----------
    names: what stands alone on the command line. cpu: --cpu. extras: of --with, names of compat.extras or requirements.

    Raises
    ------
    Refused: a name that is no requirement, that must not be installed, or that goes behind --with.
    """
    wanted = Request(cpu=cpu)
    for name in names:
        wanted = _with_tensorflow(wanted, _parsed(name))
    for name in extras:
        wanted = _with_extra(wanted, _parsed(name))
    return wanted


def _parsed(text: str) -> Requirement:
    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        raise Refused(f"{text} is no requirement: {str(error).splitlines()[0]}") from error
    if found.url or found.marker:
        raise Refused(f"{text}: only names and versions from an index, whose files have known hashes")
    return found


def _with_tensorflow(wanted: Request, asked: Requirement) -> Request:
    name = canonicalize_name(asked.name)
    version = _version(asked)
    if name not in _TENSORFLOW or (name == "tensorflow-gpu" and not _has_cuda_build(version)):
        refusal = refused.find(name)
        if refusal is not None:
            raise Refused(f"{asked}: {name} {refusal.why}. Ask for {refusal.instead}")
        raise Refused(f"{asked}: what else to install goes behind --with (--with {name})")
    if wanted.tensorflow is not None and version not in (None, wanted.tensorflow):
        raise Refused(f"TensorFlow {wanted.tensorflow} and {version} are asked for: there can be one")
    if name == "keras":
        if version is not None:
            raise Refused(f"{asked}: Keras is matched to TensorFlow; ask for the TensorFlow that brings it (--explain)")
        return wanted
    cpu, cuda = wanted.cpu or _TENSORFLOW[name], wanted.cuda or "and-cuda" in asked.extras
    if cpu and cuda:
        raise Refused(f"{asked}: with CUDA ([and-cuda]) and without it (--cpu, tensorflow-cpu): give one")
    return wanted._replace(tensorflow=version or wanted.tensorflow, cpu=cpu, cuda=cuda)


def _has_cuda_build(version: str | None) -> bool:
    """tensorflow-gpu was the build with CUDA up to 2.0 (K16, K17)."""
    return version is not None and version.startswith(("1.", "2.0"))


def _version(asked: Requirement) -> str | None:
    bounds = list(asked.specifier)
    if not bounds:
        return None
    if len(bounds) == 1 and bounds[0].operator in ("==", "===") and "*" not in bounds[0].version:
        return bounds[0].version
    raise Refused(f"{asked}: name one version ({asked.name}==VERSION), or none to have the one that fits best")


def _with_extra(wanted: Request, asked: Requirement) -> Request:
    name = canonicalize_name(asked.name)
    if name in _TENSORFLOW and name != "keras":
        return _with_tensorflow(wanted, asked)
    refusal = refused.find(name)
    if refusal is not None:
        raise Refused(f"--with {asked}: {name} {refusal.why}. Instead: {refusal.instead}")
    if table.find(name) is not None and not asked.specifier and not asked.extras:
        return wanted._replace(extras=tuple(dict.fromkeys((*wanted.extras, name))))
    return wanted._replace(packages=tuple(dict.fromkeys((*wanted.packages, str(asked)))))
