"""A Dockerfile's text as instructions, each piece with its line. Nothing is understood here, and nothing fails."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple, Union


class Text(NamedTuple):
    """Joined lines. starts: (offset, line) of each line in it, so that every word can be found again."""

    text: str
    starts: tuple[tuple[int, int], ...]

    def line(self, offset: int) -> int:
        """The line, from 1, of a place in the text."""
        return self.starts[max(0, bisect_right(self.starts, (offset, 1 << 60)) - 1)][1]


class Heredoc(NamedTuple):
    """What stands below an instruction up to a word of its own choice."""

    body: Text
    offset: int  # of the "<<" in the instruction's text


class Instruction(NamedTuple):
    keyword: str  # "RUN"
    flags: tuple[tuple[str, str], ...]  # ("from", "builder")
    body: Text
    heredocs: tuple[Heredoc, ...]
    line: int

    def flag(self, name: str) -> Union[str, None]:
        """The value of a flag like --from."""
        return next((value for each, value in self.flags if each == name), None)


_PLAIN = ("ADD", "CMD", "COPY", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL")
KEYWORDS = frozenset((*_PLAIN, "ARG", "ENV", "FROM", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"))
_WITH_HEREDOC = ("RUN", "COPY", "ADD")


def instructions(text: str) -> tuple[Instruction, ...]:
    """All of a Dockerfile's instructions in order; lines that are none are left out."""
    lines = text.removeprefix("\ufeff").splitlines()
    return tuple(_instructions(lines, escape_of(lines)))


def escape_of(lines: list[str]) -> str:
    """The character that joins lines: a backslash, or what the directive at the top says (` on Windows)."""
    for line in lines:
        name, equals, value = line.strip().removeprefix("#").partition("=")
        if not line.strip().startswith("#") or not equals or not name.strip().isalpha():
            break  # directives stand first, and nothing else before them
        if name.strip().lower() == "escape":
            return "`" if value.strip() == "`" else "\\"
    return "\\"


def _instructions(lines: list[str], escape: str) -> Iterator[Instruction]:
    at, ends = 0, _Ends(lines)
    while at < len(lines):
        stripped = lines[at].strip()
        if not stripped or stripped.startswith("#"):
            at += 1
            continue
        first = at + 1
        joined, at = _joined(lines, at, escape)
        made = _instruction(joined, first)
        if made is None:
            continue
        if made.keyword in _WITH_HEREDOC:
            docs: list[Heredoc] = []
            for offset, word, tabs in heredoc_words(made.body.text):
                end = ends.after(at, word, tabs)
                if end is not None:  # one that never ends is none: the rest of the file is not swallowed
                    docs.append(Heredoc(_until(lines, at, end), offset))
                    at = end + 1
            made = made._replace(heredocs=tuple(docs))
        yield made


def _joined(lines: list[str], at: int, escape: str) -> tuple[Text, int]:
    """The lines up to one that does not end in the escape character. Comments and empty lines between do not count."""
    pieces: list[str] = []
    starts: list[tuple[int, int]] = []
    length = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        stripped = line.strip()
        if pieces and (not stripped or stripped.startswith("#")):
            continue
        more = line.rstrip().endswith(escape)
        piece = line.rstrip()[: -len(escape)] if more else line
        starts.append((length, at))
        pieces.append(piece)
        length += len(piece)
        if not more:
            break
    return Text("".join(pieces), tuple(starts)), at


def _instruction(joined: Text, line: int) -> Union[Instruction, None]:
    text = joined.text
    begin = len(text) - len(text.lstrip())
    end = begin
    while end < len(text) and not text[end].isspace():
        end += 1
    keyword = text[begin:end].upper()
    if keyword not in KEYWORDS:
        return None
    while end < len(text) and text[end].isspace():
        end += 1
    flags: list[tuple[str, str]] = []
    while text.startswith("--", end):
        stop = end
        while stop < len(text) and not text[stop].isspace():
            stop += 1
        name, _, value = text[end + 2 : stop].partition("=")
        flags.append((name.lower(), value.strip("\"'")))
        end = stop
        while end < len(text) and text[end].isspace():
            end += 1
    starts = [(max(0, offset - end), number) for offset, number in joined.starts]
    return Instruction(keyword, tuple(flags), Text(text[end:], tuple(starts)), (), line)


def heredoc_words(text: str) -> Iterator[tuple[int, str, bool]]:
    """(offset, word, tabs are stripped) of every ``<<WORD``; ``<<<`` is none, nor is one within quotes."""
    at, quote = 0, ""
    while at < len(text):
        sign = text[at]
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif text.startswith("<<<", at):
            at += 2
        elif text.startswith("<<", at):
            begin = at + 2
            tabs = text[begin : begin + 1] == "-"
            begin += tabs
            end = begin
            while end < len(text) and (text[end].isalnum() or text[end] in "_.\"'"):
                end += 1
            word = text[begin:end].strip("\"'")
            if word and not word[0].isdigit():
                yield at, word, tabs
            at = max(end, at + 1) - 1
        at += 1


def _until(lines: list[str], at: int, end: int) -> Text:
    starts, length = [], 0
    for number in range(at, end):
        starts.append((length, number + 1))
        length += len(lines[number]) + 1
    return Text("\n".join(lines[at:end]), tuple(starts) or ((0, at + 1),))


class _Ends:
    """Where each line stands that may end a heredoc: looked up, for a file may begin thousands that never end."""

    def __init__(self, lines: list[str]) -> None:
        self.plain: dict[str, list[int]] = {}
        self.tabs: dict[str, list[int]] = {}
        for number, line in enumerate(lines):
            self.plain.setdefault(line, []).append(number)
            self.tabs.setdefault(line.lstrip("\t"), []).append(number)

    def after(self, at: int, word: str, tabs: bool) -> Union[int, None]:
        """The first such line from there on."""
        found = (self.tabs if tabs else self.plain).get(word, [])
        place = bisect_left(found, at)
        return found[place] if place < len(found) else None
