"""Lines for a POSIX shell (sh, bash, zsh) that put LD_LIBRARY_PATH right, and how they are put into a file. Text only.

The lines stand between two marks. Whatever else the file holds is never touched.
"""

from __future__ import annotations

from shlex import quote
from typing import Union

from gpucheck.paths.plan import CannotFix

BEGIN = "# >>> gpucheck doctor --fix-paths >>>"
END = "# <<< gpucheck doctor --fix-paths <<<"
# As venv, virtualenv and uv write it.
DEACTIVATE = "deactivate () {"

_KEEP = '_GPUCHECK_OLD_LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}"'
_EXPORTED = 'if [ -n "$LD_LIBRARY_PATH" ] ; then export LD_LIBRARY_PATH ; else unset LD_LIBRARY_PATH ; fi'
_RESTORE = f"""\
if [ -n "${{_GPUCHECK_OLD_LD_LIBRARY_PATH+set}}" ] ; then
    LD_LIBRARY_PATH="$_GPUCHECK_OLD_LD_LIBRARY_PATH"
    {_EXPORTED}
    unset _GPUCHECK_OLD_LD_LIBRARY_PATH
fi"""


def setting(add: tuple[str, ...], drop: tuple[str, ...], keep: bool) -> str:
    """The lines that give `add` the front and take `drop` out; every other entry stays, in its order.

    keep: remember the value for `restoring`, which comes before they are read again. Without it they take out what they
    have put in before, so that a shell within a shell gets it once.
    """
    lines = [_KEEP] if keep else []
    gone = drop if keep else (*add, *drop)
    if not gone:
        return "\n".join([*lines, _in_front(add, "LD_LIBRARY_PATH"), "export LD_LIBRARY_PATH"])
    lines += [
        '_gpucheck_path=":${LD_LIBRARY_PATH:-}:"',
        f"for _gpucheck_entry in {' '.join(map(quote, gone))} ; do",
        '    while [ "${_gpucheck_path#*:"$_gpucheck_entry":}" != "$_gpucheck_path" ] ; do',
        '        _gpucheck_path="${_gpucheck_path%%:"$_gpucheck_entry":*}:${_gpucheck_path#*:"$_gpucheck_entry":}"',
        "    done",
        "done",
        '_gpucheck_path="${_gpucheck_path#:}"',
        '_gpucheck_path="${_gpucheck_path%:}"',
        _in_front(add, "_gpucheck_path"),
        _EXPORTED,
        "unset _gpucheck_path _gpucheck_entry",
    ]
    return "\n".join(lines)


def _in_front(add: tuple[str, ...], rest: str) -> str:
    if not add:
        return f'LD_LIBRARY_PATH="${rest}"'
    return f'LD_LIBRARY_PATH={quote(":".join(add))}"${{{rest}:+:${rest}}}"'


def restoring() -> str:
    """The lines that bring back what `setting` found."""
    return _RESTORE


def block(lines: str, indent: str = "") -> str:
    return "".join(f"{indent}{line}\n" for line in (BEGIN, *lines.splitlines(), END))


def appended(text: str, lines: str) -> str:
    """The text with a block at its end."""
    return text + ("" if text.endswith("\n") or not text else "\n") + block(lines)


def inserted(text: str, after: str, lines: str) -> Union[str, None]:
    """The text with a block behind the first line that is `after`; None: there is no such line."""
    at = 0
    for line in text.splitlines(keepends=True):
        at += len(line)
        if line.rstrip() == after:
            return text[:at] + block(lines, "    ") + text[at:]
    return None


def without_blocks(text: str) -> str:
    """The text without our blocks. A newline that was added before one at the end stays.

    Raises
    ------
    CannotFix: a mark without its other half; somebody has edited them, and nobody can say what is whose.
    """
    kept: list[str] = []
    within = False
    for line in text.splitlines(keepends=True):
        mark = line.strip()
        if mark in (BEGIN, END):
            if within is (mark == BEGIN):
                raise CannotFix("gpucheck's marks in it are damaged: take its lines out by hand")
            within = not within
        elif not within:
            kept.append(line)
    if within:
        raise CannotFix("gpucheck's marks in it are damaged: take its lines out by hand")
    return "".join(kept)
