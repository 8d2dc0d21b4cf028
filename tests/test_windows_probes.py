"""What the Windows probes make of a machine: on Linux, from machines described in a dictionary or in a file.

Names and values are Windows' own; the DLLs' version resources are those of NVIDIA's wheels.
"""

from __future__ import annotations

from typing import Any, Union

import looked
import machines
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpucheck.compat.dlls import dll, library_of, needs_zlib
from gpucheck.compat.registry import allowed, kept
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Libraries, Wanted
from gpucheck.facts.paths import inside, join, key, own_separators, parent
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.toolkits import Toolkits
from gpucheck.facts.versions import CudaVersion, CudnnVersion
from gpucheck.facts.windows import PathEntry, Windows
from gpucheck.host import Pe
from gpucheck.host.recorded import RecordedHost
from gpucheck.probes.look import look
from gpucheck.probes.windows import search_path
from gpucheck.probes.windows.adapters import nvidia_version
from gpucheck.probes.windows.dll_versions import of_header, read_parts
from gpucheck.probes.windows.loader import Loader, Program

CUDA = r"C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v11.2"


def host(**machine: Any) -> RecordedHost:
    return RecordedHost({"schema": "gpucheck.machine/1", "flavour": "windows", "complete": True, **machine})


def facts(name: str) -> Windows:
    found = looked.snapshot(name).windows
    assert isinstance(found, Windows)
    return found


def libraries(name: str) -> Libraries:
    found = looked.snapshot(name).libraries
    assert isinstance(found, Libraries)
    return found


def wanted(name: str, soname: str) -> Wanted:
    listed = libraries(name).wanted
    assert isinstance(listed, tuple)
    return next(one for one in listed if one.soname == soname)


# --- paths as text


def test_windows_paths_are_cut_and_compared_by_windows_rules() -> None:
    assert parent(r"C:\Users\me") == r"C:\Users"
    assert parent("C:/Users/me") == r"C:\Users"
    assert parent("/usr/lib") == "/usr"
    assert join("C:\\", "Windows") == r"C:\Windows"
    assert key(r"C:\CUDA\Bin\\"[:-1]) == key("c:/cuda/bin")
    assert inside(r"C:\Users\Me\tf\x", r"c:\users\me\TF")
    assert not inside(r"C:\Users\Me\tf2", r"C:\Users\Me\tf")
    assert own_separators("C:/a/b") == r"C:\a\b"
    assert own_separators("/a/b") == "/a/b"


def test_a_semicolon_in_quotes_does_not_divide_path() -> None:
    assert search_path.split(r'C:\a;"C:\b;c";;  ;C:\d') == [r"C:\a", r'"C:\b;c"', r"C:\d"]


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        (r"%SystemRoot%\system32", r"C:\Windows\system32"),
        ("C:/cuda/bin/", r"C:\cuda\bin"),
        ("C:\\", "C:\\"),
        ('"C:\\Program Files\\x"', r"C:\Program Files\x"),
        (r"%CUDA_PATH%\bin", r"%CUDA_PATH%\bin"),  # set nowhere: Windows leaves it as it is
        ("100%", "100%"),
    ],
)
def test_variables_of_a_path_entry_are_replaced(text: str, expanded: str) -> None:
    assert search_path.expand(host(env={"SYSTEMROOT": r"C:\Windows"}), text) == expanded


def test_a_variable_that_may_not_be_read_makes_the_entry_unknown() -> None:
    assert isinstance(search_path.expand(host(env={"SECRET": "x"}), r"%SECRET%\bin"), Gap)


def test_of_the_environment_keys_only_listed_names_are_kept() -> None:
    assert kept(r"HKCU\Environment", "Path")
    assert kept(r"hkcu\environment", "CUDA_PATH_V11_2")
    assert not kept(r"HKCU\Environment", "AWS_SECRET_ACCESS_KEY")
    assert not allowed(r"HKCU\Software\Valve")
    assert not allowed(r"HKCU\Environment2")


# --- versions


@pytest.mark.parametrize(
    ("windows", "nvidia"),
    [
        ("31.0.15.5222", "552.22"),
        ("27.21.14.5671", "456.71"),
        ("32.0.15.8157", "581.57"),
        ("10.18.13.5382", "353.82"),
        ("10.0.19041", None),
        (None, None),
    ],
)
def test_windows_and_nvidia_count_drivers_otherwise(windows: Union[str, None], nvidia: Union[str, None]) -> None:
    version = nvidia_version(windows)
    assert (version.text if version else None) == nvidia


