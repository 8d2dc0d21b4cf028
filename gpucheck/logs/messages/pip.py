"""What pip prints. Wording: pip 9 to 26 (src/pip/_internal: exceptions.py, resolution/*, index/package_finder.py)."""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.words import between, said, word_after

_PIP = "pypa/pip, 9 to 26"

Values = Union[dict[str, str], None]


def package_of(requirement: str) -> str:
    """A requirement's normalised name, without extras: ``tensorflow[and-cuda]==2.14`` -> tensorflow."""
    name = requirement.strip(" '\"(")
    stop = next((at for at, sign in enumerate(name) if not (sign.isalnum() or sign in "-_.")), len(name))
    return name[:stop].lower().replace("_", "-").replace(".", "-")


def _named(requirement: Union[str, None]) -> Values:
    requirement = (requirement or "").strip(" '\".,")
    return {"requirement": requirement, "package": package_of(requirement)} if package_of(requirement) else None


def _no_version(text: str) -> Values:
    _, _, rest = text.partition("satisfies the requirement ")
    requirement, offered, versions = rest.partition("(from versions:")
    values = _named(requirement.partition(" (from")[0])
    if values is None or not offered:
        return values
    listed = [word for word in versions.partition(")")[0].replace(",", " ").split() if word[:1].isdigit()]
    values["versions"] = str(len(listed))
    return {**values, "oldest": listed[0], "newest": listed[-1]} if listed else values


def _no_distribution(text: str) -> Values:
    return _named(text.partition("matching distribution found for ")[2].partition(" (from")[0])


def _wheel(text: str) -> Values:
    file = text.partition(" is not a supported wheel")[0].split()[-1:]
    name = file[0].replace("\\", "/").rpartition("/")[2].strip("'\"") if file else ""
    if not name.endswith(".whl"):
        return None
    parts = name.removesuffix(".whl").split("-")
    values = {"wheel": name, "package": package_of(parts[0])}
    if len(parts) >= 5:
        values |= {"version": parts[1], "python_tag": parts[-3], "platform_tag": parts[-1]}
    return values


def _other_python(text: str) -> Values:
    """Package 'x' requires a different Python: 3.7.3 not in '>=3.8'; x requires Python '>=3.5' but the running …"""
    package = word_after(text, "ackage ") or text.partition(" requires ")[0].split()[-1:] or ""
    package = package if isinstance(package, str) else package[0]
    have = word_after(text, "different Python:") or word_after(text, "the running Python is ")
    want = between(text, "not in '", "'") or between(text, "requires Python '", "'")
    values = {"package": package_of(package), "python": have, "wants": want}
    return {name: value for name, value in values.items() if value} or None


def _collecting(text: str) -> Values:
    start, _, rest = text.partition("Collecting ")
    return _named(rest.partition(" (from")[0].partition(" (line")[0]) if not start.strip() else None


def _fetched(text: str) -> Values:
    """Downloading tensorflow_gpu-2.12.0.tar.gz (2.6 kB); Using cached …"""
    word = word_after(text, "Using cached ") or word_after(text, "Downloading ")
    name = (word or "").replace("\\", "/").rpartition("/")[2]
    if not name.endswith((".whl", ".tar.gz", ".zip")):
        return None
    parts = name.removesuffix(".whl").removesuffix(".tar.gz").removesuffix(".zip").split("-")
    # a source archive's name may hold "-": tensorflow-gpu-2.12.0.tar.gz
    at = next((at for at, part in enumerate(parts) if at and part[:1].isdigit()), 0)
    if not at:
        return None
    values = {"package": package_of("-".join(parts[:at])), "version": parts[at], "file": name}
    return {**values, "python_tag": parts[-3], "platform_tag": parts[-1]} if name.endswith(".whl") else values


def _satisfied(text: str) -> Values:
    """Requirement already satisfied: tensorflow-gpu in c:\\…\\site-packages (2.10.1)"""
    rest = text.partition("already satisfied: ")[2]
    requirement, _, place = rest.partition(" in ")
    values = _named(requirement)
    if values is None:
        return None
    path, _, version = place.partition(" (")
    values["path"] = path.strip()
    return {**values, "version": version.partition(")")[0]} if version[:1].isdigit() else values


def _installed(text: str) -> Values:
    """Successfully installed a-1 tensorflow-2.16.1 …: the frameworks among them, as "name==version …"."""
    return _several(text.partition("Successfully installed ")[2])


def _several(text: str) -> Values:
    kept = []
    for word in text.split():
        name, _, version = word.strip(",").rpartition("-")
        if version[:1].isdigit() and _is_ours(package_of(name)):
            kept.append(f"{package_of(name)}=={version}")
    return {"packages": " ".join(sorted(kept))} if kept else None


