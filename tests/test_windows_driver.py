"""nvml.dll and nvcuda.dll at the level of their ABI, loaded by the real nvidia-ml-py in a real Windows Python.

The sources are Linux's (tests/native), compiled by mingw. Each row is a fault and the facts that must come of it.
Where Wine differs from Windows: it has no NVIDIA driver of its own in the way, and calls an unreadable DLL by other
words; no test here depends on the words.
"""

from __future__ import annotations

import json
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Union

import psutil
import pytest
from windows_driver import DRIVER, FILE_VERSION, LIBRARIES, WindowsDriver, build
from windows_lab import Done, Lab

from gpucheck.host import Pe
from gpucheck.host.local import LocalHost

pytestmark = pytest.mark.windows


class Windows(NamedTuple):
    """The laboratory with a driver that can be changed. A real Windows is not changed: NVSMI's folder is redirected
    there, and nvcuda.dll put on PATH."""

    lab: Lab
    driver: WindowsDriver
    programs: Path

    def doctor(self, kind: Union[str, None] = "driver", *names: str, timeout: float = 10, **env: str) -> dict[str, Any]:
        done, seconds = self.ask(kind, *names, timeout=timeout, **env)
        assert done.err == "", done.err[-3000:]
        # "doctor always answers": the rest is the start of Wine and of Python, and reading files.
        assert seconds < timeout + 20
        found: dict[str, Any] = json.loads(done.out)
        failed = [one for one in found["facts"]["probes"] if "probe failed" in one["outcome"]]
        assert not failed
        return found

    def ask(self, kind: Union[str, None], *names: str, timeout: float, **env: str) -> tuple[Done, float]:
        place = self.programs / "NVIDIA Corporation" / "NVSMI"
        place.mkdir(parents=True, exist_ok=True)
        self.driver.remove(place)
        if kind is not None:
            self.driver.put(place, kind, *names)
        given = {
            "FAKE_DRIVER": DRIVER,
            "FAKE_CUDA": "12040",
            "PROGRAMFILES": self.lab.path(self.programs),
            "PROGRAMW6432": self.lab.path(self.programs),
            "PATH": self.lab.path(place) + r";C:\Windows\System32",
            **env,
        }
        begin = time.monotonic()
        done = self.lab.gpucheck("doctor", "--format", "json", "--timeout", str(timeout), env=given)
        return done, time.monotonic() - begin


