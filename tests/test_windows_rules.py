"""What the rules say of a Windows machine word for word, in its shells' language, and whom they leave in peace."""

from __future__ import annotations

import looked
import machines
import pytest

from gpucheck.facts.gap import Gap
from gpucheck.facts.windows import Windows
from gpucheck.findings import Finding, Severity
from gpucheck.rules import load, ways
from gpucheck.rules.engine import RULES, judge_all

load()
OURS = [name for name in machines.names() if name.startswith("windows-")]
CUDA = r"C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v11.2"


def finding(name: str, rule: str) -> Finding:
    found = looked.report(name).find(rule)
    assert found is not None, f"{rule} is silent on {name}"
    return found


def test_a_tensorflow_without_gpu_on_windows_is_the_one_error_with_two_ways_out() -> None:
    report = looked.report("windows-native-tf220")
    assert [one.name for one in report.findings if one.severity is Severity.ERROR] == ["tf-windows-native-no-gpu"]
    lines = report.findings[0].fix
    assert "wsl --install -d Ubuntu-24.04" in lines
    assert any("tensorflow[and-cuda]==2.20.0" in line for line in lines)  # 2.21.0 misses cuSOLVER's folder
    assert any(line.endswith('-m pip install tensorflow==2.10.1 "numpy<2"') for line in lines)
    assert "conda install -c conda-forge cudatoolkit=11.2 cudnn=8.1.0" in lines


def test_on_windows_no_fix_speaks_linux() -> None:
    words = ("sudo ", "export ", "ldconfig", "LD_LIBRARY_PATH", "apt ", "/bin/python -m", "chmod", "unset ", "modprobe")
    in_wsl = ("# python3", "# sudo apt update")
    for name in OURS:
        for one in looked.report(name).findings:
            for line in one.fix:
                assert not any(word in line for word in words) or line.startswith(in_wsl), (name, one.name, line)


def test_no_rule_of_linux_is_judged_on_windows_nor_one_of_windows_on_linux() -> None:
    windows, linux = looked.report("windows-tf2101"), looked.report("rtx4090-ubuntu")
    for rule in RULES.values():
        if rule.on == "linux":
            assert rule.name not in (*windows.checked, *(one.name for one in windows.skipped))
        if rule.on == "windows":
            assert rule.name not in (*linux.checked, *(one.name for one in linux.skipped))


def test_a_snapshot_of_an_older_gpucheck_without_windows_facts_is_judged_as_linux() -> None:
    snapshot = looked.snapshot("rtx4090-ubuntu")
    old = snapshot._replace(windows=Gap("windows was not recorded", "not-collected"))
    report = judge_all(old)
    assert (report.verdict, report.checked) == ("ok", looked.report("rtx4090-ubuntu").checked)


def test_a_shell_that_was_opened_before_is_told_to_be_opened_anew() -> None:
    one = finding("windows-shell-opened-before", "cuda-libs-not-on-loader-path")
    assert "is on PATH of the machine, but this shell was opened before" in one.message
    assert one.fix[0].startswith("# Close this terminal")
    other = finding("windows-cuda-not-on-path", "cuda-libs-not-on-loader-path")
    assert "which is not on PATH" in other.message
    assert other.fix[0].startswith("gpucheck doctor --fix-paths")


def test_the_stores_python_is_named_as_the_cause_and_nothing_beside_it() -> None:
    report = looked.report("windows-store-python")
    assert [one.name for one in report.findings] == ["windows-dll-search-path"]
    assert f"{CUDA}\\bin is on PATH, but the Microsoft Store's Python does not look there" in report.findings[0].message


def test_cudnn_that_was_copied_in_part_names_what_is_missing() -> None:
    worse = finding("windows-cudnn-headers-alone", "cudnn-half-installed")
    assert (worse.severity, worse.explains) == (Severity.WARNING, ("cuda-lib-missing-partial-install",))
    assert worse.message.endswith(f"{CUDA} in part: nothing of it is in bin.")
    harmless = finding("windows-cudnn-bin-alone", "cudnn-half-installed")
    assert harmless.severity is Severity.INFO
    assert harmless.message.endswith("nothing of it is in include and lib\\x64.")