@pytest.mark.parametrize(
    ("library", "resource", "version"),
    [
        ("cudart", "6.14.11.11080", "11.8"),  # nvidia-cuda-runtime-cu11 11.8.89
        ("cudart", "6.14.11.12050", "12.5"),
        ("cudnn", "8.9.4.25", "8.9.4.25"),
        ("cudnn", "9.3.0.75", "9.3.0.75"),
        ("cudnn", "6.14.11.11020", None),  # CUDA's number in an older cuDNN
        ("cublas", "6.14.11.11080", None),
        ("cudnn", None, None),
    ],
)
def test_a_dll_tells_its_version_in_nvidias_ways(library: str, resource: str, version: Union[str, None]) -> None:
    found = of_header(library, Pe(None, "x86_64", 64, resource, None, ()))
    assert (found.text if found else None) == version


def test_dlls_are_known_by_name_whatever_the_case() -> None:
    assert library_of("CUDART64_110.DLL") == ("cudart", "cudart64_110.dll")
    assert library_of("cublaslt64_11.dll") == ("cublasLt", "cublasLt64_11.dll")
    assert library_of("cudnn_ops_infer64_8.dll") == ("cudnn", "cudnn_ops_infer64_8.dll")
    assert library_of("nvrtc64_112_0.dll") == ("nvrtc", "nvrtc64_112_0.dll")
    assert library_of("cudart64_110.lib") is None
    assert library_of("kernel32.dll") is None


def test_what_dll_names_are_recognised_again() -> None:
    for cuda in ("8.0", "9.0", "10.0", "10.1", "11.0", "11.2", "12.5", "13.0"):
        for library in ("cudart", "cublas", "cublasLt", "cufft", "curand", "cusolver", "cusparse"):
            name = dll(library, CudaVersion(cuda))
            assert name is None or library_of(name) == (library, name)


def test_cudnn_needs_zlib_from_8_3_to_8_9() -> None:
    told = {text: needs_zlib(CudnnVersion(text)) for text in ("7.6.5", "8.1.1", "8.2.4", "8.3.0", "8.9.7", "9.0.0")}
    assert told == {"7.6.5": False, "8.1.1": False, "8.2.4": False, "8.3.0": True, "8.9.7": True, "9.0.0": False}


# --- the search


def test_a_dll_is_looked_for_beside_the_program_in_system32_and_then_along_path() -> None:
    folders = (r"C:\Python310", r"C:\Windows\System32", r"C:\b", r"C:\a")
    here = host(
        env={"SYSTEMROOT": r"C:\Windows", "PATH": r"C:\b;C:\a;C:\B"},
        paths={f"{folder}\\Cudart64_110.dll": {"pe": {}} for folder in folders},
    )
    hits = Loader(here, Program("x86_64", r"C:\Python310")).hits("cudart64_110.dll")
    assert [getattr(hit, "path", None) for hit in hits] == [f"{folder}\\Cudart64_110.dll" for folder in folders]
    store = Loader(here, Program("x86_64", r"C:\Python310", store=True)).hits("cudart64_110.dll")
    assert [getattr(hit, "via", None) for hit in store] == ["the program's folder", "System32"]


def test_a_folder_that_cannot_be_looked_into_leaves_what_comes_later_open() -> None:
    here = host(
        env={"SYSTEMROOT": r"C:\Windows", "PATH": r"Z:\tools;C:\a"},
        paths={r"Z:\tools": {"gap": "the network path was not found"}, r"C:\a\x.dll": {"pe": {}}},
    )
    hits = Loader(here, Program()).hits("x.dll")
    assert isinstance(hits[0], Gap)


def test_an_import_of_python_3_8_leaves_path_out_and_of_3_7_does_not() -> None:
    loader = Loader(host(env={"SYSTEMROOT": r"C:\Windows", "PATH": r"C:\a"}), Program("x86_64", r"C:\Python"))
    assert [via for _, via in loader.module_dirs(r"C:\tf", (3, 8))] == [
        "beside the module",
        "the program's folder",
        "System32",
    ]
    assert r"C:\a" in [folder for folder, _ in loader.module_dirs(r"C:\tf", (3, 7))]


