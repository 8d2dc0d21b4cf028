"""Whose an environment is: an installation must not leave files there that their owner cannot change any more."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress

from gpucheck.install.errors import Refused
from gpucheck.install.shells import quoted

_WINDOWS = sys.platform == "win32"
_DEEP = 4  # levels: lib/python3.12/site-packages/name
_MOST = 5000  # folders looked at


def check(env: str, new: bool) -> None:
    """Raises `Refused`: it is another user's, or this is root by sudo in a user's folder."""
    if _WINDOWS:
        return
    nearest = _nearest(env)
    owner = os.stat(nearest).st_uid
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "0") not in ("0", ""):
        if owner != 0:
            raise Refused(
                f"this runs as root by sudo, and {nearest} is {_name(owner)}'s: its files would be root's. "
                "Way out: the same command without sudo"
            )
    elif not new and owner != os.geteuid():
        way = f"sudo -u {_name(owner)} …" if os.geteuid() else f"su {_name(owner)} -c …"
        raise Refused(
            f"{env} belongs to {_name(owner)}, not to {_name(os.geteuid())}. Way out: the same command as that user "
            f"({way}), or a new environment: --env {quoted(os.path.join(os.path.expanduser('~'), '.venv'))}"
        )
    if not new:
        strange = next(_strangers(env, owner), None)
        if strange is not None:
            path, other = strange
            raise Refused(
                f"{path} belongs to {_name(other)}, the environment to {_name(owner)} (was something installed with "
                f"sudo?). Way out: sudo chown -R {_name(owner)} {quoted(env)}"
            )


def _strangers(env: str, owner: int) -> Iterator[tuple[str, int]]:
    """Folders down to the packages', of another owner than the environment itself."""
    for depth, (folder, folders, _files) in enumerate(os.walk(env)):
        uid = os.lstat(folder).st_uid
        if uid != owner:
            yield folder, uid
        if folder.count(os.sep) - env.count(os.sep) >= _DEEP or depth > _MOST:
            folders.clear()


def _name(uid: int) -> str:
    if sys.platform != "win32":
        import pwd

        with suppress(KeyError):
            return pwd.getpwuid(uid).pw_name
    return f"user {uid}"


def _nearest(path: str) -> str:
    """The path, or the folder above it that is there."""
    while not os.path.isdir(path):
        above = os.path.dirname(path)
        if above == path:
            break
        path = above
    return path
