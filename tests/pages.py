"""What tests of gpucheck's pages share: a page without its style sheet, so that a colour changes no golden file."""

from __future__ import annotations

import re

_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)


def bare(page: str) -> str:
    """The page without what its style sheet says, a line for each piece that a reader would see as one."""
    text, found = _STYLE.subn("<style></style>", page)
    assert found == 1
    return re.sub(r"(?<=>)(?=<(?:h\d|p|li|dt|dd|tr|section|details|table|main|footer|figure)\b)", "\n", text)