def test_tensorflow_2_10_wants_cudart64_110_whatever_build_info_says() -> None:
    one = wanted("windows-tf2101", "cudart64_110.dll")
    assert one.path == CUDA + r"\bin\cudart64_110.dll"
    assert one.via == "PATH"
    names = [each.soname for each in libraries("windows-tf2101").wanted or () if each.needed_for_gpu]  # type: ignore[union-attr]
    assert names == [
        "cudart64_110.dll", "cublas64_11.dll", "cublasLt64_11.dll", "cufft64_10.dll", "curand64_10.dll",
        "cusolver64_11.dll", "cusparse64_11.dll", "cudnn64_8.dll",
    ]  # fmt: skip


def test_the_first_copy_on_path_hides_the_others() -> None:
    one = wanted("windows-older-cudnn-first", "cudnn64_8.dll")
    assert "v11.8" in str(one.path)
    assert one.hides == (CUDA + r"\bin\cudnn64_8.dll",)
    assert str(one.version) == "8.0.5"


def test_cudnn_9_is_found_in_its_own_folder_with_and_without_x64() -> None:
    for name, version in (("windows-cuda-12", "9.4.0.58"), ("windows-cuda-13", "9.18.0.77")):
        copies = libraries(name).copies
        assert isinstance(copies, tuple)
        assert [str(one.version) for one in copies if one.soname == "cudnn64_9.dll"] == [version]


def test_cuda_13_has_its_dlls_in_bin_x64() -> None:
    copies = libraries("windows-cuda-13").copies
    assert isinstance(copies, tuple)
    assert r"\v13.0\bin\x64\cudart64_13.dll" in next(one.path for one in copies if one.library == "cudart")


def test_a_toolkit_is_found_by_its_variable_its_folder_path_and_the_registry() -> None:
    kits = looked.snapshot("windows-tf2101").toolkits
    assert isinstance(kits, Toolkits)
    (kit,) = kits.found
    assert kit.root == CUDA
    assert {"CUDA_PATH", "CUDA_PATH_V11_2", "nvcc on PATH", "registry v11.2"} <= set(kit.found_via)
    assert str(kit.version) == "11.2.152"
    assert kit.version_source == CUDA + r"\version.json"


def test_what_is_not_on_path_is_found_in_its_folders() -> None:
    machine = machines.load("windows-cuda-13")
    machine["env"]["PATH"] = r"C:\Windows\system32"
    machine["registry"] = {}
    found = look(RecordedHost(machine)).libraries
    assert isinstance(found, Libraries)
    assert isinstance(found.copies, tuple)
    ways = {one.soname: one.found_via for one in found.copies if one.library in ("cudart", "cudnn")}
    assert ways["cudart64_13.dll"] == (r"toolkit C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v13.0",)
    assert ways["cudnn64_9.dll"] == ("cuDNN v9.18 for CUDA 13.0",)


def test_parts_of_a_toolkit_have_the_versions_of_its_version_json() -> None:
    copies = libraries("windows-tf2101").copies
    assert isinstance(copies, tuple)
    told = {
        one.library: (str(one.version), one.version_source) for one in copies if one.library not in ("cudnn", "ptxas")
    }
    assert told["cublasLt"] == ("11.4.1.1043", CUDA + r"\version.json")
    assert told["cufft"][0] == "10.4.1.152"
    assert told["nvrtc"][0] == "11.2.152"
    assert told["cudart"][0] == "11.2"  # its own resource comes first
    assert read_parts(b"[1]") == read_parts(b"{") == read_parts(b'{"libcublas": 1}') == {}


def test_a_toolkit_without_any_version_file_tells_it_by_its_runtime() -> None:
    machine = machines.load("windows-tf2101")
    for name in ("version.json", r"include\cuda.h"):
        del machine["paths"][f"{CUDA}\\{name}"]
    kits = look(RecordedHost(machine)).toolkits
    assert isinstance(kits, Toolkits)
    assert str(kits.found[0].version) == "11.2"


# --- adapters, PATHs, the interpreter


