"""What other programs read of ours (GitHub, GitLab, pre-commit, Docker, shells), each through its reader's own eyes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from windows_lab import Lab

yaml = pytest.importorskip("yaml")

import ci_runners  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RED, GREEN = "driver-version-mismatch", "fine"
PRE_COMMIT = ROOT / ".pre-commit-hooks.yaml"
DOCKERFILE = ROOT / "Dockerfile"


def _program(name: str) -> str:
    """A program that came with a wheel of the test group."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"{name} is not installed beside this Python")
    return found


def _ran(*command: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(one) for one in command], capture_output=True, text=True, **more)


def _examples(kind: str) -> list[str]:
    text = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
    found: list[str] = re.findall(rf"<!-- {kind} -->\n```yaml\n(.*?)```", text, re.DOTALL)
    assert found, kind
    return found


def _steps() -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = ci_runners.action()["runs"]["steps"]
    return steps


def _component(**given: Any) -> dict[str, Any]:
    return ci_runners.component({"tags": ["gpu"], **given})


# ---------------------------------------------------------------- what can be seen by reading


def test_no_input_of_the_action_is_text_of_a_script() -> None:
    assert {step["if"] for step in _steps()} == {"runner.os != 'Windows'", "runner.os == 'Windows'"}
    for step in _steps():
        assert "${{" not in step["run"]
        assert step["env"] == {"GPUCHECK_INPUTS": "${{ toJSON(inputs) }}"}
        assert "github_action.py" in step["run"]


def test_every_input_is_used_and_every_output_is_made_by_the_script() -> None:
    script = (ROOT / "scripts" / "github_action.py").read_text(encoding="utf-8")
    described = ci_runners.action()
    assert [name for name in described["inputs"] if f'"{name}"' not in script] == []
    assert [name for name in described["outputs"] if f'_tell("{name}"' not in script] == []
    for name, about in described["outputs"].items():
        both = f"${{{{ steps.posix.outputs.{name} || steps.windows.outputs.{name} }}}}"
        assert about["value"] == both


def test_no_input_of_the_component_is_text_of_a_script() -> None:
    text = (ROOT / "templates" / "gpucheck" / "template.yml").read_text(encoding="utf-8")
    _, body = yaml.safe_load_all(text)
    job = next(iter(body.values()))
    assert "$[[" not in "".join(job["script"])
    for name, about in job["variables"].items():
        assert about["expand"] is False
        assert f"${name}" in job["script"][0], name
    used = set(re.findall(r"\$\[\[ inputs\.([\w-]+) \]\]", text))
    assert used == set(next(yaml.safe_load_all(text))["spec"]["inputs"])


def test_action_component_and_smoke_know_the_same_words() -> None:
    words = {"command", "python", "expect", "fail-under", "timeout", "strict", "ignore", "simulate", "requirements"}
    assert words <= set(ci_runners.action()["inputs"])
    header = next(yaml.safe_load_all((ROOT / "templates" / "gpucheck" / "template.yml").read_text(encoding="utf-8")))
    assert words <= set(header["spec"]["inputs"])


@pytest.mark.parametrize(
    ("name", "read"),
    [
        *((name, True) for name in ("Dockerfile", "docker/Dockerfile.gpu", "train.dockerfile", "Containerfile")),
        *(
            (name, True)
            for name in ("compose.yaml", "docker-compose.yml", "a/docker-compose.gpu.yml", "compose.dev.yaml")
        ),
        *(
            (name, False)
            for name in ("README.md", "Dockerfile.d/x.py", "composer.yaml", "mkdocs.yml", "dockerfiles.txt")
        ),
    ],
)
def test_the_hook_reads_dockerfiles_and_compose_files_and_nothing_else(name: str, read: bool) -> None:
    hook = yaml.safe_load(PRE_COMMIT.read_text(encoding="utf-8"))[0]
    assert bool(re.search(hook["files"], name)) is read


def test_the_image_asks_for_what_gpucheck_needs_and_copies_only_what_is_let_in() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert "NVIDIA_VISIBLE_DEVICES=all" in text
    assert re.search(r"NVIDIA_DRIVER_CAPABILITIES=(\S+)", text)[1].split(",") == ["compute", "utility"]  # type: ignore[index]
    assert int(re.search(r"^USER (\d+)$", text, re.MULTILINE)[1]) > 0  # type: ignore[index]
    assert all("@sha256:" in line and ":latest" not in line for line in text.splitlines() if line.startswith("FROM"))
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for word in line.split()]
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in let_in


