"""Windows Subsystem for Linux: the driver is Windows', and only its libraries are passed in."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.errors import NVML_OPERATING_SYSTEM
from gpucheck.facts.driver import Driver, UserLibrary
from gpucheck.facts.gap import Gap, known, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.wsl import WindowsGpu, Wsl
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import DRIVER_PACKAGES, alike, container_of, cuda_works, first_copy, named, usable
from gpucheck.rules.recipes import quoted

_CONF = "/etc/wsl.conf"
_RESTART = ["# then, in PowerShell on Windows:", "wsl --shutdown"]


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


def _failing(snapshot: Snapshot) -> tuple[Driver, Wsl] | None:
    """Under WSL 2 where no program can use the GPU: not where that is not known."""
    driver = _wsl2(snapshot)
    if driver is None or (need(driver.cuda).status == "ok" and need(driver.cuda).device_count):
        return None
    wsl = need(driver.wsl)
    return None if wsl is None else (driver, wsl)


@rule(Severity.ERROR, decisive=True, explains=("wsl-no-windows-driver", "cuda-init-failed", "nvml-not-answering"))
def wsl_gpu_switched_off(snapshot: Snapshot) -> Iterator[Found]:
    """This WSL's own settings keep the GPU out.

    ## What it means
    /etc/wsl.conf has `enabled = false` under `[gpu]`, so Windows passes no GPU into this distribution.

    ## Why it matters
    There is no /dev/dxg, CUDA finds no device, and TensorFlow uses the CPU.

    ## How to fix
    Take the line out, then `wsl --shutdown`.

    ## References
    https://learn.microsoft.com/windows/wsl/wsl-config
    """
    failing = _failing(snapshot)
    if failing is None or need(failing[1].gpu_enabled) is not False:
        return
    yield found(
        f"{_CONF} switches the GPU off for this WSL: enabled = false under [gpu].",
        [("driver.wsl.gpu_enabled", "false", _CONF)],
        [f"sudo sed -i '/^\\[gpu\\]/,/^\\[/ s/^ *enabled *= *false/enabled = true/I' {_CONF}", *_RESTART],
    )


@rule(
    Severity.ERROR,
    explains=("wsl-gpu-access-blocked", "cuda-init-failed", "nvml-not-answering", "gpu-query-failed"),
)
def wsl_gpu_in_tcc_mode(snapshot: Snapshot) -> Iterator[Found]:
    """A GPU of this Windows runs in TCC mode, which WSL cannot use.

    ## What it means
    Windows drives a GPU in one of several modes. WSL needs WDDM; Tesla, data-centre and some Quadro and Titan cards can
    be in TCC (compute only), which is not passed in. One card in TCC can take the others with it. Windows' own
    nvidia-smi.exe, which gpucheck asks from inside WSL, tells the mode; NVML inside WSL does not.

    ## Why it matters
    "GPU access blocked by the operating system", "Unable to determine the device handle": no program in WSL can use any
    GPU.

    ## How to fix
    Put the card into WDDM mode, as administrator on Windows, and start Windows anew. A card without a display driver
    for Windows (some are made for servers only) has no WDDM mode.

    ## References
    https://github.com/microsoft/WSL/issues/13027
    https://github.com/microsoft/WSL/issues/12835
    https://docs.nvidia.com/cuda/wsl-user-guide/
    """
    failing = _failing(snapshot)
    if failing is None:
        return
    gpus: tuple[WindowsGpu, ...] | None = need(failing[1].gpus)
    tcc = [(number, gpu) for number, gpu in enumerate(gpus or ()) if gpu.driver_model == "TCC"]
    if not tcc:
        return
    yield found(
        f"Windows drives {' and '.join(gpu.name for _, gpu in tcc)} in TCC mode, which WSL cannot use.",
        [("driver.wsl.gpus", _told(gpu), _smi(failing[1])) for _, gpu in tcc],
        [
            "# in PowerShell on Windows, as administrator:",
            *(f"nvidia-smi -i {number} -dm 0" for number, _ in tcc),
            "# then start Windows anew",
        ],
    )


def _told(gpu: WindowsGpu) -> str:
    return f"{gpu.name}: driver {gpu.driver_version}, {gpu.driver_model or 'mode not told'}"


def _smi(wsl: Wsl) -> str:
    return known(wsl.smi, None) or "nvidia-smi.exe"


@rule(Severity.ERROR, explains=("cuda-init-failed", "nvml-not-answering", "gpu-query-failed"))
def wsl_gpu_access_blocked(snapshot: Snapshot) -> Iterator[Found]:
    """The driver's libraries are here, and Windows lets them reach no GPU.

    ## What it means
    NVML answers code 17, "GPU access blocked by the operating system". Seen with a card in TCC mode (a rule of its own,
    where Windows' nvidia-smi.exe tells it), with a Windows or a WSL kernel that is too old for the driver, with a
    kernel of one's own that lacks Microsoft's dxgkrnl, and in containers that were started without the GPU.

    ## Why it matters
    No program in WSL can use the GPU, though nvidia-smi on Windows shows it.

    ## How to fix
    Look at the driver mode on Windows, bring WSL and Windows up to date, start WSL anew.

    ## References
    https://github.com/microsoft/WSL/issues/9938
    https://github.com/microsoft/WSL/issues/11865
    https://learn.microsoft.com/windows/ai/directml/gpu-cuda-in-wsl
    """
    failing = _failing(snapshot)
    if failing is None or need(failing[0].nvml).code != NVML_OPERATING_SYSTEM:
        return
    driver, wsl = failing
    gpus = known(wsl.gpus, None) or ()
    kernel = need(snapshot.system).kernel
    yield found(
        f"Windows shows {' and '.join(gpu.name for gpu in gpus) or 'its GPU'} and blocks it for this WSL (NVML answers "
        f"17; the kernel is {kernel}).",
        [
            ("driver.nvml.code", NVML_OPERATING_SYSTEM, need(driver.nvml).path or "libnvidia-ml.so.1"),
            *(("driver.wsl.gpus", _told(gpu), _smi(wsl)) for gpu in gpus),
            ("system.kernel", kernel, "uname -r"),
        ],
        [
            "# in PowerShell on Windows:",
            "wsl --update",
            "wsl --shutdown",
            "# if it stays: install the updates of Windows, and a current NVIDIA driver",
        ],
    )


@rule(Severity.WARNING)
def wsl_maxwell_not_supported(snapshot: Snapshot) -> Iterator[Found]:
    """A Maxwell GPU, which NVIDIA does not support under WSL 2.

    ## What it means
    NVIDIA's guide lists GPUs of compute capability 5.x as not supported in WSL 2, though they may work; Pascal or later
    is recommended. Where CUDA does start here, this is a note only.

    ## Why it matters
    What fails in WSL may work on the same card under Windows (TensorFlow 2.10 or earlier) or Linux (2.16 or earlier).

    ## How to fix
    Use native Windows with TensorFlow 2.10.1, CUDA 11.2 and cuDNN 8.1, or Linux itself with TensorFlow 2.16.2.

    ## References
    https://docs.nvidia.com/cuda/wsl-user-guide/
    """
    driver = _wsl2(snapshot)
    if driver is None:
        return
    old = [gpu for gpu in usable(snapshot) if (capability := need(gpu.compute_capability)) and capability.major == 5]
    fails = not isinstance(driver.cuda, Gap) and not cuda_works(driver)
    for gpus in alike(old):
        yield found(
            f"{named(*gpus)} is a Maxwell, which NVIDIA does not support under WSL 2"
            + ("." if fails else "; it may work all the same."),
            [
                ("gpus.compute_capability", str(need(gpus[0].compute_capability)), gpus[0].source),
                ("system.wsl", "2", "the kernel's release"),
            ],
            ["# TensorFlow 2.10.1 on Windows itself (CUDA 11.2, cuDNN 8.1) or 2.16.2 on Linux itself knows this GPU"],
            severity=Severity.WARNING if fails else Severity.INFO,
        )


@rule(Severity.ERROR, explains=("tensorflow-not-installed", "wrong-python-environment", "python-interpreter-missing"))
def wsl_windows_python(snapshot: Snapshot) -> Iterator[Found]:
    """A Windows program is started from inside WSL: Windows' Python, or jupyter.exe.

    ## What it means
    WSL can start Windows' programs (their names end in .exe), and its PATH has Windows' folders. They run on Windows
    with Windows' packages, and see nothing of what is installed in WSL. The examined Python is such a program; or a
    Jupyter kernel starts one (a warning); or PATH has jupyter.exe and no jupyter of Linux, so that a notebook started
    here runs on Windows (a note).

    ## Why it matters
    TensorFlow on Windows has no GPU since 2.11: the notebook shows an empty list of GPUs though python3 beside it, in
    the same terminal, shows one.

    ## How to fix
    Install and start Linux's own: a virtual environment in WSL, with jupyter in it.

    ## References
    https://github.com/jupyter/notebook/issues/6886
    https://learn.microsoft.com/windows/wsl/filesystems#run-windows-tools-from-linux
    """
    if need(need(snapshot.system).wsl) is None:
        return
    python = need(snapshot.python)
    if python.executable.lower().endswith(".exe"):
        yield found(
            f"{python.executable} is a Windows program: it runs on Windows, with Windows' TensorFlow, CUDA and PATH.",
            [("python.executable", python.executable, f"chosen by {python.chosen_by}")],
            [
                "# to examine it: run gpucheck on Windows. For a TensorFlow with the GPU in WSL:",
                "python3 -m venv ~/tf && . ~/tf/bin/activate",
            ],
        )
    for kernel in known(python.kernels, ()):
        if kernel.interpreter is not None and kernel.interpreter.lower().endswith(".exe"):
            yield found(
                f"The Jupyter kernel {kernel.name!r} starts a Windows program, {kernel.interpreter}.",
                [("python.kernels", kernel.interpreter, kernel.path)],
                [f"{quoted(python.executable)} -m ipykernel install --user --name {quoted(kernel.name)}"],
                severity=Severity.WARNING,
            )
    driver = need(snapshot.driver)
    wsl = need(driver.wsl)
    jupyter = need(wsl.jupyter) if wsl else None
    if jupyter is not None:
        yield found(
            f"A notebook started here runs on Windows: PATH has {jupyter} and no jupyter of this Linux.",
            [("driver.wsl.jupyter", jupyter, "PATH")],
            ["# with the environment that has TensorFlow active:", "python3 -m pip install jupyter", "hash -r"],
            severity=Severity.INFO,
        )


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
    stores = known(driver.wsl.stores, ()) if isinstance(driver.wsl, Wsl) else ()
    evidence = [
        ("driver.libraries", "none", "/usr/lib/wsl/lib"),
        ("driver.nodes", "/dev/dxg" if dxg else "none", "/dev"),
        *(("driver.wsl.stores", store, "Windows' driver store") for store in stores),
    ]
    yield found(
        f"This WSL 2 has no {'' if stores else 'NVIDIA '}GPU: there is no libcuda.so.1 in /usr/lib/wsl/lib"
        + ("" if dxg else " and no /dev/dxg")
        + (f", although Windows has an NVIDIA driver for WSL ({stores[0]})." if stores else "."),
        evidence,
        [
            *([] if stores else ["# if the computer has an NVIDIA card: install NVIDIA's driver on Windows."]),
            "# in PowerShell on Windows:",
            *([] if dxg else ["wsl --update"]),
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