def test_a_card_without_a_driver_is_named_and_its_presence_is_not_claimed() -> None:
    sure = finding("windows-basic-display", "nvidia-driver-not-installed")
    assert "Microsoft Basic Display Adapter [10de:2504]" in sure.message
    assert "still in the computer" not in sure.message
    unsure = finding("windows-laptop-without-driver", "nvidia-driver-not-installed")
    assert "3D Video Controller [10de:2560] (if it is still in the computer" in unsure.message


def test_a_runtime_that_python_does_not_look_at_is_told() -> None:
    one = finding("windows-vc-runtime-on-path-alone", "msvc-redistributable-missing")
    assert r"C:\Program Files\App\msvcp140.dll" in one.message
    assert "Python 3.8 and later leave PATH out" in one.message
    assert "vcruntime140.dll" not in one.message  # Python's own


def test_a_path_that_setx_cut_is_told_with_its_end() -> None:
    one = finding("windows-path-cut-by-setx", "windows-path-too-long")
    assert one.severity is Severity.WARNING
    assert "exactly 1024 characters" in one.message


def test_nvidias_own_dead_entry_for_the_profiler_is_left_in_peace() -> None:
    snapshot = looked.snapshot("windows-tf2101")
    assert isinstance(snapshot.windows, Windows)
    path = snapshot.windows.path_machine
    assert path is not None
    assert not isinstance(path, Gap)
    dead = tuple(one._replace(exists=False) if one.text.endswith(("libnvvp", "Wbem")) else one for one in path.entries)
    changed = snapshot.windows._replace(path_machine=path._replace(entries=dead))
    assert [one.name for one in judge_all(snapshot._replace(windows=changed)).findings] == []


@pytest.mark.parametrize(
    ("text", "program", "word"),
    [
        (r"C:\tf\Scripts\python.exe", r"C:\tf\Scripts\python.exe", r"C:\tf\Scripts\python.exe"),
        (r"C:\My tf\python.exe", r'& "C:\My tf\python.exe"', r'"C:\My tf\python.exe"'),
        ("numpy<2", '& "numpy<2"', '"numpy<2"'),
        ("tensorflow==2.10.1", "tensorflow==2.10.1", "tensorflow==2.10.1"),
    ],
)
def test_words_are_quoted_for_powershell_and_cmd(text: str, program: str, word: str) -> None:
    assert (ways.program(text), ways.quoted(text)) == (program, word)


def test_the_cause_leads_on_windows_too() -> None:
    for name, cause, follower in (
        ("windows-older-cudnn-first", "windows-path-shadows-cuda", "cudnn-wrong-version"),
        ("windows-cuda-12", "cuda-toolkit-wrong-version", "cuda-library-broken"),
        ("windows-driver-upgraded-not-restarted", "driver-library-version-mismatch", "cuda-init-failed"),
    ):
        assert follower in finding(name, cause).explains


def test_wsl_is_told_with_the_driver_that_it_needs_first() -> None:
    old = looked.snapshot("windows-driver-too-old")
    first, *rest = ways.in_wsl(old)
    assert first == "# First NVIDIA's driver for Windows, 527.41 or later, then:"
    assert "wsl --install -d Ubuntu-24.04" in rest
    assert ways.in_wsl(looked.snapshot("windows-native-tf220"))[0] == "wsl --install -d Ubuntu-24.04"


def test_a_blackwell_gets_no_release_that_has_no_code_for_it() -> None:
    lines = ways.in_wsl(looked.snapshot("windows-rtx5090"))
    assert not any("pip install" in line for line in lines)
    assert any("container" in line for line in lines)
