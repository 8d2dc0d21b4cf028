"""Where an installation may go, the words where it may not, and the room it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from install_trees import environment, in_child, quick_place, tree

from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Package, Room
from gpucheck.facts.python import Python
from gpucheck.facts.versions import PackageVersion, PythonVersion
from gpucheck.install.changing import holding, place, transaction
from gpucheck.install.changing.rooms import refuse_short, rooms
from gpucheck.install.errors import Refused


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with quick_place(tmp_path_factory.mktemp("place")) as folder:
        yield folder


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="this machine: needs root")


def python(**more: Any) -> Python:
    unknown = Gap("not looked for", "not-collected")
    values: dict[str, Any] = dict.fromkeys(Python._fields, unknown)
    values |= {"executable": "/usr/bin/python3", "chosen_by": "PATH", "version": PythonVersion("3.12.1")}
    return Python(**{**values, "externally_managed": None, **more})


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        work()
    words = str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in words
    return words


def test_a_free_name_is_a_new_environment_and_nothing_is_made(tmp_path: Path) -> None:
    found = place.check(str(tmp_path / "new"))
    assert found == place.Place(str(tmp_path / "new"), True)
    assert place.check(str(tmp_path)).new  # an empty folder, too
    assert list(tmp_path.iterdir()) == []


def test_an_environment_is_an_existing_one(tmp_path: Path) -> None:
    env = environment(tmp_path / "a b" / "ü")
    before = tree(tmp_path)
    assert place.check(str(env)) == place.Place(str(env), False)
    assert tree(tmp_path) == before


def test_a_link_leads_to_the_environment_and_is_told(tmp_path: Path) -> None:
    env = environment(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "nowhere").symlink_to("later")
    found = place.check(str(tmp_path / "link"))
    assert found.env == str(env)
    assert found.notes == (f"{tmp_path}/link is a link: the environment is {env}",)
    assert place.check(str(tmp_path / "nowhere")).env == str(tmp_path / "later")
    with transaction.begin(found.env, new=False) as change:
        change.commit()
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "an empty name"),
        ("a\0b", "an empty name"),
        ("two\nlines", "control character"),
        ("tab\there", "control character"),
        ("a:b", "separates folders on PATH"),
        ("caf\udce9", "is not UTF-8"),
    ],
)
def test_a_name_that_no_environment_can_have_is_refused(tmp_path: Path, name: str, words: str) -> None:
    assert words in refused(lambda: place.check(os.path.join(str(tmp_path), name) if name else ""))


def test_a_ring_of_links_a_file_and_a_missing_parent_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert "is a file" in refused(lambda: place.check(str(tmp_path / "file")))
    assert "there is no folder" in refused(lambda: place.check(str(tmp_path / "file" / "x")))
    assert f"mkdir -p {tmp_path}/a" in refused(lambda: place.check(str(tmp_path / "a" / "b")))
    refused(lambda: place.check(str(tmp_path / "one")))


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("")
    words = refused(lambda: place.check(str(tmp_path)))
    assert "no environment and not empty" in words
    assert words.endswith(f"--env {tmp_path}/.venv")
    assert "no environment" in refused(lambda: place.check(os.path.expanduser("~")))
    refused(lambda: place.check("/"))


def test_an_environment_whose_python_is_gone_is_refused(tmp_path: Path) -> None:
    env = environment(tmp_path / "env")
    (env / "bin" / "python").unlink()
    (env / "bin" / "python").symlink_to("/nowhere/python3")
    assert "no Python that runs" in refused(lambda: place.check(str(env)))


def test_another_gpucheck_at_work_is_told_and_a_dead_one_is_not(tmp_path: Path) -> None:
    env = environment(tmp_path / "env")
    with transaction.begin(str(env), new=False):
        assert f"process {os.getpid()}" in refused(lambda: place.check(str(env)))
    assert place.check(str(env)).env == str(env)

    def die() -> None:
        with transaction.begin(str(env), new=False):
            os._exit(9)

    assert not in_child(die).whole
    assert place.check(str(env)).env == str(env)


def test_programs_that_run_from_it_are_told(tmp_path: Path) -> None:
    env = environment(tmp_path / "env")
    child = subprocess.Popen([str(env / "bin" / "python"), "-c", "print(1, flush=True); input()"], stdin=-1, stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    try:
        (note,) = place.check(str(env)).notes
        assert f"process {child.pid}" in note
    finally:
        child.communicate(b"\n")


# Owners and rights


@needs_root
def test_root_by_sudo_and_other_peoples_environments_are_refused(tmp_path: Path) -> None:
    env = environment(tmp_path / "env")
    os.chown(env / "lib", 65534, 65534)
    words = refused(lambda: place.check(str(env)))
    assert "sudo chown -R root" in words
    os.chown(env, 65534, 65534)
    words = refused(lambda: place.check(str(env)))
    assert "belongs to nobody, not to root" in words

    def by_sudo() -> None:
        os.environ["SUDO_UID"] = "65534"
        place.check(str(env))

    assert "without sudo" in in_child(by_sudo).error

    def in_roots_own() -> None:
        os.environ["SUDO_UID"] = "65534"
        place.check(str(tmp_path / "new"))

    assert in_child(in_roots_own).error == ""


@needs_root
@pytest.mark.parametrize("options", ["ro", "rw"])
def test_mount_points_and_read_only_disks_are_refused(tmp_path: Path, options: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size=1m,{options}", "gpucheck-test", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine: no right to mount")
    try:
        words = refused(lambda: place.check(str(disk)))
        assert "mount point" in words
        assert f"--env {disk}/tensorflow" in words
        if options == "ro":
            assert "mounted read-only" in refused(lambda: place.check(str(disk / "env")))
        else:
            assert place.check(str(disk / "env")).new
        assert holding.file_system(str(disk / "env")) == "tmpfs"
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


# Interpreters


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"environment": "system", "prefix": "/usr", "externally_managed": "/usr/lib/EXTERNALLY-MANAGED"}, "PEP 668"),
        ({"environment": "system", "prefix": "/usr/local"}, "for all to use"),
        ({"environment": "pyenv", "prefix": "/home/user/versions/3.12"}, "for all to use"),
        ({"environment": "pipx", "prefix": "/x/pipx/venvs/a"}, "belongs to pipx"),
        ({"environment": "uv-tool", "prefix": "/x/tools/a"}, "belongs to uv tool"),
        ({"environment": Gap("it crashed"), "prefix": Gap("it crashed")}, "(it crashed)"),
    ],
)
def test_an_interpreter_that_is_not_an_environments_is_refused_with_the_way_to_one(
    facts: dict[str, Any], words: str
) -> None:
    told = refused(lambda: place.check_python(python(**facts)))
    assert words in told
    assert told.endswith("gpucheck install --env .venv --python /usr/bin/python3")


def test_condas_base_is_refused_and_its_environments_are_not(tmp_path: Path) -> None:
    base, env = tmp_path / "conda", tmp_path / "conda" / "envs" / "tf"
    (base / "condabin").mkdir(parents=True)
    env.mkdir(parents=True)
    words = refused(lambda: place.check_python(python(environment="conda", prefix=str(base))))
    assert "conda create -n tensorflow" in words
    assert place.check_python(python(environment="conda", prefix=str(env))) == str(env)


def test_a_virtual_environments_python_leads_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    facts = python(environment="venv", prefix=str(tmp_path / "link"))
    assert place.check_python(facts) == str(tmp_path)
    assert "belongs to" in refused(lambda: place.check_python(facts, "/elsewhere"))


# Room


def package(size: int | None, sha256: str = "00") -> Package:
    return Package("a", PackageVersion("1"), "a.whl", "https://x/a.whl", sha256, size, "tensorflow")


GB = 1_000_000_000


def total(found: tuple[Room, ...]) -> float:
    return sum(room.bytes for room in found) / GB


def test_one_file_system_takes_the_wheels_and_their_files_once(tmp_path: Path) -> None:
    folders = {"downloads": str(tmp_path / "wheels"), "cache": str(tmp_path / "cache" / "uv")}
    (room,) = rooms([package(3 * GB), package(GB, "11")], str(tmp_path / "env"), **folders)
    assert 4 * 2.9 < room.bytes / GB < 4 * 2.9 + 0.2
    assert "downloads" in room.what
    assert not isinstance(room.free, Gap)
    assert total(rooms([package(GB, "11")], str(tmp_path), **folders, here={"11"})) == pytest.approx(1.97, abs=0.02)
    assert total(rooms([package(GB, "11")], str(tmp_path), **folders, unpacked={"11"})) < 0.1


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="this machine: no second file system at hand")
def test_another_file_system_takes_a_copy(tmp_path_factory: pytest.TempPathFactory) -> None:
    tmp_path = tmp_path_factory.mktemp("disk")
    found = rooms([package(GB)], "/dev/shm/gpucheck-env", downloads=None, cache=str(tmp_path))
    assert [round(room.bytes / GB, 1) for room in found] == [2.0, 2.0]
    assert [room.folder for room in found] == ["/dev/shm/gpucheck-env", str(tmp_path)]


def test_too_little_room_is_refused_and_unknown_room_is_not(tmp_path: Path) -> None:
    found = rooms([package(10**16)], str(tmp_path), downloads=None, cache=str(tmp_path))
    words = refused(lambda: refuse_short(found))
    assert "uv cache prune" in words
    assert str(tmp_path) in words
    refuse_short([Room("downloads", "/x", 10**16, Gap("who knows"))])
    refuse_short([Room("downloads", "/x", 5, 5)])
    some = rooms([package(None), package(None), package(5)], str(tmp_path), downloads=None, cache=str(tmp_path))
    assert "without 2 packages whose size the index does not tell" in some[0].what
    refuse_short(some)


def test_this_test_uses_the_tested_gpucheck() -> None:
    assert Path(sys.modules["gpucheck"].__file__ or "").parents[1] == Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["it's", 'a"b', "a$b", "a`b", "a\\b"])
def test_a_name_that_shells_read_as_signs_is_refused_for_a_new_environment(tmp_path: Path, name: str) -> None:
    # uv quotes it in activate and in the first lines of programs, each in another way
    with pytest.raises(Refused, match="read as a sign"):
        place.check(str(tmp_path / name / "env"))


def test_what_is_kept_of_an_earlier_state_is_no_place_to_install(tmp_path: Path) -> None:
    kept = tmp_path / ".env.gpucheck" / "before-1"
    kept.mkdir(parents=True)
    with pytest.raises(Refused, match="earlier state"):
        place.real(str(kept))
