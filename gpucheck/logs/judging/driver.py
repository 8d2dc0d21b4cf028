"""The driver: not there, not loaded, of two versions, too old for the program's CUDA."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.drivers import floor_for, lowest
from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import DriverVersion
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import (
    cuda_of,
    driver_answers,
    driver_of,
    gpu_works,
    in_container,
    on_windows,
    on_wsl,
    without_gpus_flag,
)
from gpucheck.rules.engine import Found, found

_NO_LIBCUDA = ("303", "-1")


@cause("driver-library-version-mismatch", Place.START, explains=("cuda-init-failed", "cuda-visible-devices-hides-gpu"))
def two_versions(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("driver-versions-differ")
    if clue is not None and not gpu_works(log) and not _of_the_image(log, snapshot, clue):
        yield found(
            f"The kernel module is of version {clue.get('kernel_version')}, libcuda of {clue.get('dso_version')}.",
            [told(clue)],
            ["sudo reboot", "# if it stays: an old copy comes first", "ldconfig -p | grep libcuda"],
        )


def _of_the_image(log: Log, snapshot: Snapshot, clue: Clue) -> bool:
    """In a container libcuda is the host's and fits; a newer one is the image's own, of its cuda-compat package."""
    module, library = (DriverVersion.parse(clue.get(one) or "") for one in ("kernel_version", "dso_version"))
    return in_container(log, snapshot) and module is not None and library is not None and library > module


@question(Place.START)
def why_newer_in_a_container(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("driver-versions-differ")
    if clue is not None and not gpu_works(log) and _of_the_image(log, snapshot, clue):
        yield left(
            f"In the container libcuda is {clue.get('dso_version')}, and the host's kernel module is older.",
            [told(clue)],
            {
                "cuda-compat-libcuda-on-geforce": "ldconfig -p in the container names a cuda/compat folder",
                "driver-library-version-mismatch": "it does not: the host's driver was updated, and not rebooted",
            },
            "ldconfig -p | grep libcuda; nvidia-smi  # in the container, then on the host",
        )


@cause("driver-library-version-mismatch", Place.START)
def two_reported_versions(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """Without StreamExecutor's own conclusion: the two versions that it printed."""
    library, module = log.first("libcuda-version"), log.first("kernel-module-version")
    if library is None or module is None or gpu_works(log) or log.first("driver-versions-differ"):
        return
    if in_container(log, snapshot):
        return
    if library.get("dso_version") != module.get("kernel_version"):
        yield found(
            f"The kernel module is of version {module.get('kernel_version')}, libcuda of {library.get('dso_version')}.",
            [told(module), told(library)],
            ["sudo reboot", "# if it stays: an old copy comes first", "ldconfig -p | grep libcuda"],
        )


