"""An installation that is ended anywhere leaves the old environment or the new one, whole.

First at each step of gpucheck's own (steps that change the disk, told by Python's audit hooks), then at random moments
of real ones, with uv.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from install_trees import Tree, environment, in_child, install, quick_place, rests, tree, upgrade

from gpucheck.install.changing import journal, transaction
from gpucheck.install.errors import Refused

pytestmark = pytest.mark.slow  # processes and servers: each test little, all of them seconds

slow = pytest.mark.slow


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    with quick_place(tmp_path) as folder:
        yield folder


class Scene(NamedTuple):
    """prepare: before. act: what is cut off. new: is there no environment at first?"""

    name: str
    prepare: Callable[[Path], None]
    act: Callable[[Path], Callable[[], None]]


def _nothing(env: Path) -> None:
    """No environment."""


def _old(env: Path) -> None:
    environment(env)


def _installed(env: Path) -> None:
    environment(env)
    install(env)()


def _installed_and_used(env: Path) -> None:
    _installed(env)
    (env / "notebook.ipynb").write_text("mine")


def _made_new(env: Path) -> None:
    install(env, new=True)()
    (env / "notebook.ipynb").write_text("mine")


def _installed_and_removed(env: Path) -> None:
    _installed(env)
    shutil.rmtree(env)


def _undo(at_once: bool) -> Callable[[Path], Callable[[], None]]:
    def act(env: Path) -> Callable[[], None]:
        def work() -> None:
            transaction.undo(str(env), at_once=at_once)

        return work

    return act


SCENES = (
    Scene("new", _nothing, lambda env: install(env, new=True)),
    Scene("existing", _old, install),
    Scene("existing-in-two-renames", _old, lambda env: install(env, at_once=False)),
    Scene("existing-that-fails", _old, lambda env: install(env, fail=True)),
    Scene("new-that-fails", _nothing, lambda env: install(env, new=True, fail=True)),
    Scene("undo", _installed_and_used, _undo(True)),
    Scene("undo-in-two-renames", _installed_and_used, _undo(False)),
    Scene("undo-of-a-new-one", _made_new, _undo(True)),
    Scene("undo-of-a-removed-one", _installed_and_removed, _undo(True)),
)
AT_ONCE = {
    "new",
    "existing",
    "existing-that-fails",
    "new-that-fails",
    "undo",
    "undo-of-a-new-one",
    "undo-of-a-removed-one",
}


def _without_the_users(found: Tree | None) -> Tree | None:
    return {name: what for name, what in found.items() if name != "notebook.ipynb"} if found is not None else None


class Stage:
    """One environment, set up again for each try."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene, self.folder = scene, folder
        self.env = folder / "a b" / ".venv"
        self.set_up()
        self.old = _without_the_users(tree(self.env))
        ended = in_child(scene.act(self.env))
        self.steps = ended.steps
        self.new = tree(self.env)
        assert self.steps > 20
        assert rests(self.env) == []

    def set_up(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.env.parent.mkdir(parents=True)
        self.scene.prepare(self.env)

    def check(self, where: str) -> str:
        """After recovery. Gives which of the two it is."""
        found = _without_the_users(tree(self.env))
        assert found in (self.old, self.new), f"{where}: neither old nor new"
        assert rests(self.env) == [], where
        self.check_notebook(where)
        if self.old == self.new:
            return "old"
        if "undo" in self.scene.name:
            if found == self.old:  # it can still be done
                transaction.undo(str(self.env))
                assert tree(self.env) == self.new, f"{where}: the way back is lost"
        elif found == self.new:
            transaction.undo(str(self.env))
            assert tree(self.env) == self.old, f"{where}: the way back is lost"
        return "old" if found == self.old else "new"

    def check_notebook(self, where: str) -> None:
        if self.scene.prepare in (_installed_and_used, _made_new):
            texts = [path.read_text() for path in self.folder.rglob("notebook.ipynb")]
            assert texts == ["mine"], f"{where}: the user's file is lost"

    def check_now(self, where: str) -> None:
        """Before any recovery."""
        if self.scene.name in AT_ONCE:
            found = _without_the_users(tree(self.env))
            assert found in (self.old, self.new), f"{where}: half an environment"

    def recover(self) -> None:
        ended = in_child(lambda: transaction.recover(str(self.env)))
        assert ended.whole
        assert ended.error == ""


@pytest.fixture(params=SCENES, ids=lambda scene: scene.name)
def stage(request: pytest.FixtureRequest, quick_folder: Path) -> Stage:
    return Stage(request.param, quick_folder / "stage")


def _cut_off_at(stage: Stage, steps: list[int]) -> dict[str, int]:
    ends = {"old": 0, "new": 0}
    for step in steps:
        stage.set_up()
        ended = in_child(stage.scene.act(stage.env), stop_at=step)
        assert not ended.whole or step > ended.steps  # a module imported meanwhile is a step less
        stage.check_now(f"{stage.scene.name}, step {step}")
        stage.recover()
        ends[stage.check(f"{stage.scene.name}, step {step}")] += 1
    return ends


def test_an_end_at_any_step_leaves_the_old_or_the_new_one(stage: Stage) -> None:
    """Some of the steps; all of them in the slow test."""
    _cut_off_at(stage, random.Random(1).sample(range(1, stage.steps + 1), 1))


@slow
def test_an_end_at_every_step_leaves_the_old_or_the_new_one(stage: Stage) -> None:
    ends = _cut_off_at(stage, list(range(1, stage.steps + 1)))
    print(f"\n{stage.scene.name}: {stage.steps} steps, then {ends}")
    if "fails" not in stage.scene.name:
        assert ends["old"]
        assert ends["new"]


@slow
def test_a_recovery_that_is_cut_off_twice_comes_to_the_same(stage: Stage) -> None:
    dice, tries = random.Random(2), 60
    for _ in range(tries):
        stage.set_up()
        step = dice.randint(1, stage.steps)
        in_child(stage.scene.act(stage.env), stop_at=step)
        cuts = []
        for _again in range(2):
            cuts.append(dice.randint(1, 60))
            in_child(lambda: transaction.recover(str(stage.env)), stop_at=cuts[-1])
            stage.check_now(f"{stage.scene.name}, step {step}, then {cuts}")
        stage.recover()
        stage.check(f"{stage.scene.name}, step {step}, then {cuts}")


@slow
@pytest.mark.parametrize(
    "fault", [errno.ENOSPC, errno.EACCES, errno.EIO], ids=["full-disk", "no-permission", "bad-disk"]
)
def test_a_step_that_fails_leaves_the_old_or_the_new_one(stage: Stage, fault: int) -> None:
    """The command ends by itself then, and says so; the next start finds nothing it cannot clear up."""
    for step in range(1, stage.steps + 1, 2):
        stage.set_up()
        ended = in_child(stage.scene.act(stage.env), stop_at=step, fault=fault)
        where = f"{stage.scene.name}, step {step}: {ended.error}"
        assert ended.whole, where
        stage.check_now(where)
        stage.recover()
        found = tree(stage.env)
        stage.check(where)
        if "undo" not in stage.scene.name and stage.old != stage.new:
            assert ended.committed == (ended.error == ""), where
            assert found == (stage.new if ended.committed else stage.old), where


@slow
def test_a_lost_or_broken_journal_changes_nothing(stage: Stage) -> None:
    """What a tree is, the tree itself says; what it does not say is kept."""
    dice = random.Random(3)
    for text in ("", "{", "[]", '{"schema": 1}', '{"schema": "gpucheck.journal/1", "now": 3}', "\x00" * 50):
        for _ in range(5):
            stage.set_up()
            step = dice.randint(1, stage.steps)
            in_child(stage.scene.act(stage.env), stop_at=step)
            path = Path(journal.beside(str(stage.env))) / "journal.json"
            if not path.exists():
                continue
            path.write_text(text)
            stage.recover()
            stage.check(f"{stage.scene.name}, step {step}, journal {text!r}")


@slow
def test_ctrl_c_at_any_step_ends_it_in_good_order(stage: Stage) -> None:
    """Without a recovery: the command itself clears up, and knows whether it was done."""
    for step in range(1, stage.steps + 1, 3):
        stage.set_up()
        ended = in_child(stage.scene.act(stage.env), stop_at=step, signal_number=signal.SIGINT)
        where = f"{stage.scene.name}, step {step}: {ended}"
        assert ended.error in ("", "KeyboardInterrupt: ", "RuntimeError: not proven"), where
        stage.check_now(where)
        found = stage.check(where)
        if stage.scene.name == "existing" and ended.committed:
            assert found == "new", where


@slow
def test_many_gpuchecks_at_once_come_one_after_the_other_or_are_refused(quick_folder: Path) -> None:
    """The folder beside the environment comes and goes meanwhile."""
    env = environment(quick_folder / ".venv")
    before = tree(env)
    children = []
    for number in range(6):
        pid = os.fork()
        if pid == 0:
            code = _struggle(env, number)
            os._exit(code)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 6
    assert tree(env) == before
    assert not Path(journal.beside(str(env))).exists()


def _struggle(env: Path, number: int) -> int:
    """Every other one is refused or works alone; nothing else happens."""
    begun = 0
    while begun < 8:
        try:
            with transaction.begin(str(env), new=False) as change:
                begun += 1
                alone = env.parent / "alone"
                os.mkdir(alone)  # fails if another is at work
                upgrade(change.workplace)
                os.rmdir(alone)
        except Refused:
            continue
        except BaseException as error:
            print(number, repr(error), flush=True)
            return 1
    return 0
