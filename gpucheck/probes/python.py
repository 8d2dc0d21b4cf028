"""The examined interpreter and what is installed for it. Each part is found by its own module; here they meet."""

from __future__ import annotations

from typing import Any, NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Interpreter, Kernel, Python
from gpucheck.facts.versions import PythonVersion
from gpucheck.host import Elf, Host, Pe, Stat
from gpucheck.probes import distributions, environments, frameworks, interpreter, kernels, tensorflow
from gpucheck.probes.interpreter import Choice
from gpucheck.probes.layout import Layout, parent


def probe(host: Host, given: Union[str, None]) -> Union[Python, Gap]:
    """Examine an interpreter.

    Parameters
    ----------
    given: a Python, an environment's folder or a name to look for on PATH; None: the active environment's, else the
        first on PATH.

    Returns
    -------
    A gap only where there is no interpreter at all.
    """
    choice = interpreter.choose(host, given)
    if isinstance(choice, Gap):
        return choice
    real = host.real(choice.executable)
    if real is None and not host.is_link(choice.executable):
        gone = Gap(f"no such file: {choice.executable}", "unreadable")
        layout = Layout(gone, None, gone, gone, gone, gone, gone, gone)
    else:
        layout = interpreter.lay_out(host, choice.executable)
    if layout.program:
        real = host.real(layout.program)
    return _python(host, choice, real, layout)


def _python(host: Host, choice: Choice, real: Union[str, None, Gap], layout: Layout) -> Python:
    around = Surroundings(
        _kind(layout),
        _managed(host, layout),
        kernels.find(host, _text(layout.prefix)),
        _others(host, layout.program or choice.executable, real),
    )
    return gathered(host, choice, real, layout, host.elf(real) if isinstance(real, str) else real, around)


class Surroundings(NamedTuple):
    """What is found in another way on each system."""

    environment: Any
    externally_managed: Union[str, None, Gap]
    kernels: Union[tuple[Kernel, ...], Gap]
    others: Union[tuple[Interpreter, ...], Gap]


def gathered(
    host: Host, choice: Choice, real: Union[str, None, Gap], layout: Layout, header: object, around: Surroundings
) -> Python:
    """All parts as one fact, alike on both systems.

    header: of the program: its `Elf` or `Pe`, None where there is no program, a gap where it cannot be read.
    """
    binary = header if isinstance(header, (Elf, Pe)) and header.defect is None else None
    unknown = header if isinstance(header, Gap) else Gap(f"no program for this system: {choice.executable}")
    folders = layout.site_dirs
    installed = folders if isinstance(folders, Gap) else distributions.scan(host, folders, _text(layout.prefix))
    backend, config = kernels.keras(host)
    return Python(
        executable=choice.executable,
        chosen_by=choice.chosen_by,
        real_executable=real,
        version=PythonVersion.parse(layout.version) if isinstance(layout.version, str) else layout.version,
        read_from=layout.read_from,
        implementation=layout.implementation,
        bits=binary.bits if binary else unknown,
        machine=binary.machine if binary else unknown,
        environment=around.environment,
        prefix=layout.prefix,
        externally_managed=around.externally_managed,
        site_dirs=folders,
        user_site=layout.user_site,
        distributions=installed,
        tensorflow=folders if isinstance(folders, Gap) else tensorflow.find(host, folders, installed),
        torch=folders if isinstance(folders, Gap) else frameworks.find_torch(host, folders),
        jax=frameworks.find_jax(installed),
        keras_backend=backend,
        keras_config=config,
        kernels=around.kernels,
        others=around.others,
    )


def _text(value: Union[str, None, Gap]) -> Union[str, None]:
    return value if isinstance(value, str) else None


def _kind(layout: Layout) -> Any:
    base = layout.base_prefix
    if layout.kind == "system" and isinstance(base, str) and "/.pyenv/versions/" in base:
        return "pyenv"
    return layout.kind


def _managed(host: Host, layout: Layout) -> Union[str, None, Gap]:
    """The EXTERNALLY-MANAGED file that makes pip refuse (PEP 668); it does not count inside a virtual environment."""
    if isinstance(layout.kind, Gap):
        return layout.kind
    if layout.kind in ("venv", "pipx", "uv-tool") or not isinstance(layout.base_prefix, str):
        return None
    version = layout.version if isinstance(layout.version, str) else ""
    path = f"{layout.base_prefix}/lib/python{'.'.join(version.split('.')[:2])}/EXTERNALLY-MANAGED"
    status = host.stat(path)
    if isinstance(status, Gap):
        return status
    return path if status else None


def _others(host: Host, executable: str, real: Union[str, None, Gap]) -> Union[tuple[Interpreter, ...], Gap]:
    """The other Pythons that a shell would find."""
    found: dict[str, Interpreter] = {}
    own = _place(host, executable, real)
    for folder in interpreter.path_folders(host):
        for name in ("python3", "python"):
            path = f"{folder}/{name}"
            status = host.stat(path)
            if isinstance(status, Gap) or status is None or status.kind != "file":
                continue
            target = _pyenv(host, folder, name) if folder.endswith("/shims") else path
            leads = host.real(target) if target else None
            if not isinstance(leads, str) or not target:
                continue
            place = _place(host, target, leads)
            if place not in found and place != own:
                found[place] = Interpreter(path, leads, _tensorflow_of(host, target, leads))
    return tuple(found.values())


def _place(host: Host, path: str, real: Union[str, None, Gap]) -> str:
    """What makes two names one interpreter: the virtual environment they lie in, else the program they lead to."""
    if not _is_venv(host, path):
        return real if isinstance(real, str) else path
    prefix = host.real(parent(parent(path)))
    return prefix if isinstance(prefix, str) else parent(parent(path))


def _is_venv(host: Host, path: str) -> bool:
    return isinstance(host.stat(f"{parent(parent(path))}/pyvenv.cfg"), Stat)


def _pyenv(host: Host, shims: str, name: str) -> Union[str, None]:
    """What a shim of pyenv starts outside of any project: the version of its global file."""
    root = parent(shims)
    data = host.read(f"{root}/version", 4096)
    words = data.decode("utf-8", "replace").split() if isinstance(data, bytes) else []
    return f"{root}/versions/{words[0]}/bin/{name}" if words and words[0] != "system" else None


def _tensorflow_of(host: Host, path: str, real: str) -> Union[str, None, Gap]:
    """The version of TensorFlow in the site-packages of another interpreter, from folder names."""
    prefix, name = parent(parent(path)), real.rpartition("/")[2]
    minor = name[len("python") :]
    if not minor.startswith("3.") or not minor[2:].isdigit():
        return Gap(f"version unknown without asking it: {path}", "not-collected")
    if _is_venv(host, path):
        folders = [f"{prefix}/lib/python{minor}/site-packages"]
    else:
        user = environments.user_site(host, minor)
        folders = ([user] if user else []) + environments.system_folders(parent(parent(real)), minor)
    for folder in folders:
        names = host.names(folder)
        if isinstance(names, Gap):
            return names
        for one in names or ():
            pair = distributions.split_folder(one) if one.startswith(("tensorflow", "tf_nightly")) else None
            if pair and pair[0] in tensorflow.WHOLE:
                return pair[1]
    return None