# ---------------------------------------------------------------- linters and schemas of the consumers


@pytest.mark.slow
@pytest.mark.parametrize("schema", ["github-actions", "github-workflows", "gitlab-ci", "compose-spec"])
def test_files_and_examples_fit_the_schema_of_their_reader(schema: str, tmp_path: Path) -> None:
    texts = {
        "github-actions": [(ROOT / "action.yml").read_text(encoding="utf-8")],
        "github-workflows": [
            *((path).read_text(encoding="utf-8") for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))),
            *_examples("a workflow"),
        ],
        "gitlab-ci": [
            *(yaml.safe_dump(_component(**given)) for given in ({}, {"command": "doctor", "job-name": "a b"})),
            *_examples("a pipeline"),
        ],
        "compose-spec": _examples("a compose file"),
    }[schema]
    for at, text in enumerate(texts):
        (tmp_path / f"{at}.yml").write_text(text, encoding="utf-8")
    checker = _program("check-jsonschema")
    good = _ran(checker, "--builtin-schema", f"vendor.{schema}", *sorted(tmp_path.glob("*.yml")))
    assert good.returncode == 0, good.stdout
    broken = yaml.safe_load(texts[0])
    broken["runs" if "runs" in broken else next(iter(set(broken) - {"name", True}))] = {"using": 3, "script": {"a": 1}}
    (tmp_path / "broken.yml").write_text(yaml.safe_dump(broken), encoding="utf-8")
    assert _ran(checker, "--builtin-schema", f"vendor.{schema}", tmp_path / "broken.yml").returncode == 1


@pytest.mark.slow
def test_the_pipelines_inputs_fit_gitlabs_schema_too(tmp_path: Path) -> None:
    text = (ROOT / "templates" / "gpucheck" / "template.yml").read_text(encoding="utf-8")
    (tmp_path / "header.yml").write_text(text.partition("\n---\n")[0], encoding="utf-8")
    checked = _ran(_program("check-jsonschema"), "--builtin-schema", "vendor.gitlab-ci", tmp_path / "header.yml")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
def test_zizmor_finds_no_hole_in_the_action_and_would_find_one(tmp_path: Path) -> None:
    zizmor = (_program("zizmor"), "--offline", "--no-progress")
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    clean = _ran(*zizmor, "--persona", "pedantic", ROOT / "action.yml")
    assert clean.returncode == 0, clean.stdout
    holes = _ran(*zizmor, "--min-severity", "high", "--format", "json", *workflows)
    found = {one["ident"] for one in json.loads(holes.stdout)}
    assert found <= {"unpinned-uses"}  # actions/* by their major version, as GitHub's own examples
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    (tmp_path / "action.yml").write_text(text.replace("exit 3", "echo ${{ inputs.python }}"), encoding="utf-8")
    assert "template-injection" in _ran(*zizmor, tmp_path / "action.yml").stdout


@pytest.mark.slow
def test_shellcheck_finds_nothing_in_scripts_steps_and_jobs(tmp_path: Path) -> None:
    shellcheck = _program("shellcheck")
    (tmp_path / "step.sh").write_text(_steps()[0]["run"])
    (tmp_path / "job.sh").write_text(_component()["gpucheck"]["script"][0])
    # 2250: braces around every variable; 2154: the runner sets GITHUB_ACTION_PATH, the job's variables are its own.
    everything = ("--enable=all", "--exclude=SC2250,SC2154")
    for path in (ROOT / "scripts" / "ci_smoke.sh", tmp_path / "step.sh", tmp_path / "job.sh"):
        checked = _ran(shellcheck, "--shell=sh", *everything, path)
        assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_shells_can_read_the_scripts(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"this machine: has no {shell}")
    (tmp_path / "job.sh").write_text(_component()["gpucheck"]["script"][0])
    (tmp_path / "step.sh").write_text(_steps()[0]["run"])
    for path in (ROOT / "scripts" / "ci_smoke.sh", tmp_path / "step.sh", tmp_path / "job.sh"):
        assert _ran(shell, "-n", path).returncode == 0


