"""The user-space half of the driver: libcuda and libnvidia-ml against the loaded module and against each other."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.errors import CUDA_DRIVER_MISMATCH, NVML_VERSION_MISMATCH
from gpucheck.compat.libraries import NVML_NEEDED_SINCE
from gpucheck.facts.driver import CudaDriver, Driver, Nvml, UserLibrary
from gpucheck.facts.gap import Gap, known, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import DriverVersion, PackageVersion
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import compat_first, copies_of, cuda_works, driver_here, not_found, nvidia_here, on_wsl
from gpucheck.rules.systems import on_windows

_DEFECTS = {
    "empty": "is empty (0 bytes)",
    "truncated": "is cut short",
    "not-elf": "is no shared library",
    "wrong-architecture": "is for another processor architecture",
}
_LIBRARIES = ("libcuda.so.1", "libnvidia-ml.so.1")


def _with_module(snapshot: Snapshot) -> Driver | None:
    """Where the kernel half runs: its module is loaded, or Windows has it (WSL 2)."""
    driver = driver_here(snapshot)
    if driver is None or (not on_wsl(snapshot) and need(driver.module_version) is None):
        return None
    return driver


@rule(Severity.ERROR, explains=("nvml-not-answering", "cuda-init-failed", "libcuda-missing", "gpu-query-failed"))
def driver_library_version_mismatch(snapshot: Snapshot) -> Iterator[Found]:
    """The driver's libraries and its loaded kernel module have different versions.

    ## What it means
    Both halves of the driver must be of exactly the same version. They differ after an upgrade (the old module stays
    loaded until a reboot) or where an old copy of a library was left behind. NVML answers code 18, "Driver/library
    version mismatch", CUDA 803 or "no device".

    ## Why it matters
    Nothing that uses the GPU starts.

    ## How to fix
    Library newer than the module: reboot, or stop what uses the GPU and load the new module. If the mismatch survives
    a reboot, or the library is older than the module: an old copy comes first; remove it or reinstall its package.

    ## References
    https://github.com/NVIDIA/nvidia-docker/issues/182
    https://github.com/wookayin/gpustat/issues/147
    """
    driver = driver_here(snapshot)
    if driver is None or on_wsl(snapshot):
        return
    if not isinstance(driver.nvml, Gap) and driver.nvml.code == NVML_VERSION_MISMATCH:
        case = _mismatch(snapshot, driver, known(driver.module_version, None), "NVML answers code 18")
        # Programs compute, monitors do not: libnvidia-ml alone is of another version.
        yield case._replace(severity=Severity.WARNING) if cuda_works(driver) else case
        return
    if cuda_works(driver):
        return
    module = need(driver.module_version)
    if module is None:
        return
    firsts = [copy for copy in need(driver.libraries) if copy.first and copy.origin == "driver"]
    if [copy for copy in firsts if _version(copy) not in (None, module)]:
        yield _mismatch(snapshot, driver, module, "")
        return
    need(driver.nvml)
    for copy in firsts:
        need(copy.version)
    cuda = need(driver.cuda)
    if cuda.code == CUDA_DRIVER_MISMATCH and not compat_first(driver):
        yield _mismatch(snapshot, driver, module, "cuInit answers code 803")


def _version(copy: UserLibrary) -> DriverVersion | None:
    return known(copy.version, None)


def _mismatch(snapshot: Snapshot, driver: Driver, module: DriverVersion | None, witness: str) -> Found:
    copies = [copy for copy in known(driver.libraries, ()) if copy.origin == "driver"]
    stale = [copy for copy in copies if module is not None and _version(copy) not in (None, module)]
    good = [copy for copy in copies if _version(copy) == module]
    evidence: list[tuple[str, object, str]] = [
        ("driver.module_version", module, driver.module_source or "/sys/module/nvidia/version")
    ]
    evidence += [("driver.libraries.version", str(_version(copy)), _place(copy)) for copy in stale]
    if witness:
        evidence.append(("driver.nvml.code", str(_code(driver)), witness))
    loaded = "display driver" if on_windows(snapshot) else "kernel module"
    if not stale:
        said = f"The loaded {loaded} is {module} and the driver's libraries have another version ({witness})."
        if module is None:
            said = f"The loaded {loaded} and the driver's libraries have different versions ({witness})."
        return found(said, evidence, _reload(snapshot))
    copy = next((one for one in stale if one.first), stale[0])
    version = _version(copy)
    assert version is not None
    said = f"The loaded {loaded} is {module}, but {copy.soname} is {version} ({_place(copy)})"
    if good or (module is not None and version < module):
        return found(f"{said}: that copy is stale.", evidence, _remove(snapshot, copy))
    return found(f"{said}.", evidence, _reload(snapshot))


# Those that use another come before it: rmmod takes them in this order, and fails at one that is not loaded.
_UNLOAD = ("nvidia_fs", "nvidia_peermem", "nvidia_drm", "nvidia_modeset", "nvidia_uvm", "nvidia")


def _reload(snapshot: Snapshot) -> list[str]:
    if on_windows(snapshot):
        return [fixes.RESTART, "# if it survives that:", *fixes.again(snapshot)]
    driver = snapshot.driver
    loaded = () if isinstance(driver, Gap) else known(driver.modules, ())
    modules = [name for name in _UNLOAD if name in loaded]
    lines = ["sudo reboot"]
    if modules:
        reload = f"sudo rmmod {' '.join(modules)} && sudo modprobe -a nvidia nvidia_uvm"
        lines += ["# or, with nothing using the GPU:", reload]
    return fixes.on_host(snapshot, lines)


def _remove(snapshot: Snapshot, copy: UserLibrary) -> list[str]:
    if on_windows(snapshot):
        return [f"# remove {_place(copy)}, an old copy, then:", *fixes.again(snapshot)]
    system = snapshot.system
    if not isinstance(system, Gap) and known(system.container, None):
        return ["# the image brings driver libraries of its own: remove them, the container toolkit mounts the host's"]
    return [
        f"ls -l {copy.path}* && dpkg -S {_place(copy)}",
        "# remove that copy or reinstall its package, then:",
        "sudo ldconfig",
    ]


def _code(driver: Driver) -> int | None:
    """The error code that says it, for the evidence."""
    for answer in (driver.nvml, driver.cuda):
        if not isinstance(answer, Gap) and answer.code in (NVML_VERSION_MISMATCH, CUDA_DRIVER_MISMATCH):
            return answer.code
    return None


def _place(copy: UserLibrary) -> str:
    return known(copy.real_path, None) or copy.path


@rule(Severity.ERROR, decisive=True)
def libcuda_missing(snapshot: Snapshot) -> Iterator[Found]:
    """The kernel module runs, and the loader finds no libcuda.so.1.

    ## What it means
    libcuda.so.1 is the driver's own library; no CUDA toolkit and no wheel brings it. It is not installed (a "headless"
    driver without its compute package), its link leads nowhere or in a circle, or its folder is not searched.

    ## Why it matters
    TensorFlow says "unable to find libcuda.so" or error 303 and uses the CPU, though nvidia-smi may work.

    ## How to fix
    Install the driver's compute library of the very version of the module, or repair the link and run ldconfig.

    ## References
    https://github.com/ai4d-iasc/trixie/issues/41
    """
    driver = _with_module(snapshot)
    if driver is not None and on_windows(snapshot):
        from gpucheck.rules import windows_driver

        yield from windows_driver.cuda_missing(snapshot, driver)
        return
    if driver is None or not not_found(driver, "libcuda.so.1", need(driver.cuda)):
        return
    copies = [copy for copy in copies_of(driver, "libcuda.so.1") if copy.origin == "driver"]
    dangling = [copy for copy in copies if known(copy.defect, None) == "dangling"]
    evidence: list[tuple[str, object, str]] = [
        ("driver.cuda.status", need(driver.cuda).status, "dlopen of libcuda.so.1")
    ]
    if dangling:
        evidence.append(("driver.libraries.real_path", "none", dangling[0].path))
        said = f"{dangling[0].path} leads nowhere or in a circle, so the loader finds no libcuda.so.1."
        fix = [f"ls -l {dangling[0].path}", "# point the link at libcuda.so.<driver version>, then:", "sudo ldconfig"]
    elif copies:
        folder = copies[0].path.rpartition("/")[0]
        evidence.append(("driver.libraries.path", copies[0].path, folder))
        said = f"The loader does not search {folder}, where libcuda.so.1 lies."
        fix = [f"echo {folder} | sudo tee /etc/ld.so.conf.d/nvidia.conf", "sudo ldconfig"]
    else:
        said = "The driver's module runs, but libcuda.so.1 is nowhere on the loader's path."
        fix = fixes.install_libcuda(snapshot, known(driver.module_version, None))
    yield found(said, evidence, fix)


@rule(Severity.WARNING)
def libnvidia_ml_missing(snapshot: Snapshot) -> Iterator[Found]:
    """The kernel module runs, and the loader finds no libnvidia-ml.so.1.

    ## What it means
    NVML's library comes with the driver (with its utilities, in some distributions a package of its own). Without it
    neither nvidia-smi nor gpucheck can tell about the GPUs; CUDA itself does not need it, but TensorFlow does from
    2.21.0 on: it silently registers no GPU (seen in the wheels of 2.18.1 to 2.21.0 over a driver without NVML).

    ## Why it matters
    Findings about single GPUs (memory, MIG, throttling) cannot be made; name and compute capability come from libcuda,
    for the GPUs that CUDA_VISIBLE_DEVICES leaves. With TensorFlow 2.21 it is an error: the CPU is used.

    ## How to fix
    Install the driver's utilities of the module's version. In a container, ask for the capability "utility".

    ## References
    https://docs.nvidia.com/deploy/nvml-api/
    """
    driver = _with_module(snapshot)
    if driver is not None and on_windows(snapshot):
        from gpucheck.rules import windows_driver

        yield from windows_driver.nvml_missing(snapshot, driver)
        return
    if driver is None or not not_found(driver, "libnvidia-ml.so.1", need(driver.nvml)):
        return
    what = "nothing" if isinstance(snapshot.gpus, Gap) else "nothing but what libcuda tells"
    said = f"libnvidia-ml.so.1 is not on the loader's path, so {what} can be learned about the single GPUs"
    evidence: list[tuple[str, object, str]] = [
        ("driver.nvml.status", need(driver.nvml).status, "dlopen of libnvidia-ml.so.1")
    ]
    needing = _needs_nvml(snapshot)
    if needing:
        said += f", and TensorFlow {needing} registers none of them without it"
        evidence.append(("python.tensorflow.version", needing, "site-packages"))
    yield found(
        f"{said}.",
        evidence,
        fixes.install_nvml(snapshot, known(driver.module_version, None)),
        severity=Severity.ERROR if needing else None,
    )


def _needs_nvml(snapshot: Snapshot) -> PackageVersion | None:
    """The examined TensorFlow's version, if it is a CUDA build that asks NVML. Only to choose words and a severity."""
    python = snapshot.python
    build = None if isinstance(python, Gap) else known(python.tensorflow, None)
    version = known(build.version, None) if build and known(build.cuda_build, None) else None
    return version if version is not None and version >= NVML_NEEDED_SINCE else None


