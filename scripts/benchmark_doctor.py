"""Measure `gpucheck doctor`: its cost, its answer with any probe hung, and beside rivals on the same broken machines.

    python3 scripts/benchmark_doctor.py [--env PYTHON] [--runs 15] [--timeout 3] [--only cost,hung,faults,typer]

--env: a Python with TensorFlow to examine (default: the one that tests/real_environments.py keeps, if it is there).
As root on Linux everything runs in a mount namespace of its own that has a GPU on its PCI bus and a driver's files, so
that all tools see one coherent machine; otherwise only the driver's libraries and nvidia-smi are there. The libraries
are tests/native/*.c, compiled here. Rivals are installed from the package index, each into its own environment under
.cache/benchmark; one that cannot be installed is named and left out.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from dead_folder import dead_folder
from own_environment import ROOT, require_python

CACHE = ROOT / ".cache" / "benchmark"
PATIENCE = 45.0  # seconds after which a rival counts as hung
INSIDE = "GPUCHECK_BENCHMARK_INSIDE"


class Tool(NamedTuple):
    """A command to compare. requirements: what pip installs for it."""

    name: str
    requirements: tuple[str, ...]
    command: tuple[str, ...]  # the first word is a program of its environment


# PyTorch's CPU wheel is not on PyPI (there the wheel brings CUDA); where no index or folder has it, it is left out.
TOOLS = (
    Tool("torch collect_env", ("torch==2.13.0+cpu",), ("python", "-m", "torch.utils.collect_env")),
    Tool("rapids-cli", ("rapids-cli",), ("rapids", "doctor")),
    Tool("env-doctor", ("env-doctor",), ("env-doctor", "check")),
    Tool("cuda-doctor", ("cuda-doctor",), ("cuda-doctor",)),
    Tool("mlenvdoctor", ("mlenvdoctor",), ("mlenvdoctor", "diagnose")),
    Tool("gpumedic", ("gpumedic[nvidia]",), ("gpumedic", "scan")),
)
GPUCHECK = Tool("gpucheck", (str(ROOT),), ("gpucheck", "doctor"))


class Fault(NamedTuple):
    """One broken machine, and the words that name its cause: the same for every tool, searched without case.

    smi: what nvidia-smi does: "ok", "hang", or "exit code|message".
    """

    name: str
    words: str
    environ: dict[str, str]
    smi: str = "ok"
    module: str | None = "580.126.09"  # of the loaded kernel module
    library: str = "ok"  # libnvidia-ml.so.1: ok, empty, truncated


_HANG = r"(hang|hung|no answer|not answer|timed? ?out|deadline)"
_SEES = r"(Tesla T4|\bT4\b)"
FAULTS = (
    Fault("healthy", _SEES, {}),
    Fault(
        "driver not loaded (9)",
        r"(kernel module|module nvidia|nvidia module)[^.\n]{0,60}not|not loaded|communicate with the NVIDIA driver",
        {"FAKE_CODES": "nvmlInit=9,cuInit=100"},
        "9|NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        None,
    ),
    Fault(
        "driver/library mismatch (18)",
        "mismatch",
        {"FAKE_CODES": "nvmlInit=18,cuInit=803"},
        "18|Failed to initialize NVML: Driver/library version mismatch",
        "575.64.03",
    ),
    Fault(
        "one of eight GPUs lost (15)",
        "GPU is lost|fallen off|(gpu|is) lost",
        {"FAKE_PROFILE": "8xh100", "FAKE_LOST": "1"},
        "15|Unable to determine the device handle for GPU0000:02:00.0: GPU is lost.",
    ),
    Fault(
        "no permission (4)",
        "permission",
        {"FAKE_CODES": "nvmlInit=4,cuInit=100"},
        "4|Failed to initialize NVML: Insufficient Permissions",
    ),
    Fault(
        "unknown error (999)",
        r"unknown error|\b999\b|CUDA_ERROR_UNKNOWN",
        {"FAKE_CODES": "nvmlInit=999,cuInit=999"},
        "255|Failed to initialize NVML: Unknown Error",
    ),
    Fault("NVML hangs", rf"(nvml|libnvidia-ml)[^\n]{{0,80}}{_HANG}", {"FAKE_HANG": "nvmlInit"}, "hang"),
    Fault("libcuda hangs", rf"(libcuda|cuInit|cuda)[^\n]{{0,80}}{_HANG}", {"FAKE_HANG": "cuInit"}),
    Fault("NVML dies of SIGSEGV", "SIGSEGV|segmentation|signal 11|crash", {"FAKE_SEGV": "nvmlInit"}, "139|"),
    Fault("0-byte libnvidia-ml", r"empty|0.bytes?|zero|file too short", {}, "12|", library="empty"),
    Fault("truncated libnvidia-ml", r"truncated|file too short|SIGBUS|cut short", {}, "12|", library="truncated"),
    Fault("GPU name not UTF-8", "GeF", {"FAKE_NAME": "GeF\udce9rce"}),
    Fault("driver 610", r"610\.57", {"FAKE_DRIVER": "610.57.04", "FAKE_CUDA": "13030"}, module="610.57.04"),
    Fault("nvidia-smi hangs, NVML well", _SEES, {}, "hang"),
    Fault(
        "CUDA_VISIBLE_DEVICES=-1", "CUDA_VISIBLE_DEVICES", {"CUDA_VISIBLE_DEVICES": "-1", "FAKE_CODES": "cuInit=100"}
    ),
)


class Run(NamedTuple):
    """One run of a command. cpu: seconds, of it and of every process that it started."""

    code: int | None  # None: killed after the patience
    wall: float
    cpu: float
    out: str
    err: str


def run(command: list[str], environ: dict[str, str], patience: float = PATIENCE) -> Run:
    """Run a command with all its descendants, which are waited for (and counted) wherever they went."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environ, start_new_session=True
        )
        code, cpu = _wait(child, begin + patience)
        wall = time.perf_counter() - begin
        cpu += _reap_orphans()
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    return Run(code, wall, cpu, texts[0], texts[1])


