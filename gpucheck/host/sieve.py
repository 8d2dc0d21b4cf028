"""What a recording leaves out: what no probe looks at and what is nobody else's business.

A recording is made to be sent: a list of every installed package or the text of a licensed header does not belong in
it. The probes see the whole; a replay gives them the same facts from what is kept.
"""

from __future__ import annotations

from gpucheck.compat.driver_packages import PREFIXES
from gpucheck.host import spoken

_OF_GPUS = ("gpu", "cuda", "cudnn", "nvidia", "tensorflow", "xla", "dynamic library", "dlopen")
_DPKG = "/var/lib/dpkg/"


def names(path: str, found: tuple[str, ...]) -> tuple[str, ...]:
    """The entries of a folder that a recording keeps."""
    if path.startswith(_DPKG):
        return tuple(name for name in found if name.startswith(PREFIXES))
    return found


def content(path: str, data: bytes) -> bytes:
    """The part of a file that a recording keeps."""
    if path == _DPKG + "status":
        heads = tuple(f"Package: {prefix}".encode() for prefix in PREFIXES)
        return b"\n\n".join(one for one in data.split(b"\n\n") if one.lstrip(b"\n").startswith(heads)) + b"\n\n"
    if path.endswith(".h"):
        return b"".join(line for line in data.splitlines(keepends=True) if _is_version(line))
    if path.endswith(("/kernel.json", "/keras.json")):
        return _parts(data)
    if path.endswith(".pth"):
        return b"".join(line for line in data.splitlines(keepends=True) if not line.startswith(b"import"))
    return data


def errors(child: str, text: str) -> str:
    """The part of a child's stderr that a recording keeps: of our scripts all, of TensorFlow what speaks of GPUs."""
    if child in ("nvml", "cuda"):
        return text
    if child == "deep":
        return "\n".join(line for line in text.splitlines() if any(word in line.lower() for word in _OF_GPUS))
    return spoken.kept(text)


def _parts(data: bytes) -> bytes:
    """Of a Jupyter kernel its program (arguments and variables may hold a token), of keras.json the backend."""
    import json

    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return b""
    if not isinstance(found, dict):
        return b""
    kept = {name: found[name] for name in ("backend",) if isinstance(found.get(name), str)}
    arguments = found.get("argv")
    if isinstance(arguments, list):
        kept["argv"] = arguments[:1]
    return json.dumps(kept).encode()


def _is_version(line: bytes) -> bool:
    return line.startswith(b"#define") and any(word in line for word in (b"VERSION", b"MAJOR", b"MINOR", b"PATCH"))
