"""Child process: what libcuda answers to cuInit in the environment that programs get, one JSON object a line.

Run as ``python -I -S cuda.py``. It may hang or die of a signal; the parent judges by the lines that came. Nothing of
gpucheck but its neighbour is imported here, and nothing costly. Error codes get their names in the parent.
"""

from __future__ import annotations

import ctypes
import os
import sys

TYPE_CHECKING = False  # the real one lives in typing, whose import costs as much as Python's own start
if TYPE_CHECKING:
    from gpucheck.probes.children import speaking
else:
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import speaking

LIBRARY = "libcuda.so.1"


def main() -> None:
    say = speaking.private_stdout()
    try:
        cuda = ctypes.CDLL(LIBRARY)
    except OSError as error:
        say("load", ok=False, message=str(error))
        return
    say("load", ok=True, path=speaking.loaded_path("libcuda.so"))
    try:
        number = ctypes.c_int()
        code = cuda.cuDriverGetVersion(ctypes.byref(number))
        say("version", cuda_version=number.value if code == 0 and number.value else None)
        code = cuda.cuInit(0)
        say("init", code=code, error=None)
        if code:
            return
        code = cuda.cuDeviceGetCount(ctypes.byref(number))
        say("count", device_count=number.value if code == 0 else None, code=code)
    except AttributeError as error:  # not libcuda, whatever its name
        say("init", code=None, error=str(error))
        return
    say("done")


if __name__ == "__main__":
    main()
    os._exit(0)  # no destructor of a sick driver's library, no tear-down to pay for
