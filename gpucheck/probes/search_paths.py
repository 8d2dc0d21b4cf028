"""Texts that hold folders for the loader: LD_LIBRARY_PATH, DT_RPATH, DT_RUNPATH. Text only, no host is asked."""

from __future__ import annotations

from typing import Union


def split_path(value: str) -> tuple[str, ...]:
    """LD_LIBRARY_PATH's folders: ":" and ";" both divide, an empty item is the current folder, doubles count once."""
    if not value:
        return ()
    items = value.replace(";", ":").split(":")
    return tuple(dict.fromkeys(item.rstrip("/") or ("/" if item else ".") for item in items))


def origin(entries: Union[str, None], path: str) -> tuple[str, ...]:
    """The folders of a raw RPATH or RUNPATH, $ORIGIN resolved to the folder of the object at `path`.

    TensorFlow 2.21.0's framework library has 668 entries, 18 of them different, hence the dictionary.
    """
    folder = path.rpartition("/")[0]
    return tuple(
        _flat(item.replace("${ORIGIN}", folder).replace("$ORIGIN", folder))
        for item in dict.fromkeys((entries or "").split(":"))
        if item
    )


def _flat(path: str) -> str:
    """Without "." and "..", as text: links among TensorFlow's folders are not followed on purpose."""
    if "/." not in path and "//" not in path:
        return path.rstrip("/") or "/"
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] not in ("", ".."):
            parts.pop()
        elif part not in (".", "") or not parts:
            parts.append(part)
    return "/".join(parts) or "/"