@rule(Severity.ERROR, decisive=True, explains=("cuda-init-failed", "nvml-not-answering"))
def driver_library_unloadable(snapshot: Snapshot) -> Iterator[Found]:
    """A library of the driver is there, and the loader cannot load it.

    ## What it means
    The file is empty, cut short, for another processor, or lacks something that it needs itself: an installation that
    was killed, a full disk, a mount that went wrong in a container. A file cut short kills the program (SIGBUS).

    ## Why it matters
    Tools say "library not found" though it is there, or die without a word. Without libcuda TensorFlow uses the CPU;
    without libnvidia-ml only the tools suffer.

    ## How to fix
    Reinstall the package that the file belongs to. In a container: look at the file on the host, then start anew.

    ## References
    https://github.com/nebius/soperator/issues/2684
    """
    here, driver = nvidia_here(snapshot) is not None, need(snapshot.driver)
    if on_windows(snapshot):
        from gpucheck.rules import windows_driver

        cases = windows_driver.unloadable(snapshot, driver)
        yield from (case if here else case._replace(severity=Severity.WARNING) for case in cases)
        return
    for soname, answer in zip(_LIBRARIES, (driver.cuda, driver.nvml), strict=True):
        case = _unloadable(driver, soname, answer)
        if case:
            yield case if here else case._replace(severity=Severity.WARNING)
    need(driver.cuda)
    need(driver.nvml)


