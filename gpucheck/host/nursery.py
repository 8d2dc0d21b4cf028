"""Runs in a child process: one interpreter start for several scripts, each in a fork of its own.

Starting an interpreter costs more than most of what the scripts do. This process touches no NVIDIA library itself: it
forks one process per script, so that a crash or a hang of one is nobody else's, and tells how each of them ended.

    python -I -S -c "… import nursery; nursery.main()" NAME SCRIPT OUT_FD ERR_FD ARGUMENTS_AS_ONE_WORD …

Written to standard output: one line a script, ``NAME exit 0`` or ``NAME signal 11``.
"""

from __future__ import annotations

import gc
import os
import sys

SEPARATOR = "\x1f"  # between the arguments of one script


def main() -> None:
    gc.disable()
    words = sys.argv[1:]
    names: dict[int, str] = {}
    rows = [words[at : at + 5] for at in range(0, len(words), 5)]
    handles = [int(row[at]) for row in rows for at in (2, 3)]
    for name, script, out, err, arguments in rows:
        pid = os.fork()
        if pid == 0:
            _run(script, int(out), int(err), handles, arguments.split(SEPARATOR) if arguments else [])
        names[pid] = name
    for handle in handles:
        os.close(handle)
    while names:
        pid, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
        line = f"{names.pop(pid)} signal {-code}\n" if code < 0 else f"{names.pop(pid)} exit {code}\n"
        os.write(1, line.encode())


def _run(script: str, out: int, err: int, handles: list[int], arguments: list[str]) -> None:
    code = 1
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        for handle in handles:
            os.close(handle)
        # Imported, not run by path: so its bytecode is cached.
        __import__(script).main(*arguments)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode("utf-8", "backslashreplace"))
    finally:
        # Neither atexit nor flushing: what a broken driver library registered there must not run.
        os._exit(code)
