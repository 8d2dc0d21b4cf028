"""ld.so.cache: the index of system libraries that ldconfig writes. Read, never rebuilt.

The layout is glibc's sysdeps/generic/dl-cache.h: an optional old part ("ld.so-1.7.0"), then "glibc-ld.so.cache1.1",
a header of 48 bytes, entries of 24 and a string table. Offsets count from the start of the new part.
"""

from __future__ import annotations

import struct
from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.host import Host

_PATH = "/etc/ld.so.cache"
_MOST = 8 << 20
_MAGIC = b"glibc-ld.so.cache1.1"
_OLD_MAGIC = b"ld.so-1.7.0\0"
_HEADER, _ENTRY, _OLD_HEADER, _OLD_ENTRY = 48, 24, 16, 12
# dl-cache.h and sysdeps/*/dl-cache.h: what _dl_cache_check_flags accepts.
_FLAGS = {"x86_64": 0x0303, "aarch64": 0x0A03, "i386": 0x0003, "ppc64le": 0x0503, "arm": 0x0903}


class LibraryCache:
    """Entries stay bytes: a machine has thousands, and only a few are ever asked for."""

    def __init__(self, data: bytes, machine: str) -> None:
        self._flags = _FLAGS.get(machine)
        self._data = data
        at = data.find(_MAGIC)
        self._new = at >= 0
        self._base = at if at >= 0 else 0
        self._step = _ENTRY if self._new else _OLD_ENTRY
        self._start = self._base + (_HEADER if self._new else _OLD_HEADER)
        count = 0
        where = self._base + len(_MAGIC) if self._new else len(_OLD_MAGIC)
        if len(data) >= where + 4:
            count = struct.unpack_from("<I", data, where)[0]
        self._end = min(self._start + count * self._step, len(data) // self._step * self._step + self._start, len(data))
        # The old format counts offsets from the end of its entries.
        self._strings = self._base if self._new else self._end

    def find(self, soname: str) -> tuple[str, ...]:
        """The paths of that soname for this architecture, in the cache's order."""
        name = soname.encode("utf-8", "surrogateescape") + b"\0"
        paths: dict[str, None] = {}
        at = self._data.find(name, self._end)
        while at >= 0 and len(paths) < 64:
            # ldconfig may let a soname be the tail of a path in the string table, so every occurrence is a candidate.
            for path in self._values(at - self._strings):
                paths[path] = None
            at = self._data.find(name, at + 1)
        return tuple(paths)

    def _values(self, offset: int) -> list[str]:
        key = struct.pack("<I", offset & 0xFFFFFFFF)
        found = []
        at = self._data.find(key, self._start, self._end)
        while at >= 0:
            entry, rest = divmod(at - self._start, self._step)
            if rest == 4:
                flags, _, value = struct.unpack_from("<iII", self._data, self._start + entry * self._step)
                if self._flags is None or flags & 0xFFFF == self._flags:
                    found.append(self._text(value))
            at = self._data.find(key, at + 1, self._end)
        return [path for path in found if path.startswith("/")]

    def _text(self, offset: int) -> str:
        begin = self._strings + offset
        end = self._data.find(b"\0", begin)
        if begin >= len(self._data) or end < 0 or end - begin > 4096:
            return ""
        return self._data[begin:end].decode("utf-8", "surrogateescape")

    def paths(self, part: str) -> tuple[str, ...]:
        """Every path whose base name starts with `part`, sorted; of any architecture."""
        needle = b"/" + part.encode("utf-8", "surrogateescape")
        found: dict[str, None] = {}
        at = self._data.find(needle, self._end)
        while at >= 0 and len(found) < 1000:
            begin = self._data.rfind(b"\0", 0, at) + 1
            end = self._data.find(b"\0", at)
            if end < 0:
                break
            path = self._data[begin:end]
            if path.startswith(b"/") and b"/" not in self._data[at + 1 : end] and len(path) <= 4096:
                found[path.decode("utf-8", "surrogateescape")] = None
            at = self._data.find(needle, end)
        return tuple(sorted(found))


def read_cache(host: Host, machine: str) -> Union[LibraryCache, None, Gap]:
    """The cache of this machine; None where there is none (musl, a fresh container)."""
    data = host.read(_PATH, _MOST)
    if not isinstance(data, bytes):
        return data
    if _MAGIC not in data and not data.startswith(_OLD_MAGIC):
        return Gap(f"not an ld.so.cache of glibc's format: {_PATH}")
    return LibraryCache(data, machine)
