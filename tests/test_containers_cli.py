"""`gpucheck doctor --dockerfile`: its files, its neighbours among the options, its formats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sample
from container_files import judge

from gpucheck import api
from gpucheck.commands import container_files
from gpucheck.commands.doctor import Words, doctor
from gpucheck.facts.driver import Driver, Nvml
from gpucheck.facts.versions import DriverVersion
from gpucheck.output import WrongUsage
from gpucheck.render import markdown, terminal
from gpucheck.render.formats import FORMATS, Asked, tell

BAD = "FROM nvidia/cuda:11.6.1-runtime-ubuntu20.04\nRUN python3.8 -m pip install -r r.txt\n"
WORKS = "FROM nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04\nRUN python3.10 -m pip install tensorflow==2.15.1\n"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(BAD)
    (tmp_path / "r.txt").write_text("numpy\ntensorflow==2.12.0\n")
    return tmp_path / "Dockerfile"


def document(*paths: Path, **options: object) -> tuple[int, dict[str, object]]:
    out = paths[0].parent / "out.json"
    code = doctor(Words(dockerfile=[str(path) for path in paths], format="json", output=str(out), **options))  # type: ignore[arg-type]
    return code, json.loads(out.read_text())


def test_a_file_is_read_with_what_lies_beside_it(bad: Path) -> None:
    code, told = document(bad)
    names = [one["name"] for one in told["findings"]]  # type: ignore[attr-defined]
    assert (code, names) == (1, ["image-cudnn-missing", "image-needs-driver"])
    assert told["findings"][0]["evidence"][0]["source"] == f"{bad.parent}/r.txt:2"  # type: ignore[index]


def test_several_files_make_several_reports_and_the_worst_exit_code(bad: Path) -> None:
    other = bad.parent / "compose.yml"
    other.write_text("services:\n  a:\n    image: ${X}\n")
    code, told = document(other, bad)
    assert (code, [one["verdict"] for one in told["reports"]]) == (1, ["unknown", "error"])  # type: ignore[attr-defined]
    assert document(other)[0] == 3


def test_a_rule_can_be_left_out_and_a_warning_made_an_error(bad: Path) -> None:
    assert document(bad, ignore=["image-cudnn-missing"])[0] == 0
    bad.write_text(WORKS + "ENV CUDA_VISIBLE_DEVICES=-1\n")
    assert document(bad)[0] == 0
    assert document(bad, strict=True)[0] == 1


@pytest.mark.parametrize(
    "options",
    [
        {"python": "python3"},
        {"deep": True},
        {"log": ["x.log"]},
        {"simulate": "libcuda-missing"},
        {"expect": "x.toml"},
        {"here": True, "snapshot": ["x.json"]},
        {"snapshot": ["a.json", "b.json"]},
        {"fix_paths": True},
    ],
)
def test_options_that_look_at_a_machine_are_refused(bad: Path, options: dict[str, object]) -> None:
    with pytest.raises(WrongUsage, match=r"--"):
        doctor(Words(dockerfile=[str(bad)], **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "text"), [("Dockerfile", ""), ("Dockerfile", "RUN x\n"), ("a.yml", "a: 1\n")])
def test_a_file_that_is_neither_is_wrong_usage(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(WrongUsage, match=name):
        container_files.reports([str(tmp_path / name)], None)


def test_what_is_not_there_a_folder_and_a_file_too_large_are_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"#" * (container_files.MOST_BYTES + 1))
    for path in (tmp_path / "none", tmp_path, tmp_path / "large", Path("a\0b")):
        with pytest.raises(WrongUsage):
            container_files.reports([str(path)], None)


@pytest.mark.skipif(sys.platform == "win32", reason="this machine: links need rights on Windows")
def test_a_list_outside_the_build_context_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("tensorflow==2.12.0\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    os.symlink(tmp_path / "secret.txt", inner / "link.txt")
    for name in ("link.txt", "x/../../secret.txt", str(tmp_path / "secret.txt")):
        assert container_files.Folder(str(inner), "").read(name) is None


def test_a_list_that_may_be_another_ones_is_not_taken(tmp_path: Path) -> None:
    """google-deepmind/alphafold: docker/Dockerfile, docker/requirements.txt, and the requirements.txt that it means."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "requirements.txt").write_text("docker\n")
    dockerfile = tmp_path / "docker" / "Dockerfile"
    dockerfile.write_text("FROM python:3.11\nCOPY . /app\nRUN pip install -r /app/requirements.txt\n")
    assert container_files.reports([str(dockerfile)], None)[0][1].verdict == "ok"
    (tmp_path / "requirements.txt").write_text("tensorflow==2.15.1\n")
    assert container_files.reports([str(dockerfile)], None)[0][1].verdict == "unknown"


