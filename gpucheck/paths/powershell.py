r"""The commands that do by hand what a plan would do to HKCU\Environment. Text only.

Not `setx`, which cuts at 1024 characters, and not SetEnvironmentVariable, which makes REG_SZ of REG_EXPAND_SZ, so that
%NAMES% mean nothing any more.
"""

from __future__ import annotations

from gpucheck.paths.plan import VariableChange

_KEY = "HKCU:\\Environment"


def quoted(text: str) -> str:
    """A literal: within single quotes only those (straight or curled) must be doubled."""
    for sign in "'\u2018\u2019\u201a\u201b":
        text = text.replace(sign, sign * 2)
    return f"'{text}'"


def lines(changes: tuple[VariableChange, ...]) -> tuple[str, ...]:
    """A line for each, and one that tells the programs that run."""
    told = "[Environment]::SetEnvironmentVariable('GPUCHECK_PATHS_CHANGED', $null, 'User')  # tells Explorer"
    return (*map(_line, changes), told) if changes else ()


def _line(change: VariableChange) -> str:
    name = quoted(change.name)
    if change.after is None:
        return f"Remove-ItemProperty -LiteralPath '{_KEY}' -Name {name}"
    kind = "ExpandString" if change.after.expandable else "String"
    return f"Set-ItemProperty -LiteralPath '{_KEY}' -Name {name} -Type {kind} -Value {quoted(change.after.text)}"
