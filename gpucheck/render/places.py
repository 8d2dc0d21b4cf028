"""Where a finding stands in a file: a line of a log or of a Dockerfile, as evidence names it. A machine has no such."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Union

from gpucheck.findings import Evidence

_LINE = re.compile(r"([^:\n]+|[A-Za-z]:[\\/][^:\n]*):(\d{1,9})(?:, \d+ times)?")


def place(evidence: Iterable[Evidence]) -> Union[tuple[str, int], None]:
    """File and line, from 1, of the first evidence whose source is ``FILE:LINE``; standard input ("-") is none."""
    for one in evidence:
        found = _LINE.fullmatch(one.source)
        if found and found[1] != "-":
            return found[1], max(1, int(found[2]))
    return None
