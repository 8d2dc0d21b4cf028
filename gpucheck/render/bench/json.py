"""A result file: one JSON document, described by bench.schema.json beside this file, and read back from it.

It only ever grows: names that are here stay, with their meaning.
"""

from __future__ import annotations

import json
from typing import cast

from gpucheck.facts.bench import SCHEMA, Result
from gpucheck.facts.codec import BadFacts, decode, encode
from gpucheck.render.json import text


def render(result: Result) -> str:
    """The whole result, a trial and a sample a line."""
    return text(encode(result))


def read(document: str) -> Result:
    """The result that a file holds.

    Raises
    ------
    BadFacts: it is no JSON, or not what `render` wrote; with the place.
    """
    try:
        data = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise BadFacts(f"not JSON: {error}") from error
    found = data.get("schema") if isinstance(data, dict) else None
    if found != SCHEMA:
        raise BadFacts(f"$.schema: {SCHEMA} expected, not {str(found)[:60]}")
    return cast(Result, decode(Result, data))
