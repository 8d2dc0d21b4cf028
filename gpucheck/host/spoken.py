"""What of a foreign program's last words may be kept. They are the user's own code speaking, and may say anything.

A Python that does not start is told by a few well-known sentences; the message of any other exception may hold a token
(a sitecustomize that could not log in), so only its type is kept.
"""

from __future__ import annotations

_WHOLE = ("Fatal Python error", "ModuleNotFoundError: ", "ImportError: ", "pyenv: ", "Segmentation fault")
_PARTS = (
    *("error while loading shared libraries", "cannot execute binary file", "Exec format error", "Permission denied"),
    *("No such file or directory", "not found", "Input/output error", "symbol lookup error", "GLIBC_"),
)
_MOST_LINE = 300


def kept(errors: str) -> str:
    """The lines that tell why a program did not start or died; types alone of other exceptions."""
    lines = (_line(line) for line in errors.splitlines())
    return "\n".join(line for line in lines if line)


def _line(line: str) -> str:
    if line.startswith(_WHOLE) or (any(part in line for part in _PARTS) and "=" not in line):
        return line[:_MOST_LINE]
    name, colon, _message = line.partition(":")
    return name if colon and name.isidentifier() and name.endswith(("Error", "Exception", "Exit")) else ""