@question(Place.START)
def why_combination(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """Error 803 and 804: the kernel module and a libcuda that do not belong together."""
    clue = log.first("compat-not-supported", "system-driver-mismatch") or _cuinit(
        log, "SYSTEM_DRIVER_MISMATCH", "COMPAT"
    )
    if clue is None or gpu_works(log) or log.first("driver-versions-differ"):
        return
    compat = {"cuda-compat-libcuda-on-geforce": "ldconfig -p or LD_LIBRARY_PATH names a cuda/compat folder"}
    mismatch = {"driver-library-version-mismatch": "the versions differ, and no compat folder is named; reboot"}
    forward = clue.message == "compat-not-supported" or "COMPAT" in (clue.get("error") or "")
    yield left(
        "libcuda is not the one that belongs to the loaded kernel module.",
        [told(clue)],
        {**compat, **mismatch} if forward or in_container(log, snapshot) else {**mismatch, **compat},
        "cat /proc/driver/nvidia/version; ldconfig -p | grep libcuda; echo $LD_LIBRARY_PATH",
    )


def _cuinit(log: Log, *errors: str) -> Union[Clue, None]:
    return next((one for one in log.all("cuinit-failed") if any(e in (one.get("error") or "") for e in errors)), None)


@cause("libcuda-stub-on-path", Place.START, explains=("cuda-init-failed", "libcuda-missing"))
def stub(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("stub-library") or _cuinit(log, "STUB_LIBRARY")
    if clue is not None:
        yield found(
            "The toolkit's link-time stub was loaded in place of the driver's libcuda.",
            [told(clue), *(told(one) for one in log.all("session-stub"))],
            ["echo $LD_LIBRARY_PATH | tr : '\\n' | grep stubs", "# take that folder out of LD_LIBRARY_PATH"],
        )


@question(Place.START)
def why_stub(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("session-stub")
    if clue is not None:
        yield left(
            "A program loaded the toolkit's stub of libcuda, or lists it.",
            [told(clue)],
            {
                "libcuda-stub-on-path": "LD_LIBRARY_PATH names a stubs folder",
                "libcuda-missing": "no other libcuda.so.1",
            },
            "echo $LD_LIBRARY_PATH; ldconfig -p | grep libcuda",
        )


@question(Place.START)
def why_no_driver(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """The kernel half does not run. Whether libcuda is there tells a container and a bare machine from a broken one."""
    clue = log.first("kernel-driver-not-running", "device-node-missing", "torch-no-driver")
    if clue is None or gpu_works(log) or log.first("no-device"):
        return
    library = _without_libcuda(log)
    yield left(
        "There is no NVIDIA driver that runs, as far as this program can see.",
        [told(one) for one in (clue, library) if one],
        _remaining_without_driver(log, snapshot, library is not None),
        "nvidia-smi; lspci | grep -i nvidia; ls /dev/nvidia* /.dockerenv",
    )


def _without_libcuda(log: Log) -> Union[Clue, None]:
    failed = (one for one in log.all("cuinit-failed") if one.get("code") in _NO_LIBCUDA)
    return next(failed, None) or log.first("libcuda-not-loaded")


def _remaining_without_driver(log: Log, snapshot: Snapshot, no_library: bool) -> dict[str, str]:
    flag = {"docker-no-gpus-flag": "it ran in a container that was started without --gpus all"}
    module = {"nvidia-kernel-module-not-loaded": "lspci lists an NVIDIA GPU, and lsmod no nvidia module"}
    none = {"ok-cpu-expected": "lspci lists no NVIDIA GPU: the CPU is all there is"}
    if log.first("session-hybrid"):
        return {"hybrid-graphics-gpu-off": "the card is powered off: optirun python makes it work", **module}
    if in_container(log, snapshot):
        return {**flag, **module}
    if on_wsl(log, snapshot):
        return {
            "wsl-libcuda-not-on-path": "/usr/lib/wsl/lib/libcuda.so.1 is there",
            "wsl-no-windows-driver": "Windows has no NVIDIA driver, or one that does not serve WSL",
        }
    if driver_answers(log):  # to nvidia-smi, and not to this program: a container's host, or another day
        return {**flag, **module}
    return {**none, **module, **flag} if no_library else {**module, **none, **flag}


@question(Place.START)
def why_no_libcuda(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """libcuda does not load, and nothing is said of the kernel half."""
    clue = _without_libcuda(log)
    if clue is None or gpu_works(log) or log.first("kernel-driver-not-running", "device-node-missing"):
        return
    yield left(
        "The driver's library libcuda did not load.",
        [told(clue), *(told(one) for one in log.all("session-libcuda-link"))],
        _remaining_without_libcuda(log, snapshot, clue),
        "ldconfig -p | grep libcuda; nvidia-smi; ls /.dockerenv",
    )


def _remaining_without_libcuda(log: Log, snapshot: Snapshot, clue: Clue) -> dict[str, str]:
    gone = {"libcuda-missing": "nvidia-smi works, or the module is loaded, and ldconfig -p has no libcuda.so.1"}
    flag = {"docker-no-gpus-flag": "it ran in a container that was started without --gpus all"}
    capability = {"docker-driver-capabilities-missing-compute": "NVIDIA_DRIVER_CAPABILITIES lacks compute"}
    wsl = {"wsl-libcuda-not-on-path": "WSL: /usr/lib/wsl/lib is not searched, or has no plain libcuda.so"}
    none = {"ok-cpu-expected": "the machine has no NVIDIA GPU"}
    if clue.get("soname") == "nvcuda.dll":
        return {**none, "nvidia-driver-not-installed": "the device manager lists an NVIDIA GPU, without its driver"}
    if without_gpus_flag(log) or in_container(log, snapshot):
        return {**flag, **capability}
    if on_wsl(log, snapshot) or clue.get("soname") == "libcuda.so":
        return {**wsl, **gone}
    return {**gone, **flag, **capability} if driver_answers(log) else {**gone, **none, **flag}


@question(Place.START)
def why_link(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("session-libcuda-link")
    if clue is not None and _without_libcuda(log) is None:
        yield left(
            f"{clue.get('path')} should be the library itself and is a link.",
            [told(one) for one in log.all("session-libcuda-link")],
            {
                "libcuda-missing": "the links lead in a circle or nowhere: ls -lL fails",
                "driver-library-version-mismatch": "they lead to a file of another version",
            },
            "ls -lL /usr/lib64/libcuda.so.1 /usr/lib/x86_64-linux-gnu/libcuda.so.1",
        )


@cause("driver-too-old-for-cuda", Place.START, explains=("cuda-init-failed",))
def too_old(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("driver-too-old", "ptx-toolchain-unsupported") or _insufficient(log, snapshot)
    if clue is not None:
        yield found(
            "The driver is older than the program's CUDA needs.",
            [told(clue), *(told(one) for one in log.all("session-nvidia-smi"))],
            ["nvidia-smi  # the driver's version", "# install a newer NVIDIA driver, or a build for an older CUDA"],
        )


def _insufficient(log: Log, snapshot: Snapshot) -> Union[Clue, None]:
    """The runtime's words mean "no driver at all", too: then nothing else in the log speaks of a GPU."""
    clue = log.first("driver-insufficient")
    seen = log.first("gpu-properties", "gpu-memory", "gpu-device-created", "session-nvidia-smi", "adding-visible-gpus")
    return clue if seen is not None and not without_gpus_flag(log) else None


@question(Place.START)
def why_insufficient(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("driver-insufficient")
    if clue is not None and _insufficient(log, snapshot) is None:
        yield left(
            "The CUDA runtime found no driver that is new enough, and may have found none.",
            [told(clue)],
            _remaining_insufficient(log, snapshot),
            "nvidia-smi",
        )


def _remaining_insufficient(log: Log, snapshot: Snapshot) -> dict[str, str]:
    old = {"driver-too-old-for-cuda": "nvidia-smi works, and its driver is older than the program's CUDA needs"}
    flag = {"docker-no-gpus-flag": "it ran in a container that was started without --gpus all"}
    module = {"nvidia-kernel-module-not-loaded": "nvidia-smi does not work"}
    if log.first("kernel-driver-not-running", "torch-no-driver", "device-node-missing"):
        return {**(flag if in_container(log, snapshot) else module), **old}
    return {**flag, **old} if without_gpus_flag(log) else {**old, **module, **flag}


def below_floor(log: Log, snapshot: Snapshot) -> Union[bool, None]:
    """Is the driver that the log tells below what the build's CUDA needs? None: one of the two is not known."""
    driver, cuda = driver_of(log, snapshot), cuda_of(log, snapshot)
    floor = floor_for(cuda) if cuda else None
    least = lowest(floor, on_windows(log, snapshot) or on_wsl(log, snapshot)) if floor else None
    return None if driver is None or least is None else driver < least
