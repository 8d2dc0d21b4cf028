"""Rules about TensorFlow's wheels and this machine: Python version, bits, glibc, the CPU's instructions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpucheck.compat.tensorflow import AARCH64, RELEASES, CpuRelease, Release, final, find
from gpucheck.facts.gap import known, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import LibcVersion, PackageVersion
from gpucheck.findings import Severity
from gpucheck.rules.choice import choose
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.installed import by_conda, installed
from gpucheck.rules.recipes import install_lines
from gpucheck.rules.stakes import gpu_seen
from gpucheck.rules.systems import on_windows


@rule(Severity.ERROR, explains=("tensorflow-not-installed", "python-version-no-wheel"))
def python_32bit(snapshot: Snapshot) -> Iterator[Found]:
    """The examined Python is a 32-bit program.

    ## What it means
    The interpreter is 32-bit, though the system may be 64-bit.

    ## Why it matters
    TensorFlow has had 64-bit wheels only, always. pip finds no version for a 32-bit Python ("from versions: none").

    ## How to fix
    Install a 64-bit Python and make the environment with it.

    ## References
    https://github.com/tensorflow/tensorflow/issues/10971
    https://www.tensorflow.org/install/pip
    """
    python = need(snapshot.python)
    if need(python.bits) == 32:
        yield found(
            f"{python.executable} is a 32-bit Python; TensorFlow has wheels for 64-bit Pythons only.",
            [("python.bits", 32, known(python.real_executable, None) or python.executable)],
            ["# Install a 64-bit Python, and make the environment with it."],
        )


@rule(Severity.ERROR, explains=("tensorflow-not-installed",))
def python_version_no_wheel(snapshot: Snapshot) -> Iterator[Found]:
    """There is no TensorFlow wheel for this Python version.

    ## What it means
    Each TensorFlow release has wheels for some Python versions only. No final release has one for the examined Python:
    it is too new, too old, or no CPython.

    ## Why it matters
    pip answers "Could not find a version that satisfies the requirement tensorflow (from versions: none)", which names
    neither Python nor the cure.

    ## How to fix
    Make an environment with a Python that the newest release has a wheel for.

    ## References
    https://www.tensorflow.org/install/source#tested_build_configurations
    """
    python = need(snapshot.python)
    if need(python.tensorflow) is not None:
        return
    version, kind, machine = need(python.version), need(python.implementation), need(need(snapshot.system).machine)
    if version is None or machine not in ("x86_64", "aarch64"):
        return
    rows = _rows(snapshot, machine)
    minor = f"{version.major}.{version.minor}"
    fitting = [row for row in rows if minor in row.pythons.split()]
    if kind == "cpython" and any(final(row) for row in fitting):
        return
    newest = max((row for row in rows if final(row)), key=lambda row: PackageVersion(row.version))
    name = f"Python {version}" if kind == "cpython" else f"{kind} {version}"
    early = f"; only {fitting[-1].version} has one" if fitting and kind == "cpython" else ""
    yield found(
        f"No final TensorFlow release has a wheel for {name} on {machine} (the newest, {newest.version}, has them for "
        f"Python {newest.pythons.replace(' ', ', ')}){early}.",
        [
            ("python.version", version, python.read_from or python.executable),
            ("python.implementation", kind, python.read_from or python.executable),
        ],
        install_lines(snapshot),
        severity=None if gpu_seen(snapshot) else Severity.WARNING,
    )


def _rows(snapshot: Snapshot, machine: str) -> Sequence[Release | CpuRelease]:
    if on_windows(snapshot):
        from gpucheck.compat.tensorflow_windows import WINDOWS

        return WINDOWS if machine == "x86_64" else ()
    return RELEASES if machine == "x86_64" else AARCH64


@rule(Severity.ERROR, explains=("python-version-no-wheel", "tensorflow-not-installed"), on="linux")
def glibc_too_old_for_wheel(snapshot: Snapshot) -> Iterator[Found]:
    """The system's C library is older than TensorFlow's wheels ask, or is not glibc.

    ## What it means
    Linux wheels name the glibc that they were built for: 2.27 from TensorFlow 2.21 on, 2.17 before. musl (Alpine) is no
    glibc at all.

    ## Why it matters
    pip leaves those wheels out and takes an older release, or finds none; an environment that was copied here from a
    newer system fails with "version `GLIBC_2.27' not found".

    ## How to fix
    Take the release named below, a newer distribution, or a container that is based on one.

    ## References
    https://peps.python.org/pep-0600/
    https://github.com/pypa/manylinux
    """
    system, python = need(snapshot.system), need(snapshot.python)
    machine = need(system.machine)
    if machine not in ("x86_64", "aarch64"):
        return
    libc, build = need(system.libc), need(python.tensorflow)
    if libc is None:
        yield found(
            "This system has no glibc (musl?); every TensorFlow wheel for Linux asks for one.",
            [("system.libc", None, "the loader")],
            ["# Use a container or a distribution with glibc (Debian, Ubuntu, Fedora …)."],
            severity=None if build is None and gpu_seen(snapshot) else Severity.WARNING,
        )
        return
    rows = RELEASES if machine == "x86_64" else AARCH64
    if build is not None:
        package = installed(python, build.distribution) if build.distribution else None
        row = None if package and by_conda(package) else find(str(need(build.version)))
        if row is not None and libc < LibcVersion(row.glibc):
            yield found(
                f"TensorFlow {row.version} was built for glibc {row.glibc} or later; this system has {libc}.",
                [("system.libc", libc, "the loader"), ("python.tensorflow.version", row.version, build.root)],
                install_lines(snapshot),
            )
        return
    newest = max((row for row in rows if final(row)), key=lambda row: PackageVersion(row.version))
    if libc < LibcVersion(newest.glibc):
        choice = choose(snapshot)
        yield found(
            f"TensorFlow {newest.version} needs glibc {newest.glibc}; this system has {libc}"
            + (f", where {choice.version} is the newest that fits." if choice else "."),
            [("system.libc", libc, "the loader")],
            install_lines(snapshot),
            severity=Severity.INFO if any(LibcVersion(row.glibc) <= libc for row in rows) else None,
        )


@rule(Severity.ERROR, decisive=True)
def cpu_no_avx(snapshot: Snapshot) -> Iterator[Found]:
    """The CPU lacks AVX.

    ## What it means
    TensorFlow's wheels from 1.6 on are compiled with AVX, and this CPU (or this virtual machine's) does not have it.

    ## Why it matters
    `import tensorflow` dies with "Illegal instruction" (SIGILL), in a notebook with a dead kernel and no message.

    ## How to fix
    In a virtual machine pass the host's CPU through. Otherwise build TensorFlow without AVX, or use another machine.

    ## References
    https://github.com/tensorflow/tensorflow/issues/46496
    https://www.tensorflow.org/install/pip#hardware_requirements
    """
    cpu = need(need(snapshot.system).cpu)
    if need(cpu.avx) is not False:
        return
    python = need(snapshot.python)
    build = need(python.tensorflow)
    if build is not None:
        version = need(build.version)
        package = installed(python, build.distribution) if build.distribution else None
        if (package and by_conda(package)) or (version and version < PackageVersion("1.6")):
            return  # conda-forge's and 1.5's builds have their own baseline
    yield found(
        f"The CPU ({cpu.model}) has no AVX, which TensorFlow's wheels since 1.6 need: importing it dies of an "
        "illegal instruction.",
        [("system.cpu.avx", "false", "/proc/cpuinfo"), ("system.cpu.model", cpu.model, "/proc/cpuinfo")],
        ["# In a virtual machine pass the host's CPU through (QEMU: -cpu host); else build TensorFlow without AVX."],
        severity=None if build is not None else Severity.WARNING,
    )
