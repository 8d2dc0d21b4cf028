r"""`gpucheck doctor --fix-paths` on Windows, for real: HKCU\Environment of this session's own Windows is changed.

What is looked at is a TensorFlow 2.10.1 of file names and a CUDA 11.2 whose DLLs are some small real ones: what they
are called and where they lie decides. Wine differs in this: it makes a new program's PATH of the machine's value alone
where both are set, so the new shell's PATH is put together here, as Windows does it (machine, then user).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path, PureWindowsPath
from typing import Union

import pytest
from windows_lab import Done, Lab

pytestmark = pytest.mark.windows

CUDA = r"C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v11.2"
HOME = r"C:\tf 2.10"
DLLS = (
    *("cudart64_110", "cublas64_11", "cublasLt64_11", "cufft64_10", "curand64_10", "cusolver64_11", "cusparse64_11"),
    *("cudnn64_8", "cudnn_ops_infer64_8", "cudnn_cnn_infer64_8", "cudnn_adv_infer64_8"),
    *("cudnn_ops_train64_8", "cudnn_cnn_train64_8", "cudnn_adv_train64_8"),
)
CUDNN = "#define CUDNN_MAJOR 8\n#define CUDNN_MINOR 1\n#define CUDNN_PATCHLEVEL 1\n"
BUILD = (
    "cpu_compiler='MSVC'\n"
    + "build_info = "
    + repr(
        {
            "is_cuda_build": True,
            "is_rocm_build": False,
            "cuda_version": "64_112",
            "cudnn_version": "64_8",
            "cudart_dll_name": "cudart64_112.dll",
            "cudnn_dll_name": "cudnn64_8.dll",
            "cuda_compute_capabilities": ["sm_35", "sm_50", "sm_60", "sm_70", "sm_75", "compute_80"],
        }
    )
)

SET = """
import json, sys, winreg
for name, text, expandable in json.load(open(sys.argv[1])):
    with winreg.CreateKeyEx(winreg.HKEY_CURRENT_USER, "Environment", 0, winreg.KEY_SET_VALUE) as key:
        if text is None:
            try:
                winreg.DeleteValue(key, name)
            except FileNotFoundError:
                pass
        else:
            winreg.SetValueEx(key, name, 0, winreg.REG_EXPAND_SZ if expandable else winreg.REG_SZ, text)
"""
GET = """
import json, winreg
held = {}
hives = {"user": (winreg.HKEY_CURRENT_USER, "Environment"), "machine": (winreg.HKEY_LOCAL_MACHINE,
    r"SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment")}
for who, (hive, below) in hives.items():
    with winreg.OpenKey(hive, below) as key:
        rows = [winreg.EnumValue(key, at) for at in range(winreg.QueryInfoKey(key)[1])]
        held[who] = {name.upper(): [text, kind == winreg.REG_EXPAND_SZ] for name, text, kind in rows}