def _powershell_mistakes(source: str) -> list[str]:
    tree_sitter = pytest.importorskip("tree_sitter")
    grammar = pytest.importorskip("tree_sitter_powershell")
    data = source.encode()
    waiting = [tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(data).root_node]
    wrong = []
    while waiting:
        node = waiting.pop()
        waiting += node.children
        if node.is_error or node.is_missing:
            wrong.append(f"line {node.start_point[0] + 1}: {data[node.start_byte : node.end_byte]!r}")
    return wrong


@pytest.mark.slow
def test_the_powershell_parts_are_of_powershells_grammar_and_of_its_old_alphabet() -> None:
    script = (ROOT / "scripts" / "ci_smoke.ps1").read_text(encoding="utf-8")
    step = _steps()[1]["run"]
    for source in (script, step):
        assert _powershell_mistakes(source) == []
        assert source.isascii()  # Windows PowerShell 5.1 reads a file without a mark in the ANSI code page
        assert not re.search(r"&&|\|\||\?\?|-Parallel|\? .* :", source)  # newer than 5.1
        assert _powershell_mistakes(source.replace("{", "", 1))


@pytest.mark.slow
def test_hadolint_finds_nothing_in_the_dockerfile(tmp_path: Path) -> None:
    hadolint = _program("hadolint")
    checked = _ran(hadolint, DOCKERFILE)
    assert (checked.returncode, checked.stdout) == (0, "")
    worse = re.sub(r"@sha256:\w+", "", DOCKERFILE.read_text()).replace("3.13.7-slim-bookworm", "latest")
    (tmp_path / "Dockerfile").write_text(worse.replace("USER 10001", "USER root"))
    assert {"DL3007", "DL3002"} <= set(re.findall(r"DL\d+", _ran(hadolint, tmp_path / "Dockerfile").stdout))