def _unloadable(driver: Driver, soname: str, answer: CudaDriver | Nvml | Gap) -> Found | None:
    if isinstance(answer, Gap) or answer.status not in ("unloadable", "crashed"):
        return None
    if answer.status == "unloadable" and not_found(driver, soname, answer):
        return None
    copy = next((one for one in copies_of(driver, soname) if known(one.defect, None) not in (None, "dangling")), None)
    if answer.status == "crashed" and copy is None:
        return None
    defective = copy is not None
    defect = "does not load" if copy is None else _DEFECTS.get(str(copy.defect), f"is {copy.defect}")
    # Whole, and still not to be loaded: it needs something else.
    copy = copy or next((one for one in copies_of(driver, soname) if one.first or one.reached), None)
    path = _place(copy) if copy else soname
    evidence = [("driver.libraries.path", path, "the loader")]
    if answer.message:
        evidence.append((f"driver.{'cuda' if soname == _LIBRARIES[0] else 'nvml'}.message", answer.message, "dlopen"))
    if copy and defective:
        evidence.append(("driver.libraries.defect", str(copy.defect), path))
    return found(
        f"{path} {defect}" + (f" ({answer.message})." if answer.message and not defective else "."),
        evidence,
        _whose(soname, path if copy else None, defective),
        severity=None if soname == _LIBRARIES[0] else Severity.WARNING,
    )


def _whose(soname: str, path: str | None, defective: bool) -> list[str]:
    if path is None:
        return ["# see which file the loader takes, and reinstall its package:", f"ldconfig -p | grep {soname}"]
    look = f"ls -lL {path}" if defective else f"ldd {path} | grep 'not found'"
    return [look, "# reinstall the package that owns it:", f"dpkg -S {path} || rpm -qf {path}"]
