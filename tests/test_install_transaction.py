"""Transactions that go well, that fail, that are undone, and what others do to the environment meanwhile."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import local_index
import pytest
from install_trees import SITE, environment, in_child, install, quick_place, rests, tree, upgrade

from gpucheck.install.changing import holding, journal, records, scripts, transaction, trees
from gpucheck.install.errors import Failed, Refused

slow = pytest.mark.slow


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with quick_place(tmp_path_factory.mktemp("transaction")) as folder:
        yield folder


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return environment(tmp_path / "project" / ".venv")


def beside(env: Path) -> Path:
    return Path(journal.beside(str(env)))


def state_before(env: Path) -> Path:
    (found,) = beside(env).glob("before-*")
    return found


def test_a_new_environment_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    env = tmp_path / "new"
    with transaction.begin(str(env), new=True) as change:
        upgrade(change.workplace)
        assert not env.exists()
        change.commit()
        assert change.committed
    assert (env / SITE / "alpha" / "more.py").exists()
    assert journal.marker(str(env)) == change.name
    assert rests(env) == []


def test_an_empty_folder_is_a_place_for_a_new_environment(tmp_path: Path) -> None:
    env = tmp_path / "new"
    env.mkdir()
    install(env, new=True)()
    assert (env / SITE / "alpha").is_dir()
    assert transaction.undo(str(env)).removed
    assert list(env.iterdir()) == []


def test_the_environment_is_not_touched_while_its_successor_is_made(env: Path) -> None:
    before, inode = tree(env), env.stat().st_ino
    with transaction.begin(str(env), new=False) as change:
        upgrade(change.workplace)
        change.settle()
        assert tree(env) == before
        assert env.stat().st_ino == inode
        change.commit()
    assert tree(env) != before
    assert tree(state_before(env)) == before
    assert state_before(env).stat().st_ino == inode


def test_files_are_shared_and_what_programs_write_in_place_is_not(env: Path) -> None:
    with transaction.begin(str(env), new=False) as change:
        work = Path(change.workplace)
        shared = {name for name in (tree(env) or {}) if (env / name).is_file() and _same_file(env / name, work / name)}
    assert shared == {"bin/python", f"{SITE}/alpha/__init__.py", f"{SITE}/alpha/data/big"} | {
        name for name in shared if name.startswith("lib64/")
    }
    assert stat.S_IMODE((env / SITE / "alpha" / "data").stat().st_mode) == 0o750


def attempt(env: Path, work: Callable[[transaction.Transaction], object], new: bool = False) -> None:
    with transaction.begin(str(env), new) as change:
        work(change)
        change.commit()


def _same_file(one: Path, other: Path) -> bool:
    return other.exists() and one.stat().st_ino == other.stat().st_ino


@pytest.mark.parametrize("error", [RuntimeError("not proven"), KeyboardInterrupt(), SystemExit(3)])
def test_what_is_not_committed_leaves_nothing(env: Path, error: BaseException) -> None:
    before = tree(env)

    def fail(change: transaction.Transaction) -> None:
        upgrade(change.workplace)
        raise error

    with pytest.raises(type(error)):
        attempt(env, fail)
    assert tree(env) == before
    assert not beside(env).exists()
    with pytest.raises(type(error)):
        attempt(env.parent / "new", fail, new=True)
    assert os.listdir(env.parent) == [".venv"]


def test_undo_goes_back_over_the_last_commit_alone(env: Path) -> None:
    old = tree(env)
    install(env)()
    first = tree(env)
    with transaction.begin(str(env), new=False) as change:
        (Path(change.workplace) / "second").write_text("")
        change.commit()
    assert tree(state_before(env)) == first
    assert transaction.undo(str(env)) == transaction.Undone(False, None, ())
    assert tree(env) == first
    assert first != old
    with pytest.raises(Refused, match="nothing to undo"):
        transaction.undo(str(env))
    assert not beside(env).exists()


def test_a_failed_installation_leaves_the_way_back_over_the_one_before(env: Path) -> None:
    old = tree(env)
    install(env)()
    with pytest.raises(RuntimeError), transaction.begin(str(env), new=False):
        raise RuntimeError
    transaction.undo(str(env))
    assert tree(env) == old


@pytest.mark.parametrize("new", [True, False])
def test_undo_needs_no_journal_and_still_goes_back_over_one_commit_alone(env: Path, new: bool) -> None:
    place = env.parent / "new" if new else env
    old = tree(place)
    install(place, new=new)()
    first = tree(place)
    attempt(place, lambda change: Path(change.workplace, "second").write_text(""))
    transaction.undo(str(place))
    assert tree(place) == first
    if beside(place).exists():
        (beside(place) / "journal.json").write_text("")
    with pytest.raises(Refused, match="nothing to undo"):
        transaction.undo(str(place))
    attempt(place, lambda change: Path(change.workplace, "second").write_text(""))
    (beside(place) / "journal.json").unlink()
    assert not transaction.undo(str(place)).removed
    assert tree(place) == first
    if new:
        shutil.rmtree(place)
        install(place, new=True)()
        (beside(place) / "journal.json").write_text("{")
        assert transaction.undo(str(place)).removed
        assert tree(place) == old


def test_undo_of_a_new_environment_removes_it_and_keeps_what_its_user_made(tmp_path: Path) -> None:
    env = tmp_path / "new"
    install(env, new=True)()
    (env / "work").mkdir()
    (env / "work" / "notebook.ipynb").write_text("mine")
    (env / SITE / "alpha" / "__init__.py").write_text("edited = True\n")
    (env / SITE / "alpha" / "__pycache__").mkdir()
    (env / SITE / "alpha" / "__pycache__" / "more.cpython-312.pyc").write_bytes(b"")
    undone = transaction.undo(str(env))
    assert undone.removed
    assert undone.files == (f"{SITE}/alpha/__init__.py", "work/notebook.ipynb")
    assert undone.kept is not None
    assert (Path(undone.kept) / "work" / "notebook.ipynb").read_text() == "mine"
    assert not env.exists()
    install(env, new=True)()  # what is kept stays so
    assert (Path(undone.kept) / "work" / "notebook.ipynb").exists()


def test_undo_after_a_cut_off_installation_takes_that_one_back_and_no_more(env: Path) -> None:
    install(env)()
    first = tree(env)
    in_child(install(env), stop_at=100)
    undone = transaction.undo(str(env))
    assert "cut off" in undone.words[0]
    assert tree(env) == first
    assert transaction.undo(str(env)).words == ()
    assert tree(env) != first


def test_an_environment_that_was_removed_comes_back_by_undo(env: Path) -> None:
    old = tree(env)
    install(env)()
    shutil.rmtree(env)
    transaction.undo(str(env))
    assert tree(env) == old


def test_an_environment_that_was_made_anew_is_left_alone(env: Path) -> None:
    install(env)()
    old = state_before(env)
    shutil.rmtree(env)
    environment(env)
    (env / "theirs").write_text("")
    before = tree(env)
    with pytest.raises(Refused, match="made anew") as caught:
        transaction.undo(str(env))
    assert str(old) in str(caught.value)
    assert tree(env) == before
    assert transaction.recover(str(env)).state == "nothing"
    assert tree(env) == before
    assert old.is_dir()


def test_an_environment_made_anew_between_two_renames_is_left_alone_and_the_old_state_kept(env: Path) -> None:
    old = tree(env)

    def crash(change: transaction.Transaction) -> None:
        """What a crash between the two renames leaves, and a user who helps himself."""
        journal.mark(change.workplace, change.name, "environment")
        os.rename(env, beside(env) / f"before-{change.name}")
        environment(env)
        (env / "theirs").write_text("")
        hold, change._hold = change._hold, None  # as if it were dead
        assert hold is not None
        hold.release()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        attempt(env, crash)
    theirs = tree(env)
    recovered = transaction.recover(str(env))
    assert recovered.state == "kept"
    (kept,) = beside(env).glob("kept-*")
    assert str(kept) in recovered.words[0]
    assert tree(kept) == old
    assert tree(env) == theirs
    install(env)()
    assert tree(kept) == old


def test_a_change_by_another_program_meanwhile_is_not_lost(env: Path) -> None:
    def meanwhile(change: transaction.Transaction) -> None:
        upgrade(change.workplace)
        (env / SITE / "other.py").write_text("")

    with pytest.raises(Failed, match="changed by another program") as caught:
        attempt(env, meanwhile)
    assert f"{SITE}/other.py" in str(caught.value)
    assert (env / SITE / "other.py").exists()
    assert (env / SITE / "alpha" / "__init__.py").read_text() == "version = 1\n"
    assert not beside(env).exists()


def test_writing_through_a_shared_file_is_noticed(env: Path) -> None:
    """uv and Python do not; if something did, the old environment would have changed."""

    def write(change: transaction.Transaction) -> None:
        with open(os.path.join(change.workplace, SITE, "alpha", "data", "big"), "a") as file:
            file.write("more")

    with pytest.raises(Failed, match="alpha/data/big"):
        attempt(env, write)


def test_bytecode_of_running_programs_and_uvs_lock_are_no_change(env: Path) -> None:
    with transaction.begin(str(env), new=False) as change:
        (env / SITE / "alpha" / "__pycache__").mkdir()
        (env / SITE / "alpha" / "__pycache__" / "x.pyc").write_bytes(b"1")
        (env / ".lock").write_text("")
        change.commit()


def test_a_place_that_was_taken_meanwhile_is_left_alone(tmp_path: Path) -> None:
    env = tmp_path / "new"

    def meanwhile(change: transaction.Transaction) -> None:
        upgrade(change.workplace)
        environment(env)

    with pytest.raises(Failed):
        attempt(env, meanwhile, new=True)
    assert (env / SITE / "alpha" / "__init__.py").read_text() == "version = 1\n"
    assert sorted(os.listdir(tmp_path)) == ["new"]


@pytest.mark.parametrize("new", [True, False])
def test_the_wrong_sort_of_place_is_refused(env: Path, new: bool) -> None:
    place = env if new else env.parent / "nothing"
    before = tree(env)
    with pytest.raises(Refused), transaction.begin(str(place), new):
        pytest.fail("entered")
    assert tree(env) == before
    assert os.listdir(env.parent) == [".venv"]


def test_two_at_once_are_refused_with_the_number_of_the_first(env: Path) -> None:
    with transaction.begin(str(env), new=False):
        for other in (lambda: transaction.begin(str(env), False).__enter__(), lambda: transaction.recover(str(env))):
            with pytest.raises(Refused, match=f"process {os.getpid()}"):
                other()
        found = holding.holder(str(beside(env)))
        assert found is not None
        assert found.pid == os.getpid()
    assert holding.holder(str(beside(env))) is None


def test_the_lock_of_a_killed_process_is_free_and_what_it_left_is_told_and_cleared(env: Path) -> None:
    before = tree(env)
    in_child(install(env), stop_at=100)
    recovered = transaction.recover(str(env))
    assert recovered.state == "cleared"
    assert "had not been touched" in recovered.words[0]
    assert transaction.recover(str(env)) == transaction.Recovered("nothing", ())
    assert tree(env) == before
    assert not beside(env).exists()


def test_the_number_of_a_process_may_have_been_given_to_another_one() -> None:
    import psutil

    started = psutil.Process().create_time()
    me = holding.Holder(os.getpid(), started, "here", "")
    assert me.alive
    assert not me._replace(started=started - 3600).alive
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    assert not me._replace(pid=int(dead.stdout)).alive


def test_a_file_with_nonsense_for_a_lock_is_taken(env: Path) -> None:
    beside(env).mkdir()
    for text in ("", "{", "[1]", '{"pid": "x"}', "\x00\xff"):
        (beside(env) / "lock").write_text(text)
        holding.take(str(beside(env))).release()


def test_a_newer_gpuchecks_journal_is_left_to_it(env: Path) -> None:
    in_child(install(env), stop_at=100)
    (beside(env) / "journal.json").write_text(json.dumps({"schema": "gpucheck.journal/2", "plan": []}))
    left = sorted(os.listdir(beside(env)))
    for work in (lambda: transaction.recover(str(env)), lambda: transaction.undo(str(env)), install(env)):
        with pytest.raises(Refused, match="newer gpucheck"):
            work()
    assert sorted(os.listdir(beside(env))) == left


@pytest.mark.parametrize("thing", ["file", "link"])
def test_somebody_elses_thing_beside_the_environment_is_left_alone(env: Path, tmp_path: Path, thing: str) -> None:
    (tmp_path / "theirs").mkdir()
    if thing == "file":
        beside(env).write_text("theirs")
    else:
        beside(env).symlink_to(tmp_path / "theirs")
    with pytest.raises(Refused, match="is in the way"):
        install(env)()
    assert list((tmp_path / "theirs").iterdir()) == []


@pytest.mark.parametrize("name", ["with space", "naïve 环境", "a'b\"c$d", "two\nlines", "x" * 255, "ü" * 127, "-rf"])
def test_any_name_that_a_file_system_takes_is_no_obstacle(tmp_path: Path, name: str) -> None:
    env = environment(tmp_path / name)
    old = tree(env)
    install(env)()
    assert tree(env) != old
    transaction.undo(str(env))
    assert tree(env) == old
    assert os.listdir(tmp_path) == [name]


def test_names_that_begin_alike_have_folders_of_their_own(tmp_path: Path) -> None:
    names = ["venv", ".venv", "x" * 250 + "1", "x" * 250 + "2"]
    assert len({journal.beside(str(tmp_path / name)) for name in names}) == 4


def test_files_that_were_needed_for_a_moment_do_not_stay(env: Path) -> None:
    """A lock with an index's login in it, left by a kill."""
    in_child(install(env), stop_at=100)
    (beside(env) / "pylock.x.toml").write_text("secret")
    (beside(env) / "uv-cache").mkdir()
    transaction.recover(str(env))
    assert not beside(env).exists()