print(json.dumps(held))
"""
Value = Union[list[object], None]


def set_user(lab: Lab, *rows: tuple[str, Union[str, None], bool]) -> None:
    file = lab.home / "variables.json"  # a command line takes no more than 32767 characters
    file.write_text(json.dumps(rows))
    done = lab.run([lab.python("3.10"), "-I", "-S", "-c", SET, lab.path(file)])
    assert done.code == 0, done


def variables(lab: Lab) -> dict[str, dict[str, Value]]:
    """Those of the user and of the machine, by name in capitals: [text, is it expandable]."""
    done = lab.run([lab.python("3.10"), "-I", "-S", "-c", GET])
    assert done.code == 0, done
    held: dict[str, dict[str, Value]] = json.loads(done.out)
    return held


def put(lab: Lab, path: str, content: Union[str, Path]) -> None:
    target = lab.unix(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, target)
    else:
        target.write_text(content, encoding="utf-8")


@pytest.fixture(scope="module")
def machine(lab: Lab) -> Lab:
    """A Windows on which CUDA and cuDNN were unpacked, and nobody has touched PATH."""
    if lab.drive is None:
        pytest.skip("this machine: its user's own PATH is not for tests")
    python = lab.unix(lab.python("3.10")).parent
    dll = python / "python3.dll"
    for name in DLLS:
        put(lab, rf"{CUDA}\bin\{name}.dll", dll)
        put(lab, rf"{CUDA}\lib\x64\{name}.lib", "")
    put(lab, rf"{CUDA}\include\cuda.h", "#define CUDA_VERSION 11020\n")
    put(lab, rf"{CUDA}\include\cudnn_version.h", CUDNN)
    put(lab, rf"{CUDA}\bin\nvcc.exe", python / "python.exe")
    site = rf"{HOME}\Lib\site-packages"
    put(lab, rf"{HOME}\pyvenv.cfg", f"home = {PureWindowsPath(lab.python('3.10')).parent}\nversion = 3.10.0\n")
    put(lab, rf"{HOME}\Scripts\python.exe", python / "python.exe")
    put(lab, rf"{site}\tensorflow\python\platform\build_info.py", BUILD)
    put(lab, rf"{site}\tensorflow\python\_pywrap_tensorflow_internal.pyd", dll)
    for package in ("tensorflow-2.10.1", "numpy-1.23.5", "protobuf-3.19.6", "keras-2.10.0"):
        name, version = package.split("-")
        put(lab, rf"{site}\{package}.dist-info\METADATA", f"Name: {name}\nVersion: {version}\n")
        put(lab, rf"{site}\{package}.dist-info\RECORD", "")
        put(lab, rf"{site}\{package}.dist-info\INSTALLER", "pip\n")
    return lab


def doctor(lab: Lab, *words: str, path: str = r"C:\windows\system32;C:\windows") -> Done:
    # A busy machine under Wine takes its time, and what was not told in time is no finding.
    chosen = () if "--undo" in words else ("--python", rf"{HOME}\Scripts\python.exe", "--timeout", "60")
    return lab.gpucheck("doctor", *words, *chosen, env={"PATH": path}, seconds=180)


def names(done: Done) -> set[str]:
    return {one["name"] for one in json.loads(done.out)["findings"]}


def new_shell(lab: Lab) -> str:
    """PATH of a program that Explorer starts: the machine's value and then the user's."""
    held = variables(lab)
    texts = [str(held[who]["PATH"][0]) for who in ("machine", "user") if held[who].get("PATH")]  # type: ignore[index]
    return ";".join(texts).replace("%SystemRoot%", r"C:\windows").replace("%USERPROFILE%", r"C:\users\tester")


OLD = r"%USERPROFILE%\bin;;C:\ends\in\;%NOBODY%\x;C:\it's;relative"


def test_the_path_that_tensorflow_needs_is_shown_made_and_taken_back(machine: Lab) -> None:
    set_user(machine, ("Path", OLD, True), ("CUDA_PATH", r"C:\gone\v9.0", False))
    before = variables(machine)
    shown = doctor(machine, "--fix-paths")
    assert (shown.code, shown.err) == (1, ""), shown
    assert rf"-Name 'Path' -Type ExpandString -Value '{CUDA}\bin;%USERPROFILE%\bin;" in shown.out, shown.out
    assert "C:\\it''s" in shown.out
    assert variables(machine) == before, "shown only"

    done = doctor(machine, "--fix-paths", "--yes")
    assert (done.code, done.err) == (0, ""), done
    after = variables(machine)
    assert after["user"]["PATH"] == [rf"{CUDA}\bin;{OLD}", True]
    assert after["user"]["CUDA_PATH"] == [CUDA, False]
    assert after["machine"] == before["machine"]
    report = doctor(machine, "--format", "json", path=new_shell(machine))
    assert "cuda-libs-not-on-loader-path" not in names(report), report

    # an installer writes, then undo: what is its own stays
    set_user(machine, ("Path", rf"C:\new;{CUDA}\bin;{OLD};%NEWER%", True))
    back = doctor(machine, "--fix-paths", "--undo", "--yes")
    assert (back.code, back.err) == (0, ""), back
    user = variables(machine)["user"]
    assert user["PATH"] == [rf"C:\new;{OLD};%NEWER%", True]
    assert user["CUDA_PATH"] == before["user"]["CUDA_PATH"]


CIRCLE = r"""
import sys, winreg
from gpucheck.paths import state, undo, writer
from gpucheck.paths.plan import CannotFix, Plan, Stored, VariableChange
NAME, place = sys.argv[1:]
assert writer.state_file()[1:3] == ":\\"
long = ";".join(rf"C:\programs\number {n}\bin" for n in range(300))
texts = [Stored("", False), Stored("C:\\a;C:\\b", False), Stored("%A%;caf\u00e9 \u4e2d", True), Stored(long, True)]
for old in (None, *texts):
    writer.write_variable(NAME, old)
    assert writer.read_variable(NAME.lower()) == old, old
    new = Stored("C:\\cuda\\bin" + (";" + old.text if old else ""), old.expandable if old else True)
    change = VariableChange(NAME, old, new)
    writer.apply(Plan("", (), (change,)), place)
    assert writer.read_variable(NAME) == new
    try:
        writer.apply(Plan("", (), (change,)), place)
        raise SystemExit("a value that was changed meanwhile was written over")
    except CannotFix:
        pass
    held = state.read(place)
    writer.take_back(undo.plan(held, writer.read_text, writer.read_variable), place)
    assert writer.read_variable(NAME) == old
    assert state.read(place) == state.State()
with winreg.CreateKeyEx(winreg.HKEY_CURRENT_USER, "Environment", 0, winreg.KEY_SET_VALUE) as key:
    winreg.SetValueEx(key, NAME, 0, winreg.REG_DWORD, 7)
    try:
        writer.read_variable(NAME)
    except CannotFix as error:
        print("good:", error)
    winreg.DeleteValue(key, NAME)
"""


def test_a_value_of_either_type_or_none_comes_back_as_it_was(lab: Lab, tmp_path: Path) -> None:
    name = "Path" if lab.drive else "GPUCHECK_TEST"  # a real user's own is not for tests
    python, place = lab.path(lab.gpuchecks() / "Scripts" / "python.exe"), lab.path(tmp_path / "paths.json")
    done = lab.run([python, "-c", CIRCLE, name, place])
    assert (done.code, done.err) == (0, ""), done
    assert done.out == f"good: HKCU\\Environment, {name}: it is no text\n"
