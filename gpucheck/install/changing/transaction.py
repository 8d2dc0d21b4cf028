"""An environment is changed wholly or not at all.

Everything is made aside: a new environment in an empty folder, an existing one in a copy of hard links (seconds, no
room; new folders, old files). There it is installed and verified, while the environment itself is not touched. Then the
two folders exchange their names in one step (renameat2, RENAME_EXCHANGE). So after a crash at any instruction, before
any recovery, the environment is exactly the old one or exactly the verified new one.

Why not in place, with a linked snapshot to go back to (as pip-like tools must, and as the issue said)? There the
environment is broken from the first file to the last: after a power cut until the next gpucheck, under running programs
all the time, and a uv that outlives its killed gpucheck goes on writing into what was just restored. What speaks for it
is that scripts get the right first line at once; aside they get it by scripts.py. Linked files are safe because uv and
importlib replace files and never write into them: measured with uv 0.13.9, four link modes, same and other file system,
upgrades, --reinstall, two packages with one file, dist-info without METADATA or RECORD: no inode of the old tree
changed. What others write in place (activate, pyvenv.cfg, .pth) is copied. `commit` looks once more whether the old
environment changed meanwhile, by whomever, and then refuses.

Beside the environment lies the folder ``.<name>.gpucheck`` (journal.beside). In it, for a transaction N:

    lock         held by the working process
    journal.json what is under way, and what `undo` goes back over; made durable before each step that needs it
    work-N       being built. It holds the marker .gpucheck/transaction = N before it gets its final name
    before-N     the state before N, whole: kept for `undo` until the next commit
    undone-N     the state after N, after an undo; files that came after the commit are moved to kept-N, the rest goes
    discarded-*  being deleted. Nothing is deleted under another name, so no half-deleted tree is taken for a whole one
    listing-N    what N's tree held at its commit

The marker inside a tree, not the journal, says what a tree is; so a lost journal or a power cut between two writes
leaves no doubt. States, and what `recover` does (recovery.py); "env" is the environment's name:

    building   journal: building. env: old (or absent). work-N grows           -> work-N is deleted
    swapping   journal: swapping. All data durable (syncfs). env: old          -> work-N is deleted
    swapped    env has marker N; the old tree is at work-N, then at before-N   -> kept as before-N; committed
    between    (no exchange here: two renames) env is absent, old at before-N,
               verified new at work-N                                          -> before-N gets its name back
    committed  env has marker N; before-N                                      -> an older before-M is deleted
    undoing    journal: undoing. env has marker N                              -> nothing has happened yet: stays
    undone     env: old; the tree with marker N at before-N, then at undone-N  -> the undo is finished
    (two renames) env is absent, undone-N and before-N are there               -> before-N gets its name back

An environment that its user deleted or made anew meanwhile has no marker N: it is never touched. Every step is a rename
or deletes something that nobody needs, so a recovery that is itself cut off is simply done again, and none needs room.
A new environment has no before-N: its commit is one rename onto a name that is free; undo moves it away.

Where folders cannot be exchanged (NFS, Windows) there are two renames, and a moment between them without environment.
Whoever needs the room may delete the folder beside the environment: only the way back is lost. A file that somebody
edits in place after a commit is the same file in before-N: undo keeps the edit.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Union

from gpucheck.install.changing import disk, holding, in_use, journal, recovery, scripts, steps, trees, undoing
from gpucheck.install.changing.journal import Entry
from gpucheck.install.changing.recovery import Recovered
from gpucheck.install.changing.undoing import Undone
from gpucheck.install.errors import Failed, NeedsHelp, Refused
from gpucheck.install.indexes.signals import hear, held_back
from gpucheck.install.layout import interpreter

__all__ = ["Recovered", "Transaction", "Undone", "begin", "recover", "undo"]


class Transaction:
    """``with begin(env, new) as t``: install into `workplace`, `settle`, prove, `commit`. Leaving without it takes
    everything back.

    env: real path. workplace: where to install; for a new environment it is not there yet. name: for the receipt.
    committed: the environment is the new one.
    """

    def __init__(self, env: str, new: bool, what: str, at_once: bool) -> None:
        self.env, self.name, self.committed = env, os.urandom(8).hex(), False
        self.folder = journal.beside(env)
        self.workplace = os.path.join(self.folder, f"work-{self.name}")
        self._new, self._what, self._at_once = new, what, at_once
        self._hold: Union[holding.Hold, None] = None
        self._before: trees.Listing = {}
        self._config: Union[scripts.Config, None] = None
        self._settled = False

    def __enter__(self) -> Transaction:
        try:
            self._hold = _enter(self.folder)
            recovery.resolve(self.env, self.folder)
            self._entry = Entry(self.name, self._what, self._was(), "building", _now())
            journal.write(self.folder, journal.read(self.folder)._replace(now=self._entry))
            if not self._new:
                self._link()
        except BaseException as error:
            with _undisturbed():
                self._leave()
            if isinstance(error, OSError):
                raise Refused(f"nothing was changed: {_words(error)}") from error
            raise
        return self

    def _was(self) -> journal.Was:
        here = steps.look(self.env)
        if self._new and here.state == "filled":
            raise Refused(f"{self.env} is there already")
        if not self._new and here.state != "filled":
            raise Refused(f"there is no environment at {self.env}")
        if here.state == "filled":
            in_use.refuse(self.env)
            _check_movable(self.env, self.folder)
            return "environment"
        return "absent" if here.state == "absent" else "empty"

    def _link(self) -> None:
        """The copy of links, with its new marker before all else."""
        os.mkdir(self.workplace, disk.CLOSED)
        journal.mark(self.workplace, self.name, "environment")
        self._before = trees.look(self.env)
        try:
            trees.link(self.env, self.workplace, frozenset((".gpucheck/transaction",)))
        except trees.Elsewhere as error:
            raise Refused(
                f"{error.path} lies on another file system than {self.env}: make a new environment"
            ) from error
        except trees.Foreign as error:
            raise Refused(
                f"{error.path} is another user's and cannot be read. Way out: sudo chown -R $USER {self.env!r}"
            ) from error
        self.let_move()

    def let_move(self) -> None:
        """Windows: the programs that uv makes hold a path, which is in no text that could be corrected later."""
        if self._config is None and (disk.WINDOWS or not self._new):
            self._config = scripts.let_move(self.workplace)

    @property
    def python(self) -> str:
        """The interpreter in the workplace."""
        return interpreter(self.workplace)

    def settle(self) -> None:
        """After the installation, before the proof: programs name the final folder from here on. Raises `Failed`."""
        if not self._settled:
            try:
                scripts.settle(self.workplace, self.env, self._config)
            except OSError as error:
                raise Failed(f"nothing was changed: {_words(error)}") from error
            self._settled = True

    def commit(self) -> None:
        """Let the workplace be the environment: at once, and durable unless the disk fails just then.

        Raises
        ------
        Failed: the environment was changed by others meanwhile; a full disk; a program holds it open (Windows).
        """
        self.settle()
        try:
            journal.mark(self.workplace, self.name, self._entry.was)
            journal.write_listing(self.folder, self.name, trees.look(self.workplace))
            self._entry = self._entry._replace(phase="swapping")
            journal.write(self.folder, journal.read(self.folder)._replace(now=self._entry))
            disk.sync_all(self.folder)
            self._check_unchanged()
            with _undisturbed():
                self._swap()
                self.committed = True
                recovery.settle_commit(self.env, self.folder, self._entry)
        except OSError as error:
            self._look_whether_committed()  # a bad disk may complain after the rename
            if not self.committed:
                raise Failed(f"nothing was changed: {in_use.why(self.env) or _words(error)}") from error
        with suppress(OSError):
            steps.sweep(self.folder)

    def _swap(self) -> None:
        if self._entry.was != "environment":
            steps.give_name(self.workplace, self.env)
            return
        try:
            if not self._at_once:
                raise disk.NoExchange
            disk.exchange(self.env, self.workplace)
        except disk.NoExchange:
            before = os.path.join(self.folder, f"before-{self.name}")
            disk.rename(self.env, before)
            try:
                disk.rename(self.workplace, self.env)
            except OSError:
                disk.rename(before, self.env)
                raise

    def _check_unchanged(self) -> None:
        if self._entry.was != "environment":
            return
        now = trees.look(self.env)
        if now != self._before:
            names = sorted(name for name in now.keys() | self._before.keys() if now.get(name) != self._before.get(name))
            some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise Failed(
                f"{self.env} was changed by another program meanwhile ({some}): nothing was installed; try again"
            )

    def __exit__(
        self,
        kind: Union[type[BaseException], None],
        error: Union[BaseException, None],
        trace: Union[TracebackType, None],
    ) -> None:
        with _undisturbed():
            self._leave()

    def _look_whether_committed(self) -> None:
        with suppress(OSError, Refused):
            self.committed = self.committed or steps.look(self.env).marker == self.name

    def _leave(self) -> None:
        """Done or not: what lies on the disk says which, and the same code cleans up as after a crash."""
        if self._hold is None:
            return
        try:
            self._look_whether_committed()  # an interruption may have come in between
            recovered = recovery.resolve(self.env, self.folder)
            if recovered.state == "kept":
                raise NeedsHelp(" ".join(recovered.words))
        except OSError as error:
            if self._new or os.path.isdir(self.env):  # some of our own rests stay: the next start removes them
                return
            raise NeedsHelp(
                f"the environment lies in {self.folder}, and could not be put back: {_words(error)}"
            ) from error
        finally:
            _exit(self.folder, self._hold)
            self._hold = None


def begin(env: str, new: bool, *, what: str = "install", at_once: bool = True) -> Transaction:
    """A transaction on an environment, for ``with``. What an earlier one left unfinished is cleared first.

    Parameters
    ----------
    env: its real path (place.real). new: nothing is there, or an empty folder.
    at_once: False: in two renames, as where folders cannot be exchanged.

    Raises (on entering)
    --------------------
    Refused: another gpucheck is at work; a mount point; a full disk. Nothing was changed.
    """
    return Transaction(env, new, what, at_once)


def recover(env: str) -> Recovered:
    """Clear up after a transaction that was cut off, if there is one. Called at the start of every command that writes.

    Raises
    ------
    Refused: another gpucheck is at work there. NeedsHelp: files that cannot be renamed.
    """
    folder = journal.beside(env)
    if not os.path.isdir(folder):
        return Recovered("nothing", ())
    hold = _enter(folder)
    try:
        return recovery.resolve(env, folder)
    except OSError as error:
        raise NeedsHelp(f"what was cut off at {env} cannot be cleared up: {_words(error)}") from error
    finally:
        _exit(folder, hold)


def undo(env: str, *, at_once: bool = True) -> Undone:
    """Go back to the state before the last commit. A new environment is removed. Files that its user made since are
    kept and named. After an installation or undo that was cut off, that one is taken back or finished, no more.

    Raises
    ------
    Refused: there is nothing to go back to, or the environment was made anew since. NeedsHelp.
    """
    folder = journal.beside(env)
    if not os.path.isdir(folder):
        raise Refused(f"there is nothing to undo at {env}: gpucheck keeps no earlier state of it")
    hold = _enter(folder)
    try:
        recovered = recovery.resolve(env, folder)
        if recovered.state not in ("nothing", "finished"):  # what was cut off is what is taken back
            return Undone(not os.path.isdir(env), None, (), recovered.words)
        if os.path.isdir(env):
            in_use.refuse(env)
        with _undisturbed():
            return undoing.undo(env, folder, at_once)
    except OSError as error:
        raise NeedsHelp(f"{env} cannot be taken back: {_words(error)}; the state before lies in {folder}") from error
    finally:
        _exit(folder, hold)


def _enter(folder: str) -> holding.Hold:
    """Make our folder and take its lock. Raises `Refused`."""
    for _attempt in range(20):
        try:
            journal.make(folder)
            return holding.take(folder)
        except FileNotFoundError:  # another gpucheck, done with it, has just removed the folder
            if not os.path.isdir(os.path.dirname(folder)):
                break
        except OSError as error:
            raise Refused(f"cannot write beside the environment: {_words(error)}") from error
    raise Refused(f"there is no folder {os.path.dirname(folder)}")


def _exit(folder: str, hold: holding.Hold) -> None:
    with suppress(Refused):
        if journal.read(folder).last is None:
            journal.unmake(folder)
    hold.release()
    if disk.WINDOWS:  # an open file cannot be removed there
        journal.unlock(folder)


def _check_movable(env: str, folder: str) -> None:
    probe = os.path.join(folder, "discarded-" + os.urandom(8).hex())
    os.mkdir(probe)
    journal.mark(probe, "probe", "absent")
    error = disk.immovable(env, probe)
    disk.remove(probe)
    if error is not None:
        reasons = {
            errno.EBUSY: "it is a mount point",
            errno.EXDEV: "it is a mount point, or lies in a layer of a container's image",
            errno.EPERM: "it or the folder it is in is protected (another user's with the sticky bit, chattr +i)",
        }
        why = reasons.get(error.errno or 0, error.strerror)
        raise Refused(f"{env} cannot be replaced at once: {why}. Way out: a new environment: --env {env + '-2'!r}")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Steps in a row that no Ctrl-C comes between: it is raised after them."""
    if sys.platform == "win32":  # no signal can be blocked there: they are heard, and passed on later
        with held_back() as came:
            yield
        hear(came)
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _words(error: OSError) -> str:
    return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
