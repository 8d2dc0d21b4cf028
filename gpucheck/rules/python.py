"""Rules about the examined interpreter and its environment. What is installed in it: tensorflow.py and packages.py."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.tensorflow import ROOM_FOR_CPU, ROOM_WITH_CUDA
from gpucheck.facts import paths
from gpucheck.facts.gap import Gap, Unknown, known, need
from gpucheck.facts.python import Kernel, Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import Disk
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import nvidia_here
from gpucheck.rules.recipes import install_lines, quoted
from gpucheck.rules.stakes import gpu_seen

_FULL = 64 << 20


@rule(Severity.ERROR, decisive=True, explains=("tensorflow-not-installed", "wrong-python-environment"))
def python_interpreter_missing(snapshot: Snapshot) -> Iterator[Found]:
    """The environment's python leads nowhere.

    ## What it means
    A virtual environment holds no interpreter of its own but a link to the one it was made from. That one is gone: it
    was upgraded, removed, or the environment was copied from another machine.

    ## Why it matters
    Nothing in this environment can be started, TensorFlow included.

    ## How to fix
    Make the environment anew with an interpreter that exists, and install into it again.

    ## References
    https://docs.python.org/3/library/venv.html
    """
    python = need(snapshot.python)
    if need(python.real_executable) is not None:
        return
    prefix = known(python.prefix, None)
    windows = paths.is_windows(python.executable)
    what = "is a link that leads to no file: the interpreter that it was made from is gone"
    what = "cannot start: the interpreter that it was made from is gone" if windows else what
    make = f'py -m venv --clear "{prefix}"' if windows else f"python3 -m venv --clear {quoted(prefix or '')}"
    anew = ["# Make the environment anew:", make, *install_lines(snapshot)]
    yield found(
        f"{python.executable} {what if prefix else 'does not exist'}.",
        [("python.real_executable", None, f"{python.executable}, chosen by {python.chosen_by}")],
        anew if prefix else ["# Name an interpreter that exists: gpucheck doctor --python PATH"],
    )


@rule(Severity.ERROR, decisive=True, explains=("pep668-externally-managed",))
def tensorflow_not_installed(snapshot: Snapshot) -> Iterator[Found]:
    """The examined Python has no TensorFlow.

    ## What it means
    No folder tensorflow/ lies in the examined interpreter's site-packages. gpucheck examines --python PATH, else the
    active virtual or conda environment, else python3 on PATH.

    ## Why it matters
    `import tensorflow` raises ModuleNotFoundError here. If it works for you elsewhere, another Python is meant.

    ## How to fix
    Install TensorFlow with its CUDA libraries into this environment, or name the right one with --python.

    ## References
    https://www.tensorflow.org/install/pip
    """
    python = need(snapshot.python)
    if need(python.tensorflow) is not None:
        return
    yield found(
        f"{python.executable} has no TensorFlow.",
        [
            ("python.tensorflow", None, "site-packages"),
            ("python.executable", python.executable, f"chosen by {python.chosen_by}"),
        ],
        ["# If TensorFlow is in another environment: gpucheck doctor --python PATH", *install_lines(snapshot)],
        severity=None if gpu_seen(snapshot) else Severity.WARNING,
    )


@rule(Severity.INFO)
def pep668_externally_managed(snapshot: Snapshot) -> Iterator[Found]:
    """The system's Python refuses pip.

    ## What it means
    The distribution marks its Python as managed by apt or dnf (PEP 668), and TensorFlow is not installed in it.

    ## Why it matters
    `pip install tensorflow` stops with "error: externally-managed-environment". With --break-system-packages it goes
    through and may break the system's own tools.

    ## How to fix
    Make a virtual environment and install there.

    ## References
    https://peps.python.org/pep-0668/
    """
    python = need(snapshot.python)
    if need(python.tensorflow) is not None:
        return
    marker = need(python.externally_managed)
    if marker is None or need(python.environment) != "system":
        return
    yield found(
        f"{python.executable} is the system's own Python and refuses pip ({marker}).",
        [("python.externally_managed", marker, marker), ("python.environment", "system", python.executable)],
        install_lines(snapshot),
    )


@rule(Severity.WARNING)
def wrong_python_environment(snapshot: Snapshot) -> Iterator[Found]:
    """Another Python than the one that was set up is started.

    ## What it means
    The examined Python has no TensorFlow but another one on PATH has; or a Jupyter kernel starts an interpreter that no
    longer exists, or one outside the environment that the kernel lies in.

    ## Why it matters
    "pip install" goes to one Python and the program runs in the other: ModuleNotFoundError, or a TensorFlow without GPU
    although the right one is installed.

    ## How to fix
    Start the right interpreter, or register it as a kernel.

    ## References
    https://github.com/jupyter/notebook/issues/5054
    https://ipython.readthedocs.io/en/stable/install/kernel_install.html
    """
    python = need(snapshot.python)
    if not isinstance(python.tensorflow, Gap) and python.tensorflow is None:
        yield from _elsewhere(snapshot, python)
    for kernel in known(python.kernels, ()):
        yield from _kernel(kernel, python)


def _elsewhere(snapshot: Snapshot, python: Python) -> Iterator[Found]:
    others = [one for one in known(python.others, ()) if isinstance(one.tensorflow, str)]
    if others:
        yield found(
            f"{python.executable} has no TensorFlow; {others[0].path} has {others[0].tensorflow}.",
            [("python.others", f"{one.path}: TensorFlow {one.tensorflow}", "PATH") for one in others],
            [f"gpucheck doctor --python {quoted(others[0].path)}"],
            severity=Severity.ERROR if gpu_seen(snapshot) else None,
            explains=("tensorflow-not-installed",),
        )


def _kernel(kernel: Kernel, python: Python) -> Iterator[Found]:
    if kernel.interpreter is None or not (kernel.interpreter.startswith("/") or paths.is_windows(kernel.interpreter)):
        return
    start = f'& "{python.executable}"' if paths.is_windows(python.executable) else quoted(python.executable)
    register = f"{start} -m ipykernel install --user --name {quoted(kernel.name)}"
    evidence = [("python.kernels", kernel.interpreter, kernel.path)]
    if kernel.real_interpreter is None:
        yield found(
            f"The Jupyter kernel {kernel.name!r} starts {kernel.interpreter}, which does not exist.",
            evidence,
            ["# Register the examined Python under that name:", register],
        )
        return
    prefix = known(python.prefix, None)
    home, own = known(kernel.starts, None), known(kernel.belongs_to, None)
    if not prefix or not paths.inside(kernel.path, prefix) or not home or not own:
        return
    if paths.key(home) != paths.key(own) and not paths.inside(home, own):
        yield found(
            f"The Jupyter kernel {kernel.name!r} of {prefix} starts another environment's Python, "
            f"{kernel.interpreter}.",
            [*evidence, ("python.prefix", prefix, python.executable)],
            ["# Register the environment's own Python:", register],
        )


@rule(Severity.WARNING)
def disk_or_tmp_full(snapshot: Snapshot) -> Iterator[Found]:
    """Too little room where pip writes.

    ## What it means
    The file system of the environment or of the temporary folder is full, or TensorFlow is not installed yet and they
    lack the room for it: with CUDA pip unpacks 3.4 GB of wheels in the temporary folder (often a small tmpfs) and
    writes 6.3 GB; without (there is no GPU here) it is 0.6 and 2.1 GB.

    ## Why it matters
    "[Errno 28] No space left on device", although the disk has room: it is the other file system that is full. What was
    half written stays, and pip then says that all is installed.

    ## How to fix
    Point TMPDIR to a folder with room, or clean up.

    ## References
    https://pip.pypa.io/en/stable/topics/caching/
    """
    disks = need(need(snapshot.system).disks)
    python = snapshot.python
    absent = isinstance(python, Python) and not isinstance(python.tensorflow, Gap) and python.tensorflow is None
    cuda = absent and not _no_gpu(snapshot)
    room = ROOM_WITH_CUDA if cuda else ROOM_FOR_CPU
    for disk in disks:
        wanted = {"temp": room.temp, "environment": room.environment}.get(disk.role, 0) if absent else 0
        if disk.free_bytes < max(wanted, _FULL):
            yield _little_room(disk, wanted, "TensorFlow with CUDA" if cuda else "TensorFlow")


def _no_gpu(snapshot: Snapshot) -> bool:
    """Only the smaller demand where that is not known: not knowing accuses nobody."""
    try:
        return nvidia_here(snapshot) is None
    except Unknown:
        return True


def _little_room(disk: Disk, wanted: int, what: str) -> Found:
    place = {"environment": "the environment", "temp": "the temporary folder", "home": "the home folder"}[disk.role]
    why = f"; installing {what} takes about {wanted / 1e9:.1f} GB there" if wanted else ""
    lines = ["# Free some room, or put the environment on another file system."]
    if disk.role == "temp":
        lines = ["# Let pip unpack in a folder with room:", "mkdir -p ~/tmp && export TMPDIR=~/tmp"]
    if disk.role == "temp" and paths.is_windows(disk.path):
        lines = ["# Let pip unpack in a folder with room, in PowerShell:", '$env:TEMP = "D:\\temp"']
    left = f"{disk.free_bytes / 1e9:.1f} GB left of {disk.total_bytes / 1e9:.1f} GB"
    return found(
        f"{place.capitalize()} ({disk.path}) has {left}{why}.",
        [("system.disks", f"{disk.free_bytes} bytes free", disk.path)],
        lines,
    )
