r"""Where Windows keeps the driver's DLLs, and how programs load them. Loaded by the nvml and cuda children there.

nvml.dll: System32 (drivers since 2019), before that %ProgramFiles%\NVIDIA Corporation\NVSMI. nvcuda.dll is loaded
by its name, as CUDA's own runtime and TensorFlow do: System32 first, then PATH.
"""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False  # the real one lives in typing, whose import costs as much as Python's own start
if TYPE_CHECKING:
    from typing import Any

_MOST_PATH = 32768


def places(name: str) -> list[str]:
    """Files of that name where programs look for it, the first one first."""
    system = os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32")
    if name == "nvml.dll":
        programs = os.environ.get("PROGRAMW6432") or os.environ.get("PROGRAMFILES", r"C:\Program Files")
        folders = [system, os.path.join(programs, "NVIDIA Corporation", "NVSMI")]
    else:
        folders = [system, *(one.strip('"') for one in os.environ.get("PATH", "").split(";"))]
    paths = [os.path.join(folder, name) for folder in folders if os.path.isabs(folder)]
    return [path for path in dict.fromkeys(paths) if os.path.isfile(path)]


def load(name: str) -> tuple[Any, dict[str, Any]]:
    """The library (None: it cannot be had) and what to say of it. there: is a file of that name in its place?"""
    found = places(name)
    try:
        # winmode 0: the search of LoadLibrary, which TensorFlow uses; Python's own default leaves PATH out.
        library = ctypes.CDLL(found[0] if found and name == "nvml.dll" else name, winmode=0)
    except OSError as error:
        if not found:
            return None, {"ok": False, "there": False, "message": f"there is no {name}"}
        # Windows says of a file that is there and needs another one, too, that it was not found.
        words = "a DLL that it needs was not found" if isinstance(error, FileNotFoundError) else str(error)
        return None, {"ok": False, "there": True, "message": words, "path": found[0]}
    return library, {"ok": True, "path": path_of(library)}


def path_of(library: Any) -> str | None:
    """The file that Windows has loaded."""
    name = ctypes.create_unicode_buffer(_MOST_PATH)
    ask = ctypes.WinDLL("kernel32").GetModuleFileNameW  # type: ignore[attr-defined,unused-ignore]
    ask.argtypes = (ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32)
    return name.value if ask(library._handle, name, _MOST_PATH) else None
