"""`gpucheck doctor --fix-paths` on Linux: the folders it asks for, and what real shells make of what it writes."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import looked
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from gpucheck.facts.environment import Environment, Variable
from gpucheck.facts.gap import Gap
from gpucheck.facts.python import TensorFlowBuild
from gpucheck.facts.snapshot import Snapshot
from gpucheck.paths import linux, shell, undo, writer
from gpucheck.paths import state as states
from gpucheck.paths.plan import CannotFix, FileChange, Plan
from gpucheck.paths.wish import Wish, wish

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="this machine: Linux's shells read these files")

SITE = "/home/user/venv/lib/python3.11/site-packages"
# "sh" is mostly one of the others.
SHELLS = list(
    {os.path.realpath(found): one for one in ("sh", "dash", "bash", "zsh") if (found := shutil.which(one))}.values()
)


def asked(name: str) -> Wish:
    return wish(looked.report(name))


def of_folders(*add: str, drop: tuple[str, ...] = ()) -> Wish:
    return Wish(add, drop, ())


def in_environment(kind: str, prefix: Path, value: str = "") -> Snapshot:
    """A machine whose examined Python lies there."""
    snapshot = looked.snapshot("tf221-and-cuda")
    assert not isinstance(snapshot.python, Gap)
    python = snapshot.python._replace(environment=kind, prefix=str(prefix))  # type: ignore[arg-type]
    variables = (Variable("LD_LIBRARY_PATH", value),) if value else ()
    return snapshot._replace(python=python, environment=Environment(variables))


def planned(kind: str, prefix: Path, wished: Wish, login: str = "/bin/bash") -> Plan:
    user = linux.User(str(prefix.parent), login)
    return linux.plan(in_environment(kind, prefix), wished, user, writer.read_text)


def run(program: str, script: str, value: str | None = None, **env: str) -> list[str]:
    """The lines that a shell prints."""
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env}
    if value is not None:
        environ["LD_LIBRARY_PATH"] = value
    done = subprocess.run([program, "-c", script], capture_output=True, text=True, env=environ, timeout=20)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of the standard library's venv."""
    prefix = tmp_path_factory.mktemp("of venv") / "my env"
    venv.create(prefix, symlinks=True)
    return prefix


@pytest.fixture
def of_venv(environment: Path, tmp_path: Path) -> Path:
    """Its activation scripts alone, to be changed."""
    shutil.copytree(environment / "bin", tmp_path / "my env" / "bin", symlinks=True)
    script = tmp_path / "my env" / "bin" / "activate"
    script.write_text(script.read_text().replace(str(environment), str(script.parent.parent)))
    return script.parent.parent


# --- which folders


@pytest.mark.parametrize(
    ("machine", "add", "drop"),
    [
        ("tf221-and-cuda", (f"{SITE}/nvidia/cusolver/lib",), ()),
        ("tf221-and-cuda-with-link", (), ()),
        ("cuda-12-toolkit-not-on-loader-path", ("/usr/local/cuda-12.5/lib64",), ()),
        ("wsl2-folder-not-searched", ("/usr/lib/wsl/lib",), ()),
        ("cuda-11-in-ld-library-path", (), ("/usr/local/cuda-11.8/lib64",)),
        ("rtx4090-ubuntu", (), ()),
        ("driver-upgraded-not-rebooted", (), ()),
        ("tf221-without-cuda", (), ()),
        ("truncated-libcudnn", (), ()),
    ],
)
def test_a_machine_asks_for_the_folders_that_cure_it(machine: str, add: tuple[str, ...], drop: tuple[str, ...]) -> None:
    one = asked(machine)
    assert (one.add, one.drop) == (add, drop)
    assert bool(one.causes) == bool(add or drop)


def test_all_that_2_16_1_lost_is_given_back() -> None:
    folders = [one.removeprefix(f"{SITE}/nvidia/") for one in asked("tf2161-and-cuda").add]
    assert sorted(folders) == ["cublas/lib", "cudnn/lib", "cufft/lib", "cusolver/lib", "cusparse/lib"]


