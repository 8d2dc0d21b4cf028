"""Xid: what the kernel's log says of GPUs that fail. The numbers' meanings: gpucheck/compat/codes/xids.py."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.codes import numbered
from gpucheck.compat.codes.xids import Verdict, verdict_on
from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.logs.judging import Place, cause, told
from gpucheck.rules.engine import Found, found

# Xids that have a rule of their own, which looks at the same on a machine.
_ECC, _PENDING, _FAILED = ("48", "94", "95", "140", "171", "172"), ("63", "156", "160"), ("64", "157", "161")


def _of(log: Log, *numbers: str) -> list[Clue]:
    return [clue for clue in log.all("xid") if clue.get("xid") in numbers]


def _said(clue: Clue) -> str:
    number = clue.get("xid") or ""
    code = numbered("xids", int(number))
    where = f" of GPU {clue.get('device')}" if clue.get("device") else ""
    return f"Xid {number}{where}: {code.meaning if code else 'a number that gpucheck does not know'}."


def _advice(clue: Clue) -> tuple[str, ...]:
    code = numbered("xids", int(clue.get("xid") or "0"))
    return (f"# usual causes: {code.advice.causes}", *code.advice.check) if code else ("sudo dmesg | grep -i xid",)


@cause("gpu-lost", Place.DEVICE, explains=("gpu-xid", "cuda-init-failed", "nvml-not-answering", "gpu-query-failed"))
def fell_off(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clues = [*(clue for clue in log.all("xid") if _verdict(clue) == "gone"), *log.all("gpu-fell-off-the-bus")]
    clues += [clue for clue in log.all("smi-gpu-lost") if "lost" in clue.text]
    if clues:
        device = next((clue.get("device") for clue in clues if clue.get("device")), None)
        yield found(
            f"The GPU{f' {device}' if device else ''} does not answer on the PCI bus any more.",
            [told(clue) for clue in clues[:3]],
            [
                "# power off (not only restart), reseat the card and its power cables, start again",
                "nvidia-smi -q -d TEMPERATURE,POWER",
                "# where it comes back: the power supply, the slot or riser, or the GPU itself",
            ],
        )


def _verdict(clue: Clue) -> Verdict:
    return verdict_on(int(clue.get("xid") or "0"))


@cause("gpu-ecc-errors", Place.DEVICE, explains=("gpu-xid",))
def memory(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    yield from _one_of(_of(log, *_ECC))


@cause("gpu-row-remap-failure", Place.DEVICE, explains=("gpu-xid", "gpu-ecc-errors"))
def not_replaced(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    yield from _one_of(_of(log, *_FAILED))


@cause("gpu-row-remap-pending", Place.DEVICE, severity=Severity.WARNING)
def to_be_replaced(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    yield from _one_of(_of(log, *_PENDING))


def _one_of(clues: list[Clue]) -> Iterator[Found]:
    if clues:
        yield found(_said(clues[0]), [told(clue) for clue in clues[:3]], _advice(clues[0]))


@cause("gpu-xid", Place.DEVICE)
def xid(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """The driver reported an error of a GPU to the kernel's log, by a number (Xid).

    ## What it means
    The number tells the sort of error. Some come from the program that ran (13, 31, 43, 69: an invalid access), some
    from the GPU, its memory or its links. `gpucheck explain "NVRM: Xid (…): 31, …"` tells of each.

    ## Why it matters
    A program that was running ended, or the GPU cannot be used until it is reset.

    ## How to fix
    After an Xid of a program: look at the program. Of the GPU: reset it or restart the machine; where it comes back on
    the same GPU with every program, the hardware is at fault.

    ## References
    https://docs.nvidia.com/deploy/xid-errors/
    """
    own = {*_ECC, *_PENDING, *_FAILED, "79"}
    weight: dict[Verdict, Severity] = {"reset": Severity.ERROR, "faulty": Severity.ERROR, "program": Severity.WARNING}
    clues = [clue for clue in log.all("xid") if clue.get("xid") not in own]
    for number in dict.fromkeys(clue.get("xid") for clue in clues):
        same = [clue for clue in clues if clue.get("xid") == number]
        severity = weight.get(_verdict(same[0]), Severity.INFO)
        yield found(_said(same[0]), [told(clue) for clue in same[:3]], _advice(same[0]), severity=severity)
