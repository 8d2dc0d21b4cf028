"""Child process: what each GPU and the CPU do while the workers compute, one JSON object a line. It judges nothing.

NVML may hang or take its process with it: here that costs telemetry and nothing else. Each GPU has a thread of its own,
so that one that hangs leaves the others told. Started by telemetry.py, ``python -I -S -c BOOT PATHS CONFIG``: isolated,
because PYTHONPATH and the user's site belong to the examined environment; with the parent's own search path given,
because that is where nvidia-ml-py and psutil are, however gpucheck was installed (pipx, a user's site, a venv, a source
tree); imported as a module and not run as a script, so that its bytecode is cached.

On standard input: ``mark ID`` asks for a reading now. At its end the process ends, whatever hangs.
Times are time.perf_counter(), which all processes share: CLOCK_MONOTONIC on Linux, QueryPerformanceCounter on Windows
(relative to the process until Python 3.9: bpo-37205), mach_absolute_time on macOS. The parent checks it all the same.
"""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from typing import Any, BinaryIO, Union

from gpucheck.bench.watching.sampled_gpu import Gpu, Say
from gpucheck.bench.watching.sensors import Cpu
from gpucheck.probes.children import nvml as children_nvml
from gpucheck.probes.children import speaking
from gpucheck.probes.children.nvml_gpu import FUNCTION_NOT_FOUND, Nvml

PERIOD = 1.0  # seconds between two samples of the CPU


def _watch(gpus: list[Gpu], say: Say) -> None:
    """In a thread of its own: nvmlInit may hang, and the CPU is told all the same."""
    try:
        import pynvml

        words = _initialise(pynvml)
    except Exception as error:
        words = f"nvidia-ml-py: {type(error).__name__}: {error}"
    for gpu in gpus:
        if words is None:
            threading.Thread(target=gpu.run, args=(pynvml,), daemon=True).start()
        else:
            say("failed", device=gpu.device, reason=words)


def _initialise(api: Any) -> Union[str, None]:
    """Why it failed, or None."""
    nvml = Nvml(api)
    code, words = children_nvml.initialise(nvml, api.nvmlLib)
    if code == FUNCTION_NOT_FOUND:  # a driver before R396: nvidia-ml-py has loaded its library by now
        code, words = children_nvml.initialise(nvml, api.nvmlLib)
    return f"nvmlInit: {words}" if code else None


def _private_stdin() -> BinaryIO:
    """Standard input for ourselves, and an empty one for everybody else.

    On Windows a library that is loaded looks at standard input (its C runtime: GetFileType), and would wait there until
    a reading of that pipe, in another thread, comes to its end.
    """
    own = os.fdopen(os.dup(0), "rb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return own


def _obey(gpus: list[Gpu], commands: BinaryIO) -> None:
    for line in commands:
        word, _, name = line.decode("ascii", "replace").strip().partition(" ")
        if word == "mark":
            for gpu in gpus:
                gpu.marks.put(name)
    os._exit(0)  # the parent is gone or wants no more; a thread that hangs in the driver is not waited for


def _speaking() -> Say:
    write, lock = speaking.private_stdout(), threading.Lock()

    def say(stage: str, **facts: Any) -> None:
        try:
            with lock:  # a line that is longer than a pipe's atomic write
                write(stage, **facts)
        except OSError:
            os._exit(0)

    return say


def main(config: str) -> None:
    """config: JSON, {"gpu:0": UUID or index, …}."""
    gc.enable()  # the nvml child, which lives for milliseconds, switches it off where it is imported
    wanted: dict[str, str] = json.loads(config)
    say, commands = _speaking(), _private_stdin()
    say("hello", time=time.perf_counter())
    gpus = [Gpu(device, name, say) for device, name in wanted.items()]
    if gpus:
        threading.Thread(target=_watch, args=(gpus, say), daemon=True).start()
    threading.Thread(target=_obey, args=(gpus, commands), daemon=True).start()
    _watch_cpu(say)
    os._exit(0)


def _watch_cpu(say: Say) -> None:
    """As long as the parent lives. It is noticed at the end of standard input first; this is for want of that."""
    parent, began, used = os.getppid(), time.perf_counter(), time.process_time()
    cpu: Union[Cpu, None] = None
    while os.getppid() == parent:
        facts = {}
        try:
            cpu = cpu or Cpu()
            time.sleep(PERIOD)
            facts = cpu.sample()
        except Exception:  # a sandbox without /proc/stat: the GPUs are told all the same
            time.sleep(PERIOD)
        at = time.perf_counter()
        say("cpu", time=at, own=(time.process_time() - used) / (at - began), **facts)
