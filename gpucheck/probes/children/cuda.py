"""Child process: what libcuda answers to cuInit in the environment that programs get, one JSON object a line; then
what it says of each device that programs see, for where NVML does not answer.

Run as ``python -I -S cuda.py``. It may hang or die of a signal; the parent judges by the lines that came. Nothing of
gpucheck but its neighbours is imported here, and nothing costly. Error codes get their names in the parent.
"""

from __future__ import annotations

# The C half of ctypes alone. Its Python half costs a third of this script and offers nothing that is needed here; these
# few names are what that half itself is made of, in every CPython from 3.10 on.
import _ctypes
import os
import sys

TYPE_CHECKING = False  # the real one lives in typing, whose import costs as much as Python's own start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gpucheck.probes.children import speaking

    Say = Callable[..., None]
    Find = Callable[[str], Any]
else:
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import speaking

LIBRARY = "libcuda.so.1"
MOST = 4096  # a count that no machine has is a library's nonsense


class Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
    """int"""

    _type_ = "i"


class Call(_ctypes.CFuncPtr):
    """int (*)()"""

    _flags_ = _ctypes.FUNCFLAG_CDECL
    _restype_ = Int


def on_posix(say: Say) -> Find | None:
    """What gives libcuda's functions by name, and raises where one is missing; None: it cannot be loaded."""
    try:
        library = _ctypes.dlopen(LIBRARY, 2)  # RTLD_NOW
    except OSError as error:
        say("load", ok=False, message=str(error))
        return None
    say("load", ok=True, path=speaking.loaded_path("libcuda.so"))
    return lambda name: Call(_ctypes.dlsym(library, name))


def on_windows(say: Say) -> Find | None:
    """As `on_posix`."""
    if TYPE_CHECKING:
        from gpucheck.probes.children import driver_dlls
    else:
        import driver_dlls

    library, facts = driver_dlls.load("nvcuda.dll")
    say("load", **facts)
    return library and (lambda name: Call((name, library)))


def main() -> None:
    say = speaking.private_stdout()
    find = on_windows(say) if os.name == "nt" else on_posix(say)
    if find is None:
        return
    try:
        version, init, count = (find(name) for name in ("cuDriverGetVersion", "cuInit", "cuDeviceGetCount"))
    except (OSError, AttributeError) as error:  # not libcuda, whatever its name
        say("init", code=None, error=str(error))
        return
    number = Int()
    code = version(_ctypes.byref(number))
    say("version", cuda_version=number.value if code == 0 and number.value else None)
    code = init(0)
    say("init", code=code, error=None)
    if code:
        return
    code = count(_ctypes.byref(number))
    say("count", device_count=number.value if code == 0 else None, code=code)
    if code == 0 and number.value > 0:
        if TYPE_CHECKING:
            from gpucheck.probes.children import cuda_device
        else:
            import cuda_device

        devices = cuda_device.Devices(find, Int)
        for index in range(min(number.value, MOST)):
            say("device", number=index, **devices.tell(index))
    say("done")


if __name__ == "__main__":
    main()
    os._exit(0)  # no destructor of a sick driver's library, no tear-down to pay for
