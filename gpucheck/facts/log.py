"""What logs say: the lines that gpucheck knows, each with the values it carries. Made by gpucheck.logs."""

from typing import NamedTuple, Union


class LogFile(NamedTuple):
    """One log that was read."""

    path: str  # "-" for standard input
    bytes: int
    lines: int
    encoding: str  # utf-8, utf-16-le, utf-16-be, latin-1
    notes: tuple[str, ...]  # "binary", "cut lines"


class Clue(NamedTuple):
    """One thing that a log says, however often it says it."""

    message: str  # name of the gpucheck.logs.messages.Message that it is
    values: tuple[tuple[str, str], ...]  # what it says, by name: ("soname", "libcudnn.so.8")
    text: str  # the line, cleaned, at most 400 characters
    file: str  # "-" for standard input
    line: int  # where it stands first, from 1
    times: int  # lines that say the same

    def get(self, name: str) -> Union[str, None]:
        """One of the values."""
        return next((value for each, value in self.values if each == name), None)


class Log(NamedTuple):
    """Everything that the logs given say."""

    files: tuple[LogFile, ...]
    clues: tuple[Clue, ...]  # in order of first appearance; of one message at most 20 that differ

    def all(self, *messages: str) -> tuple[Clue, ...]:
        """The clues of these messages, in order of first appearance."""
        return tuple(clue for clue in self.clues if clue.message in messages)

    def first(self, *messages: str) -> Union[Clue, None]:
        """The first clue of these messages, or None: the log does not say it."""
        return next((clue for clue in self.clues if clue.message in messages), None)

    def values(self, message: str, name: str) -> tuple[str, ...]:
        """Every value that the clues of a message give for a name, each once."""
        found = (clue.get(name) for clue in self.clues if clue.message == message)
        return tuple(dict.fromkeys(value for value in found if value is not None))