def test_a_dead_entry_stays_where_it_is() -> None:
    # the disk may be away for a while
    assert asked("cuda-11-in-ld-library-path-beside-a-dead-entry").drop == ("/usr/local/cuda-11.8/lib64",)
    assert asked("ld-library-path-with-stubs-and-dead-entries").drop == ("/usr/local/cuda-12.5/lib64/stubs",)


def site_of(snapshot: Snapshot) -> str:
    assert not isinstance(snapshot.python, Gap)
    assert isinstance(snapshot.python.tensorflow, TensorFlowBuild)
    return snapshot.python.tensorflow.root.rpartition("/")[0]


def test_the_best_copy_of_a_library_is_asked_for_and_no_folder_more_than_needed() -> None:
    report = looked.report("cuda-12-toolkit-not-on-loader-path")
    libraries = report.snapshot.libraries
    assert not isinstance(libraries, Gap)
    assert isinstance(libraries.wanted, tuple)
    assert isinstance(libraries.copies, tuple)
    own, right, other = f"{site_of(report.snapshot)}/nvidia/all/lib", "/opt/cuda-12.5/lib64", "/opt/cuda-12.9/lib64"

    def best(*folders: str, broken: str = "") -> tuple[str, ...]:
        wanted = tuple(
            one._replace(elsewhere=tuple(f"{folder}/{one.soname}" for folder in folders)) if one.path is None else one
            for one in libraries.wanted
        )
        copies = tuple(
            libraries.copies[0]._replace(path=f"{broken}/{one.soname}", defect="empty") for one in libraries.wanted
        )
        changed = libraries._replace(wanted=wanted, copies=(*libraries.copies, *copies) if broken else libraries.copies)
        findings = tuple(one._replace(name="pip-cuda-wheels-not-found") for one in report.findings)
        return wish(report._replace(snapshot=report.snapshot._replace(libraries=changed), findings=findings)).add

    assert best(other, right, own) == (own,)
    assert best(other, right) == (right,)
    assert best(other) == (other,)
    assert best(other, right, own, broken=own) == (right,)


def test_hidden_facts_ask_for_nothing() -> None:
    report = looked.report("tf221-and-cuda")
    for part in ("python", "libraries"):
        hidden = report.snapshot._replace(**{part: Gap("hidden", "denied")})
        assert wish(report._replace(snapshot=hidden)).add == ()


# --- what shells make of it

ENTRIES = [
    "/opt/a b",
    "/opt/it's",
    "/opt/$HOME",
    "/opt/[x]*?",
    "/usr/lib",
    "/opt/a",
    "/opt/a/b",
    '/opt/"q"',
    "/opt/\\n",
]


def wanted_value(value: str, add: list[str], drop: list[str]) -> str:
    rest = [one for one in value.split(":") if one not in (*add, *drop)] if value else []
    return ":".join([*add, *rest])


@pytest.mark.parametrize("program", SHELLS)
@pytest.mark.parametrize("keep", [True, False])
def test_a_shell_puts_folders_in_front_and_takes_others_out(program: str, keep: bool) -> None:
    for add, drop in ((ENTRIES[:4], ENTRIES[4:6]), ([], ENTRIES[:3]), (ENTRIES[6:9], [])):
        for value in (None, "", "/usr/lib", ":".join(ENTRIES[4:]), ":".join([*ENTRIES[:4], "/x", *ENTRIES[:6]])):
            lines = shell.setting(tuple(add), tuple(drop), keep)
            said = run(program, f'set -eu\n{lines}\nprintf "%s\\n" "${{LD_LIBRARY_PATH-unset}}"', value)
            own = [one for one in (value or "").split(":") if keep and one in add]
            expected = wanted_value(value or "", add, drop)
            if own:  # what stood there before stays behind until `restoring`
                expected = ":".join([*add, *[one for one in (value or "").split(":") if one not in drop]])
            assert said == [expected or "unset"], (value, add, drop)


