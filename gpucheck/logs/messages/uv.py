"""What uv prints. Wording: astral-sh/uv 0.4 to 0.9 (uv-resolver/src/pubgrub/report.rs, uv/src/commands/pip)."""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.messages.pip import package_of
from gpucheck.logs.words import between, said, word_after

_UV = "astral-sh/uv, 0.4 to 0.9"

Values = Union[dict[str, str], None]
_BETWEEN = ("has", "have", "is", "are", "unusable", "because")


def _no_wheel(text: str) -> Values:
    """… Because tensorflow==2.15.0 has no wheels with a matching Python ABI tag (e.g., `cp313`) and you require …; in
    early releases: tensorflow==1.7.1 is unusable because no wheels are available with a matching Python ABI
    """
    front, _, rest = text.partition(" no wheels ")
    words = [word for word in front.replace(",", " ").split() if word not in _BETWEEN]
    requirement = next((word for word in reversed(words) if word[:1].isalpha() and ("=" in word or ">" in word)), None)
    requirement = (requirement or (words[-1] if words else "")).replace("<==", "==")
    values = {"requirement": requirement, "package": package_of(requirement)}
    tag = between(rest, "(e.g., `", "`")
    kind = next((kind for kind in ("ABI", "version", "implementation", "platform") if f" {kind}" in rest[:60]), "")
    values |= {name: value for name, value in (("tag", tag), ("tag_kind", kind)) if value}
    return values if values["package"] else None


def _no_file(text: str) -> Values:
    """Distribution `tensorflow-cpu==2.15.0 @ registry+…` can't be installed because it doesn't have a source …"""
    word = word_after(text, "Distribution ")
    return {"requirement": word, "package": package_of(word)} if word else None


def _we_only_found(text: str) -> Values:
    """hint: You require CPython 3.13 (`cp313`), but we only found wheels for `tensorflow` (v2.15.0) with …; in other
    commands: You're using CPython 3.12 (cp312), but tensorflow-cpu (v2.15.0) only has wheels with the following …
    """
    front, _, rest = text.partition(" (v")
    words = front.replace("`", " ").split()
    if not words or not rest:
        return None
    values = {"package": package_of(words[-1]), "version": rest.partition(")")[0], "tags": _tags(text)}
    values |= {"python": word_after(text, "CPython "), "kind": "python" if " Python " in rest else "platform"}
    return {name: value for name, value in values.items() if value}


def _tags(text: str) -> Union[str, None]:
    tags = text.rpartition("tags: ")[2] if "tags: " in text else text.partition("tag: ")[2].rpartition("tag: ")[2]
    return tags.replace("`", "").strip() or None


def _only_platforms(text: str) -> Values:
    """hint: Wheels are available for `tensorflow-intel` (v2.15.0) on the following platform: `win_amd64`"""
    package = between(text, "available for `", "`")
    if package is None:
        return None
    values = {"package": package, "version": between(text, "` (v", ")"), "tags": _tags(text.replace("platform", "tag"))}
    return {name: value for name, value in values.items() if value}


def _wrong_python(text: str) -> Values:
    """Because the current Python version (3.8.18) does not satisfy Python>=3.9 and tensorflow==2.16.1 depends on …"""
    python = between(text, "Python version (", ")")
    wants = word_after(text, "does not satisfy ") or ""
    rest = text.partition("does not satisfy ")[2].partition(" and ")[2]
    values = {"python": python, "wants": wants, "requirement": rest.split()[0] if rest.split() else ""}
    values["package"] = package_of(values["requirement"] or "")
    return {name: value for name, value in values.items() if value} if python else None


def _failed_build(text: str) -> Values:
    requirement = between(text, "Failed to build `", "`") or between(text, "Failed to download and build `", "`")
    return {"requirement": requirement, "package": package_of(requirement)} if requirement else None


def _not_found(text: str) -> Values:
    """Because tensorrt-libs was not found in the package registry and …"""
    words = text.partition(" was not found in the ")[0].split()
    return {"package": package_of(words[-1])} if words else None


def _no_version(text: str) -> Values:
    """Because there is no version of tensorrt==8.5.3.1 and …; only the following versions of x are available:"""
    word = word_after(text, "there is no version of ") or word_after(text, "there are no versions of ")
    return {"requirement": word, "package": package_of(word)} if word else None


def _managed(text: str) -> Values:
    path = word_after(text, "The interpreter at ")
    return {"path": path} if path else {}


def _added(text: str) -> Values:
    """`` + tensorflow==2.16.1``: what uv installed."""
    mark, _, requirement = text.partition(" ")
    name, equals, version = requirement.strip().partition("==")
    if mark not in "+-~" or not equals or not name:
        return None
    return {"package": package_of(name), "version": version.split()[0], "change": mark} if version.split() else None


MESSAGES = (
    Message(
        "uv-no-wheel",
        ("no wheels with a matching", "no wheels are available with a matching"),
        _no_wheel,
        "uv found the release, and no wheel of it for this Python or system.",
        look=("python -c 'import sys; print(sys.version)'",),
        source=_UV,
    ),
    Message(
        "uv-wheels-for-others",
        ("but we only found wheels for", "only has wheels with", "only has wheels for"),
        _we_only_found,
        "uv names the Python or the system that this is, and those that the release has wheels for.",
        source=_UV,
    ),
    Message(
        "uv-no-file",
        ("have a source distribution or wheel for the current platform",),
        _no_file,
        "The release that was locked has no wheel for this Python or system.",
        source=_UV,
    ),
    Message(
        "uv-no-solution",
        ("No solution found when resolving",),
        said,
        "No choice of versions satisfies all that is asked for; the lines after it name who asks for what.",
        source=_UV,
    ),
    Message(
        "uv-other-platforms",
        ("Wheels are available for",),
        _only_platforms,
        "uv names the systems that the release has wheels for.",
        source=_UV,
    ),
    Message(
        "uv-other-python",
        ("current Python version (", "requested Python version ("),
        _wrong_python,
        "The release asks for another Python than this one.",
        source=_UV,
    ),
    Message(
        "uv-build-failed",
        ("Failed to build `", "Failed to download and build `"),
        _failed_build,
        "A package that is built on installation failed to.",
        source=_UV,
    ),
    Message(
        "uv-not-found",
        (" was not found in the package registry", " was not found in the cache"),
        _not_found,
        "The index has no package of that name.",
        source=_UV,
    ),
    Message(
        "uv-no-version",
        ("there is no version of ", "there are no versions of "),
        _no_version,
        "The index has the package and not this version of it.",
        source=_UV,
    ),
    Message(
        "uv-externally-managed",
        ("is externally managed, and indicates the following",),
        _managed,
        "The system's Python belongs to apt or dnf and refuses installers (PEP 668).",
        look=("uv venv tf", "uv pip install --python tf tensorflow"),
        source=_UV,
    ),
    Message(
        "uv-changed",
        (" + tensorflow", " + torch", " + nvidia-", " + numpy", " + keras", " + jax", " + protobuf", "+ tensorflow=="),
        _added,
        "What uv installed.",
        source=_UV,
    ),
)
