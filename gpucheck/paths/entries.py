"""PATH of Windows as text: cut into entries and put together again without the loss of a character. Pure."""

from __future__ import annotations

from collections.abc import Callable

from gpucheck.facts.paths import is_windows, key


def split(text: str) -> list[str]:
    """The entries as they stand, empty ones too: ``";".join`` gives the text back.

    A semicolon within quotes divides nothing, unless a quote is missing.
    """
    if text.count('"') % 2:
        return text.split(";")
    entries, within = [""], False
    for sign in text:
        within ^= sign == '"'
        if sign == ";" and not within:
            entries.append("")
        else:
            entries[-1] += sign
    return entries


def bare(entry: str) -> str:
    """An entry without quotes and blanks around it: for comparing, never for writing."""
    return entry.strip().strip('"').strip()


def same(entry: str, folder: str, expand: Callable[[str], str]) -> bool:
    r"""Is an entry that folder? expand: %NAMES% to their values.  "C:\\CUDA\\bin\\" and c:\\cuda\\BIN are one."""
    text = expand(bare(entry))
    return is_windows(text) and key(text) == key(folder)


def in_front(text: str, folders: tuple[str, ...], expand: Callable[[str], str]) -> str:
    """The PATH with these folders first. An entry that is one of them moves; nothing else is touched."""
    rest = [entry for entry in split(text) if not any(same(entry, folder, expand) for folder in folders)]
    return ";".join([*folders, *(rest if text else ())])


def unquoted(text: str, folders: tuple[str, ...], expand: Callable[[str], str]) -> str:
    """The PATH with the quotes around these folders gone: the DLL search takes them for a part of the name."""
    return ";".join(
        bare(entry) if '"' in entry and any(same(entry, one, expand) for one in folders) else entry
        for entry in split(text)
    )
