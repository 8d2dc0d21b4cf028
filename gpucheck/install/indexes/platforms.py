"""What a target is called by uv, and which of several wheels it would take. Pure: the machine is not asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Union

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Target
from gpucheck.facts.versions import LibcVersion

# uv's names for a glibc: x86_64-manylinux_2_28 and so on (uv pip compile --help).
_KNOWN_TO_UV = (17, 28, *range(31, 41))
_OLDEST = {"x86_64": 5, "aarch64": 17}
# glibc's minor version -> the name that wheels had before PEP 600.
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_MUSL_MINORS = (2, 1, 0)


def uv_platform(target: Target) -> str:
    """The value of --python-platform.

    uv knows few versions of glibc: of those that are at least the target's, the least (a wheel for 2.27 is not hidden
    from a machine with 2.27). What is too new for the target is found by `best` afterwards.
    """
    if target.os == "windows":
        return f"{target.machine}-pc-windows-msvc"
    if target.libc is None:
        return f"{target.machine}-unknown-linux-musl"
    if isinstance(target.libc, Gap):
        return f"{target.machine}-unknown-linux-gnu"
    minor = next((one for one in _KNOWN_TO_UV if one >= target.libc.minor), _KNOWN_TO_UV[-1])
    return f"{target.machine}-manylinux_2_{minor}"


def python_text(target: Target) -> str:
    """The value of --python-version: as much of it as is known, and numbers alone."""
    return ".".join(str(part) for part in target.python.parts[:3])


@lru_cache(maxsize=8)  # 4 ms each, and asked for every package of a lock; not to be changed by who gets it
def tags(target: Target) -> list[Tag]:
    """What the target's pip would take, the best first. Of CPython with the GIL: TensorFlow has no other wheels."""
    python = (target.python.major, target.python.minor)
    short = f"cp{python[0]}{python[1]}"
    abi = f"{short}m" if python < (3, 8) else short  # PEP 3149's pymalloc, gone in 3.8
    platforms = list(_platforms(target))
    own = cpython_tags(python, [abi], platforms)
    return [*own, *compatible_tags(python, short, platforms)]


def _platforms(target: Target) -> Iterator[str]:
    machine = target.machine
    if target.os == "windows":
        yield {"x86_64": "win_amd64", "aarch64": "win_arm64"}.get(machine, f"win_{machine}")
        return
    if target.libc is None:
        yield from (f"linux_{machine}", *(f"musllinux_1_{minor}_{machine}" for minor in _MUSL_MINORS))
    else:
        libc = LibcVersion("2.28") if isinstance(target.libc, Gap) else target.libc
        yield f"linux_{machine}"  # built on a machine like this one: before all others, as packaging has it
        for minor in range(libc.minor, _OLDEST.get(machine, 17) - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if minor in _OLD_NAMES:
                yield f"{_OLD_NAMES[minor]}_{machine}"


def best(files: Iterable[str], accepted: list[Tag]) -> Union[str, None]:
    """The wheel that a target with these tags installs; None where none of them fits, and for other names."""
    places = {tag: at for at, tag in enumerate(accepted)}
    ranked = []
    for file in files:
        try:
            _, _, build, offered = parse_wheel_filename(file)
        except InvalidWheelFilename:
            continue
        if fitting := [places[tag] for tag in offered if tag in places]:
            ranked.append((-min(fitting), build, file))
    return max(ranked)[2] if ranked else None


def marker_environment(target: Target) -> dict[str, str]:
    """The variables of environment markers (PEP 508), as the target's Python would tell them."""
    windows = target.os == "windows"
    full = python_text(target) if len(target.python.parts) > 2 else f"{python_text(target)}.0"
    return {
        "os_name": "nt" if windows else "posix",
        "sys_platform": "win32" if windows else "linux",
        "platform_system": "Windows" if windows else "Linux",
        "platform_machine": {"x86_64": "AMD64"}.get(target.machine, target.machine) if windows else target.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_version": "",
        "implementation_name": "cpython",
        "implementation_version": full,
        "python_version": f"{target.python.major}.{target.python.minor}",
        "python_full_version": full,
    }
