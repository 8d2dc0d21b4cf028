"""A machine with an NVIDIA GPU at the level of its ABI, and the faults that it can take on (benchmark_doctor.py).

As root on Linux it is a mount namespace of its own with a GPU on its PCI bus and a driver's files, so that all tools
see one coherent machine; otherwise only the driver's libraries and nvidia-smi are there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from own_environment import ROOT

INSIDE = "GPUCHECK_BENCHMARK_INSIDE"


class Fault(NamedTuple):
    """One broken machine, and the words that name its cause: the same for every tool, searched without case.

    smi: what nvidia-smi does: "ok", "hang", or "exit code|message".
    """

    name: str
    words: str
    environ: dict[str, str]
    smi: str = "ok"
    module: str | None = "580.126.09"  # of the loaded kernel module
    library: str = "ok"  # libnvidia-ml.so.1: ok, empty, truncated


HANG = r"(hang|hung|no answer|not answer|timed? ?out|deadline)"
SEES = r"(Tesla T4|\bT4\b)"
FAULTS = (
    Fault("healthy", SEES, {}),
    Fault(
        "driver not loaded (9)",
        r"(kernel module|module nvidia|nvidia module)[^.\n]{0,60}not|not loaded|communicate with the NVIDIA driver",
        {"FAKE_CODES": "nvmlInit=9,cuInit=100"},
        "9|NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        None,
    ),
    Fault(
        "driver/library mismatch (18)",
        "mismatch",
        {"FAKE_CODES": "nvmlInit=18,cuInit=803"},
        "18|Failed to initialize NVML: Driver/library version mismatch",
        "575.64.03",
    ),
    Fault(
        "one of eight GPUs lost (15)",
        "GPU is lost|fallen off|(gpu|is) lost",
        {"FAKE_PROFILE": "8xh100", "FAKE_LOST": "1"},
        "15|Unable to determine the device handle for GPU0000:02:00.0: GPU is lost.",
    ),
    Fault(
        "no permission (4)",
        "permission",
        {"FAKE_CODES": "nvmlInit=4,cuInit=100"},
        "4|Failed to initialize NVML: Insufficient Permissions",
    ),
    Fault(
        "unknown error (999)",
        r"unknown error|\b999\b|CUDA_ERROR_UNKNOWN",
        {"FAKE_CODES": "nvmlInit=999,cuInit=999"},
        "255|Failed to initialize NVML: Unknown Error",
    ),
    Fault("NVML hangs", rf"(nvml|libnvidia-ml)[^\n]{{0,80}}{HANG}", {"FAKE_HANG": "nvmlInit"}, "hang"),
    Fault("libcuda hangs", rf"(libcuda|cuInit|cuda)[^\n]{{0,80}}{HANG}", {"FAKE_HANG": "cuInit"}),
    Fault("NVML dies of SIGSEGV", "SIGSEGV|segmentation|signal 11|crash", {"FAKE_SEGV": "nvmlInit"}, "139|"),
    Fault("0-byte libnvidia-ml", r"empty|0.bytes?|zero|file too short", {}, "12|", library="empty"),
    Fault("truncated libnvidia-ml", r"truncated|file too short|SIGBUS|cut short", {}, "12|", library="truncated"),
    Fault("GPU name not UTF-8", "GeF", {"FAKE_NAME": "GeF\udce9rce"}),
    Fault("driver 610", r"610\.57", {"FAKE_DRIVER": "610.57.04", "FAKE_CUDA": "13030"}, module="610.57.04"),
    Fault("nvidia-smi hangs, NVML well", SEES, {}, "hang"),
    Fault(
        "CUDA_VISIBLE_DEVICES=-1", "CUDA_VISIBLE_DEVICES", {"CUDA_VISIBLE_DEVICES": "-1", "FAKE_CODES": "cuInit=100"}
    ),
)


class Machine:
    """The broken machine's files, changed from fault to fault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dressed = INSIDE in os.environ
        self.libraries, self.programs = folder / "lib", folder / "bin"
        for path in (self.libraries, self.programs):
            path.mkdir(parents=True, exist_ok=True)
        for source, name in (("fake_nvml.c", "libnvidia-ml.so.1"), ("fake_cuda.c", "libcuda.so.1")):
            # Each with its version in its name, as the driver's packages have them.
            real = folder / name.replace(".so.1", ".so.built")
            subprocess.run(
                [
                    "cc",
                    "-shared",
                    "-fPIC",
                    "-O1",
                    f"-Wl,-soname,{name}",
                    "-o",
                    real,
                    ROOT / "tests" / "native" / source,
                ],
                check=True,
            )
        if self.dressed:
            self._mount()

    def _mount(self) -> None:
        """Lay a PCI bus with one GPU, the driver's /proc folder and the nvidia module over the real ones."""
        bus = self.folder / "pci" / "0000:01:00.0"
        bus.mkdir(parents=True)
        for name, text in (
            ("vendor", "0x10de\n"),
            ("device", "0x1eb8\n"),
            ("class", "0x030200\n"),
            ("config", "x" * 64),
        ):
            (bus / name).write_text(text)
        for name in ("proc", "module"):
            (self.folder / name).mkdir()
        for source, target in (("pci", "/sys/bus/pci/devices"), ("proc", "/proc/driver"), ("module", "/sys/module")):
            subprocess.run(["mount", "--bind", self.folder / source, target], check=True)

    def become(self, fault: Fault) -> dict[str, str]:
        """Take on a fault; the answer is the environment in which tools run."""
        self._lay_libraries(fault)
        self._lay_smi(fault)
        if self.dressed:
            self._lay_module(fault.module)
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("FAKE_", "CUDA_", "PYTHON"))
        }
        environ.update(
            fault.environ,
            LD_LIBRARY_PATH=str(self.libraries),
            PATH=f"{self.programs}:{environ['PATH']}",
            HOME=str(self.folder),
            NO_COLOR="1",
            COLUMNS="200",
            TERM="dumb",
        )
        return environ

    def _lay_libraries(self, fault: Fault) -> None:
        shutil.rmtree(self.libraries)
        self.libraries.mkdir()
        version = fault.environ.get("FAKE_DRIVER", "580.126.09")
        for name in ("libnvidia-ml.so.1", "libcuda.so.1"):
            data = (self.folder / name.replace(".so.1", ".so.built")).read_bytes()
            if name == "libnvidia-ml.so.1" and fault.library != "ok":
                data = b"" if fault.library == "empty" else data[: len(data) // 3]
            (self.libraries / name.replace(".so.1", f".so.{version}")).write_bytes(data)
            (self.libraries / name).symlink_to(name.replace(".so.1", f".so.{version}"))

    def _lay_smi(self, fault: Fault) -> None:
        driver, name = fault.environ.get("FAKE_DRIVER", "580.126.09"), fault.environ.get("FAKE_NAME", "Tesla T4")
        code, _bar, message = fault.smi.partition("|")
        if fault.smi == "hang":
            body = "sleep 600"
        elif fault.smi == "ok":
            body = _SMI.replace("@DRIVER", driver).replace("@NAME", name)
        else:
            body = f'echo "{message}"\nexit {code}'
        path = self.programs / "nvidia-smi"
        path.write_bytes(os.fsencode("#!/bin/sh\n" + body + "\n"))
        path.chmod(0o755)

    def _lay_module(self, version: str | None) -> None:
        for path in (
            self.folder / "proc" / "nvidia",
            self.folder / "module" / "nvidia",
            self.folder / "module" / "nvidia_uvm",
        ):
            shutil.rmtree(path, ignore_errors=True)
        driver = self.folder / "pci" / "0000:01:00.0" / "driver"
        driver.unlink(missing_ok=True)
        if version is None:
            return
        (self.folder / "proc" / "nvidia").mkdir()
        (self.folder / "proc" / "nvidia" / "version").write_text(
            f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Mon Jan  5 10:00:00 UTC 2026\n"
        )
        for name in ("nvidia", "nvidia_uvm"):
            (self.folder / "module" / name).mkdir()
            (self.folder / "module" / name / "version").write_text(version + "\n")
        driver.symlink_to("/sys/bus/pci/drivers/nvidia")


_SMI = r"""
case "$*" in
*--query-gpu=*)
  fields=$(printf '%s\n' "$@" | sed -n 's/^--query-gpu=//p'); out=
  for field in $(echo "$fields" | tr ',' ' '); do
    case $field in
    driver_version) value='@DRIVER';; name|gpu_name) value='@NAME';; index|count) value=0;;
    memory.total) value='15360';; memory.free) value=15000;; memory.used) value=360;; compute_cap) value=7.5;;
    temperature.gpu) value=34;; uuid) value=GPU-1;; pci.bus_id) value=00000000:01:00.0;; *) value='[N/A]';;
    esac
    out="$out${out:+, }$value"
  done
  case "$*" in *noheader*) ;; *) echo "$fields";; esac
  echo "$out";;
*-L*) echo "GPU 0: @NAME (UUID: GPU-1)";;
*)
  case '@DRIVER' in
  610*) echo "| NVIDIA-SMI @DRIVER    KMD Version: @DRIVER    CUDA UMD Version: 13.3 |";;
  *) echo "| NVIDIA-SMI @DRIVER    Driver Version: @DRIVER    CUDA Version: 13.0 |";;
  esac
  echo "|   0  @NAME                       Off |   00000000:01:00.0 Off |                    0 |"
  echo "| N/A   34C    P8              9W /   70W |     360MiB /  15360MiB |      0%      Default |";;
esac
"""


def enter_namespace() -> None:
    """As root, go on in a mount namespace of our own, so that nothing of what is mounted is seen elsewhere."""
    if INSIDE in os.environ or sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"):
        return
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv])


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gpucheck-benchmark-"))
    try:
        yield folder
    finally:
        for target in ("/sys/bus/pci/devices", "/proc/driver", "/sys/module"):
            if INSIDE in os.environ:
                subprocess.run(["umount", "-l", target], stderr=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)
