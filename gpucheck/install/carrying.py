"""From a lock to a proven environment: fetch, build aside, prove, let it be the environment. Or all stays as it was."""

from __future__ import annotations

import errno
import json
import os
import re
from typing import NamedTuple, Union

from gpucheck.facts.codec import decode, encode
from gpucheck.facts.plan import RECEIPT_SCHEMA, Plan, Proof, Receipt
from gpucheck.install import cures, kernel
from gpucheck.install.changing import repair, transaction
from gpucheck.install.errors import Failed
from gpucheck.install.fetching import warm
from gpucheck.install.indexes import uv
from gpucheck.install.indexes.settings import Settings
from gpucheck.install.progress import Progress
from gpucheck.install.proof import prove
from gpucheck.install.proof.case import Before

RECEIPT = os.path.join(".gpucheck", "receipt.json")  # in the environment


class NotProven(Failed):
    """What was installed does not do what it should. proof: which checks failed."""

    def __init__(self, proof: Proof) -> None:
        names = ", ".join(check.name for check in proof.checks if check.state == "failed")
        super().__init__(f"the proof failed ({names}): everything is as it was before")
        self.proof = proof


class Job(NamedTuple):
    """What is to be done.

    env: real path. python: interpreter of the environment, or of which a new one is made. leaving: distributions to
    uninstall first. title: of a Jupyter kernel, None: no kernel.
    """

    plan: Plan
    env: str
    new: bool
    python: str
    leaving: tuple[str, ...] = ()
    title: Union[str, None] = None


def carry_out(job: Job, settings: Settings, progress: Progress) -> Receipt:
    """Do it.

    Raises
    ------
    NotProven, Failed, Refused, NeedsHelp, KeyboardInterrupt: in each case the environment is what it was, or the
    message says where it lies.
    """
    try:
        return _carry_out(job, settings, progress)
    except OSError as error:
        what = ": ".join(str(one) for one in (error.filename, error.strerror or error) if one)
        raise Failed(f"everything is as it was before: {what}") from error


def _carry_out(job: Job, settings: Settings, progress: Progress) -> Receipt:
    ready = warm.warm(job.plan.packages, settings, job.python, progress)
    # The look at what was wrong before takes seconds, and the environment must not change meanwhile.
    before = None if job.new else prove.look_before(job.python)
    with transaction.begin(job.env, job.new) as change:
        if job.new:
            progress.begin("making the environment")
            _uv(
                settings,
                "venv",
                "--python",
                job.python,
                "--prompt",
                _prompt(job.env),
                change.workplace,
            )
            change.let_move()
        _install(job, change, ready.lock, ready.settings, progress)
        _restore(change, before, settings, progress)
        if job.title is not None:
            kernel.register(change.workplace, job.env, job.title)
        cured = cures.apply(change.workplace, job.plan.choice.cures)
        change.settle()
        proof = prove.prove(
            change.python,
            job.plan.choice,
            root=change.workplace,
            progress=progress,
            packages=job.plan.packages,
            cures=cured,
            before=before,
        )
        if not proof.good:
            raise NotProven(proof)
        receipt = Receipt(RECEIPT_SCHEMA, job.plan.version, job.plan.made, job.plan, proof, change.name)
        _write(receipt, change.workplace)
        change.commit()
    return receipt


def _prompt(env: str) -> str:
    """What the shell shows: the folder's name, or for ".venv" the project's, as uv and poetry do."""
    folder = os.path.abspath(env)
    name = os.path.basename(folder)
    return name if not name.startswith(".") else os.path.basename(os.path.dirname(folder)) or name


def _install(job: Job, change: transaction.Transaction, lock: str, settings: Settings, progress: Progress) -> None:
    progress.begin("installing")
    if job.leaving:
        _uv(settings, "pip", "uninstall", "--python", change.python, *job.leaving)
    path = os.path.join(change.folder, f"pylock.{change.name}.toml")
    # It may hold the login of an index, by which uv's cache is keyed: for nobody else's eyes.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(lock)
    try:
        words = ("pip", "install", "--preview-features", "pylock", "--no-deps", "--offline", *uv.options(settings))
        _uv(settings, *words, "--python", change.python, "--requirements", path)
    finally:
        os.unlink(path)


def _restore(
    change: transaction.Transaction, before: Union[Before, None], settings: Settings, progress: Progress
) -> None:
    """What other packages lost when one that shared files with them was replaced (bin/tensorboard, with 2.20), and what
    uv's cache holds damaged: whoever writes into a linked file of an environment writes there, too."""
    state = repair.examine(change.workplace)
    known = {one.partition(":")[0] for one in before.damaged} if before else set()
    lost = tuple(line for line in state.requirements if re.split("[= ]", line)[0] not in known)
    if lost:
        repair.heal(change, settings, progress, state._replace(requirements=lost))


def _uv(settings: Settings, *words: str) -> None:
    done = uv.run(list(words), settings=settings)
    if done.code:
        lines = tuple(line for line in done.err.splitlines() if line.strip())[-8:]
        what = "a disk is full" if os.strerror(errno.ENOSPC) in done.err else f"uv {words[0]} failed"
        raise Failed(f"{what}: everything is as it was before", lines)


def _write(receipt: Receipt, root: str) -> None:
    path = os.path.join(root, RECEIPT)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(encode(receipt), file, indent=1)


def receipt_of(env: str) -> Union[Receipt, None]:
    """What gpucheck installed there; None: nothing, or what cannot be read."""
    try:
        with open(os.path.join(env, RECEIPT), encoding="utf-8") as file:
            found: Receipt = decode(Receipt, json.load(file))
            return found
    except (OSError, ValueError, RecursionError):
        return None
