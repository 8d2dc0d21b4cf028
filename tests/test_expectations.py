"""Expectations: read from TOML, held against what was found, found in a project, and never passed over in silence."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import looked
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpucheck.commands import expected
from gpucheck.expecting.documented import documented
from gpucheck.expecting.expectations import Expectations
from gpucheck.expecting.judging import APPLIED, NOT_MEASURABLE, NOT_MET, judge
from gpucheck.expecting.reading import GPU_KEYS, KEYS, BadExpectations, read
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import PackageVersion
from gpucheck.findings import Report, Severity
from gpucheck.output import WrongUsage
from gpucheck.render import rules

KNOWN = frozenset({"gpu-throttling", "gpu-too-hot", "nvml-not-answering"})
WHOLE = """
driver = ">=580"
driver-cuda = ">=13"
tensorflow = "==2.18.*"
keras = ">=3"
python = ">=3.11"
cuda = ">=12.4,<13"
cudnn = ">=9.3"
speed-up = ">=5"
no-warnings = ["gpu-throttling"]
ignore = ["gpu-too-hot"]
strict = true
timeout = 60

[gpus]
count = 8
name = "h100"
compute-capability = ">=9.0"
memory-gib = ">=70"
"""


def wishes(text: str) -> Expectations:
    found = read(text, "lab.toml", lambda: KNOWN)
    assert found is not None
    return found


def judged(machine: str, text: str) -> Report:
    return judge(looked.report(machine), wishes(text))


def met(machine: str, text: str) -> bool | None:
    """None: it could not be measured."""
    report = judged(machine, text)
    if report.find(NOT_MET):
        assert report.exit_code() == 1
        return False
    if report.find(NOT_MEASURABLE):
        assert report.exit_code() == 3 or report.verdict == "error"
        return None
    return True


# Reading


def test_a_whole_file_is_read() -> None:
    found = wishes(WHOLE)
    assert dict(found.versions)["cudnn"] == ">=9.3"
    assert (found.strict, found.timeout, found.ignore) == (True, 60.0, ("gpu-too-hot",))
    assert found.gpus is not None
    assert found.gpus.number is not None
    assert found.gpus.number.each == (("==", 8.0),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('drivers = ">=580"', "unknown key drivers; did you mean driver?"),
        ('speedup = ">=5"', "did you mean speed-up?"),
        ('gpus = {memory_gib = ">=70"}', "unknown key gpus.memory_gib; did you mean gpus.memory-gib?"),
        ("gpus = {}", "gpus expects nothing"),
        ("gpus = 8", "gpus takes a table, not 8"),
        ("gpus = {count = true}", "gpus.count takes a number, 8"),
        ("gpus = {count = -1}", "gpus.count takes"),
        ("gpus = {memory-gib = 70}", 'gpus.memory-gib takes a number with an operator, ">=5", not 70'),
        ("gpus = {name = 4090}", "gpus.name takes"),
        ("driver = 580", "driver takes a version with an operator"),
        ('driver = "580"', "driver takes a version with an operator"),
        ('driver = ""', "driver takes a version"),
        ('speed-up = ">=fast"', "speed-up takes a number"),
        ('speed-up = ">=1e9"', "speed-up takes a number"),
        ('speed-up = ">=5,"', "speed-up takes a number"),
        ('strict = "yes"', "strict takes true or false, not 'yes'"),
        ("timeout = nan", "timeout takes seconds"),
        ("timeout = true", "timeout takes seconds"),
        ("timeout = 0", "timeout takes seconds"),
        ('ignore = "gpu-too-hot"', "ignore takes a list"),
        ('ignore = ["gpu-to-hot"]', "no rule is called gpu-to-hot; did you mean gpu-too-hot?"),
        ('no-warnings = ["gpu-too-hot"]\nignore = ["gpu-too-hot"]', "both name gpu-too-hot"),
        ("driver", "no TOML"),
        ("a = " + "[" * 20_000, "no TOML"),
        ("a" + ".a" * 500 + " = 1", "unknown key a"),
        ("x = " + "9" * 5000, ""),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(BadExpectations) as refused:
        wishes(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@settings(max_examples=30)
@given(st.text(max_size=200))
def test_whatever_a_file_holds_it_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadExpectations):
        read(text, "lab.toml", lambda: KNOWN)


def test_a_pyproject_speaks_in_its_table_alone() -> None:
    assert read('[project]\nname = "x"\n[tool.ruff]\nline-length = 100', "pyproject.toml", lambda: KNOWN) is None
    found = read('[tool.gpucheck]\ndriver = ">=1"', "pyproject.toml", lambda: KNOWN)
    assert found is not None
    assert found.source == "pyproject.toml [tool.gpucheck]"
    with pytest.raises(BadExpectations, match=r"tool\.gpucheck takes a table"):
        read("[tool]\ngpucheck = 1", "pyproject.toml", lambda: KNOWN)


# Judging


@pytest.mark.parametrize(
    ("machine", "text", "answer"),
    [
        ("deep-rtx4090-proven", 'driver = ">=580"', True),
        ("deep-rtx4090-proven", 'driver = ">=580.126.9"', True),
        ("deep-rtx4090-proven", 'driver = ">=590"', False),
        ("deep-rtx4090-proven", 'driver = ">=590,<580"', False),
        ("wsl2-rtx3060", 'driver = ">=580"', True),
        ("wsl2-gpu-access-blocked", 'driver = ">=580"', None),  # Windows' runs, and nobody may ask it
        ("wsl2-folder-not-searched", 'driver = ">=580"', None),
        ("wsl2-without-nvidia", 'driver = ">=580"', False),
        ("windows-tf2101", 'driver = "==552.22"', True),
        ("no-gpu-vm", 'driver = ">=580"', False),
        ("deep-rtx4090-proven", 'driver-cuda = ">=12.5"', True),
        ("deep-rtx4090-proven", 'cuda = "==12.5.*"', True),
        ("deep-rtx4090-proven", 'cudnn = ">=9.10"', False),
        ("deep-rtx4090-proven", 'cudnn = ">=9.3"', True),
        ("tf221-without-cuda", 'cudnn = ">=9.3"', False),
        ("ubuntu-system-python-without-tensorflow", 'tensorflow = ">=2"', False),
        ("deep-rtx4090-proven", 'tensorflow = "==2.18.*"', True),
        ("deep-rtx4090-proven", 'tensorflow = "==2.20.*"', False),
        ("deep-rtx4090-proven", 'torch = ">=2"', False),
        ("deep-rtx4090-proven", "gpus = {count = 1}", True),
        ("deep-rtx4090-proven", "gpus = {count = 2}", False),
        ("deep-rtx4090-proven", 'gpus = {name = "RTX 4090"}', True),
        ("deep-rtx4090-proven", 'gpus = {name = "*4090"}', True),
        ("deep-rtx4090-proven", 'gpus = {name = "4090*"}', False),
        ("deep-rtx4090-proven", 'gpus = {compute-capability = ">=8.9"}', True),
        ("rtx5090-tf218", 'gpus = {compute-capability = ">=9.0"}', True),  # 12.0 is no text below 9.0
        ("deep-rtx4090-proven", 'gpus = {memory-gib = ">=24"}', True),
        ("deep-rtx4090-proven", 'gpus = {memory-gib = ">=23.9"}', True),
        ("deep-rtx4090-proven", 'gpus = {memory-gib = ">=24.5"}', False),
        ("h100x8-ubuntu", 'gpus = {count = 8, name = "H100", memory-gib = ">=70"}', True),
        ("h100x8-one-lost", 'gpus = {count = 8, name = "H100"}', False),
        ("h100x8-one-lost", 'gpus = {count = ">=7", name = "H100"}', True),
        ("no-gpu-vm", 'gpus = {name = "H100"}', False),
        ("nvml-hangs", "gpus = {count = 1}", None),
        ("h100x8-worn", 'no-warnings = ["gpu-throttling"]', False),
        ("deep-rtx4090-proven", 'no-warnings = ["gpu-throttling"]', True),
        ("nvml-hangs", 'no-warnings = ["gpu-throttling"]', None),
    ],
)
def test_an_expectation_is_met_or_not_or_not_measurable(machine: str, text: str, answer: bool | None) -> None:
    assert met(machine, text) is answer


def test_a_release_candidate_is_a_version_like_others_and_garbage_is_not_known() -> None:
    facts = looked.snapshot("deep-rtx4090-proven")
    assert not isinstance(facts.python, Gap)
    assert facts.python.tensorflow is not None
    assert not isinstance(facts.python.tensorflow, Gap)
    codes = []
    for version in ("2.22.0rc0", "2.22.0.dev20260101+local", "nightly-build"):
        build = facts.python.tensorflow._replace(version=PackageVersion(version))
        changed = facts._replace(python=facts.python._replace(tensorflow=build))
        report = looked.report("deep-rtx4090-proven")._replace(snapshot=changed)
        codes.append(judge(report, wishes('tensorflow = ">=2.20"')).exit_code())
    assert codes == [0, 0, 3]


def test_what_is_not_met_names_what_was_found_and_the_key_that_expects_another() -> None:
    found = judged("deep-rtx4090-proven", 'driver = ">=590"').find(NOT_MET)
    assert found is not None
    assert found.message == "The NVIDIA driver should be >=590, and is 580.126.09."
    assert [(one.fact, one.value, one.source) for one in found.evidence] == [
        ("driver.module_version", "580.126.09", "/proc/driver/nvidia/version"),
        ("expected", ">=590", "lab.toml: driver"),
    ]


def test_what_cannot_be_measured_neither_passes_nor_accuses() -> None:
    bare = looked.snapshot("deep-rtx4090-proven")
    hidden = looked.report("deep-rtx4090-proven")._replace(snapshot=bare._replace(python=Gap("not looked", "denied")))
    report = judge(hidden, wishes('tensorflow = ">=2"'))
    assert (report.verdict, report.exit_code(), report.exit_code(strict=True)) == ("unknown", 3, 1)
    assert report.find(NOT_MET) is None
    assert NOT_MEASURABLE not in report.checked


@pytest.mark.parametrize("fact", ["driver", "gpus", "python", "libraries"])
def test_hiding_a_fact_never_makes_an_expectation_unmet(fact: str) -> None:
    facts = looked.snapshot("h100x8-ubuntu")
    whole = judge(looked.report("h100x8-ubuntu"), wishes(WHOLE))
    assert whole.find(NOT_MET) is None
    hidden = looked.report("h100x8-ubuntu")._replace(snapshot=facts._replace(**{fact: Gap("hidden", "denied")}))
    report = judge(hidden, wishes(WHOLE))
    assert report.find(NOT_MET) is None
    assert report.find(NOT_MEASURABLE) is not None


def test_a_speed_up_is_judged_where_it_was_measured_alone() -> None:
    report, wish = looked.report("deep-rtx4090-proven"), wishes('speed-up = ">=5"')
    not_asked = judge(report, wish)
    assert not_asked.exit_code() == 0
    applied = not_asked.find(APPLIED)
    assert applied is not None
    assert "measured by gpucheck smoke" in applied.message
    codes = [judge(report, wish, speed=speed).exit_code() for speed in ((8.0, 9.0), (3.0, 4.0), (4.0, 6.0))]
    assert codes == [0, 1, 3]
    assert judge(report, wish, speed=Gap("it was ended")).exit_code() == 3


def test_every_answer_says_that_a_file_was_read() -> None:
    for text in ("", "strict = true", 'ignore = ["gpu-too-hot"]', "timeout = 5", 'driver = ">=580"'):
        found = judged("deep-rtx4090-proven", text).find(APPLIED)
        assert found is not None
        assert found.severity is Severity.INFO
        assert "lab.toml" in found.message


def test_findings_on_expectations_can_be_left_out_and_stand_among_the_others_by_weight() -> None:
    left = judge(looked.report("h100x8-worn"), wishes('driver = ">=999"'), ignore=[NOT_MET])
    assert left.find(NOT_MET) is None
    assert NOT_MET in left.ignored
    report = judged("h100x8-worn", 'driver = ">=999"')
    assert report.findings[0].name == NOT_MET
    assert report.findings[-1].name == APPLIED


def test_they_are_documented_under_the_four_headings() -> None:
    for rule in documented().values():
        headings = [line.strip() for line in rule.documentation.splitlines() if line.strip().startswith("## ")]
        assert headings == ["## What it means", "## Why it matters", "## How to fix it", "## References"]


# Where they are found


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        ("[tool.gpucheck]", True),
        ('[ tool . "gpucheck" ]', True),
        ("[tool]\ngpucheck = {strict = true}", True),
        ("[ tool ]\ngpucheck.strict = true", True),
        ('tool.gpucheck.driver = ">=1"', True),
        ("tool = {gpucheck = {strict = true}}", True),
        ('"tool".gpucheck.strict = true', True),
        ("\ufeff[tool.gpucheck]\r\nstrict = true", True),
        ('[tool.ruff]\n[project.scripts]\ngpucheck = "gpucheck.cli:main"', False),
        ('[dependency-groups]\ntest = ["gpucheck-cli"]\n[tool.ruff]', False),
    ],
)
def test_a_pyproject_is_parsed_only_where_it_may_have_the_table(text: str, speaks: bool) -> None:
    assert expected._speaks_of_gpucheck(text.encode()) is speaks


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    return subprocess.run(
        [sys.executable, "-m", "gpucheck", *words], capture_output=True, text=True, env=kept, cwd=folder, timeout=120
    )


@pytest.mark.slow
def test_the_nearest_table_holds_for_a_look_at_this_machine(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "src"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.gpucheck]\ndriver = ">=1"\n')
    (tmp_path / "project" / "pyproject.toml").write_text('[tool.gpucheck]\npython = "<3"\n')
    (inner / "pyproject.toml").write_text('[project]\nname = "gpucheck-user"\n')
    told = run(inner, "doctor", "--python", sys.executable)
    assert told.returncode == 1
    assert f"{tmp_path / 'project' / 'pyproject.toml'} [tool.gpucheck]" in told.stdout.replace("\n             ", "")
    assert "expectation-not-met" in told.stdout
    # A rehearsal and a colleague's facts are not this project's machine.
    assert "expectation" not in run(inner, "doctor", "--simulate", "fine").stdout


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["[tool.gpucheck]\ndriver = 580", "[tool.gpucheck", "[tool.gpucheck]\n\udcff"])
def test_a_broken_table_is_wrong_usage_and_no_open_gate(tmp_path: Path, broken: str) -> None:
    (tmp_path / "pyproject.toml").write_bytes(broken.encode("utf-8", "surrogateescape"))
    told = run(tmp_path, "doctor", "--python", sys.executable)
    assert told.returncode == 2
    assert "pyproject.toml" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.slow
def test_a_pyproject_that_is_no_file_or_of_other_things_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").mkdir()
    below = tmp_path / "below"
    below.mkdir()
    (below / "pyproject.toml").write_text("this is no TOML at all [")
    assert "expectation" not in run(below, "doctor", "--python", sys.executable).stdout


def test_a_file_that_cannot_be_read_is_wrong_usage(tmp_path: Path) -> None:
    big = tmp_path / "big.toml"
    big.write_bytes(b"#" * (2 << 20))
    other = tmp_path / "other.toml"
    other.write_text("[tool.ruff]")
    for path in (tmp_path / "none.toml", tmp_path, big, other, Path("")):
        with pytest.raises(WrongUsage, match="--expect"):
            expected.of_file(str(path))


@pytest.mark.slow
def test_a_file_that_takes_the_parser_for_ever_is_refused_in_time(tmp_path: Path) -> None:
    file = tmp_path / "endless.toml"
    file.write_text("a" + ".a" * 400_000 + " = 1")
    told = run(tmp_path, "doctor", "--expect", str(file))
    assert (told.returncode, told.stdout) == (2, "")
    assert "no answer within 3 s" in told.stderr


@pytest.mark.slow
def test_expect_goes_with_a_rehearsal_and_with_files_and_not_with_a_log_alone(tmp_path: Path) -> None:
    file, log = tmp_path / "lab.toml", tmp_path / "log"
    file.write_text('gpus = {count = 8, name = "H100"}')
    log.write_text("hello")
    told = run(tmp_path, "doctor", "--simulate", "fine", "--expect", str(file))
    assert told.returncode == 1
    assert "8 GPUs should be named H100" in told.stdout.replace("\n  ", " ")
    assert run(tmp_path, "smoke", "--simulate", "fine", "--expect", str(file)).returncode == 1
    assert run(tmp_path, "doctor", "--log", str(log), "--expect", str(file)).returncode == 2


@pytest.mark.slow
def test_the_file_that_the_documentation_shows_is_read() -> None:
    import re

    text = (Path(__file__).parent.parent / "docs" / "ci.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- expectations -->\n```toml\n(.*?)```", text, re.DOTALL)
    found = read(shown, "docs/ci.md", rules.names)
    assert found is not None
    keys = {line.split("=")[0].strip() for line in shown.splitlines() if "=" in line.split("#")[0]}
    assert keys == {*KEYS, *GPU_KEYS} - {"gpus", "torch", "jax"}
