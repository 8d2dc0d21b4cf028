"""Windows: paths of 260 characters and more, which most programs cannot open where long paths are not switched on.

A TensorFlow holds deep folders of headers, and what is built aside lies deeper than where it will lie.
"""

from __future__ import annotations

import sys
from typing import Union

from gpucheck.install.changing import journal
from gpucheck.install.errors import Refused

MOST = 259  # characters: MAX_PATH without the zero at its end ("Maximum Path Length Limitation")
# Below an environment, Lib\site-packages included: the longest path of tensorflow 2.10.1's wheel for Windows.
DEEPEST = 176
_BUILT = "work-0123456789abcdef"  # journal.Part, by its length
_SWITCH = (
    r"reg add HKLM\SYSTEM\CurrentControlSet\Control\FileSystem /v LongPathsEnabled /t REG_DWORD /d 1 /f "
    "(as administrator, then a new prompt)"
)


def refuse_deep(env: str, long_paths: Union[bool, None] = None) -> None:
    """May TensorFlow's files be as deep as they lie below an environment?

    Parameters
    ----------
    env: its real path. long_paths: whether they are switched on; None: asked of Windows (elsewhere they always are).

    Raises
    ------
    Refused: no; how deep the environment may lie.
    """
    switched_on = enabled() if long_paths is None else long_paths
    length = len(journal.beside(env)) + 1 + len(_BUILT) + 1 + DEEPEST
    if not switched_on and length > MOST:
        raise Refused(
            f"{env} lies too deep: TensorFlow's files would have paths of {length} characters, and Windows opens "
            f"{MOST} while long paths are switched off. Way out: a folder whose path is shorter by {length - MOST} "
            rf"characters (--env C:\tf), or {_SWITCH}"
        )


def enabled() -> bool:
    """Are long paths switched on for this process? What cannot be asked refuses nothing."""
    if sys.platform != "win32":
        return True
    import ctypes

    ask = getattr(ctypes.WinDLL("ntdll"), "RtlAreLongPathsEnabled", None)  # Windows 10 1607 and later
    if ask is None:
        return True
    ask.restype = ctypes.c_ubyte
    return bool(ask())
