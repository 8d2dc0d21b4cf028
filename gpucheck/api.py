"""What the commands and a notebook call: look at this machine, read one from a file, judge. No printing here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Union

from gpucheck import findings
from gpucheck.facts.snapshot import SCHEMA, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpucheck.facts.log import Log

MOST_BYTES = 64 << 20  # of a file to judge; a recording has some hundred kilobytes
SMOKE = "gpucheck.smoke/1"  # of gpucheck.smoke.result, which costs an import
CHUNK = 256 << 10  # bytes of a log that are looked at together
DEEP_SECONDS = 120.0  # importing TensorFlow from a cold disk, then compiling kernels, takes its time


class BadFile(ValueError):
    """A file is no snapshot and no recorded machine; the message says why, in words for a user."""


class Report(findings.Report):
    """A report that Jupyter shows as a small page."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from gpucheck.render import notebook

        return notebook.render(self)


def doctor(python: Union[str, None] = None, deep: bool = False, *, timeout: float = 10.0) -> Report:
    """Look at this machine and judge it: see `gpucheck.doctor`."""
    return judge(snapshot(python, deep, timeout=timeout))


def snapshot(python: Union[str, None] = None, deep: bool = False, *, timeout: float = 10.0) -> Snapshot:
    """Look at this machine: see `gpucheck.snapshot`."""
    import sys

    if not 0.1 <= timeout <= 86400:  # NaN fails, too
        raise ValueError(f"timeout takes seconds, 0.1 to 86400, not {timeout}")
    return look_here(python or sys.executable, deep, max(timeout, DEEP_SECONDS) if deep else timeout)


def judge(facts: Snapshot, ignore: Iterable[str] = ()) -> Report:
    """Judge facts. ignore: names of rules to leave out."""
    if facts.log is not None:
        from gpucheck.logs import report

        return Report(*report.judge(facts, ignore))
    if facts.containers is not None:
        from gpucheck.containers.report import judge as judge_containers

        return Report(*judge_containers(facts, ignore))
    from gpucheck.rules.engine import judge_all

    return Report(*judge_all(facts, ignore))


def rehearse(name: str, ignore: Iterable[str] = ()) -> Report:
    """Judge the recorded machine of that name (`gpucheck.simulating.names`). Raises KeyError for any other name."""
    from gpucheck import simulating

    facts = read_data(simulating.machine(name))._replace(simulated=name)  # marked, wherever they are taken out
    return judge(facts, ignore)._replace(simulated=name)


def look_here(
    python: Union[str, None], deep: bool, timeout: float, environ: Union[dict[str, str], None] = None
) -> Snapshot:
    """Look at this machine.

    Parameters
    ----------
    python: None for the one that the environment names (``VIRTUAL_ENV``, ``PATH`` …).
    environ: variables to look at instead of this process's own.
    """
    from gpucheck.host.local import LocalHost
    from gpucheck.probes.look import look

    host = LocalHost(timeout, environ)
    try:
        return look(host, python, deep, timeout)
    finally:
        host.close()


def look_deeper(facts: Snapshot, timeout: float) -> Snapshot:
    """The same facts, with what TensorFlow computes on each GPU in the Python that was examined (``--deep``)."""
    from gpucheck.facts.gap import Gap
    from gpucheck.host.local import LocalHost
    from gpucheck.probes import deep
    from gpucheck.probes.look import Looking

    if isinstance(facts.python, Gap):
        return facts._replace(deep=facts.python)
    host, looking = LocalHost(timeout), Looking(timeout)
    try:
        deep.start(host, facts.python)
        proof = looking.run("deep", deep.probe, host, facts.python, share=1.0)
    finally:
        host.close()
    return facts._replace(deep=proof, probes=(*facts.probes, *looking.runs))


def record_here(python: Union[str, None], deep: bool, timeout: float) -> dict[str, Any]:
    """Look at this machine and give every answer it gave, for `read_file` elsewhere."""
    from gpucheck.host.local import LocalHost
    from gpucheck.host.recording import RecordingHost
    from gpucheck.probes.look import look

    local = LocalHost(timeout)
    host = RecordingHost(local)
    try:
        look(host, python, deep, timeout)
        return {**host.machine(), "python": python, "deep": deep}
    finally:
        local.close()


