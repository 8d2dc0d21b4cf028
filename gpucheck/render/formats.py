"""The formats of `doctor`: a name, and the module beside this one that writes it.

Each module has `tell(reports, asked)`. It is imported when it is asked for, so that a format costs nobody else's start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Union

from gpucheck.findings import Report

if TYPE_CHECKING:
    from gpucheck.facts.bench import Result

Named = tuple[str, Report]  # the file that the facts are from ("": this machine), and what they show

FORMATS = ("terminal", "json", "markdown", "junit", "sarif", "github", "prometheus", "html")


class Asked(NamedTuple):
    """How to tell it.

    strict: a warning counts as an error. verbose: everything. width: columns of a terminal. color: with ANSI colours.
    bench: a saved speed test to show below (html alone).
    """

    strict: bool = False
    verbose: bool = False
    width: int = 80
    color: bool = False
    bench: Union[Result, None] = None


def tell(format: str, reports: Sequence[Named], asked: Asked) -> str:
    """One document of one report or several, in the format of that name."""
    assert format in FORMATS, format
    module = __import__(f"gpucheck.render.{format}", fromlist=["tell"])
    told = module.tell(reports, asked)
    assert isinstance(told, str)
    return told
