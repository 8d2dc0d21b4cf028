r"""NVIDIA's real files in a real Windows Python: a toolkit with cuDNN as the installer and the guide leave it, then
each way to get it wrong; and what gpucheck says of the DLL search against what LoadLibraryExW does.

Where Wine differs from Windows: its loader looks into the current folder where Windows does, too, but knows no packaged
programs (the Store's Python); its System32 has a Visual C++ runtime of its own. The order of the search is the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Union

import pytest
from windows_lab import Lab
from windows_toolkit import CUDNN, install, material, stand_ins

pytestmark = [pytest.mark.windows, pytest.mark.real]

NAMES = (
    "cudart64_110.dll", "cublas64_11.dll", "cublasLt64_11.dll", "cufft64_10.dll", "curand64_10.dll",
    "cusolver64_11.dll", "cusparse64_11.dll", "cudnn64_8.dll",
)  # fmt: skip
# As TensorFlow's load_library.cc opens them: LOAD_WITH_ALTERED_SEARCH_PATH is 8.
LOADED = """
import ctypes, json, sys
kernel = ctypes.WinDLL("kernel32", use_last_error=True)
kernel.LoadLibraryExW.restype = ctypes.c_void_p
kernel.LoadLibraryExW.argtypes = (ctypes.c_wchar_p, ctypes.c_void_p, ctypes.c_uint32)
kernel.GetModuleFileNameW.argtypes = (ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32)
found = {}
for name in sys.argv[1:]:
    handle, words = kernel.LoadLibraryExW(name, None, 8), ctypes.create_unicode_buffer(2000)
    found[name] = words.value if handle and kernel.GetModuleFileNameW(handle, words, 2000) else None
print(json.dumps(found))
"""


KEY = r"SOFTWARE\NVIDIA Corporation\GPU Computing Toolkit\CUDA\v11.8"


class Machine:
    """A Windows with toolkits in a "Program Files" of its own, and TensorFlow 2.10.1."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.source = material(lab)
        self.parts = folder / "parts"
        stand_ins(self.parts)
        self.programs = folder / "Program Files"
        self.toolkits = self.programs / "NVIDIA GPU Computing Toolkit" / "CUDA"
        self.tensorflow = lab.environment("tf210", "3.10", "tensorflow==2.10.1", "numpy<2", "protobuf<3.20")

    @property
    def python(self) -> str:
        return self.lab.path(self.tensorflow / "Scripts" / "python.exe")

    def toolkit(self, name: str, *cudnn: str) -> Path:
        """A toolkit with these folders of cuDNN in it."""
        root = self.toolkits / name
        if not root.exists():
            install(self.source, self.parts, root, cudnn)
        return root

    def environ(self, *path: Path, **more: str) -> dict[str, str]:
        system = r"C:\windows\system32;C:\windows"
        return {
            "PROGRAMFILES": self.lab.path(self.programs),
            "PROGRAMW6432": self.lab.path(self.programs),
            "PATH": ";".join([*(self.lab.path(one) for one in path), system]),
            **more,
        }

    def doctor(self, environ: dict[str, str]) -> dict[str, Any]:
        words = ("doctor", "--python", self.python, "--format", "json", "--timeout", "60")
        done = self.lab.gpucheck(*words, env=environ, seconds=120)
        assert done.out, done.err[-2000:]
        report: dict[str, Any] = json.loads(done.out)
        assert not [one for one in report["facts"]["probes"] if "probe failed" in one["outcome"]]
        return report

    def loaded(self, environ: dict[str, str]) -> dict[str, Union[str, None]]:
        """What Windows' own loader gives for each name, in the examined interpreter."""
        done = self.lab.run([self.python, "-c", LOADED, *NAMES], env=environ)
        assert done.code == 0, done.err[-2000:]
        found: dict[str, Union[str, None]] = json.loads(done.out)
        return {name: path.lower() if path else None for name, path in found.items()}