OURS = ("tensorflow", "tf-", "keras", "torch", "jax", "numpy", "protobuf", "nvidia-", "tensorrt", "cudnn", "cuda")


def _is_ours(name: str) -> bool:
    return name.startswith(OURS)


def _conflict(text: str) -> Values:
    """tensorflow 2.10.1 requires numpy<2,>=1.20, but you have numpy 2.1.0 which is incompatible."""
    front, _, rest = text.partition(" requires ")
    wants, _, has = rest.partition(", but you")
    words = front.split()
    if len(words) < 2 or not wants:
        return None
    package = package_of(words[-2])
    values = {"package": package, "version": words[-1], "requirement": wants.strip(), "needs": package_of(wants)}
    have = has.partition("have ")[2].split()
    return {**values, "has": have[1].rstrip(".,")} if len(have) > 1 and have[1][:1].isdigit() else values


def _depends(text: str) -> Values:
    """Of a conflict: ``tensorflow 2.11.0 depends on protobuf<3.20 and >=3.9.2``; The user requested numpy==2.1"""
    front, _, rest = text.strip("│╰─▶ ").partition(" depends on ")
    words = front.split()
    if not rest:
        return {"requirement": rest_, "needs": package_of(rest_)} if (rest_ := _requested(text)) else None
    if len(words) != 2 or not words[1][:1].isdigit():
        return None
    return {
        "package": package_of(words[0]),
        "version": words[1],
        "requirement": rest.strip(),
        "needs": package_of(rest),
    }


def _requested(text: str) -> str:
    return text.partition("The user requested ")[2].strip()


def _no_extra(text: str) -> Values:
    """WARNING: tensorflow 2.13.1 does not provide the extra 'and-cuda'"""
    words = text.partition(" does not provide the extra")[0].split()
    extra = between(text, "the extra '", "'") or word_after(text, "the extra ")
    return {"package": package_of(words[-2]), "version": words[-1], "extra": extra or ""} if len(words) > 1 else None


def _python_ignored(text: str) -> Values:
    rest = text.partition("different python version:")[2]
    return {"versions": str(rest.count("Requires-Python")), "last": rest.rpartition(";")[2].strip()[:60]}


def _no_room(text: str) -> Values:
    path = between(text, "left on device: '", "'")
    return {"path": path} if path else {}


def _listed(text: str) -> Values:
    """A row of `pip list`, `conda list` or `pip freeze`: name, version and, of conda, build."""
    if "==" in text:
        name, _, version = text.partition("==")
        words = [name, version.split()[0] if version.split() else "", "", ""]
    else:
        words = [*text.split(), "", "", ""][:4]
    package = package_of(words[0])
    if package != words[0].lower().replace("_", "-") or not _is_ours(package) or not words[1][:1].isdigit():
        return None
    if len(text) > 120 or ("==" not in text and len(text.split()) > 4):
        return None
    values = {"package": package, "version": words[1]}
    return {**values, "build": words[2]} if words[2][:1].isalpha() and "_" in words[2] else values


