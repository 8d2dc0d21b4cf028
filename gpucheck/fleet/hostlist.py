"""Names of hosts as Slurm and pdsh write them: ``gpu[01-08,12]``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MOST_HOSTS = 65536
_BRACKETS = re.compile(r"\[([0-9,\-]+)\]")


def expanded(text: str) -> tuple[str, ...]:
    """``gpu[01-03],login`` as four names.

    Raises
    ------
    ValueError: a bracket that is no list of numbers, or more names than anyone has hosts.
    """
    found: list[str] = []
    for word in re.split(r",(?![^\[]*\])", text):
        if word.strip():
            for name in _names(word.strip()):
                found.append(name)
                if len(found) > MOST_HOSTS:
                    raise ValueError(f"more than {MOST_HOSTS} hosts")
    return tuple(dict.fromkeys(found))


def _names(word: str) -> Iterator[str]:
    bracket = _BRACKETS.search(word)
    if bracket is None:
        if "[" in word or "]" in word:
            raise ValueError(f"no list of hosts: {word}")
        yield word
        return
    for number in _numbers(bracket[1]):
        yield from _names(word[: bracket.start()] + number + word[bracket.end() :])


def _numbers(text: str) -> Iterator[str]:
    for part in text.split(","):
        low, dash, high = part.partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()) or len(part) > 30:
            raise ValueError(f"no list of numbers: [{text}]")
        for number in range(int(low), int(high if dash else low) + 1):
            yield str(number).rjust(len(low), "0")


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """An order in which node2 comes before node10."""
    return tuple(
        (1, int(part), part) if part.isdecimal() and part.isascii() and len(part) < 19 else (0, 0, part)
        for part in _PARTS.split(name)
    )


_PARTS = re.compile(r"(\d+)")


def folded(names: Sequence[str], most: int = 8) -> str:
    """``gpu[001-312,400], login``, the way back. most: such words, then "and 7 more"."""
    made: list[tuple[str, str, list[str]]] = []
    at: dict[tuple[str, str, int], list[str]] = {}
    for name in sorted(names, key=natural):
        front, number, back = _split(name)
        key = (front, back, len(number))
        if not number:
            made.append((name, "", []))
        elif key in at:
            at[key].append(number)
        else:
            at[key] = [number]
            made.append((front, back, at[key]))
    shown = [_word(*one) for one in made[:most]]
    rest = sum(max(1, len(numbers)) for _, _, numbers in made[most:])
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _split(name: str) -> tuple[str, str, str]:
    """Its last number, and what is around that."""
    every = list(re.finditer(r"[0-9]{1,9}", name))
    return (name[: every[-1].start()], every[-1][0], name[every[-1].end() :]) if every else (name, "", "")


def _word(front: str, back: str, numbers: list[str]) -> str:
    if len(numbers) < 2:
        return f"{front}{numbers[0] if numbers else ''}{back}"
    ranges: list[tuple[str, str]] = []
    for number in numbers:
        if ranges and int(ranges[-1][1]) + 1 == int(number):
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    shown = ",".join(low if low == high else f"{low}-{high}" for low, high in ranges[:12])
    more = f",… {len(ranges) - 12} ranges more" if len(ranges) > 12 else ""
    return f"{front}[{shown}{more}]{back}"