@pytest.fixture(scope="module")
def machine(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(lab, tmp_path_factory.mktemp("toolkits"))


def names(report: dict[str, Any]) -> list[str]:
    return [one["name"] for one in report["findings"]]


def told(report: dict[str, Any]) -> dict[str, Union[str, None]]:
    """What gpucheck says that would be loaded: none where the file is there and would not load."""
    wanted = [one for one in report["facts"]["libraries"]["wanted"] if one["needed_for_gpu"]]
    return {one["soname"]: one["path"].lower() if one["path"] and not one["defect"] else None for one in wanted}


def test_the_whole_tree_is_found_with_its_versions_and_loads_as_told(machine: Machine) -> None:
    root = machine.toolkit("v11.8", "bin", "include", "lib")
    environ = machine.environ(root / "bin", CUDA_PATH=machine.lab.path(root), CUDA_PATH_V11_8=machine.lab.path(root))
    report = machine.doctor(environ)
    assert told(report) == machine.loaded(environ)
    assert all(told(report).values())
    (kit,) = report["facts"]["toolkits"]["found"]
    assert (kit["root"], kit["version"]) == (machine.lab.path(root), "11.8")
    assert kit["libdevice"] == machine.lab.path(root / "nvvm" / "libdevice" / "libdevice.10.bc")
    assert kit["ptxas"] == machine.lab.path(root / "bin" / "ptxas.exe")
    assert {"CUDA_PATH", "CUDA_PATH_V11_8", "ptxas on PATH"} <= set(kit["found_via"])
    versions = {one["soname"]: one["version"] for one in report["facts"]["libraries"]["copies"]}
    assert (versions["cudart64_110.dll"], versions["cudnn64_8.dll"]) == ("11.8", CUDNN)
    # The real cuDNN is an 8.9, which wants what nobody brings.
    assert "zlibwapi-missing" in names(report)
    assert "cudnn-half-installed" not in names(report)


def test_zlibwapi_beside_cudnn_ends_that(machine: Machine) -> None:
    root = machine.toolkit("v11.8-zlib", "bin", "include", "lib")
    zlib = root / "bin" / "zlibwapi.dll"
    zlib.write_bytes((machine.parts / "cufft64_10.dll").read_bytes())
    assert "zlibwapi-missing" not in names(machine.doctor(machine.environ(root / "bin")))


def test_without_path_nothing_loads_and_the_folder_is_named(machine: Machine) -> None:
    root = machine.toolkit("v11.8", "bin", "include", "lib")
    environ = machine.environ(CUDA_PATH=machine.lab.path(root))
    report = machine.doctor(environ)
    assert told(report) == machine.loaded(environ) == dict.fromkeys(NAMES)
    found = next(one for one in report["findings"] if one["name"] == "cuda-libs-not-on-loader-path")
    assert machine.lab.path(root / "bin") in found["message"]


def test_cudnn_without_its_dll_is_half_installed(machine: Machine) -> None:
    root = machine.toolkit("v11.8-headers", "include", "lib")
    environ = machine.environ(
        root / "bin", PROGRAMFILES="C:\\none", PROGRAMW6432="C:\\none", CUDA_PATH=machine.lab.path(root)
    )
    report = machine.doctor(environ)
    assert told(report) == machine.loaded(environ)
    assert told(report)["cudnn64_8.dll"] is None
    assert {"cuda-lib-missing-partial-install", "cudnn-half-installed"} <= set(names(report))


def test_of_two_toolkits_the_first_on_path_wins_and_hides_the_other(machine: Machine) -> None:
    first, second = machine.toolkit("v11.8-a", "bin"), machine.toolkit("v11.8-b", "bin")
    for front, behind in ((first, second), (second, first)):
        environ = machine.environ(front / "bin", behind / "bin")
        report = machine.doctor(environ)
        assert told(report) == machine.loaded(environ)
        wanted = next(one for one in report["facts"]["libraries"]["wanted"] if one["library"] == "cudnn")
        assert wanted["path"] == machine.lab.path(front / "bin" / "cudnn64_8.dll")
        assert wanted["hides"] == [machine.lab.path(behind / "bin" / "cudnn64_8.dll")]


@pytest.mark.parametrize("defect", ["empty", "truncated", "not-pe"])
def test_a_broken_file_in_front_is_named_and_does_not_load(machine: Machine, defect: str) -> None:
    root, whole = machine.toolkit(f"v11.8-{defect}", "bin"), (machine.parts / "curand64_10.dll").read_bytes()
    path = root / "bin" / "curand64_10.dll"
    path.unlink()  # a hard link: the other toolkits' file stays whole
    path.write_bytes({"empty": b"", "truncated": whole[: len(whole) // 2], "not-pe": b"<html>404</html>" * 99}[defect])
    environ = machine.environ(root / "bin")
    report = machine.doctor(environ)
    assert told(report) == machine.loaded(environ)
    found = next(one for one in report["findings"] if one["name"] == "cuda-library-broken")
    assert machine.lab.path(path) in found["message"]


def test_a_library_whose_own_need_is_not_met_does_not_load(machine: Machine) -> None:
    root = machine.toolkit("v11.8-without-cublas", "bin")
    (root / "bin" / "cublas64_11.dll").unlink()
    environ = machine.environ(root / "bin", PROGRAMFILES="C:\\none", PROGRAMW6432="C:\\none")
    report = machine.doctor(environ)
    assert told(report) == machine.loaded(environ)
    assert told(report)["cusolver64_11.dll"] is None


def test_the_registry_is_read_as_the_installer_writes_it(machine: Machine) -> None:
    lab, root = machine.lab, machine.toolkit("v11.8", "bin", "include", "lib")
    if lab.drive is None:
        pytest.skip("this machine: a real Windows, whose registry is not the tests' to change")
    folder = lab.path(root)
    script = (
        "import winreg, sys\n"
        "key = winreg.CreateKey(winreg.HKEY_LOCAL_MACHINE, sys.argv[2])\n"
        "winreg.SetValueEx(key, 'InstallDir', 0, winreg.REG_SZ, sys.argv[1])\n"
        "key = winreg.OpenKey(winreg.HKEY_CURRENT_USER, 'Environment', 0, winreg.KEY_SET_VALUE)\n"
        "winreg.SetValueEx(key, 'Path', 0, winreg.REG_EXPAND_SZ, sys.argv[1] + r'\\bin;%USERPROFILE%\\x')\n"
    )
    assert lab.run([lab.python("3.10"), "-c", script, folder, KEY]).code == 0
    report = machine.doctor(machine.environ(PROGRAMFILES="C:\\none", PROGRAMW6432="C:\\none"))
    assert "registry v11.8" in report["facts"]["toolkits"]["found"][0]["found_via"]
    stored = report["facts"]["windows"]["path_user"]
    assert (stored["expandable"], stored["entries"][0]["expanded"]) == (True, folder + "\\bin")
    found = next(one for one in report["findings"] if one["name"] == "cuda-libs-not-on-loader-path")
    assert "opened before" in found["message"]
