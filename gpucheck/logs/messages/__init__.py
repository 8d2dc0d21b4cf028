"""What lines mean, one module per speaker (tensorflow, cuda, pip …), each with its ``MESSAGES``. A new module is found
by itself. Nothing here judges: a message says what its line says, `gpucheck.logs.judging` what follows from it.

A reader gets one line, cleaned (see `gpucheck.logs.reading`): no ANSI sequences, no ``[rank0]:`` and no time stamp of
docker, Kubernetes or journald in front; typographic quotes are ' and ". Of a very long line it gets the 4000 characters
on each side of the needle. Needles are looked for in the line as it is written, so they hold no quotation marks and no
letters outside ASCII.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple, Union

Reader = Callable[[str], Union[Mapping[str, str], None]]


class Message(NamedTuple):
    """One thing that a program prints.

    name: kebab-case, unique among all speakers. needles: literals, at least 5 characters; a line of this message holds
    at least one. read: a cleaned line's values by name, or None: not this message after all; takes linear time.
    meaning: what it says, for `gpucheck explain`. harmless: why it is no cause of anything ("" where it may be one).
    look: what to look at, commands as they are typed. source: where the wording comes from, with versions.
    """

    name: str
    needles: tuple[str, ...]
    read: Reader
    meaning: str
    harmless: str = ""
    look: tuple[str, ...] = ()
    source: str = ""


@cache
def messages() -> tuple[Message, ...]:
    """Every speaker's messages, speakers in the order of their names."""
    from importlib import import_module
    from pkgutil import iter_modules

    names = sorted(module.name for module in iter_modules(__path__))
    speakers = [import_module(f"{__name__}.{name}") for name in names]
    return tuple(message for speaker in speakers for message in speaker.MESSAGES)


@cache
def by_name() -> dict[str, Message]:
    """The messages by their names."""
    return {message.name: message for message in messages()}
