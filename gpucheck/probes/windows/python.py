"""The examined interpreter on Windows and what is installed for it."""

from __future__ import annotations

from typing import Any, Union

from gpucheck.facts import paths
from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Interpreter, Python
from gpucheck.host import Host, Stat
from gpucheck.probes import distributions, kernels, tensorflow
from gpucheck.probes.interpreter import Choice
from gpucheck.probes.layout import Layout
from gpucheck.probes.python import Surroundings, gathered
from gpucheck.probes.windows import interpreter
from gpucheck.probes.windows.separators import with_backslashes


def probe(host: Host, given: Union[str, None]) -> Union[Python, Gap]:
    """Examine an interpreter; `given` as in `gpucheck.probes.python`."""
    choice = interpreter.choose(host, given)
    if isinstance(choice, Gap):
        return choice
    real = host.real(choice.executable)
    if real is None and isinstance(host.stat(choice.executable), Stat):
        real = choice.executable  # an alias of the Store's, which no call resolves
    if real is None:
        gone = Gap(f"no such file: {choice.executable}", "unreadable")
        layout = Layout(gone, None, gone, gone, gone, gone, gone, gone)
    else:
        layout = interpreter.lay_out(host, choice.executable)
    if layout.program:
        program = host.real(layout.program)
        real = layout.program if isinstance(program, Gap) else program  # the Store's folders may not be looked into
    if _base_is_gone(host, layout):
        real = None
    found = with_backslashes(_python(host, choice, real, layout))
    assert isinstance(found, Python)
    return found


def _base_is_gone(host: Host, layout: Layout) -> bool:
    """A virtual environment's python.exe starts the one that it was made from."""
    base = layout.base_prefix
    if layout.kind not in ("venv", "pipx", "uv-tool") or not isinstance(base, str):
        return False
    return all(host.stat(paths.join(base, name)) is None for name in ("python.exe", "pypy.exe", "pypy3.exe"))


def _python(host: Host, choice: Choice, real: Union[str, None, Gap], layout: Layout) -> Python:
    prefix = layout.prefix if isinstance(layout.prefix, str) else None
    around = Surroundings(
        _kind(layout),
        _managed(host, layout),
        kernels.find_in(host, _kernel_folders(host, prefix)),
        _others(host, choice.executable),
    )
    return gathered(host, choice, real, layout, host.pe(real) if isinstance(real, str) else real, around)


def _kind(layout: Layout) -> Any:
    return layout.kind


def _managed(host: Host, layout: Layout) -> Union[str, None, Gap]:
    """The EXTERNALLY-MANAGED file that makes pip refuse (uv's own interpreters have one)."""
    if isinstance(layout.kind, Gap):
        return layout.kind
    if layout.kind in ("venv", "pipx", "uv-tool") or not isinstance(layout.base_prefix, str):
        return None
    path = paths.join(layout.base_prefix, "Lib", "EXTERNALLY-MANAGED")
    status = host.stat(path)
    return status if isinstance(status, Gap) else path if status else None


def _kernel_folders(host: Host, prefix: Union[str, None]) -> list[str]:
    r"""%APPDATA%\jupyter, the environment's share\jupyter, %PROGRAMDATA%\jupyter (jupyter_core/paths.py)."""
    places = [host.env("APPDATA"), f"{prefix}/share" if prefix else None, host.env("PROGRAMDATA")]
    return [f"{place}/jupyter/kernels" for place in places if place]


def _others(host: Host, executable: str) -> tuple[Interpreter, ...]:
    """The other Pythons that a shell would find."""
    found: dict[str, Interpreter] = {}
    for folder in interpreter.path_folders(host):
        path = paths.join(folder, "python.exe")
        if not isinstance(host.stat(path), Stat) or interpreter.is_dead_alias(host, folder):
            continue
        if paths.key(path) != paths.key(executable):
            real = host.real(path)
            place = real if isinstance(real, str) else path
            found.setdefault(paths.key(place), Interpreter(path, place, _tensorflow_of(host, folder)))
    return tuple(found.values())


def _tensorflow_of(host: Host, folder: str) -> Union[str, None, Gap]:
    """The version of TensorFlow in that interpreter's own site-packages, from folder names."""
    above = paths.parent(folder) if paths.base(folder).lower() == "scripts" else folder
    place = paths.join(above, "Lib", "site-packages")
    names = host.names(place)
    if isinstance(names, Gap):
        return names
    if names is None:
        return Gap(f"where it keeps its packages is not known without asking it: {folder}", "not-collected")
    for one in names:
        pair = distributions.split_folder(one) if one.startswith(("tensorflow", "tf_nightly")) else None
        if pair and pair[0] in tensorflow.WHOLE:
            return pair[1]
    return None