def _unprivileged(work: Callable[[], None]) -> Callable[[], None]:
    """Root without its capabilities: rights of files count for it (capset(2), version 3)."""

    def child() -> None:
        if os.geteuid() == 0:
            header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
            assert ctypes.CDLL(None).capset(header, data) == 0
        work()

    return child


def _owned(*paths: Path) -> None:
    for top in paths:
        for path in (top, *top.rglob("*")):
            os.chown(path, 65534, 65534, follow_symlinks=False)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="this machine: tests as another user need root")


@pytest.mark.parametrize("when", ["before", "meanwhile", "inside"])
def test_rights_that_are_taken_away_leave_the_old_environment(env: Path, when: str) -> None:
    before = tree(env)

    def work() -> None:
        if when == "before":
            env.parent.chmod(0o555)
        with transaction.begin(str(env), new=False) as change:
            upgrade(change.workplace)
            (env if when == "inside" else env.parent).chmod(0o555)
            change.commit()

    ended = in_child(_unprivileged(work))
    assert ended.whole
    assert ended.error.startswith("Refused" if when == "before" else "Failed"), ended.error
    assert "Permission denied" in ended.error
    env.parent.chmod(0o755)
    env.chmod(0o755)
    assert tree(env) == before
    transaction.recover(str(env))
    assert not beside(env).exists()


