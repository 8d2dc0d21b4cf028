"""A folder on a disk that never answers, as a network disk whose server has gone: whoever looks into it waits for ever.

The kernel's FUSE with a daemon that reads no request: a real mount, no mock. Needs root and /dev/fuse.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_MNT_DETACH = 2


@contextlib.contextmanager
def dead_folder(path: Path) -> Iterator[Path]:
    """Mount it on `path` (made here).

    Raises
    ------
    OSError: this machine or this user cannot mount one.
    """
    path.mkdir(parents=True, exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    try:
        options = f"fd={handle},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"dead", os.fsencode(path), b"fuse", 0, options):
            raise OSError(ctypes.get_errno(), "mounting FUSE")
        try:
            yield path
        finally:
            libc.umount2(os.fsencode(path), _MNT_DETACH)
    finally:
        os.close(handle)
