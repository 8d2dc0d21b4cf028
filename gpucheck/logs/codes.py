"""The error codes of NVIDIA's libraries that a pasted line names, for `gpucheck explain`."""

from __future__ import annotations

import re

from gpucheck.compat.codes import TABLES, Code, find, numbered
from gpucheck.facts.log import Log

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{4,80}")
_MOST = 5


def codes_in(text: str, log: Log) -> tuple[Code, ...]:
    """By name; by the number of an Xid line; and, of a number alone, every library's."""
    found = [code for name in dict.fromkeys(_NAME.findall(text)) if (code := find(name)) is not None]
    found += [code for xid in log.values("xid", "xid") if xid.isdigit() and (code := numbered("xids", int(xid)))]
    words = text.split()
    if len(words) == 1 and words[0].isdecimal() and len(words[0]) < 6:
        found += [code for table in TABLES if (code := numbered(table, int(words[0]))) is not None]
    return tuple(dict.fromkeys(found))[: _MOST if len(words) > 1 else None]