def test_folders_that_must_not_be_written_are_linked_and_removed_again(env: Path) -> None:
    (env / SITE / "alpha" / "data").chmod(0o555)
    before = tree(env)

    def work() -> None:
        with transaction.begin(str(env), new=False) as change:
            Path(change.workplace, "more").write_text("")
            change.commit()
        transaction.undo(str(env))

    ended = in_child(_unprivileged(work))
    assert (ended.whole, ended.error) == (True, "")
    assert tree(env) == before
    assert not beside(env).exists()


@needs_root
def test_what_belongs_to_others_is_shared_or_copied_and_never_given_away(tmp_path: Path) -> None:
    env = environment(tmp_path / "theirs")
    _owned(env)
    install(env)()
    strangers = [path for path in (env, *env.rglob("*")) if path.lstat().st_uid != 65534]
    assert {path.name for path in strangers} <= {
        *("more.py", "__init__.py", "alpha-2.dist-info", "METADATA", ".gpucheck", "transaction", "pyvenv.cfg")
    }


@needs_root
def test_a_mount_point_is_refused_before_anything_is_made(env: Path) -> None:
    bind = subprocess.run(["mount", "--bind", str(env), str(env)], capture_output=True, check=False)
    if bind.returncode:
        pytest.skip("this machine: no right to mount")
    try:
        with pytest.raises(Refused, match="mount point"):
            install(env)()
    finally:
        subprocess.run(["umount", "--lazy", str(env)], check=True)
    assert os.listdir(env.parent) == [".venv"]


