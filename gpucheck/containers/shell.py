"""A shell's text as commands: words with their places. Only what is needed to see what is installed; nothing is run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Word(NamedTuple):
    text: str  # without quotes
    offset: int
    literal: bool  # in single quotes: variables stay


class Command(NamedTuple):
    words: tuple[Word, ...]
    certain: bool  # False: within if, case, for, a loop, or behind "||"

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(word.text for word in self.words)


MOST_WORDS = 2000  # of one command; what follows is left out
_OPEN, _CLOSE = ("if", "case", "for", "while", "until", "select"), ("fi", "esac", "done")
_GLUE = ("then", "else", "elif", "do", "!", "{", "}", "time", "exec", "command", "sudo", "nice", "-E", "env")


def commands(text: str) -> Iterator[Command]:
    """The commands of a script, in order."""
    level, alternative = 0, False
    words: list[Word] = []
    for token in (*_tokens(text), Word("\n", len(text), False)):
        if token.text not in _SEPARATORS or token.literal:
            words += [token] if len(words) < MOST_WORDS else []
            continue
        opened = closed = 0
        while words and not words[0].literal and words[0].text in (*_OPEN, *_CLOSE, *_GLUE):
            opened += words[0].text in _OPEN
            closed += words[0].text in _CLOSE
            words.pop(0)
        level = max(0, level + opened)
        if words:
            yield Command(tuple(words), level == 0 and not alternative)
        level = max(0, level - closed)
        alternative = token.text == "||"
        words = []


_SEPARATORS = ("\n", ";", ";;", "&&", "||", "|", "&", "(", ")")


def _tokens(text: str) -> Iterator[Word]:
    at = 0
    while at < len(text):
        sign = text[at]
        if sign == "\n" or sign in ";&|()":
            double = text[at : at + 2]
            both = double if double in ("&&", "||", ";;") else sign
            if not _redirects(text, at):
                yield Word(both, at, False)
            at += len(both)
        elif sign.isspace():
            at += 1
        elif text.startswith("\\\n", at):
            at += 2
        elif sign == "#":
            while at < len(text) and text[at] != "\n":
                at += 1
        else:
            word, end = _word(text, at)
            yield word
            at = end


def _redirects(text: str, at: int) -> bool:
    """The "&" of 2>&1 and &> separates nothing."""
    return text[at] == "&" and (text[at - 1 : at] in (">", "<") or text[at + 1 : at + 2] == ">")


def _word(text: str, at: int) -> tuple[Word, int]:
    out: list[str] = []
    begin, literal = at, text[at] == "'"
    while at < len(text):
        sign = text[at]
        if sign == "\\" and at + 1 < len(text):
            if text[at + 1] != "\n":
                out.append(text[at + 1])
            at += 2
        elif sign == "'":
            end = text.find("'", at + 1)
            end = len(text) if end < 0 else end
            out.append(text[at + 1 : end])
            at = end + 1
        elif sign == '"':
            at += 1
            while at < len(text) and text[at] != '"':
                if text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\", "$", "`"):
                    at += 1
                out.append(text[at])
                at += 1
            at += 1
        elif text.startswith(("${", "$("), at):
            end = _bracketed(text, at + 1)
            out.append(text[at:end])
            at = end
        elif sign.isspace() or (sign in ";&|()" and not _redirects(text, at)):
            break
        else:
            out.append(sign)
            at += 1
    return Word("".join(out), begin, literal), at


def _bracketed(text: str, at: int) -> int:
    """The end of what begins with the bracket at a place."""
    pair = {"{": "}", "(": ")"}
    opening, closing, level = text[at], pair[text[at]], 0
    while at < len(text):
        level += (text[at] == opening) - (text[at] == closing)
        at += 1
        if not level:
            break
    return at
