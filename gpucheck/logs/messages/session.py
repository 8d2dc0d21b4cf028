"""What a pasted terminal shows besides messages: where the program ran, and what is installed there.

Prompts, commands and listings, not errors. They settle nothing alone; gpucheck.logs.judging.setting reads them.
"""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.messages.tensorflow import kept
from gpucheck.logs.words import between, said, version_after

Values = Union[dict[str, str], None]
_HEX = set("0123456789abcdef")


def container_name(word: str) -> bool:
    """Docker's own host names: the first twelve digits of the container's number."""
    return len(word) == 12 and set(word) <= _HEX and not word.isalpha()


def _prompt(text: str) -> Values:
    name = text.partition("root@")[2].partition(":")[0]
    return {"name": name} if container_name(name) else None


def _docker(text: str) -> Values:
    words = text.split()
    engine = next((one for one in words if one.rpartition("/")[2] in ("docker", "nvidia-docker", "podman")), None)
    if engine is None or "run" not in words:
        return None
    gpus = (
        "--gpus" in text
        or "nvidia-docker" in text
        or "=nvidia" in text
        or "runtime nvidia" in text
        or "nvidia.com/gpu" in text
        or "/dev/nvidia" in text
    )
    return {"gpus": "yes" if gpus else "no"}


def _toolkit(text: str) -> Values:
    """A toolkit's folder; XLA lists the folders that it would look into, one a line, and they need not exist."""
    for before in ("/usr/local/cuda-", "CUDA\\v", "CUDA/v", "/cuda/", "/CUDA/"):
        version = version_after(text, before) if before in text else None
        if version and "." in version and not text.startswith(before):
            parts = version.replace("\\", "/").partition("/")[0].split(".")[:2]
            if all(part.isdigit() for part in parts):
                return {"cuda": ".".join(parts)}
    return None


def _link(text: str) -> Values:
    """``ls -l`` of a libcuda that carries the driver's version and is a link all the same."""
    name, arrow, _ = text.partition(" -> ")
    base = name.rpartition("/")[2].rpartition(" ")[2]
    version = base.removeprefix("libcuda.so.")
    return {"path": base} if arrow and base.startswith("libcuda.so.") and "." in version else None


def _closed(text: str) -> Values:
    """``crw-rw---- 1 root video 195, 0 … /dev/nvidia0``, or "Permission denied"."""
    denied = "ermission denied" in text or "EACCES" in text
    return {} if denied or text.startswith(("crw-rw---", "crw------")) else None


def _mig(text: str) -> Values:
    if "MIG M." in text:  # the head of nvidia-smi's table
        return None
    return {}


def _smi(text: str) -> Values:
    """NVIDIA-SMI 535.104.05   Driver Version: 535.104.05   CUDA Version: 12.2"""
    driver = version_after(text, "Driver Version:")
    return kept(driver_version=driver, driver_cuda=version_after(text, "CUDA Version:")) if driver else None