def read_logs(paths: Iterable[str]) -> Log:
    """Read logs of any size, "-" for standard input, into what they say. Raises `BadFile`."""
    import sys

    from gpucheck.logs.gathering import Gathering

    gathering = Gathering()
    for path in paths:
        try:
            if path == "-":
                if sys.stdin is None:
                    raise BadFile("there is no standard input")
                gathering.read(path, _chunks(sys.stdin.buffer))
            else:
                with open(path, "rb", buffering=0) as file:
                    gathering.read(path, _chunks(file))
        except BadFile:
            raise
        except (OSError, ValueError) as error:  # a zero byte in the name is a ValueError
            raise BadFile(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    return gathering.log


def log_of(text: str) -> Log:
    """What a text says that is already here: a pasted line."""
    from gpucheck.logs.gathering import Gathering

    gathering = Gathering()
    gathering.read("-", [text.encode("utf-8", "replace")])
    return gathering.log


def _chunks(file: Any) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")


def judge_logs(log: Log, facts: Union[Snapshot, None] = None, ignore: Iterable[str] = ()) -> Report:
    """Judge what logs say, alone or together with facts that were measured."""
    from gpucheck import __version__
    from gpucheck.logs.snapshot import snapshot_of

    return judge(snapshot_of(log, __version__) if facts is None else facts._replace(log=log), ignore)


def read_file(path: str) -> Snapshot:
    """Read a snapshot, or look at a recorded machine.

    Raises
    ------
    BadFile: it cannot be read, is no JSON, or does not hold what its schema says.
    """
    import json

    try:
        data = json.loads(read_text(path))
    except BadFile:
        raise
    except OSError as error:
        raise BadFile(error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise BadFile(f"no JSON: {error}") from error
    return read_data(data)


def read_text(path: str, most: int = MOST_BYTES) -> str:
    """A regular file's text. Raises OSError, BadFile, and ValueError where it is not UTF-8."""
    return read_bytes(path, most).decode("utf-8-sig")


def read_bytes(path: str, most: int = MOST_BYTES) -> bytes:
    """A regular file's content: a pipe or a device in its place might never end. Raises OSError, BadFile."""
    import os
    import stat

    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise BadFile("no regular file")
        if status.st_size > most:
            raise BadFile(f"larger than {most >> 20} MiB")
        return file.read(most)


def read_data(data: Any) -> Snapshot:
    """Parsed JSON of either schema to facts. Raises `BadFile`."""
    from gpucheck.host.recorded import SCHEMA as MACHINE

    schema = data.get("schema") if isinstance(data, dict) else None
    if schema == SCHEMA:
        from gpucheck.facts.codec import BadFacts, decode

        try:
            facts = decode(Snapshot, data)
        except (BadFacts, RecursionError) as error:
            raise BadFile(str(error)) from error
        assert isinstance(facts, Snapshot)
        if facts.simulated is not None:
            raise BadFile(f"the facts of a rehearsal (SIMULATED: {json_word(facts.simulated)}), of no machine")
        return facts
    if schema == MACHINE:
        return _replay(data)
    if schema == findings.SCHEMA and isinstance(data.get("facts"), dict):
        return read_data(data["facts"])
    if schema == SMOKE and isinstance(data.get("report"), dict) and data["report"].get("schema") == findings.SCHEMA:
        return read_data(data["report"])
    raise BadFile(f'its "schema" should be "{SCHEMA}" or "{MACHINE}", not {json_word(schema)}')


def json_word(value: object) -> str:
    """A value from a file, short and safe to put into a message."""
    return ascii(value)[:60]


def _replay(machine: dict[str, Any]) -> Snapshot:
    from gpucheck.host.recorded import BadMachine, RecordedHost
    from gpucheck.probes.look import look

    try:
        host = RecordedHost(machine)
        python, children = machine.get("python"), machine.get("children", {})
        deep = bool(machine.get("deep", "deep" in children))
        return look(host, python if isinstance(python, str) else None, deep)
    except (BadMachine, AttributeError, TypeError, ValueError, KeyError, RecursionError) as error:
        raise BadFile(f"not a recorded machine: {type(error).__name__}: {error}") from error
