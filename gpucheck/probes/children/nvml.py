"""Child process: what libnvidia-ml answers, through the real nvidia-ml-py, one JSON object a line.

Run as ``python -I -S nvml.py FOLDER_OF_PYNVML``. It may hang, die of a signal or find nothing: the parent judges by the
lines that came. Nothing of gpucheck but its neighbours is imported here, and nothing costly (typing, json, re): every
doctor pays for it. The neighbours are modules of their own because a script is compiled anew at every start.
"""

from __future__ import annotations

import gc

gc.disable()  # pynvml's thousands of objects are made once and kept; collecting among them is a fifth of its import

import ctypes  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

TYPE_CHECKING = False  # the real one lives in typing, whose import costs as much as Python's own start
if TYPE_CHECKING:
    from gpucheck.probes.children import light_pynvml, speaking
    from gpucheck.probes.children.nvml_gpu import FUNCTION_NOT_FOUND, Nvml, tell_gpu
else:
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import light_pynvml
    import speaking
    from nvml_gpu import FUNCTION_NOT_FOUND, Nvml, tell_gpu

LIBRARY = "libnvidia-ml.so.1"


def initialise(nvml: Nvml, library: ctypes.CDLL) -> tuple[int, str | None]:
    """NVML's return code and its words. A driver before R396 has no nvmlInitWithFlags."""
    try:
        try:
            nvml.api.nvmlInit()
        except nvml.api.NVMLError as error:
            if error.value != FUNCTION_NOT_FOUND or not hasattr(library, "nvmlInit_v2"):
                raise
            nvml.api._nvmlCheckReturn(library.nvmlInit_v2())
    except nvml.api.NVMLError as error:
        return error.value, str(error)
    return 0, None


def on_posix() -> tuple[ctypes.CDLL | None, dict[str, object]]:
    """The library and what to say of it."""
    try:
        # Loaded here and not by pynvml, which forgets dlerror's words: "file too short" and "no such file" differ.
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        return None, {"ok": False, "message": str(error)}
    return library, {"ok": True, "path": speaking.loaded_path("libnvidia-ml.so")}


def on_windows() -> tuple[ctypes.CDLL | None, dict[str, object]]:
    """As `on_posix`."""
    if TYPE_CHECKING:
        from gpucheck.probes.children import driver_dlls
    else:
        import driver_dlls

    return driver_dlls.load("nvml.dll")


def main(folder: str = "") -> None:
    say = speaking.private_stdout()
    library, facts = on_windows() if os.name == "nt" else on_posix()
    say("load", **facts)
    if library is None:
        return
    try:
        api = light_pynvml.load(folder)
    except Exception as error:
        say("init", code=None, error=f"nvidia-ml-py: {type(error).__name__}: {error}")
        return
    api.nvmlLib = library
    nvml = Nvml(api)
    code, words = initialise(nvml, library)
    say("init", code=code, error=words)
    if code:
        return
    try:
        count, code, words = api.nvmlDeviceGetCount(), 0, None
    except api.NVMLError as error:
        count, code, words = None, error.value, str(error)
    say(
        "system",
        driver_version=nvml.plain("nvmlSystemGetDriverVersion"),
        nvml_version=nvml.plain("nvmlSystemGetNVMLVersion"),
        cuda_version=nvml.plain("nvmlSystemGetCudaDriverVersion"),
        device_count=count,
        code=code,
        error=words,
    )
    for number in range(count or 0):
        for facts in tell_gpu(nvml, number):
            say("gpu", number=number, **facts)
    say("done")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
    os._exit(0)  # no destructor of a sick driver's library, no tear-down to pay for
