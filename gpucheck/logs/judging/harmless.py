"""Nothing is wrong: what the good lines and the harmless ones say. (L1's small example: L2 owns this file from here.)"""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.log import Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.messages import by_name
from gpucheck.rules.engine import Found, found


@cause("ok-harmless-log-line", Place.NOTHING, severity=Severity.INFO)
def harmless_lines(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """The log holds lines that look like errors and are none.

    ## What it means
    TensorFlow and XLA print some lines at every start, at the level of an error or a warning. They are no cause of
    anything: the same lines stand in the logs of programs that use the GPU.

    ## Why it matters
    They are what most reports quote, and what is wrong, if anything, stands elsewhere.

    ## How to fix
    Nothing. `TF_CPP_MIN_LOG_LEVEL=2` hides them, and hides what matters with them.
    """
    for clue in log.clues:
        reason = by_name()[clue.message].harmless
        if reason:
            yield found(f"Harmless: {reason}", [told(clue)])


@question(Place.START)
def why_no_device(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """An example of a question. (L2 replaces it.)"""
    clues = [clue for clue in log.all("cuinit-failed") if clue.get("error") == "CUDA_ERROR_NO_DEVICE"]
    if clues and not log.first("gpu-device-created"):
        yield left(
            "The driver runs and shows this program no GPU.",
            [told(clues[0])],
            {
                "cuda-visible-devices-hides-gpu": "CUDA_VISIBLE_DEVICES is -1, empty, or names a GPU that is not there",
                "device-node-permission": "nvidia-smi works as root alone",
                "mig-no-instance-visible": "nvidia-smi -L lists a GPU in MIG mode without an instance",
            },
            'echo "CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES"; nvidia-smi -L',
        )
