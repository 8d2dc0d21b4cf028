"""How messages take values out of a line: small, linear searches. No regular expression is needed for what these do."""

from __future__ import annotations

from typing import Union

_ENDS = " \t'\"`,;:)]}>"


def said(text: str) -> dict[str, str]:
    """The reader of a message that carries no values: its needle is all it takes."""
    return {}


def between(text: str, before: str, after: str) -> Union[str, None]:
    """What stands between two literals, without blanks around it; None where one is missing or nothing stands there."""
    _, found, rest = text.partition(before)
    inner, ended, _ = rest.partition(after)
    return inner.strip() or None if found and ended else None


def word_after(text: str, before: str, ends: str = _ENDS) -> Union[str, None]:
    """The word that follows a literal (and blanks, quotes), up to the first of `ends`; a closing full stop is cut."""
    _, found, rest = text.partition(before)
    if not found:
        return None
    rest = rest.lstrip(" \t'\"`=:")[:400]
    stop = next((at for at, sign in enumerate(rest) if sign in ends), len(rest))
    return rest[:stop].rstrip(".") or None


def version_after(text: str, before: str) -> Union[str, None]:
    """The version that follows a literal: ``8.0.4``, ``2.20.0rc0``; None where no digit follows."""
    word = word_after(text, before, ends=_ENDS + "(-")
    return word.lstrip("v") if word is not None and word.lstrip("v")[:1].isdigit() else None


def number_after(text: str, before: str) -> Union[str, None]:
    """The digits that follow a literal, as text."""
    word = word_after(text, before)
    if word is None:
        return None
    digits = len(word) - len(word.lstrip("0123456789"))
    return word[:digits] or None