MESSAGES = (
    Message(
        "session-wsl",
        ("/usr/lib/wsl", "microsoft-standard", "-WSL2", "in WSL", "WSL 2", "wsl.exe", "/mnt/c/Users"),
        said,
        "The program ran under WSL.",
        source="uname -r, paths",
    ),
    Message(
        "session-windows",
        (
            "win_amd64",
            "Windows-10",
            "Windows-11",
            "Windows 10",
            "Windows 11",
            "tf_jenkins",
            "AppData",
            "Program Files",
            "\\Users\\",
            "on win32",
        ),
        lambda text: {} if "WSL" not in text and "/mnt/" not in text else None,
        "The program ran on Windows.",
        source="paths, platform.platform()",
    ),
    Message(
        "session-store-python",
        ("WindowsApps", "PythonSoftwareFoundation.Python"),
        said,
        "The Python of the Microsoft Store ran.",
        look=("where python",),
        source="paths",
    ),
    Message(
        "session-container",
        ("/.dockerenv", "docker-entrypoint", "nvcr.io/", "tensorflow/tensorflow:", "jupyter/tensorflow", "kubepods"),
        said,
        "The program ran in a container.",
        source="paths, names of images",
    ),
    Message(
        "session-prompt-of-container",
        ("root@",),
        _prompt,
        "The program ran in a container: the host has the name that Docker gives.",
        source="bash's prompt in Docker's images",
    ),
    Message(
        "session-container-started",
        ("docker run", "podman run", "docker container run"),
        _docker,
        "A container was started, with or without GPUs.",
        look=("docker run --gpus all …",),
        source="docker(1)",
    ),
    Message(
        "session-mig",
        (
            "UUID: MIG-",
            "=MIG-",
            "with MIG",
            "MIG mode",
            "MIG instance",
            "MIG device",
            "mig.mode",
            "MIG partition",
            "g.5gb",
            "g.10gb",
            "g.20gb",
            "g.40gb",
        ),
        _mig,
        "A GPU is divided (MIG).",
        look=("nvidia-smi -L",),
        source="nvidia-smi -L",
    ),
    Message(
        "session-hybrid",
        ("optirun", "primusrun", "bumblebee", "prime-select", "bbswitch", "prime-run", "nvidia-prime"),
        said,
        "A laptop with two graphics chips, of which one can be off.",
        look=("prime-select query", "cat /proc/acpi/bbswitch"),
        source="bumblebee, nvidia-prime",
    ),
    Message(
        "session-nodes-closed",
        ("/dev/nvidia",),
        _closed,
        "A device file of the driver may not be used by everybody.",
        look=("ls -l /dev/nvidia*", "id"),
        source="ls -l; the system's error",
    ),
    Message(
        "session-suspended",
        (
            "PM: suspend",
            "suspend entry",
            "suspend exit",
            "after suspend",
            "suspended and resumed",
            "from suspend",
            "suspend/resume",
            "resume from",
            "hibernation",
            "from sleep",
        ),
        said,
        "The computer slept.",
        source="dmesg",
    ),
    Message(
        "session-nvcc",
        ("compilation tools, release",),
        lambda text: kept(cuda=version_after(text, "release ")) or None,
        "The release of the toolkit whose nvcc comes first on PATH.",
        source="nvcc --version",
    ),
    Message(
        "session-toolkit",
        ("/usr/local/cuda-", "CUDA\\v", "CUDA/v", "/cuda/1", "/CUDA/1"),
        _toolkit,
        "A CUDA toolkit's folder is named.",
        source="paths",
    ),
    Message(
        "session-nvidia-smi",
        ("Driver Version:",),
        _smi,
        "The driver answers: its version, and the CUDA that it offers (no toolkit).",
        source="nvidia-smi",
    ),
    Message(
        "session-libcuda-link",
        ("libcuda.so.",),
        _link,
        "A libcuda that carries the driver's version is a link; it should be the file itself.",
        look=("ls -lL /usr/lib*/libcuda.so*",),
        source="ls -l",
    ),
    Message(
        "session-stub",
        ("stubs/libcuda.so",),
        lambda text: (
            {} if not any(one in text for one in ("CMake", " -l", "Found CUDA", "cmake", "g++", "gcc")) else None
        ),
        "The toolkit's link-time stub of libcuda is named as a file that was loaded.",
        source="numba -s, ldd, /proc/self/maps",
    ),
    Message(
        "session-linux-driver-installed",
        ("install nvidia-driver", "install nvidia-utils", "libnvidia-compute-", "nvidia-kernel-common"),
        lambda text: kept(package=between(text, "install ", " ")),
        "The Linux driver's packages were installed.",
        source="apt",
    ),
    Message(
        "session-and-cuda",
        ("[and-cuda]",),
        lambda text: kept() if " install " in text or " add " in text else None,
        "TensorFlow was installed with the extra that brings CUDA as wheels.",
        source="pip, uv, poetry",
    ),
    Message(
        "session-nvidia-wheel",
        ("nvidia-cudnn-cu", "nvidia_cudnn_cu"),
        lambda text: kept(version=version_after(text, "nvidia-cudnn-cu12=="), torch="yes" if "torch" in text else None),
        "NVIDIA's wheel of cuDNN is named.",
        source="pip",
    ),
)