@pytest.mark.slow
def test_pre_commit_takes_the_hooks_and_the_example(tmp_path: Path) -> None:
    pre_commit = _program("pre-commit")
    assert _ran(pre_commit, "validate-manifest", PRE_COMMIT).returncode == 0
    (tmp_path / "hooks.yaml").write_text(PRE_COMMIT.read_text().replace("language: python", "language: pyton"))
    assert _ran(pre_commit, "validate-manifest", tmp_path / "hooks.yaml").returncode == 1
    (example,) = _examples("a pre-commit configuration")
    (tmp_path / "config.yaml").write_text(example)
    assert _ran(pre_commit, "validate-config", tmp_path / "config.yaml").returncode == 0
    ids = {hook["id"] for hook in yaml.safe_load(PRE_COMMIT.read_text())}
    assert {hook["id"] for hook in yaml.safe_load(example)["repos"][0]["hooks"]} == ids


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "code", "told"),
    [
        (["FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04", "RUN pip install tensorflow==2.18.0"], 1, "image-cu"),
        (["FROM python:3.12", "RUN pip install -r requirements.txt"], 0, "could not tell"),
        (["FROM node:22"], 0, "no problem found"),
    ],
)
def test_the_hook_stops_what_is_wrong_and_tells_what_it_could_not_see(
    lines: list[str], code: int, told: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("\n".join(lines) + "\n")
    entry = yaml.safe_load(PRE_COMMIT.read_text())[0]["entry"].split()
    environ = {**ci_runners.clean_environ(), "PYTHONPATH": str(ROOT)}
    hook = _ran(sys.executable, *entry[1:], "--ignore", "image-needs-driver", "Dockerfile", cwd=tmp_path, env=environ)
    assert (hook.returncode, told in hook.stdout) == (code, True), hook.stdout + hook.stderr
    assert "image-needs-driver:" not in hook.stdout
    wrong = _ran(sys.executable, *entry[1:], "--no-such", "Dockerfile", cwd=tmp_path, env=environ)
    assert wrong.returncode == 2


@pytest.mark.slow
def test_doctor_finds_nothing_in_our_own_image_and_in_the_example(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(_examples("a compose file")[0])
    shutil.copy(DOCKERFILE, tmp_path)
    for name in ("Dockerfile", "compose.yaml"):
        told = _ran(
            *(sys.executable, "-m", "gpucheck", "doctor", "--format", "json", "--dockerfile", name),
            cwd=tmp_path,
            env={**ci_runners.clean_environ(), "PYTHONPATH": str(ROOT)},
        )
        found = [one for one in json.loads(told.stdout)["findings"] if one["severity"] != "info"]
        assert found == [], name


# ---------------------------------------------------------------- ci_smoke.sh, with a gpucheck that is there already


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPUCHECK_VENV from an earlier run: this checkout's gpucheck."""
    folder = tmp_path_factory.mktemp("kept") / "a venv"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "gpucheck"
    program.write_text(f"#!/bin/sh\nPYTHONPATH='{ROOT}' exec '{sys.executable}' -m gpucheck \"$@\"\n")
    program.chmod(0o755)
    return folder


def _smoke(shell: str, folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"this machine: has no {shell}")
    script = ROOT / "scripts" / "ci_smoke.sh"
    return _ran(shell, script, *words, cwd=folder, env=ci_runners.clean_environ(**environ))


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_script_goes_red_and_green_and_keeps_the_report(shell: str, there: Path, tmp_path: Path) -> None:
    red = _smoke(shell, tmp_path, "--simulate", RED, GPUCHECK_VENV=str(there))
    assert red.returncode == 1, red.stderr
    assert "exit code 1; the report is gpucheck-report.xml" in red.stderr
    assert "SIMULATED" in red.stdout
    assert "driver-library-version-mismatch" in (tmp_path / "gpucheck-report.xml").read_text()
    green = _smoke(shell, tmp_path, "--simulate", GREEN, GPUCHECK_VENV=str(there), GPUCHECK_FORMAT="json")
    assert green.returncode == 0, green.stderr
    report = json.loads((tmp_path / "gpucheck-report.json").read_text())
    assert (report["verdict"], report["simulated"]) == ("ok", GREEN)


@pytest.mark.slow
def test_the_script_runs_doctor_too_and_hands_on_wrong_usage(there: Path, tmp_path: Path) -> None:
    kept = {"GPUCHECK_VENV": str(there), "GPUCHECK_COMMAND": "doctor", "GPUCHECK_REPORT": "a report.md"}
    red = _smoke("sh", tmp_path, "--simulate", RED, GPUCHECK_FORMAT="markdown", **kept)
    assert red.returncode == 1
    assert "driver-library-version-mismatch" in (tmp_path / "a report.md").read_text()
    wrong = _smoke("sh", tmp_path, "--simulte", RED, GPUCHECK_FORMAT="markdown", **kept)
    assert wrong.returncode == 2
    assert not (tmp_path / "a report.md").exists()  # an earlier run's would be taken for this one's


@pytest.mark.slow
def test_where_gpucheck_cannot_be_installed_the_job_is_red_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    source = str(tmp_path / "gpucheck_cli-9-py3-none-any.whl")
    failed = _smoke("sh", tmp_path, GPUCHECK_SOURCE=source, TMPDIR=str(tmp_path / "tmp"))
    assert failed.returncode == 3
    assert f"pip could not install {source}" in failed.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
    (tmp_path / "bin").mkdir()
    for name in ("mktemp", "rm"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    without = _smoke("/bin/sh", tmp_path, PATH=str(tmp_path / "bin"), TMPDIR=str(tmp_path / "tmp"))
    assert without.returncode == 3
    assert "needs a Python 3.10 or newer" in without.stderr


# ---------------------------------------------------------------- the action, with a gpucheck that is there already


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a GitHub job. What the action installs for it lies beside it, as RUNNER_TEMP does."""
    folder = tmp_path_factory.mktemp("job") / "a workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def clean(workspace: Path) -> Iterator[Path]:
    yield workspace
    for path in workspace.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _act(workspace: Path, there: Path, given: dict[str, str]) -> ci_runners.Ran:
    return ci_runners.run_action(workspace, given, ci_runners.clean_environ(GPUCHECK_VENV=str(there)))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["smoke", "doctor"])
def test_the_action_goes_red(command: str, clean: Path, there: Path) -> None:
    given = {"command": command, "simulate": RED, "sarif": "out/gpu.sarif", "python": "none", "timeout": "60"}
    ran = _act(clean, there, given)
    assert ran.code == 1, ran.said
    assert ran.outputs == {
        "verdict": "error",
        "exit-code": "1",
        "report": "gpucheck-report.json",
        "sarif": "out/gpu.sarif",
    }
    assert json.loads((clean / "gpucheck-report.json").read_text())["simulated"] == RED
    assert json.loads((clean / "out" / "gpu.sarif").read_text())["runs"][0]["results"]
    errors = [line for line in ran.said.splitlines() if line.startswith("::error")]
    assert errors
    assert all("SIMULATED" in line for line in errors)
    assert "SIMULATED" in ran.summary
    assert "driver-library-version-mismatch" in ran.summary


@pytest.mark.slow
def test_the_action_goes_green(clean: Path, there: Path) -> None:
    ran = _act(clean, there, {"simulate": GREEN, "fail-under": "5"})
    assert ran.code == 0, ran.said
    assert ran.outputs == {"verdict": "ok", "exit-code": "0", "report": "gpucheck-report.json"}
    assert "::error" not in ran.said


@pytest.mark.slow
def test_the_action_tells_what_a_smoke_test_found_and_no_more(clean: Path, there: Path) -> None:
    (clean / "gpu.toml").write_text('speed-up = ">=5"\n[gpus]\ncount = 99\n')
    (clean / "a.sarif").write_text("of an earlier run")
    given = {"expect": "gpu.toml", "python": sys.executable, "timeout": "100", "sarif": "a.sarif"}
    ran = _act(clean, there, given)
    report = json.loads((clean / "gpucheck-report.json").read_text())
    assert (report["schema"], ran.code) == ("gpucheck.smoke/1", report["exit_code"])
    assert ran.code in (1, 3), ran.said
    errors = [line for line in ran.said.splitlines() if line.startswith("::error")]
    assert any("99 GPUs should be there" in line for line in errors), ran.said
    assert ran.said.count("::warning title=expectation-not-measurable::speed-up") == 1
    assert "`gpucheck smoke`" in ran.summary
    assert json.loads((clean / "a.sarif").read_text())["version"] == "2.1.0"


@pytest.mark.slow
def test_the_action_judges_the_python_that_it_was_given(clean: Path, there: Path) -> None:
    given = {"command": "doctor", "python": sys.executable, "ignore": "tensorflow-not-installed, ok-cpu-expected"}
    ran = _act(clean, there, given)
    report = json.loads((clean / "gpucheck-report.json").read_text())
    assert report["facts"]["python"]["executable"] == sys.executable
    assert set(report["ignored"]) == {"tensorflow-not-installed", "ok-cpu-expected"}
    assert ran.code == report["exit_code"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"command": "doctor; touch pwned"}, "command is smoke or doctor"),
        ({"command": "doctor", "expect": '$(touch pwned)"`touch pwned`; touch pwned'}, "No such file"),
        ({"command": "doctor", "report": "no\nverdict=ok"}, ""),
        ({"version": "1; touch pwned"}, "version is a release"),
        ({"version": "--index-url=x"}, "version is a release"),
        ({"command": "doctor", "fail-under": "5"}, "goes with command: smoke"),
        ({"strict": "yes"}, "strict is true or false"),
        ({"requirements": "none.txt"}, "requirements:"),
        ({"version": "1", "requirements": "none.txt"}, "not both"),
        ({"simulate": "fin"}, "did you mean fine?"),
    ],
)
def test_an_input_is_never_a_command_nor_another_output(
    given: dict[str, str], words: str, clean: Path, there: Path
) -> None:
    ran = _act(clean, there, given)
    assert words in ran.said
    assert list(clean.parent.rglob("pwned")) == []
    if words:
        assert (ran.code, ran.outputs) == (2, {"exit-code": "2"})
    else:
        assert ran.outputs["report"] == "no\nverdict=ok"
        assert set(ran.outputs) == {"verdict", "exit-code", "report"}


@pytest.mark.slow
def test_a_report_of_an_earlier_run_is_not_taken_for_this_ones(clean: Path, there: Path) -> None:
    (clean / "gpucheck-report.json").write_text('{"verdict": "ok"}')
    ran = _act(clean, there, {"command": "doctor", "expect": "none.toml"})
    assert (ran.code, ran.outputs) == (2, {"exit-code": "2"})
    assert not (clean / "gpucheck-report.json").exists()


@pytest.mark.windows
def test_the_actions_script_goes_red_and_green_on_windows(lab: Lab, tmp_path: Path) -> None:
    defaults = {name: about["default"] for name, about in ci_runners.action()["inputs"].items()}
    script = lab.path(ROOT / "scripts" / "github_action.py")
    output, summary = tmp_path / "output", tmp_path / "summary"
    for name, code in ((RED, 1), (GREEN, 0)):
        output.write_text("")
        environ = {
            "GPUCHECK_INPUTS": json.dumps({**defaults, "simulate": name, "sarif": r"out\gpu.sarif"}),
            "GPUCHECK_VENV": lab.path(lab.gpuchecks()),
            "GITHUB_OUTPUT": lab.path(output),
            "GITHUB_STEP_SUMMARY": lab.path(summary),
        }
        done = lab.run([lab.python(), script], env=environ, cwd=tmp_path)
        assert done.code == code, done.out + done.err
        outputs = ci_runners.outputs(output.read_text(encoding="utf-8"))
        assert outputs["exit-code"] == str(code)
        assert outputs["verdict"] == ("error" if code else "ok")
        assert outputs["sarif"] == r"out\gpu.sarif"
        assert (tmp_path / "out" / "gpu.sarif").exists()
        assert f"SIMULATED: {name}" in done.out
    assert "driver-library-version-mismatch" in summary.read_text(encoding="utf-8")


# ---------------------------------------------------------------- the real thing: installed from the index


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = _ran(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("gpucheck_cli-*.whl")
    return found


@pytest.mark.real
def test_the_action_installs_what_it_came_with_once_for_a_job(clean: Path) -> None:
    red = ci_runners.run_action(clean, {"simulate": RED}, ci_runners.clean_environ())
    assert red.code == 1, red.said
    assert "::group::Installing gpucheck into" in red.said
    assert red.outputs["verdict"] == "error"
    green = ci_runners.run_action(clean, {"simulate": GREEN, "command": "doctor"}, ci_runners.clean_environ())
    assert green.code == 0, green.said
    assert "Installing" not in green.said


@pytest.mark.real
def test_the_action_is_red_where_gpucheck_could_not_be_installed(clean: Path) -> None:
    none = ci_runners.clean_environ(PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0", PIP_EXTRA_INDEX_URL="")
    ran = ci_runners.run_action(clean, {"version": "0.0.0"}, none)
    assert ran.code == 3
    assert ran.outputs == {"exit-code": "3"}
    assert "::error title=gpucheck did not run::pip could not install gpucheck-cli==0.0.0" in ran.said


@pytest.mark.real
def test_the_job_goes_red_and_green_and_keeps_junit(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a project"
    folder.mkdir()
    job = _component(simulate=RED, package=str(wheel), python="$(touch pwned)")["gpucheck"]
    red = ci_runners.run_job(job, folder, ci_runners.clean_environ())
    assert red.code == 1, red.said
    report = folder / job["artifacts"]["reports"]["junit"]
    assert 'name="driver-library-version-mismatch"' in report.read_text()
    job = _component(simulate=GREEN, package=str(wheel), command="doctor", **{"job-name": "b"})["b"]
    assert ci_runners.run_job(job, folder, ci_runners.clean_environ()).code == 0
    job = _component(command="doctor", package=str(wheel), expect='x"; touch pwned; $(touch pwned)')["gpucheck"]
    assert ci_runners.run_job(job, folder, ci_runners.clean_environ()).code == 2
    assert list(tmp_path.rglob("pwned")) == []
    assert not report.exists()
    (folder / "fine").mkdir()  # what * would become
    for name in ("driver-library-version-mismatch cuda-init-failed", "*"):
        job = _component(command="doctor", package=str(wheel), simulate=RED, ignore=name)["gpucheck"]
        ran = ci_runners.run_job(job, folder, ci_runners.clean_environ())
        assert ran.code == (2 if name == "*" else 3), ran.said
        assert name != "*" or "no rule is called *;" in ran.said


@pytest.mark.real
def test_the_script_installs_the_wheel_apart_and_the_wheel_brings_the_pytest_plugin(
    wheel: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    red = _smoke("sh", tmp_path, "--simulate", RED, GPUCHECK_SOURCE=str(wheel), GPUCHECK_VENV=str(kept))
    assert red.returncode == 1, red.stderr
    assert (tmp_path / "gpucheck-report.xml").exists()
    again = _smoke("sh", tmp_path, "--simulate", GREEN, GPUCHECK_SOURCE="none.whl", GPUCHECK_VENV=str(kept))
    assert again.returncode == 0, again.stderr
    python = kept / "bin" / "python"
    assert _ran(python, "-m", "pip", "install", "--quiet", "pytest").returncode == 0
    (tmp_path / "test_gpu.py").write_text("import pytest\n\n@pytest.mark.gpu_required\ndef test_it():\n    pass\n")
    environ = ci_runners.clean_environ()
    gate = ("--gpu-required=fail", "--gpu-simulate", RED, "--strict-markers")
    failed = _ran(python, "-m", "pytest", *gate, cwd=tmp_path, env=environ)
    assert "1 error" in failed.stdout, failed.stdout + failed.stderr
    off = _ran(python, "-m", "pytest", "-p", "no:gpucheck", cwd=tmp_path, env=environ)
    assert "1 passed" in off.stdout


@pytest.mark.real
def test_pre_commit_runs_the_hooks_from_a_repository(tmp_path: Path) -> None:
    pre_commit = _program("pre-commit")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    names = ("gpucheck", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
    ours.mkdir()
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, ours / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, ours / name)
    theirs.mkdir()
    (theirs / "Dockerfile").write_text(
        "FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04\nRUN pip install tensorflow==2.18.0\n"
    )
    (theirs / "notes.txt").write_text("FROM nothing\n")
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    for folder in (ours, theirs):
        for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "x")):
            assert _ran(*git, *words, cwd=folder).returncode == 0
    commit = _ran("git", "rev-parse", "HEAD", cwd=ours).stdout.strip()
    hooks = [
        {"id": "gpucheck-dockerfile"},
        {"id": "gpucheck-doctor", "alias": "red", "args": ["--simulate", RED]},
        {"id": "gpucheck-doctor", "alias": "green", "args": ["--simulate", GREEN]},
    ]
    config = {"repos": [{"repo": str(ours), "rev": commit, "hooks": hooks}]}
    (theirs / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    environ = ci_runners.clean_environ(PRE_COMMIT_HOME=str(tmp_path / "cache"))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return _ran(pre_commit, "run", "--all-files", "--verbose", *words, cwd=theirs, env=environ)

    red = run("red", "--hook-stage", "manual")
    assert red.returncode == 1
    assert "driver-library-version-mismatch" in red.stdout, red.stdout + red.stderr
    assert run("green", "--hook-stage", "manual").returncode == 0
    dockerfile = run("gpucheck-dockerfile")
    assert dockerfile.returncode == 1, dockerfile.stdout + dockerfile.stderr
    assert "image-cuda-wrong-version" in dockerfile.stdout
    assert "notes.txt" not in dockerfile.stdout


@pytest.mark.real
def test_the_images_first_stage_builds_from_what_is_copied(tmp_path: Path) -> None:
    """No Docker here: its commands, with its folders below a temporary one."""
    stage = DOCKERFILE.read_text().split("FROM ")[1]
    source, target = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    for line in re.findall(r"^COPY (.*)$", stage, re.MULTILINE):
        *names, _ = line.split()
        for name in names:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, source / name)
    command = re.search(r"^RUN (.*?[^\\])\n", stage, re.MULTILINE | re.DOTALL)[1]  # type: ignore[index]
    ran = _ran(
        "sh",
        "-ec",
        command.replace("/opt/", f"{target}/").replace("\npython", f"\n{sys.executable}"),
        cwd=source,
        env=ci_runners.clean_environ(),
    )
    assert ran.returncode == 0, ran.stderr
    gpucheck = target / "gpucheck" / "bin" / "gpucheck"
    assert _ran(gpucheck, "smoke", "--simulate", GREEN, env=ci_runners.clean_environ()).returncode == 0
    plan = _ran(gpucheck, "install", "tensorflow[and-cuda]", "--env", tmp_path / "tf", "--yes", "--dry-run")
    assert plan.returncode == 0, plan.stderr
    assert "nvidia-cudnn" in plan.stdout


def test_the_checkouts_folder_has_no_file_of_a_run() -> None:
    assert [name for name in os.listdir(ROOT) if name.startswith("gpucheck-report")] == []
