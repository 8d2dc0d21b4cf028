"""Windows Subsystem for Linux: the driver is Windows', and only its libraries are passed in.

A Windows GPU in TCC mode has no rule: NVML under WSL does not tell the driver model (see gpucheck.logs).
"""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.driver import Driver, UserLibrary
from gpucheck.facts.gap import known, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import DRIVER_PACKAGES, container_of, cuda_works, first_copy


@rule(Severity.ERROR, decisive=True)
def wsl1_has_no_gpu(snapshot: Snapshot) -> Iterator[Found]:
    """This is WSL 1, which has no GPU at all.

    ## What it means
    WSL 1 translates Linux calls and has no devices of its own; only WSL 2, a light virtual machine, passes the
    Windows GPU in.

    ## Why it matters
    Nothing that is installed here can make TensorFlow use a GPU.

    ## How to fix
    Convert the distribution to WSL 2, in PowerShell on Windows.

    ## References
    https://learn.microsoft.com/windows/wsl/compare-versions
    https://docs.nvidia.com/cuda/wsl-user-guide/
    """
    if need(need(snapshot.system).wsl) != 1:
        return
    yield found(
        "This is WSL 1, which has no GPU; WSL 2 has.",
        [("system.wsl", "1", "/proc/version")],
        ["# in PowerShell on Windows:", "wsl --list --verbose", "wsl --set-version DISTRIBUTION 2"],
    )


def _wsl2(snapshot: Snapshot) -> Driver | None:
    return need(snapshot.driver) if need(need(snapshot.system).wsl) == 2 else None


@rule(Severity.WARNING)
def wsl_no_windows_driver(snapshot: Snapshot) -> Iterator[Found]:
    """WSL 2 shows no NVIDIA GPU: Windows has none, or no NVIDIA driver that serves WSL.

    ## What it means
    Windows puts libcuda.so.1 into /usr/lib/wsl/lib where its NVIDIA driver supports WSL. It is not there. Whether the
    computer has an NVIDIA card cannot be seen from here.

    ## Why it matters
    Without it TensorFlow uses the CPU.

    ## How to fix
    If the computer has an NVIDIA card: install a current NVIDIA driver on Windows, then `wsl --shutdown`. Install no
    driver inside WSL.

    ## References
    https://docs.nvidia.com/cuda/wsl-user-guide/
    """
    driver = _wsl2(snapshot)
    if driver is None or cuda_works(driver) or [one for one in need(driver.libraries) if one.origin == "wsl"]:
        return
    if container_of(snapshot) is not None:
        return
    dxg = any(node.path == "/dev/dxg" for node in known(driver.nodes, ()))
    yield found(
        "This WSL 2 has no NVIDIA GPU: there is no libcuda.so.1 in /usr/lib/wsl/lib"
        + ("." if dxg else " and no /dev/dxg."),
        [("driver.libraries", "none", "/usr/lib/wsl/lib"), ("driver.nodes", "/dev/dxg" if dxg else "none", "/dev")],
        [
            "# if the computer has an NVIDIA card: install NVIDIA's driver on Windows, then in PowerShell:",
            "wsl --shutdown",
        ],
    )


@rule(Severity.ERROR, explains=("libcuda-missing", "libnvidia-ml-missing", "cuda-init-failed"))
def wsl_libcuda_not_on_path(snapshot: Snapshot) -> Iterator[Found]:
    """Windows passes libcuda in, and the loader of this WSL does not search its folder.

    ## What it means
    The driver's libraries lie in /usr/lib/wsl/lib. Usually /etc/ld.so.conf.d/ld.wsl.conf names that folder; here
    neither the loader's cache nor LD_LIBRARY_PATH has it.

    ## Why it matters
    TensorFlow does not find libcuda and uses the CPU.

    ## How to fix
    Add the folder to the loader's configuration.

    ## References
    https://github.com/NVIDIA/cuda-python/issues/17
    https://docs.nvidia.com/cuda/wsl-user-guide/
    """
    driver = _wsl2(snapshot)
    if driver is None or need(driver.cuda).status != "not-found":
        return
    copies = [one for one in need(driver.libraries) if one.origin == "wsl" and one.soname == "libcuda.so.1"]
    if not copies:
        return
    folder = copies[0].path.rpartition("/")[0]
    yield found(
        f"{copies[0].path} is there, but the loader does not search {folder}.",
        [
            ("driver.libraries.path", copies[0].path, folder),
            ("driver.cuda.status", "not-found", "dlopen of libcuda.so.1"),
        ],
        [
            f"echo {folder} | sudo tee /etc/ld.so.conf.d/ld.wsl.conf",
            "sudo ldconfig",
            f"# or for this shell: export LD_LIBRARY_PATH={folder}:$LD_LIBRARY_PATH",
        ],
    )


@rule(Severity.WARNING, explains=("nvml-not-answering", "cuda-init-failed", "libcuda-missing"))
def linux_driver_installed_in_wsl(snapshot: Snapshot) -> Iterator[Found]:
    """A Linux NVIDIA driver is installed inside WSL, where only the Windows driver belongs.

    ## What it means
    Under WSL 2 the GPU is driven by Windows. Packages of the Linux driver (the metapackages cuda and
    nvidia-cuda-toolkit can pull them in) bring a libcuda that finds no kernel module here and may come first.

    ## Why it matters
    If that copy is loaded, CUDA finds no device. If it is not yet, an upgrade or a changed path can make it so.

    ## How to fix
    Remove those packages. CUDA's toolkit for WSL is the package cuda-toolkit-12-x of NVIDIA's wsl-ubuntu repository.

    ## References
    https://github.com/microsoft/WSL/issues/5265
    https://docs.nvidia.com/cuda/wsl-user-guide/
    """
    driver = _wsl2(snapshot)
    if driver is None:
        return
    packages = [one for one in need(driver.packages) if one.startswith(DRIVER_PACKAGES)]
    copy = first_copy(driver, "libcuda.so.1")
    shadows = copy is not None and copy.origin == "driver" and not cuda_works(driver)
    if not packages and not shadows:
        return
    evidence = [("driver.packages", one, "dpkg") for one in packages[:4]]
    said = f"The Linux driver is installed inside WSL ({', '.join(packages[:2]) or 'by hand'})"
    if shadows and copy is not None:
        said += f", and its {copy.path} is loaded in place of Windows' libcuda"
        evidence.append(("driver.libraries.path", copy.path, "the loader"))
    yield found(
        f"{said}.",
        evidence,
        [*_removal(packages, copy), "sudo ldconfig", "# keep the NVIDIA driver on Windows alone"],
        severity=Severity.ERROR if shadows else None,
    )


def _removal(packages: list[str], copy: UserLibrary | None) -> list[str]:
    """By package; without one: NVIDIA's .run installer, or files put there by hand."""
    if packages:
        return [f"sudo apt remove --purge {' '.join(one.split()[0] for one in packages)}"]
    path = copy.path if copy else "libcuda.so.1"
    return [
        "# NVIDIA's .run installer removes what it has installed:",
        "sudo nvidia-uninstall",
        f"# without it: remove what no package owns: dpkg -S {path} || rpm -qf {path}",
    ]