def test_gpus_are_listed_with_and_without_a_driver() -> None:
    told = {
        name: [(one.name, one.provider, str(one.nvidia_version), one.present) for one in facts(name).adapters]  # type: ignore[union-attr]
        for name in ("windows-tf2101", "windows-basic-display", "windows-card-taken-out")
    }
    assert told["windows-tf2101"] == [("NVIDIA GeForce RTX 3060", "NVIDIA", "552.22", True)]
    assert told["windows-basic-display"] == [("Microsoft Basic Display Adapter", "Microsoft", "None", True)]
    assert told["windows-card-taken-out"][-1] == ("NVIDIA GeForce GTX 1050", "NVIDIA", "456.71", False)
    bare = facts("windows-laptop-without-driver").adapters
    assert isinstance(bare, tuple)
    assert (bare[-1].name, bare[-1].driver_version) == ("3D Video Controller", None)
    assert isinstance(bare[-1].present, Gap)


def test_the_three_paths_are_told_apart() -> None:
    told = facts("windows-shell-opened-before")
    for path, has in ((told.path_machine, True), (told.path_process, False), (told.path_user, False)):
        assert path is not None
        assert not isinstance(path, Gap)
        assert any(entry.expanded == CUDA + r"\bin" for entry in path.entries) is has


def test_variables_count_only_in_a_path_that_is_stored_as_expandable() -> None:
    plain = facts("windows-path-plain-text").path_machine
    assert plain is not None
    assert not isinstance(plain, Gap)
    assert (plain.expandable, plain.entries[0]) == (
        False,
        PathEntry(r"%CUDA_PATH%\bin", r"%CUDA_PATH%\bin", False),
    )


@given(st.text(alphabet='abc%";\\/: \u00e9\udc80PATH_SYSTEMROOT²', max_size=60))
def test_any_path_can_be_read(text: str) -> None:
    here = host(env={"PATH": text, "SYSTEMROOT": r"C:\Windows"})
    own = search_path.of_process(here)
    assert own is not None
    assert [one.text for one in own.entries] == search_path.split(text)
    assert list(search_path.entries_of(here, text, False)) is not None


def test_facts_of_windows_have_backslashes_alone() -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        if isinstance(value, Gap):
            return [value.reason]
        return [text for one in value for text in texts(one)] if isinstance(value, tuple) else []

    for name in machines.names()[::4]:
        if name.startswith("windows-"):
            snapshot: Snapshot = looked.snapshot(name)
            mixed = [one for one in texts(snapshot) if ":\\" in one and "/" in one.partition(":\\")[2]]
            assert not mixed, (name, mixed[:3])


def test_a_conda_environment_is_searched_as_if_it_were_activated() -> None:
    for name in ("windows-conda", "windows-conda-not-activated"):
        assert str(wanted(name, "cudnn64_8.dll").path).endswith(r"\envs\tf\Library\bin\cudnn64_8.dll")
        assert str(wanted(name, "cudnn64_8.dll").version) == "8.1.0.77"


def test_a_virtual_environments_program_is_the_base_it_was_made_from() -> None:
    python = looked.snapshot("windows-tf2101").python
    assert isinstance(python, Python)
    assert python.environment == "venv"
    assert python.executable == r"C:\Users\user\tf\Scripts\python.exe"
    runtime = facts("windows-tf2101").runtime
    assert isinstance(runtime, tuple)
    assert {one.name.lower(): one.via for one in runtime} == {
        "msvcp140.dll": "System32",
        "msvcp140_1.dll": "System32",
        "vcruntime140.dll": "the program's folder",
        "vcruntime140_1.dll": "the program's folder",
    }


def test_names_of_the_store_that_lead_nowhere_are_no_python() -> None:
    machine = {**machines.load("windows-tf2101"), "env": {"PATH": r"C:\Users\user\AppData\Local\Microsoft\WindowsApps"}}
    assert isinstance(look(RecordedHost(machine)).python, Gap)


def test_nothing_recorded_of_windows_is_unknown_and_never_absent() -> None:
    seen = look(RecordedHost({"schema": "gpucheck.machine/1", "flavour": "windows", "complete": False}))
    assert isinstance(seen.windows, Windows)
    for name in ("adapters", "path_user", "path_machine", "variables", "long_paths", "runtime", "cudnn_trees"):
        assert isinstance(getattr(seen.windows, name), Gap), name
    assert not [probe for probe in seen.probes if "probe failed" in probe.outcome]
