"""The only rooms that touch a machine. `Host` is what probes see; local.py is this machine, recorded.py any other."""

from typing import Literal, NamedTuple, Protocol, Union

from gpucheck.facts.gap import Gap

Kind = Literal["file", "dir", "char", "block", "fifo", "socket"]


class About(NamedTuple):
    """What the running process knows without looking: os.uname, ids, its own interpreter."""

    os: Literal["linux", "windows"]
    kernel: str  # uname -r
    machine: str  # uname -m
    uid: int
    groups: tuple[int, ...]
    cpu_count: int
    own_python: str  # sys.executable
    home: str
    libc: Union[str, None] = None  # confstr's words, "glibc 2.36"; None: not glibc, or not recorded
    avx: Union[bool, None] = None  # as Windows tells of itself; None: not Windows, or not recorded
    memory_bytes: Union[int, None] = None  # the same


class Stat(NamedTuple):
    """Of the file that a path leads to, links followed."""

    kind: Kind
    mode: int  # permission bits
    uid: int
    gid: int
    size: int
    accessible: bool  # may this user read (and for a device node write) it?


class Elf(NamedTuple):
    """The part of an ELF file that tells a loader what it is. `defect` set: the rest may be empty."""

    defect: Union[Literal["empty", "truncated", "not-elf"], None]
    machine: str  # x86_64, aarch64, i386 … or "em-NNN"
    bits: int
    soname: Union[str, None]
    needed: tuple[str, ...]
    rpath: Union[str, None]  # raw, $ORIGIN unresolved
    runpath: Union[str, None]


class Pe(NamedTuple):
    """The part of a Windows library or program that tells what it is. `defect` set: the rest may be empty."""

    defect: Union[Literal["empty", "truncated", "not-pe"], None]
    machine: str  # x86_64, i386, arm64 … or "pe-NNN"
    bits: int
    file_version: Union[str, None]  # "6.14.11.11020": VS_FIXEDFILEINFO's four numbers
    product_version: Union[str, None]  # "11.2.152": the text ProductVersion, else VS_FIXEDFILEINFO's
    imports: tuple[str, ...]  # names of DLLs as written there, those loaded on first use (delay-loaded) last


class Key(NamedTuple):
    """A key of the Windows registry. Numbers are decimal text, REG_MULTI_SZ lines, binary data "hex:00ff"."""

    keys: tuple[str, ...]  # names of the keys below it, sorted
    values: tuple[tuple[str, str], ...]  # (name, text) sorted by name; "" names the default value; %VARS% as written
    expandable: tuple[str, ...] = ()  # names of those of type REG_EXPAND_SZ: only in them %VARS% mean anything


class Room(NamedTuple):
    """A file system's room, bytes."""

    free_bytes: int
    total_bytes: int


class Child(NamedTuple):
    """A program to run under a deadline, apart from everything.

    script: a module of gpucheck.probes.children ("nvml") whose main(*argv) gpucheck's own interpreter runs, or None.
    argv: the arguments, or (without a script) the whole command.
    share: part of the total deadline that it may use.
    """

    name: str
    script: Union[str, None]
    argv: tuple[str, ...] = ()
    share: float = 0.9


class Answer(NamedTuple):
    """What a child left behind. lines: one JSON object each, in order (a script), or the raw text (a command)."""

    ended: Literal["exit", "signal", "deadline", "not-started"]
    code: Union[int, None]  # exit status or signal number; None: not known
    lines: tuple[str, ...]
    errors: str  # the end of its stderr


class Host(Protocol):
    """A machine to look at. Every answer is a value, ``None`` (not there) or a `Gap`; nothing raises.

    Paths are text of the machine's own flavour. Bytes that are not UTF-8 are surrogate-escaped.
    """

    flavour: Literal["posix", "windows"]

    def about(self) -> About: ...

    def env(self, name: str) -> Union[str, None]:
        """An environment variable named in compat.variables; any other name is an error of the caller."""
        ...

    def read(self, path: str, limit: int = 65536) -> Union[bytes, None, Gap]:
        """The first `limit` bytes of a regular file."""
        ...

    def names(self, path: str) -> Union[tuple[str, ...], None, Gap]:
        """The sorted entries of a folder; None where there is no such folder."""
        ...

    def stat(self, path: str) -> Union[Stat, None, Gap]:
        """Of what the path leads to; None for a dangling link, too."""
        ...

    def real(self, path: str) -> Union[str, None, Gap]:
        """The path with every link resolved; None where it leads nowhere or in a circle."""
        ...

    def is_link(self, path: str) -> bool: ...

    def elf(self, path: str) -> Union[Elf, None, Gap]: ...

    def pe(self, path: str) -> Union[Pe, None, Gap]: ...

    def registry(self, key: str) -> Union[Key, None, Gap]:
        r"""A key named in compat.registry, r"HKLM\SYSTEM\…"; any other is an error of the caller. None off Windows.

        On a 64-bit Windows it is the 64-bit view, whatever Python asks.
        """
        ...

    def room(self, path: str) -> Union[Room, None, Gap]:
        """Of the file system that holds `path` or its nearest parent."""
        ...

    def start(self, *children: Child) -> None:
        """Start children and go on. Scripts that are started together cost one interpreter start."""
        ...

    def answer(self, name: str) -> Answer:
        """Wait for a child of that name, to its deadline at most."""
        ...