def _wait(child: subprocess.Popen[bytes], end: float) -> tuple[int | None, float]:
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, usage.ru_utime + usage.ru_stime
        if time.perf_counter() > end:
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            _pid, _status, usage = os.wait4(child.pid, 0)
            child.returncode = -9
            return None, usage.ru_utime + usage.ru_stime
        time.sleep(0.0005)


def _become_reaper() -> None:
    """Make orphans of our children ours (prctl PR_SET_CHILD_SUBREAPER, 36), so that none escapes the count."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _reap_orphans() -> float:
    cpu = 0.0
    end = time.perf_counter() + 1.0
    while time.perf_counter() < end:
        try:
            pid, _status, usage = os.wait3(os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            cpu += usage.ru_utime + usage.ru_stime
        else:
            time.sleep(0.01)
    return cpu


# --- the machine


class Machine:
    """The broken machine's files, changed from fault to fault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dressed = INSIDE in os.environ
        self.libraries, self.programs = folder / "lib", folder / "bin"
        for path in (self.libraries, self.programs):
            path.mkdir(parents=True, exist_ok=True)
        for source, name in (("fake_nvml.c", "libnvidia-ml.so.1"), ("fake_cuda.c", "libcuda.so.1")):
            # Each with its version in its name, as the driver's packages have them.
            real = folder / name.replace(".so.1", ".so.built")
            subprocess.run(
                [
                    "cc",
                    "-shared",
                    "-fPIC",
                    "-O1",
                    f"-Wl,-soname,{name}",
                    "-o",
                    real,
                    ROOT / "tests" / "native" / source,
                ],
                check=True,
            )
        if self.dressed:
            self._mount()

    def _mount(self) -> None:
        """Lay a PCI bus with one GPU, the driver's /proc folder and the nvidia module over the real ones."""
        bus = self.folder / "pci" / "0000:01:00.0"
        bus.mkdir(parents=True)
        for name, text in (
            ("vendor", "0x10de\n"),
            ("device", "0x1eb8\n"),
            ("class", "0x030200\n"),
            ("config", "x" * 64),
        ):
            (bus / name).write_text(text)
        for name in ("proc", "module"):
            (self.folder / name).mkdir()
        for source, target in (("pci", "/sys/bus/pci/devices"), ("proc", "/proc/driver"), ("module", "/sys/module")):
            subprocess.run(["mount", "--bind", self.folder / source, target], check=True)

    def become(self, fault: Fault) -> dict[str, str]:
        """Take on a fault; the answer is the environment in which tools run."""
        self._lay_libraries(fault)
        self._lay_smi(fault)
        if self.dressed:
            self._lay_module(fault.module)
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("FAKE_", "CUDA_", "PYTHON"))
        }
        environ.update(
            fault.environ,
            LD_LIBRARY_PATH=str(self.libraries),
            PATH=f"{self.programs}:{environ['PATH']}",
            HOME=str(self.folder),
            NO_COLOR="1",
            COLUMNS="200",
            TERM="dumb",
        )
        return environ

    def _lay_libraries(self, fault: Fault) -> None:
        shutil.rmtree(self.libraries)
        self.libraries.mkdir()
        version = fault.environ.get("FAKE_DRIVER", "580.126.09")
        for name in ("libnvidia-ml.so.1", "libcuda.so.1"):
            data = (self.folder / name.replace(".so.1", ".so.built")).read_bytes()
            if name == "libnvidia-ml.so.1" and fault.library != "ok":
                data = b"" if fault.library == "empty" else data[: len(data) // 3]
            (self.libraries / name.replace(".so.1", f".so.{version}")).write_bytes(data)
            (self.libraries / name).symlink_to(name.replace(".so.1", f".so.{version}"))

    def _lay_smi(self, fault: Fault) -> None:
        driver, name = fault.environ.get("FAKE_DRIVER", "580.126.09"), fault.environ.get("FAKE_NAME", "Tesla T4")
        code, _bar, message = fault.smi.partition("|")
        if fault.smi == "hang":
            body = "sleep 600"
        elif fault.smi == "ok":
            body = _SMI.replace("@DRIVER", driver).replace("@NAME", name)
        else:
            body = f'echo "{message}"\nexit {code}'
        path = self.programs / "nvidia-smi"
        path.write_bytes(os.fsencode("#!/bin/sh\n" + body + "\n"))
        path.chmod(0o755)

    def _lay_module(self, version: str | None) -> None:
        for path in (
            self.folder / "proc" / "nvidia",
            self.folder / "module" / "nvidia",
            self.folder / "module" / "nvidia_uvm",
        ):
            shutil.rmtree(path, ignore_errors=True)
        driver = self.folder / "pci" / "0000:01:00.0" / "driver"
        driver.unlink(missing_ok=True)
        if version is None:
            return
        (self.folder / "proc" / "nvidia").mkdir()
        (self.folder / "proc" / "nvidia" / "version").write_text(
            f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Mon Jan  5 10:00:00 UTC 2026\n"
        )
        for name in ("nvidia", "nvidia_uvm"):
            (self.folder / "module" / name).mkdir()
            (self.folder / "module" / name / "version").write_text(version + "\n")
        driver.symlink_to("/sys/bus/pci/drivers/nvidia")


_SMI = r"""
case "$*" in
*--query-gpu=*)
  fields=$(printf '%s\n' "$@" | sed -n 's/^--query-gpu=//p'); out=
  for field in $(echo "$fields" | tr ',' ' '); do
    case $field in
    driver_version) value='@DRIVER';; name|gpu_name) value='@NAME';; index|count) value=0;;
    memory.total) value='15360';; memory.free) value=15000;; memory.used) value=360;; compute_cap) value=7.5;;
    temperature.gpu) value=34;; uuid) value=GPU-1;; pci.bus_id) value=00000000:01:00.0;; *) value='[N/A]';;
    esac
    out="$out${out:+, }$value"
  done
  case "$*" in *noheader*) ;; *) echo "$fields";; esac
  echo "$out";;
*-L*) echo "GPU 0: @NAME (UUID: GPU-1)";;
*)
  case '@DRIVER' in
  610*) echo "| NVIDIA-SMI @DRIVER    KMD Version: @DRIVER    CUDA UMD Version: 13.3 |";;
  *) echo "| NVIDIA-SMI @DRIVER    Driver Version: @DRIVER    CUDA Version: 13.0 |";;
  esac
  echo "|   0  @NAME                       Off |   00000000:01:00.0 Off |                    0 |"
  echo "| N/A   34C    P8              9W /   70W |     360MiB /  15360MiB |      0%      Default |";;
esac
"""


# --- environments


def program(tool: Tool) -> list[str] | None:
    """The tool's command, installed if need be; None where it cannot be."""
    folder = CACHE / re.sub(r"\W+", "-", tool.name)
    binaries = folder / "bin"
    stamp = folder / "installed"
    wanted = " ".join(tool.requirements)
    if tool is not GPUCHECK and stamp.exists() and stamp.read_text() == wanted:
        return [str(binaries / tool.command[0]), *tool.command[1:]]
    try:
        if not (binaries / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(binaries / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *tool.requirements], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except subprocess.CalledProcessError as error:
        words = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        print(f"left out: {tool.name}: {words[-1] if words else error}", file=sys.stderr)
        return None
    stamp.write_text(wanted)
    return [str(binaries / tool.command[0]), *tool.command[1:]]


def examined(given: str | None) -> str | None:
    """The Python with TensorFlow that is examined."""
    if given:
        return given
    with contextlib.suppress(ImportError, AttributeError):
        import real_environments

        return str(real_environments.python("tf221"))
    return None


# --- the tables


def cost(machine: Machine, python: str | None, runs: int, rivals: dict[str, list[str]]) -> list[list[str]]:
    """CPU and wall seconds of everything, interleaved, as medians."""
    environ = machine.become(FAULTS[0])
    gpucheck = rivals["gpucheck"]
    own = str(Path(gpucheck[0]).parent / "python")
    choice = ["--python", python] if python else []
    commands = {
        "python -c pass": [own, "-c", "pass"],
        "gpucheck doctor --format json": [*gpucheck, "--format", "json", *choice],
        "gpucheck doctor": [*gpucheck, *choice],
        **{name: command for name, command in rivals.items() if name != "gpucheck"},
    }
    taken: dict[str, list[Run]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            if turn <= 5 or command[0].startswith(str(Path(own).parent)):  # rivals are slow: five times each
                one = run(command, environ)
                if turn:  # the first warms the caches
                    taken[name].append(one)
    base = statistics.median(one.cpu for one in taken["python -c pass"])
    rows = [["command", "CPU s", "times `python -c pass`", "wall s", "exit code"]]
    for name, ones in taken.items():
        cpu, wall = statistics.median(one.cpu for one in ones), statistics.median(one.wall for one in ones)
        codes = ", ".join(sorted({"hang" if one.code is None else str(one.code) for one in ones}))
        rows.append([name, f"{cpu:.3f}", f"{cpu / base:.1f}", f"{wall:.3f}", codes])
    return rows


def hung(machine: Machine, python: str | None, gpucheck: list[str], timeout: float) -> list[list[str]]:
    """Each probe hung in turn: does the answer come in time, and does it name what hung?"""
    rows = [["what hangs", "wall s", f"within {timeout + 0.5:g} s", "exit code", "named", "findings made all the same"]]
    sleeper = machine.folder / "python3"
    sleeper.write_text("#!/bin/sh\nsleep 600\n")
    sleeper.chmod(0o755)
    nvml, libcuda = r"NVML[^\"]{0,60}" + _HANG, r"(cuInit|libcuda)[^\"]{0,60}" + _HANG
    cases = [
        Case("nothing", "."),
        Case("NVML: nvmlInit", nvml, _fault(FAKE_HANG="nvmlInit")),
        Case("NVML: a question about a GPU", nvml, _fault(FAKE_HANG="nvmlDeviceGetName")),
        Case("libcuda: cuInit", libcuda, _fault(FAKE_HANG="cuInit")),
        Case("NVML, and libcuda dies of SIGSEGV", nvml, _fault(FAKE_HANG="nvmlInit", FAKE_SEGV="cuInit")),
        Case(
            "nvidia-smi (asked where NVML fails)",
            r"(nvidia-smi|smi)[^}]{0,80}" + _HANG,
            _fault("hang", FAKE_CODES="nvmlInit=999,cuInit=999"),
        ),
        Case("the examined Python", r"python3[^\"]{0,60}" + _HANG, python=str(sleeper)),
    ]
    with contextlib.ExitStack() as stack:
        if machine.dressed:
            with contextlib.suppress(OSError):
                dead = stack.enter_context(dead_folder(machine.folder / "dead"))
                # After the C library's own folder: before it, not even the dynamic loader of `ls` comes past it.
                behind = f"{machine.libraries}:{_folder_of_libc()}:{dead}"
                cases += [
                    Case("a dead disk on LD_LIBRARY_PATH", _HANG, environ={"LD_LIBRARY_PATH": behind}),
                    Case("a dead disk first on PATH", _HANG, environ={"PATH": f"{dead}:{os.environ['PATH']}"}),
                    Case("CUDA_HOME on a dead disk", _HANG, environ={"CUDA_HOME": f"{dead}/cuda"}),
                    Case("a Python on a dead disk", _HANG, python=f"{dead}/python"),
                ]
        for case in cases:
            choice = ["--python", case.python or python] if case.python or python else []
            command = [*gpucheck, "--format", "json", "--timeout", str(timeout), *choice]
            one = run(command, {**machine.become(case.fault), **case.environ}, timeout + 20)
            rows.append(_hung_row(case.name, one, timeout, case.words))
    return rows


class Case(NamedTuple):
    """One thing that hangs, and the words by which an answer names it."""

    name: str
    words: str
    fault: Fault = FAULTS[0]
    environ: dict[str, str] = {}  # noqa: RUF012 (never changed)
    python: str | None = None


def _folder_of_libc() -> str:
    maps = Path("/proc/self/maps").read_text()
    return next(os.path.dirname(line.split()[-1]) for line in maps.splitlines() if "/libc.so" in line)


def _hung_row(name: str, one: Run, timeout: float, pattern: str) -> list[str]:
    try:
        report = json.loads(one.out)
        made = str(len(report["findings"]))
    except (ValueError, KeyError, TypeError):
        made = "no report"
    named = "-" if pattern == "." else _yes(re.search(pattern, one.out, re.IGNORECASE) is not None)
    code = "hang" if one.code is None else str(one.code)
    return [name, f"{one.wall:.2f}", _yes(one.wall <= timeout + 0.5), code, named, made]


def _fault(smi: str = "ok", **environ: str) -> Fault:
    return Fault("", "", environ, smi)


def faults(machine: Machine, python: str | None, tools: dict[str, list[str]]) -> list[list[str]]:
    """Who answered what. A cell: exit code, seconds, T for a traceback, HANG, and + where the cause is named."""
    rows = [["fault", *tools]]
    for fault in FAULTS:
        row = [fault.name]
        environ = machine.become(fault)
        for name, command in tools.items():
            words = ["--timeout", "3", *(["--python", python] if python else [])] if name == "gpucheck" else []
            row.append(_cell(fault, run([*command, *words], environ)))
        rows.append(row)
        print(" | ".join(row), file=sys.stderr)
    return rows


def _cell(fault: Fault, one: Run) -> str:
    if one.code is None:
        return "HANG"
    text = one.out + one.err
    marks = "T" if "Traceback (most recent call last)" in text else ""
    named = re.search(fault.words, text, re.IGNORECASE) is not None
    return f"{one.code}{marks} {one.wall:.1f} s {'+' if named else '-'}"


def typer(runs: int) -> list[list[str]]:
    """What the command-line library itself costs: the same three-option command with two versions of it."""
    script = CACHE / "typer_app.py"
    script.write_text(_TYPER)
    rows = [["typer", "CPU s", "wall s"]]
    pythons: dict[str, str] = {}
    for requirement in ("typer<0.29", "typer"):
        found = program(Tool(f"typer {requirement[5:]}", (requirement,), ("python",)))
        if found:
            asked = [found[0], "-c", "from importlib.metadata import version; print(version('typer'))"]
            pythons[run(asked, dict(os.environ)).out.strip()] = found[0]
    taken: dict[str, list[Run]] = {version: [] for version in pythons}
    for turn in range(runs + 1):
        for version, python in pythons.items():
            one = run([python, str(script), "doctor"], dict(os.environ))
            if turn:
                taken[version].append(one)
    for version, ones in taken.items():
        cpu, wall = statistics.median(one.cpu for one in ones), statistics.median(one.wall for one in ones)
        rows.append([version, f"{cpu:.3f}", f"{wall:.3f}"])
    return rows


_TYPER = """
import typer
app = typer.Typer(add_completion=False)
@app.command()
def doctor(python: str = "", format: str = "terminal", deep: bool = False): pass
@app.command()
def snapshot(output: str = ""): pass
app()
"""


def _yes(answer: bool) -> str:
    return "yes" if answer else "NO"


def show(title: str, rows: list[list[str]], markdown: bool) -> None:
    if markdown:
        print(f"\n### {title}\n")
        print("| " + " | ".join(rows[0]) + " |\n|" + " --- |" * len(rows[0]))
        for row in rows[1:]:
            print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
        return
    print(f"\n{title}\n")
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())  # noqa: B905 (3.10 and older)


def _inside_namespace() -> None:
    """As root, go on in a mount namespace of our own, so that nothing of what is mounted is seen elsewhere."""
    if INSIDE in os.environ or sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"):
        return
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv])


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gpucheck-benchmark-"))
    try:
        yield folder
    finally:
        for target in ("/sys/bus/pci/devices", "/proc/driver", "/sys/module"):
            if INSIDE in os.environ:
                subprocess.run(["umount", "-l", target], stderr=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    require_python()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", help="a Python with TensorFlow to examine")
    parser.add_argument("--runs", type=int, default=15, help="runs of each measured command (default 15)")
    parser.add_argument(
        "--timeout", type=float, default=3.0, help="gpucheck's --timeout while a probe hangs (default 3)"
    )
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--only", default="cost,hung,faults,typer", help="parts, with commas (default: all)")
    parser.add_argument("--no-rivals", action="store_true", help="gpucheck alone")
    given = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    _inside_namespace()
    _become_reaper()
    parts = given.only.split(",")
    found = {tool.name: program(tool) for tool in (GPUCHECK, *(() if given.no_rivals else TOOLS))}
    tools = {name: command for name, command in found.items() if command}
    python = examined(given.env)
    with _folder() as folder:
        machine = Machine(folder)
        print(f"examined Python: {python or 'the first on PATH (no TensorFlow environment given)'}")
        print(f"machine: {'coherent (mount namespace)' if machine.dressed else 'libraries and nvidia-smi only'}")
        load = " ".join(f"{one:.1f}" for one in os.getloadavg())
        print(f"{os.cpu_count()} processors, load {load}, Python {sys.version.split()[0]}")
        if "cost" in parts:
            show("Cost on a healthy machine (medians)", cost(machine, python, given.runs, tools), given.markdown)
        if "hung" in parts:
            title = f"Any one probe hung, --timeout {given.timeout:g}"
            show(title, hung(machine, python, tools["gpucheck"], given.timeout), given.markdown)
        if "faults" in parts:
            show("Fault table", faults(machine, python, tools), given.markdown)
            words = [["fault", "named by (regular expression)"], *([one.name, f"`{one.words}`"] for one in FAULTS)]
            show("How naming is judged, for all alike", words, given.markdown)
        if "typer" in parts:
            show("typer", typer(given.runs), given.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