MESSAGES = (
    Message(
        "pip-no-version",
        ("Could not find a version that satisfies the requirement",),
        _no_version,
        "pip found no release of this package with a wheel for this Python, system and processor that fits. "
        "The list that follows is what it did find; `none` or an empty one: nothing at all for this Python.",
        look=("python -c 'import sys, struct; print(sys.version, struct.calcsize(\"P\") * 8)'", "python -m pip debug"),
        source=_PIP,
    ),
    Message(
        "pip-no-distribution",
        ("No matching distribution found for",),
        _no_distribution,
        "pip found nothing to install: the line before it says what it looked for and what it found.",
        source=_PIP,
    ),
    Message(
        "pip-wheel-not-supported",
        ("is not a supported wheel",),
        _wheel,
        "The tags in this wheel's name (Python, ABI, system) are not this Python's.",
        look=("python -m pip debug --verbose",),
        source=_PIP,
    ),
    Message(
        "pip-other-python",
        ("requires a different Python", "but the running Python is"),
        _other_python,
        "This package does not support this version of Python.",
        source=_PIP,
    ),
    Message(
        "pip-ignored-for-python",
        ("Ignored the following versions that require a different python version",),
        _python_ignored,
        "Releases exist that pip passed over, because they ask for another Python.",
        source="pypa/pip, 22.1 to 26",
    ),
    Message("pip-collecting", ("Collecting ",), _collecting, "pip looks for this package.", source=_PIP),
    Message(
        "pip-fetched",
        ("Using cached ", "Downloading "),
        _fetched,
        "The file that pip takes; its name tells the release, the Python and the system.",
        source=_PIP,
    ),
    Message(
        "pip-satisfied",
        ("Requirement already satisfied: ",),
        _satisfied,
        "This package is installed already, in the folder that is named: is that the environment you mean?",
        source=_PIP,
    ),
    Message(
        "pip-installed",
        ("Successfully installed ",),
        _installed,
        "What pip installed, with versions.",
        source=_PIP,
    ),
    Message(
        "package-listed",
        (
            "tensorflow==", "tensorflow-gpu==", "tensorflow-cpu==", "tensorflow_gpu==", "tensorflow-intel==",
            "tensorflow ", "tensorflow-gpu ", "tensorflow-cpu ", "tensorflow-intel ", "tensorflow-base ", "torch ",
            "torch==", "jaxlib ", "jaxlib==", "numpy ", "protobuf ", "keras ", "cudatoolkit ", "nvidia-cudnn-cu",
        ),
        _listed,
        "A row of a list of installed packages.",
        source="pip list, pip freeze, conda list",
    ),
    Message(
        "pip-conflict",
        ("which is incompatible", "which is not installed"),
        _conflict,
        "pip installed something that another package does not accept; it goes through all the same.",
        look=("python -m pip check",),
        source=f"{_PIP} (the resolver's dependency conflicts; pip check)",
    ),
    Message(
        "pip-resolution-impossible",
        ("ResolutionImpossible", "these package versions have conflicting dependencies"),
        said,
        "No choice of versions satisfies all that is asked for; the lines after it name who asks for what.",
        source="pypa/pip, 20.3 to 26",
    ),
    Message(
        "pip-depends",
        (" depends on ", "The user requested "),
        _depends,
        "One side of a conflict between requirements.",
        source="pypa/pip, 20.3 to 26",
    ),
    Message(
        "pip-extra-missing",
        (" does not provide the extra",),
        _no_extra,
        "The release that pip chose has no such extra, so what the extra stands for is not installed.",
        source=_PIP,
    ),
    Message(
        "pip-externally-managed",
        ("externally-managed-environment", "This environment is externally managed"),
        said,
        "The system's Python belongs to apt or dnf and refuses pip (PEP 668).",
        look=("python3 -m venv tf", "tf/bin/pip install tensorflow"),
        source="pypa/pip, 23.0 to 26",
    ),
    Message(
        "no-space-left",
        ("No space left on device", "There is not enough space on the disk", "Disk quota exceeded"),
        _no_room,
        "A disk is full: the environment's, or the one of the temporary folder, where pip unpacks.",
        look=("df -h . /tmp", "TMPDIR=/somewhere/larger python -m pip install …"),
        source="ENOSPC of the C library; EDQUOT; Windows' ERROR_DISK_FULL",
    ),
    Message(
        "pip-install-failed",
        ("Could not install packages due to an",),
        said,
        "pip could not write what it downloaded; the end of the line says why.",
        source=_PIP,
    ),
    Message(
        "tensorflow-gpu-removed",
        ("package has been removed!",),
        said,
        "tensorflow-gpu 2.12 is an empty package that fails on purpose: `tensorflow` holds the GPU support.",
        look=("python -m pip install tensorflow[and-cuda]",),
        source="setup.py of tensorflow-gpu 2.12.0",
    ),
    Message(
        "pip-setup-failed",
        (
            "egg_info did not run successfully", "Command errored out with exit status", "python setup.py egg_info",
            "metadata-generation-failed", "Preparing metadata (setup.py) ... error", "Failed building wheel for",
            "Getting requirements to build wheel did not run successfully", "Failed to build installable wheels",
        ),
        said,
        "A package that is built on installation failed to; which one, stands above.",
        source=_PIP,
    ),
    Message(
        "invalid-requirement",
        ("Expected end or semicolon", "InvalidRequirement", "Invalid requirement:"),
        said,
        "A requirement is written in a way that pip no longer reads; tensorflow-gpu 2.12's setup.py does that.",
        source="pypa/packaging, 22 to 26",
    ),
    Message(
        "nvidia-placeholder",
        ("is only a placeholder project on PyPI", "This package is hosted on NVIDIA Python Package Index"),
        said,
        "The package of that name on the index is NVIDIA's placeholder, which only fails.",
        source="setup.py of nvidia-tensorrt, nvidia-tensorflow … 0.0.1",
    ),
    Message(
        "index-unreachable",
        (
            "Retrying (Retry(total=", "Could not fetch URL", "ProxyError", "CERTIFICATE_VERIFY_FAILED",
            "Temporary failure in name resolution", "NewConnectionError", "HTTP error 40", "ReadTimeoutError",
        ),
        said,
        "The package index could not be reached: an empty list of versions says nothing then.",
        look=("python -m pip index versions tensorflow",),
        source=f"{_PIP}; urllib3",
    ),
)  # fmt: skip
