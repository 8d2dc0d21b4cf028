"""The difference for programs: one document, described by diff.schema.json beside this file. It only ever grows."""

from __future__ import annotations

from typing import Any

from gpucheck.differing.difference import SCHEMA, Difference
from gpucheck.facts.codec import encode
from gpucheck.render.diff.words import Asked, verdict
from gpucheck.render.json import text


def render(told: Difference, asked: Asked) -> str:
    return text(document(told, asked))


def document(told: Difference, asked: Asked) -> dict[str, Any]:
    """The document as parsed JSON."""
    facts = encode(told)
    return {
        "schema": SCHEMA,
        "version": facts.pop("version"),
        "verdict": verdict(told, asked),
        "exit_code": told.exit_code(asked.strict, asked.any_change),
        **facts,
    }