@pytest.mark.skipif(sys.platform == "win32", reason="this machine: Windows has no named pipes in folders")
def test_a_pipe_in_the_place_of_a_list_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "requirements.txt")
    assert container_files.Folder(str(tmp_path), "").read("requirements.txt") is None


def test_the_hosts_driver_is_compared_where_a_host_is_given() -> None:
    facts = sample.snapshot()
    assert isinstance(facts.driver, Driver)
    old = facts._replace(driver=facts.driver._replace(module_version=DriverVersion("470.57.02")))
    new = facts._replace(driver=facts.driver._replace(module_version=DriverVersion("580.65.06")))
    (error,) = (one for one in judge(WORKS, host=old).findings if one.severity.value == "error")
    assert (error.name, error.explains) == ("image-host-driver-too-old", ("image-needs-driver",))
    assert "470.57.02" in error.message
    assert judge(WORKS, host=new).verdict == "ok"
    assert "image-host-driver-too-old" in judge(WORKS, host=new).checked
    assert "image-host-driver-too-old" not in judge(WORKS).checked
    assert isinstance(facts.driver.nvml, Nvml)
    silent = facts.driver.nvml._replace(status="not-found", driver_version=None)
    without = facts._replace(driver=facts.driver._replace(module_version=None, nvml=silent))
    for host, told in ((new, "this host runs 580.65.06."), (without, "this host has no NVIDIA driver loaded.")):
        (hint,) = judge(WORKS, host=host).findings
        assert hint.message.endswith(told)
    assert "this host" not in judge(WORKS).findings[0].message


@pytest.mark.slow
@pytest.mark.parametrize("form", [form for form in FORMATS if form != "html"])
def test_every_format_tells_it(form: str) -> None:
    report = api.Report(*judge("FROM python:3.12-alpine\nRUN pip install tensorflow\n"))
    assert "image-glibc-does-not-fit" in tell(form, [("Dockerfile", report)], Asked())


def test_sarif_and_github_lead_to_the_line() -> None:
    report = api.Report(*judge("FROM python:3.12-alpine\n\nRUN pip install tensorflow\n"))
    assert "line=3" in tell("github", [("Dockerfile", report)], Asked())
    results = json.loads(tell("sarif", [("Dockerfile", report)], Asked()))["runs"][0]["results"]
    place = next(one for one in results if one["ruleId"] == "image-glibc-does-not-fit")["locations"][0][
        "physicalLocation"
    ]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("Dockerfile", 3)


def test_people_are_told_what_was_read_and_nothing_of_a_machine() -> None:
    for text in (terminal.render(judge(WORKS)), markdown.render(judge(WORKS))):
        assert "nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04" in text
        assert "GPUs" not in text
        assert "no problem found in what the files say" in text
    assert "which name no TensorFlow" in terminal.render(judge("FROM node:20\n"))


@pytest.mark.slow
def test_the_command_takes_files_and_standard_input(bad: Path) -> None:
    argv = [sys.executable, "-m", "gpucheck", "doctor", "--dockerfile", "-", str(bad)]
    done = subprocess.run(argv, input=WORKS, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "== -" in done.stdout
    assert "image-cudnn-missing" in done.stdout
    done = subprocess.run([*argv[:6], "--log", "x.log"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "not together with --log" in done.stderr


@pytest.mark.slow
def test_a_plain_start_loads_nothing_of_container_files() -> None:
    code = (
        "import sys; from gpucheck import cli; cli.plain(['doctor']); "
        "from gpucheck.commands.doctor import Words, doctor; doctor(Words(output='/dev/null', timeout=5.0)); "
        "print([m for m in sys.modules if 'container' in m and m.startswith('gpucheck') or m == 'yaml'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.strip().splitlines()[-1].replace("'", '"')) in (
        ["gpucheck.probes.containers", "gpucheck.rules.container"],
        ["gpucheck.rules.container", "gpucheck.probes.containers"],
    )
