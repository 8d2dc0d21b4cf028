"""Run by a Windows Python: a program in a real console that nobody sees, and what stands on that console's screen.

    python windows_console.py CODE_PAGE SECONDS_TO_CTRL_C PROGRAM WORDS …      (0: no Ctrl-C)

Prints JSON: code, screen (its lines), mode (of the console afterwards), seconds. Started by itself a second time, with
a console of its own.
"""

import ctypes
import json
import os
import subprocess
import sys
import time
from ctypes import wintypes

WIDTH, HEIGHT = 100, 300
NO_WINDOW = 0x08000000


class Coord(ctypes.Structure):
    _fields_ = [("x", ctypes.c_short), ("y", ctypes.c_short)]


def main() -> None:
    if os.environ.get("IN_CONSOLE") != "1":
        done = subprocess.run(
            [sys.executable, *sys.argv],
            env={**os.environ, "IN_CONSOLE": "1"},
            creationflags=NO_WINDOW,
            stdout=subprocess.PIPE,
        )
        os.write(1, done.stdout)
        sys.exit(done.returncode)
    import msvcrt

    kernel = ctypes.WinDLL("kernel32")
    kernel.CreateFileW.restype = wintypes.HANDLE
    kernel.SetConsoleOutputCP(int(sys.argv[1]))
    handle = kernel.CreateFileW("CONOUT$", 0xC0000000, 3, None, 3, 0, None)
    screen = wintypes.HANDLE(handle)
    kernel.SetConsoleScreenBufferSize(screen, Coord(WIDTH, HEIGHT))
    output = msvcrt.open_osfhandle(handle, 0)
    begin = time.monotonic()
    process = subprocess.Popen(sys.argv[3:], stdout=output, stderr=output)
    if float(sys.argv[2]):
        kernel.SetConsoleCtrlHandler(None, True)  # not for this process
        time.sleep(float(sys.argv[2]))
        begin = time.monotonic()
        kernel.GenerateConsoleCtrlEvent(0, 0)
    code = process.wait()
    seconds = time.monotonic() - begin
    text, read, mode = ctypes.create_unicode_buffer(WIDTH * HEIGHT), wintypes.DWORD(), wintypes.DWORD()
    kernel.ReadConsoleOutputCharacterW(screen, text, WIDTH * HEIGHT, Coord(0, 0), ctypes.byref(read))
    kernel.GetConsoleMode(screen, ctypes.byref(mode))
    lines = [text[at : at + WIDTH].rstrip() for at in range(0, read.value, WIDTH)]
    while lines and not lines[-1]:
        lines.pop()
    found = {"code": code, "screen": lines, "mode": mode.value, "seconds": seconds}
    os.write(1, json.dumps(found).encode("ascii"))


main()