@pytest.mark.parametrize("program", SHELLS)
@pytest.mark.parametrize("value", [None, "/usr/lib:/opt/a b", "/opt/it's"])
def test_a_shell_gets_back_what_it_had(program: str, value: str | None) -> None:
    lines = ["set -eu", shell.setting(("/opt/it's",), ("/usr/lib",), keep=True), shell.restoring(), shell.restoring()]
    show = 'printf "%s\\n" "${LD_LIBRARY_PATH-unset}"'
    lines += [show, "export LD_LIBRARY_PATH=/later", shell.restoring(), show]
    assert run(program, "\n".join(lines), value) == [value or "unset", "/later"]


@pytest.mark.parametrize("program", SHELLS)
def test_a_shell_within_a_shell_has_each_folder_once(program: str) -> None:
    lines = shell.setting(("/opt/a b",), (), keep=False)
    assert run(program, f"{lines}\n{lines}\n{lines}\necho $LD_LIBRARY_PATH", "/usr/lib") == ["/opt/a b:/usr/lib"]


def test_a_venv_gets_the_folder_while_it_is_active_and_loses_nothing(of_venv: Path, tmp_path: Path) -> None:
    script = of_venv / "bin" / "activate"
    before = script.read_bytes()
    plan = planned("venv", of_venv, of_folders("/opt/cu solver/lib", drop=("/opt/old",)))
    writer.apply(plan, str(tmp_path / "state.json"))
    for program in SHELLS:
        show = 'printf "%s\\n" "${LD_LIBRARY_PATH-unset}"'
        active = f". '{script}'\n{show}\n. '{script}'\n{show}\ndeactivate\n{show}"
        said = run(program, active, "/usr/lib:/opt/old", VIRTUAL_ENV_DISABLE_PROMPT="1")
        assert said == ["/opt/cu solver/lib:/usr/lib"] * 2 + ["/usr/lib:/opt/old"], program
    assert script.read_bytes() != before
    take_back(tmp_path)
    assert script.read_bytes() == before


def take_back(folder: Path) -> Plan:
    place = str(folder / "state.json")
    plan = undo.plan(states.read(place), writer.read_text, writer.read_variable)
    writer.take_back(plan, place)
    assert not (folder / "state.json").exists()
    return plan