@needs_root
@pytest.mark.parametrize("options", ["redirect_dir=off", "redirect_dir=on"])
def test_an_environment_in_a_containers_image_is_changed_or_refused_before_anything_is_made(options: str) -> None:
    """An overlay renames folders of its lower layers only where it may note that. On disk overlays do not stack."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        base = Path(name)
        for folder in ("lower", "upper", "work", "merged"):
            (base / folder).mkdir()
        environment(base / "lower" / "venv")
        layers = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
        command = ["mount", "-t", "overlay", "overlay", "-o", f"{options},{layers}", str(base / "merged")]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this machine: no right to mount an overlay")
        try:
            env = base / "merged" / "venv"
            before = tree(env)
            if options.endswith("on"):
                install(env)()
                assert tree(env) != before
                transaction.undo(str(env))
            else:
                with pytest.raises(Refused, match="layer of a container's image"):
                    install(env)()
            assert tree(env) == before
            assert os.listdir(env.parent) == ["venv"]
            install(base / "merged" / "new", new=True)()
        finally:
            subprocess.run(["umount", "--lazy", str(base / "merged")], check=True)


@needs_root
def test_another_file_system_inside_the_environment_is_refused(env: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "gpucheck-test", str(env / "empty")], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine: no right to mount")
    try:
        with pytest.raises(Refused, match="another file system"):
            install(env)()
    finally:
        subprocess.run(["umount", "--lazy", str(env / "empty")], check=True)
    assert os.listdir(env.parent) == [".venv"]


@slow
def test_a_file_with_too_many_names_is_copied(tmp_path_factory: pytest.TempPathFactory) -> None:
    """ext4 allows 65,000; where there is no bound nothing is shown."""
    env = environment(tmp_path_factory.mktemp("links") / ".venv")
    names = env.parent / "names"
    names.mkdir()
    try:
        for number in range(70_000):
            os.link(env / SITE / "alpha" / "data" / "big", names / str(number))
    except OSError:
        pass
    else:
        pytest.skip("this machine: its file system allows any number of links")
    old = tree(env)
    install(env)()
    assert (env / SITE / "alpha" / "data" / "big").read_text() == "1" * 5000
    transaction.undo(str(env))
    assert tree(env) == old


def test_a_full_disk_at_the_last_note_does_not_undo_a_commit(env: Path) -> None:
    """After the exchange only the journal is behind; the next start writes it."""
    with transaction.begin(str(env), new=False) as change:
        upgrade(change.workplace)
        change.commit()
    told = journal.read(str(beside(env)))
    assert told.last is not None
    journal.write(str(beside(env)), told._replace(now=told.last._replace(phase="swapping"), last=None))
    assert transaction.recover(str(env)).state == "finished"
    assert journal.read(str(beside(env))).last == told.last


# Scripts


def test_pyvenv_cfg_says_relocatable_only_while_packages_are_installed(env: Path) -> None:
    config = (env / "pyvenv.cfg").read_bytes()
    with transaction.begin(str(env), new=False) as change:
        path = Path(change.workplace) / "pyvenv.cfg"
        assert b"\nrelocatable = true\n" in path.read_bytes()
        change.settle()
        assert path.read_bytes() == config
        change.commit()
    assert (env / "pyvenv.cfg").read_bytes() == config


def test_one_that_is_relocatable_stays_so(env: Path) -> None:
    (env / "pyvenv.cfg").write_text("home = /usr/bin\nRelocatable=TRUE\n")
    install(env)()
    assert (env / "pyvenv.cfg").read_text() == "home = /usr/bin\nRelocatable=TRUE\n"


def test_programs_that_name_the_workplace_name_the_environment_and_so_does_record(env: Path) -> None:
    """conda has no pyvenv.cfg, so uv writes the folder's name into its scripts."""
    (env / "pyvenv.cfg").unlink()
    with transaction.begin(str(env), new=False) as change:
        work = Path(change.workplace)
        tool = work / "bin" / "tool"
        tool.write_text(f"#!/bin/sh\n'''exec' '{work}/bin/python' \"$0\" \"$@\"\n' '''\nprint(1)\n")
        tool.chmod(0o755)
        kernel = work / "share" / "jupyter" / "kernels" / "k" / "kernel.json"
        kernel.parent.mkdir(parents=True)
        kernel.write_text(json.dumps({"argv": [str(work / "bin" / "python")]}))
        info = work / SITE / "tool-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Name: tool\n")
        (info / "RECORD").write_text(
            f'../../../bin/tool,sha256=x,{tool.stat().st_size}\ntool-1.dist-info/METADATA,,\n"odd,name",,\n'
        )
        change.commit()
    assert (env / "bin" / "tool").read_text().splitlines()[1] == f"'''exec' '{env}/bin/python' \"$0\" \"$@\""
    assert stat.S_IMODE((env / "bin" / "tool").stat().st_mode) == 0o755
    assert json.loads(
        kernel.read_text() if kernel.exists() else (env / "share/jupyter/kernels/k/kernel.json").read_text()
    )["argv"] == [f"{env}/bin/python"]
    (damage,) = [one for one in records.damaged(str(env / SITE), thorough=True) if one.name == "tool"]
    assert (damage.missing, damage.changed) == (("odd,name",), ())
    assert (env / "bin" / "alpha").read_text() == f"#!{env}/bin/python\n"


