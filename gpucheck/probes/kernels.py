"""Settings in the user's folder that decide what a program runs on: Jupyter's kernels and Keras' backend."""

from __future__ import annotations

from typing import Any, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.paths import base, is_windows, parent
from gpucheck.facts.python import Kernel
from gpucheck.host import Host

_MOST_KERNELS = 100
_KERNELS = "/share/jupyter/kernels"


def read_object(data: bytes) -> Union[dict[str, Any], None]:
    """A JSON object; None for anything else."""
    import json

    try:
        value = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def keras(host: Host) -> tuple[Union[str, None, Gap], Union[str, None]]:
    """Backend and path of keras.json (KERAS_HOME or ~/.keras, as keras/src/backend/config.py has it)."""
    path = f"{host.env('KERAS_HOME') or host.about().home + '/.keras'}/keras.json"
    data = host.read(path)
    if data is None:
        return None, None
    if isinstance(data, Gap):
        return data, path
    backend = (read_object(data) or {}).get("backend")
    return (backend if isinstance(backend, str) else None), path


def find(host: Host, prefix: Union[str, None]) -> Union[tuple[Kernel, ...], Gap]:
    """Kernels that Jupyter offers, the user's first (jupyter_core/paths.py, jupyter_path)."""
    folders = [f"{host.about().home}/.local/share/jupyter/kernels"]
    folders += [f"{prefix}{_KERNELS}"] if prefix else []
    folders += ["/usr/local/share/jupyter/kernels", "/usr/share/jupyter/kernels"]
    return find_in(host, folders)


def find_in(host: Host, folders: list[str]) -> Union[tuple[Kernel, ...], Gap]:
    """The kernels in these folders, in their order."""
    found: list[Kernel] = []
    for folder in dict.fromkeys(folders):
        names = host.names(folder)
        if isinstance(names, Gap) and names.kind == "denied":
            continue  # Jupyter runs as this user and does not see it either
        if isinstance(names, Gap):
            return names
        for name in (names or ())[:_MOST_KERNELS]:
            kernel = _kernel(host, folder, name)
            if kernel:
                found.append(kernel)
    return tuple(found)


def _kernel(host: Host, folder: str, name: str) -> Union[Kernel, None]:
    path = f"{folder}/{name}/kernel.json"
    data = host.read(path)
    if not isinstance(data, bytes):
        return None
    arguments = (read_object(data) or {}).get("argv")
    first = arguments[0] if isinstance(arguments, list) and arguments else None
    interpreter = first if isinstance(first, str) and first else None
    if interpreter is None:
        return Kernel(name, path, None, None)
    # Jupyter puts its own interpreter in place of a bare "python" (jupyter_client, KernelManager.format_kernel_cmd).
    if not interpreter.startswith("/") and not is_windows(interpreter):
        return Kernel(name, path, interpreter, interpreter)
    starts = host.real(_environment(interpreter) or "/")
    return Kernel(name, path, interpreter, host.real(interpreter), starts, host.real(folder.removesuffix(_KERNELS)))


def _environment(interpreter: str) -> str:
    """The folder of an environment; on Windows conda's and a plain Python's interpreters lie at its top."""
    folder = parent(interpreter)
    at_top = is_windows(interpreter) and base(folder).lower() not in ("scripts", "bin")
    return folder if at_top else parent(folder)
