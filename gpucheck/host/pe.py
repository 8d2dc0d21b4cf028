"""Read what a Windows library or program says of itself, by pefile. Loaded on Windows alone."""

from __future__ import annotations

import os
from typing import Any, Union

from gpucheck.host import Pe

_MACHINES = {0x14C: "i386", 0x8664: "x86_64", 0xAA64: "arm64", 0x1C4: "arm"}  # PE format, "Machine Types"
_PE32_PLUS = 0x20B
_MOST_IMPORTS = 512


def read_pe(path: str) -> Pe:
    """Parse a regular file; never raises for what the bytes hold.

    A file cut short of its last section is `truncated`: the loader refuses it ("not a valid Win32 application").

    Raises
    ------
    OSError: the file cannot be opened.
    """
    import pefile

    size = os.stat(path).st_size
    if size == 0:
        return Pe("empty", "", 0, None, None, ())
    try:
        pe = pefile.PE(path, fast_load=True)
    except pefile.PEFormatError:
        return Pe("truncated" if _begins_like_one(path) else "not-pe", "", 0, None, None, ())
    except OSError:
        raise
    except Exception:  # pefile's parsing of what nobody compiled: ValueError, struct.error, MemoryError …
        return Pe("truncated", "", 0, None, None, ())
    try:
        return _told(pe, size)
    finally:
        pe.close()


def _begins_like_one(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"MZ"


def _told(pe: Any, size: int) -> Pe:
    machine = pe.FILE_HEADER.Machine
    name = _MACHINES.get(machine, f"pe-{machine}")
    bits = 64 if pe.OPTIONAL_HEADER.Magic == _PE32_PLUS else 32
    whole = Pe(None, name, bits, None, None, ())
    if any(one.PointerToRawData + one.SizeOfRawData > size for one in pe.sections) or not pe.sections:
        return whole._replace(defect="truncated")
    file_version, product_version = _versions(pe)
    return whole._replace(file_version=file_version, product_version=product_version, imports=_imports(pe))


def _parse(pe: Any, *names: str) -> None:
    import pefile

    wanted = [pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_" + name] for name in names]
    try:
        pe.parse_data_directories(wanted, import_dllnames_only=True)
    except Exception:  # a hostile table: what was read of it before counts
        return


def _imports(pe: Any) -> tuple[str, ...]:
    _parse(pe, "IMPORT", "DELAY_IMPORT")
    found: dict[str, None] = {}
    for table in ("DIRECTORY_ENTRY_IMPORT", "DIRECTORY_ENTRY_DELAY_IMPORT"):
        for entry in getattr(pe, table, ())[:_MOST_IMPORTS]:
            if entry.dll:
                found[_text(entry.dll)] = None
    return tuple(found)


def _versions(pe: Any) -> tuple[Union[str, None], Union[str, None]]:
    _parse(pe, "RESOURCE")
    fixed = next(iter(getattr(pe, "VS_FIXEDFILEINFO", ())), None)
    file_version = fixed and _numbers(fixed.FileVersionMS, fixed.FileVersionLS)
    product = _strings(pe).get("ProductVersion", "").strip()
    return file_version, product or (fixed and _numbers(fixed.ProductVersionMS, fixed.ProductVersionLS))


def _numbers(high: int, low: int) -> str:
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"


def _strings(pe: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for group in getattr(pe, "FileInfo", ()):
        for info in group:
            for table in getattr(info, "StringTable", ()):
                found.update({_text(name): _text(value) for name, value in table.entries.items()})
    return found


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").rstrip("\0")