def test_a_program_that_cannot_be_corrected_is_no_success(env: Path) -> None:
    def launcher(change: transaction.Transaction) -> None:
        Path(change.workplace, "bin", "launcher").write_bytes(b"MZ\0\0" + os.fsencode(change.workplace) + b"\0")
        change.settle()

    with pytest.raises(Failed, match="bin/launcher"):
        attempt(env, launcher)
    assert not beside(env).exists()


def test_a_script_that_is_shared_is_not_rewritten_in_place(env: Path) -> None:
    work = env.parent / "work"
    trees.link(str(env), str(work))
    os.unlink(work / "bin" / "activate")
    os.link(env / "bin" / "activate", work / "bin" / "activate")
    before = (env / "bin" / "activate").read_text()
    scripts.settle(str(env), str(work), None)  # as if the environment itself were the workplace
    assert (work / "bin" / "activate").read_text() == before
    assert (env / "bin" / "activate").read_text() == f"VIRTUAL_ENV={work}\n"


# With uv


@slow
@pytest.mark.parametrize("maker", ["uv", "venv"])
@pytest.mark.parametrize("mode", ["hardlink", "copy", "clone"])
def test_uv_writes_into_no_shared_file_and_its_scripts_run(tmp_path: Path, maker: str, mode: str) -> None:
    from uv import find_uv_bin

    wheels, env = tmp_path / "wheels", tmp_path / "with space" / ".venv"
    for version in ("1", "2"):
        files = {"alpha/__init__.py": f"def main(): print({version})".encode(), "shared/x.py": version.encode()}
        local_index.make(wheels, "alpha", version, files=files, scripts={"alpha": "alpha:main"})
    local_index.make(wheels, "beta", "1", files={"shared/x.py": b"beta", "beta.py": b""})
    env.parent.mkdir()
    environ = {**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_LINK_MODE": mode}

    def uv(*arguments: str) -> None:
        subprocess.run([find_uv_bin(), "--quiet", "--offline", *arguments], check=True, env=environ)

    def install(python: str, *requirements: str) -> None:
        uv("pip", "install", "--no-index", "--find-links", str(wheels), "--python", python, *requirements)

    with transaction.begin(str(env), new=True) as change:
        if maker == "uv":
            uv("venv", "--prompt", "x", "--python", sys.executable, change.workplace)
        else:
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", change.workplace], check=True)
        install(change.python, "alpha==1", "beta")
        change.commit()
    assert _says(env) == "1"
    old = tree(env)
    with transaction.begin(str(env), new=False) as change:
        install(change.python, "alpha==2")
        install(change.python, "--reinstall", "beta", "alpha")
        assert tree(env) == old
        change.commit()
    assert _says(env) == "2"
    site = next((env / "lib").glob("python*/site-packages"))
    assert [one for one in records.damaged(str(site), thorough=True) if not one.whole] == []
    assert not [
        path for path in env.rglob("*") if path.is_file() and not path.is_symlink() and b"/work-" in path.read_bytes()
    ]
    transaction.undo(str(env))
    assert tree(env) == old
    assert _says(env) == "1"


def _says(env: Path) -> str:
    done = subprocess.run([env / "bin" / "alpha"], capture_output=True, text=True, check=True, cwd="/")
    return done.stdout.strip()
