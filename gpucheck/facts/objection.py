"""A reason against a release. In a module of its own, because doctor needs no more of a plan than this."""

from typing import NamedTuple


class Objection(NamedTuple):
    """One reason against a release on this machine.

    name: kebab-case, or a known issue's (K06). what: one sentence with this machine's values. source: of the fact.
    remedy: what would change it, "" where nothing would.
    """

    name: str
    what: str
    source: str
    remedy: str = ""
