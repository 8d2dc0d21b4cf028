"""What ends an installation, and with which exit code."""

from __future__ import annotations


class InstallError(Exception):
    """It cannot go on. The message is one line for a user; lines: what a program said, to be shown under it."""

    exit_code = 3

    def __init__(self, message: str, lines: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.lines = lines


class NoPlan(InstallError):
    """No set of packages fits: nothing was touched."""

    exit_code = 1


class Refused(InstallError):
    """Not there, or not with these words: a system Python, a full disk, somebody else's folder. Nothing was touched."""

    exit_code = 2


class Failed(InstallError):
    """It went wrong on the way. What was there before is there again."""

    exit_code = 3


class NeedsHelp(InstallError):
    """It went wrong, and so did taking it back. The message says where the old state lies and what to do."""

    exit_code = 4