@pytest.mark.slow
def test_uvs_environment_is_activated_alike(tmp_path: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    prefix = tmp_path / "of-uv"
    subprocess.run([uv, "venv", "-q", "--offline", "--python", sys.executable, prefix], check=True, timeout=60)
    writer.apply(planned("venv", prefix, of_folders("/opt/lib")), str(tmp_path / "state.json"))
    script = prefix / "bin" / "activate"
    said = run("bash", f"set -e\n. {script}\necho $LD_LIBRARY_PATH\ndeactivate\necho ${{LD_LIBRARY_PATH-unset}}")
    assert said == ["/opt/lib", "unset"]
    take_back(tmp_path)
    assert shell.BEGIN not in script.read_text()


def test_conda_runs_a_script_of_ours_at_each_end(tmp_path: Path) -> None:
    prefix = tmp_path / "conda"
    (prefix / "etc").mkdir(parents=True)
    plan = planned("conda", prefix, of_folders("/opt/lib"))
    writer.apply(plan, str(tmp_path / "state.json"))
    # as conda does it: every *.sh of activate.d is sourced, and of deactivate.d at the end
    script = f"""for one in {prefix}/etc/conda/activate.d/*.sh; do . "$one"; done; echo $LD_LIBRARY_PATH
        for one in {prefix}/etc/conda/deactivate.d/*.sh; do . "$one"; done; echo $LD_LIBRARY_PATH"""
    assert run("sh", script, "/usr/lib") == ["/opt/lib:/usr/lib", "/usr/lib"]
    take_back(tmp_path)
    assert sorted(prefix.rglob("*")) == [prefix / "etc"]


def test_a_start_up_file_keeps_every_byte_that_is_not_ours(tmp_path: Path) -> None:
    rc = tmp_path / ".bashrc"
    old = b"# caf\xe9\r\nalias ll='ls -l'\nexport LD_LIBRARY_PATH=/usr/lib"  # no newline at its end
    rc.write_bytes(old)
    rc.chmod(0o664)
    writer.apply(planned("system", tmp_path / "x", of_folders("/opt/lib")), str(tmp_path / "state.json"))
    assert rc.read_bytes().startswith(old + b"\n")
    assert stat.S_IMODE(rc.stat().st_mode) == 0o664
    assert run("bash", f". {rc}; . {rc}; echo $LD_LIBRARY_PATH") == ["/opt/lib:/usr/lib"]
    take_back(tmp_path)
    assert rc.read_bytes() == old


@pytest.mark.parametrize(
    ("login", "file"),
    [("/bin/bash", ".bashrc"), ("/usr/bin/zsh", ".zshrc"), ("/bin/dash", ".profile"), ("", ".profile")],
)
def test_the_start_up_file_is_the_login_shells(tmp_path: Path, login: str, file: str) -> None:
    (change,) = planned("system", tmp_path / "x", of_folders("/opt/lib"), login).changes
    assert isinstance(change, FileChange)
    assert (change.path, change.before) == (str(tmp_path / file), None)


@pytest.mark.parametrize("login", ["/usr/bin/fish", "/bin/tcsh"])
def test_a_shell_of_another_language_is_left_to_the_user(tmp_path: Path, login: str) -> None:
    plan = planned("system", tmp_path / "x", of_folders("/opt/lib"), login)
    assert plan.changes == ()
    assert "LD_LIBRARY_PATH /opt/lib" in plan.by_hand[1]


# --- changes that meet others


def test_a_second_change_replaces_the_first_and_undo_takes_back_both(of_venv: Path, tmp_path: Path) -> None:
    script = of_venv / "bin" / "activate"
    before = script.read_bytes()
    for folder in ("/opt/one", "/opt/two"):
        writer.apply(planned("venv", of_venv, of_folders(folder)), str(tmp_path / "state.json"))
    assert run("bash", f". '{script}'; echo $LD_LIBRARY_PATH") == ["/opt/two"]
    assert planned("venv", of_venv, of_folders("/opt/two")).changes == ()
    take_back(tmp_path)
    assert script.read_bytes() == before


def test_undo_keeps_what_somebody_has_added_since(tmp_path: Path) -> None:
    rc = tmp_path / ".bashrc"
    rc.write_text("one\n")
    writer.apply(planned("system", tmp_path / "x", of_folders("/opt/lib")), str(tmp_path / "state.json"))
    rc.write_text("zero\n" + rc.read_text() + "two\n")
    take_back(tmp_path)
    assert rc.read_text() == "zero\none\ntwo\n"


def test_a_file_that_we_made_goes_unless_somebody_has_written_to_it(tmp_path: Path) -> None:
    for more in ("", "export MINE=1\n"):
        rc = tmp_path / ".profile"
        plan = planned("system", tmp_path / "x", of_folders("/opt/lib"), "/bin/sh")
        writer.apply(plan, str(tmp_path / "state.json"))
        rc.write_text(rc.read_text() + more)
        take_back(tmp_path)
        assert rc.exists() is bool(more)


def test_a_file_that_is_gone_is_said_to_be_gone(tmp_path: Path) -> None:
    writer.apply(planned("system", tmp_path / "x", of_folders("/opt/lib")), str(tmp_path / "state.json"))
    (tmp_path / ".bashrc").unlink()
    assert take_back(tmp_path).by_hand == (f"# {tmp_path}/.bashrc is gone already",)


def test_a_start_up_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles" / "bashrc").write_text("one\n")
    (tmp_path / ".bashrc").symlink_to("dotfiles/bashrc")
    writer.apply(planned("system", tmp_path / "x", of_folders("/opt/lib")), str(tmp_path / "state.json"))
    assert (tmp_path / ".bashrc").is_symlink()
    assert shell.BEGIN in (tmp_path / "dotfiles" / "bashrc").read_text()


def test_a_file_that_was_changed_meanwhile_is_not_written(tmp_path: Path) -> None:
    rc = tmp_path / ".bashrc"
    rc.write_text("one\n")
    plan = planned("system", tmp_path / "x", of_folders("/opt/lib"))
    rc.write_text("two\n")
    with pytest.raises(CannotFix, match="somebody else"):
        writer.apply(plan, str(tmp_path / "state.json"))
    assert rc.read_text() == "two\n"


def test_damaged_marks_are_left_to_the_user(tmp_path: Path) -> None:
    rc = tmp_path / ".bashrc"
    for marks in ("BEGIN", "END", "BEGIN BEGIN END", "END BEGIN", "BEGIN END END BEGIN"):
        rc.write_text("".join(f"{getattr(shell, one)}\nx\n" for one in marks.split()))
        with pytest.raises(CannotFix, match=r"\.bashrc: gpucheck's marks"):
            planned("system", tmp_path / "x", of_folders("/opt/lib"))


def test_after_a_kill_between_note_and_file_undo_finds_nothing_to_do(tmp_path: Path) -> None:
    rc = tmp_path / ".bashrc"
    rc.write_text("one\n")
    (change,) = planned("system", tmp_path / "x", of_folders("/opt/lib")).changes
    (tmp_path / "state.json").write_text(states.encode(states.with_change(states.State(), change)))
    take_back(tmp_path)
    assert rc.read_text() == "one\n"


def test_a_folder_that_may_not_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    prefix = tmp_path / "conda"
    (prefix / "etc" / "conda").mkdir(parents=True)
    (prefix / "etc" / "conda" / "activate.d").write_text("a file in the folder's place")
    with pytest.raises(CannotFix, match="cannot be written"):
        writer.apply(planned("conda", prefix, of_folders("/opt/lib")), str(tmp_path / "state.json"))
    take_back(tmp_path)
    assert not list(prefix.rglob("*.part"))


@pytest.mark.parametrize("folder", ["/opt/a:b", "relative", "/opt/new\nline", "/opt/a;b"])
def test_a_name_that_the_variable_cannot_hold_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(CannotFix, match="cannot hold"):
        planned("system", tmp_path / "x", of_folders(folder))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "gpucheck.paths/2"}', '{"schema": "gpucheck.paths/1"}'])