@pytest.fixture(scope="module")
def windows(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Windows:
    if sys.platform == "win32" and any((Path(r"C:\Windows\System32") / name).exists() for name in LIBRARIES):
        pytest.skip("this machine: it has a driver of its own, which is found first")
    made = build(tmp_path_factory.mktemp("driver"))
    lab.gpuchecks()
    return Windows(lab, made, tmp_path_factory.mktemp("programs"))


def nvml(found: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = found["facts"]["driver"]["nvml"]
    return answer


def cuda(found: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = found["facts"]["driver"]["cuda"]
    return answer


def test_a_healthy_gpu_is_told_as_on_linux(windows: Windows) -> None:
    found = windows.doctor(FAKE_PROFILE="rtx4090")
    place = windows.lab.path(windows.programs) + r"\NVIDIA Corporation\NVSMI"
    assert (nvml(found)["status"], nvml(found)["driver_version"], nvml(found)["cuda_version"]) == ("ok", DRIVER, "12.4")
    assert nvml(found)["path"].lower() == rf"{place}\nvml.dll".lower()
    assert (cuda(found)["status"], cuda(found)["device_count"], cuda(found)["cuda_version"]) == ("ok", 1, "12.4")
    assert cuda(found)["path"].lower() == rf"{place}\nvcuda.dll".lower()
    (gpu,) = found["facts"]["gpus"]
    assert (gpu["name"], gpu["compute_capability"]) == ("NVIDIA GeForce RTX 4090", "8.9")
    assert (gpu["memory_total"], gpu["driver_model"]) == (24564 << 20, "WDDM")


def test_the_driver_model_is_told(windows: Windows) -> None:
    (gpu,) = windows.doctor(FAKE_TCC="1")["facts"]["gpus"]
    assert (gpu["name"], gpu["driver_model"]) == ("Tesla T4", "TCC")


def test_a_mismatch_of_driver_and_nvml_is_told_by_its_code(windows: Windows) -> None:
    found = windows.doctor(FAKE_CODES="nvmlInit=18")
    assert (nvml(found)["status"], nvml(found)["code"]) == ("error", 18)
    (gpu,) = found["facts"]["gpus"]
    assert (gpu["name"], gpu["source"], gpu["memory_total"]) == ("Tesla T4", "libcuda", 15360 << 20)


@pytest.mark.parametrize(("fault", "status"), [("FAKE_HANG", "hung"), ("FAKE_SEGV", "crashed")])
def test_a_library_that_hangs_or_crashes_is_told_and_the_other_one_asked(
    windows: Windows, fault: str, status: str
) -> None:
    found = windows.doctor(timeout=5, **{fault: "nvmlInit"})
    assert (nvml(found)["status"], cuda(found)["status"]) == (status, "ok")
    found = windows.doctor(timeout=5, **{fault: "cuInit"})
    assert (nvml(found)["status"], cuda(found)["status"]) == ("ok", status)
    # On Windows ctypes makes an OSError of an access violation.
    assert status == "hung" or "access violation" in cuda(found)["message"]


def test_a_gpu_that_nvml_dies_of_leaves_those_before_it_told(windows: Windows) -> None:
    found = windows.doctor(FAKE_PROFILE="8xh100", FAKE_SEGV="nvmlDeviceGetName", FAKE_SEGV_GPU="3")
    assert nvml(found)["status"] == "crashed"
    gpus = found["facts"]["gpus"]
    assert [gpu["name"] for gpu in gpus[:3]] == ["NVIDIA H100 80GB HBM3"] * 3
    assert "access violation" in gpus[3]["error"]


@pytest.mark.parametrize("kind", ["empty", "truncated", "text", "foreign", "needy"])
def test_a_broken_dll_is_unloadable_and_one_that_is_not_there_is_not_found(windows: Windows, kind: str) -> None:
    found = windows.doctor(kind)
    assert (nvml(found)["status"], cuda(found)["status"]) == ("unloadable", "unloadable")
    assert "nvml.dll" in nvml(found)["message"]


def test_without_a_driver_both_are_not_found(windows: Windows) -> None:
    found = windows.doctor(None)
    assert (nvml(found)["status"], cuda(found)["status"]) == ("not-found", "not-found")


def test_nvml_alone_is_enough_to_list_the_gpu(windows: Windows) -> None:
    found = windows.doctor("driver", "nvml.dll")
    assert (nvml(found)["status"], cuda(found)["status"]) == ("ok", "not-found")
    assert len(found["facts"]["gpus"]) == 1


def test_system32_comes_before_nvsmi(windows: Windows) -> None:
    if windows.lab.drive is None:
        pytest.skip("this machine: tests do not write into its System32")
    system = windows.lab.drive / "windows" / "system32"
    windows.driver.put(system)
    try:
        found = windows.doctor("text")
    finally:
        windows.driver.remove(system)
    assert (nvml(found)["status"], cuda(found)["status"]) == ("ok", "ok")
    assert nvml(found)["path"].lower() == r"c:\windows\system32\nvml.dll"


def test_nothing_that_doctor_started_outlives_it(windows: Windows) -> None:
    def hanging() -> list[int]:
        lines = {one.pid: one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])}
        ours = windows.lab.path(windows.lab.gpuchecks()).lower()
        return [pid for pid, words in lines.items() if _is_nvml(words, ours)]

    with ThreadPoolExecutor() as pool:
        asked = pool.submit(windows.ask, "driver", timeout=6, FAKE_HANG="nvmlInit")
        until = time.monotonic() + 20
        while not hanging() and time.monotonic() < until:
            time.sleep(0.05)
        assert hanging(), "this test would not see what it looks for"
        asked.result()
    assert hanging() == []


def _is_nvml(words: list[str], environment: str) -> bool:
    """Is this command line the nvml child's? Under Wine a Windows program's words are its process's words here."""
    return any(word.lower().startswith(environment) and word.endswith("nvml.py") for word in words)


def test_what_a_dll_says_of_itself_is_read_without_loading_it(windows: Windows, tmp_path: Path) -> None:
    host = LocalHost(1.0, {})
    assert host.pe(str(windows.driver.folder() / "nvml.dll")) == Pe(
        None, "x86_64", 64, FILE_VERSION, FILE_VERSION, ("KERNEL32.dll", "msvcrt.dll")
    )
    told = {kind: host.pe(str(windows.driver.folder(kind) / "nvml.dll")) for kind in ("empty", "text", "truncated")}
    assert {kind: one.defect for kind, one in told.items() if isinstance(one, Pe)} == {
        "empty": "empty",
        "text": "not-pe",
        "truncated": "truncated",
    }
    foreign = host.pe(str(windows.driver.folder("foreign") / "nvml.dll"))
    assert isinstance(foreign, Pe)
    assert foreign.machine == "arm64"
    needy = host.pe(str(windows.driver.folder("needy") / "nvcuda.dll"))
    assert isinstance(needy, Pe)
    assert "gone.dll" in needy.imports
    assert host.pe(str(tmp_path / "nvml.dll")) is None


def test_a_damaged_dll_is_answered_whatever_its_bytes(windows: Windows, tmp_path: Path) -> None:
    whole, chance = (windows.driver.folder() / "nvml.dll").read_bytes(), random.Random(1)
    host, path, defects = LocalHost(1.0, {}), tmp_path / "x.dll", set()
    for turn in range(120):
        data = bytearray(whole[: chance.randrange(len(whole))] if turn % 3 == 0 else whole)
        for _ in range(0 if turn % 3 == 0 else 20):
            data[chance.randrange(0x600 if turn % 3 == 1 else len(data))] = chance.choice((0, 127, 128, 255))
        path.write_bytes(data)
        told = host.pe(str(path))
        assert isinstance(told, Pe), turn
        defects.add(told.defect)
    assert defects >= {"truncated", None}
