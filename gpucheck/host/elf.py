"""Read an ELF header and its dynamic section, some kilobytes of a file of any size.

pyelftools would do it, but its import alone takes more CPU time than all of doctor's file probes together; the layout
is the System V gABI's (chapters 4 and 5) and has not changed since 1997.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from gpucheck.host import Elf

Reader = Callable[[int, int], bytes]  # (offset, size) -> bytes, short at the end of the file

_MACHINES = {3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 21: "ppc64le", 243: "riscv64"}  # gABI, e_machine
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29
_MOST_HEADERS, _MOST_DYNAMIC, _MOST_NAME = 512, 65536, 65536


def read_elf(read: Reader, size: int) -> Elf:
    """Parse; never raises for what the bytes hold.

    A file cut short of its last loadable segment is `truncated`: the loader would map it and die of SIGBUS.
    """
    if size == 0:
        return Elf("empty", "", 0, None, (), None, None)
    head = read(0, 64)
    if head[:4] != b"\x7fELF" or len(head) < 20 or head[4] not in (1, 2) or head[5] not in (1, 2):
        return Elf("not-elf", "", 0, None, (), None, None)
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    machine = struct.unpack_from(order + "H", head, 18)[0]
    name, bits = _MACHINES.get(machine, f"em-{machine}"), 64 if wide else 32
    broken = Elf("truncated", name, bits, None, (), None, None)
    if len(head) < (64 if wide else 52):
        return broken
    table, entry, count = (
        (*struct.unpack_from(order + "Q", head, 32), *struct.unpack_from(order + "HH", head, 54))
        if wide
        else (*struct.unpack_from(order + "I", head, 28), *struct.unpack_from(order + "HH", head, 42))
    )
    form = order + ("IIQQQQQQ" if wide else "IIIIIIII")
    step = struct.calcsize(form)
    if not count or count > _MOST_HEADERS or entry < step:
        return broken
    raw = read(table, entry * count)
    if len(raw) < entry * count:
        return broken
    loads: list[tuple[int, int, int]] = []
    dynamic: tuple[int, int] | None = None
    for at in range(count):
        fields = struct.unpack_from(form, raw, at * entry)
        kind, offset, address, length = (
            (fields[0], fields[2], fields[3], fields[5]) if wide else (fields[0], fields[1], fields[2], fields[4])
        )
        if kind == _LOAD:
            loads.append((offset, address, length))
            if offset + length > size:
                return broken
        elif kind == _DYNAMIC:
            dynamic = (offset, length)
    if dynamic is None:
        return Elf(None, name, bits, None, (), None, None)
    return _dynamic(read, order, wide, loads, dynamic, Elf(None, name, bits, None, (), None, None))


def _dynamic(
    read: Reader, order: str, wide: bool, loads: list[tuple[int, int, int]], where: tuple[int, int], elf: Elf
) -> Elf:
    raw = read(where[0], min(where[1], _MOST_DYNAMIC))
    entries: list[tuple[int, int]] = []
    form = order + ("QQ" if wide else "II")
    for tag, value in struct.iter_unpack(form, raw[: len(raw) // struct.calcsize(form) * struct.calcsize(form)]):
        if tag == 0:
            break
        entries.append((tag, value))
    address = dict(entries).get(_STRTAB)
    if address is None:
        return elf
    strings = next((off + address - base for off, base, length in loads if base <= address < base + length), address)

    def text(at: int) -> str:
        # Most names are short; TensorFlow's RUNPATHs reach 20,297 bytes (libtensorflow_framework.so.2 of 2.21.0).
        for length in (256, 4096, _MOST_NAME):
            piece = read(strings + at, length)
            end = piece.find(b"\0")
            if end >= 0:
                return piece[:end].decode("utf-8", "surrogateescape")
        return ""

    one = {tag: text(value) for tag, value in entries if tag in (_SONAME, _RPATH, _RUNPATH)}
    return elf._replace(
        soname=one.get(_SONAME),
        needed=tuple(text(value) for tag, value in entries if tag == _NEEDED)[:256],
        rpath=one.get(_RPATH),
        runpath=one.get(_RUNPATH),
    )