def test_a_damaged_note_is_told_and_never_overwritten(tmp_path: Path, text: str) -> None:
    place = tmp_path / "state.json"
    place.write_text(text)
    plan = planned("system", tmp_path / "x", of_folders("/opt/lib"))
    with pytest.raises(CannotFix):
        writer.apply(plan, str(place))
    assert place.read_text() == text
    assert not (tmp_path / ".bashrc").exists()


def test_the_note_holds_no_text_of_a_start_up_file(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("export TOKEN=secret\n")
    writer.apply(planned("system", tmp_path / "x", of_folders("/opt/lib")), str(tmp_path / "state.json"))
    assert "secret" not in (tmp_path / "state.json").read_text()
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


@examples(100)
@given(st.lists(st.sampled_from(["a", "\n", "\r", " ", "#", f"{shell.DEACTIVATE}\n", "é"]), max_size=12))
def test_taking_our_lines_out_gives_the_text_back(pieces: list[str]) -> None:
    text = "".join(pieces)
    there = shell.appended(text, "x=1")
    assert shell.without_blocks(there) in (text, text + "\n")
    inside = shell.inserted(text, shell.DEACTIVATE, "x=1")
    assert inside is None or shell.without_blocks(inside) == text


# --- the command


def gpucheck(home: Path, *words: object, **env: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), **env}
    argv: list[Any] = [sys.executable, "-m", "gpucheck", "doctor", *words]
    root = str(Path(linux.__file__).parents[2])
    return subprocess.run(argv, capture_output=True, text=True, env={**environ, "PYTHONPATH": root}, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--yes"], ["--undo"], ["--fix-paths", "--deep"], ["--fix-paths", "--format=json"]])
def test_a_combination_without_meaning_is_wrong_usage(tmp_path: Path, words: list[str]) -> None:
    done = gpucheck(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--fix-paths" in done.stderr
