"""What was measured outranks what was inferred.

Rules infer from files and versions that TensorFlow will not use a GPU; `--deep` tried. Where both speak of the same GPU
and disagree, the measurement is right and the inference stays as a note, so that it is seen (and reported to us).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Finding, Severity, Skipped


def proven_gpus(snapshot: Snapshot) -> tuple[str, ...]:
    """The devices on which every operation gave the CPU's numbers: GPU:0 …"""
    deep = snapshot.deep
    if deep is None or isinstance(deep, Gap) or isinstance(deep.devices, Gap) or isinstance(deep.operations, Gap):
        return ()
    tried = {one.device for one in deep.operations}
    failed = {one.device for one in deep.operations if one.status != "ok"}
    return tuple(device for device in deep.devices if device in tried - failed)


def outranked(findings: Iterable[Finding], snapshot: Snapshot) -> Iterator[Finding]:
    """Errors that the proof refutes become notes.

    A finding about one GPU (its evidence is a fact of ``gpus``) is refuted only where every GPU that the driver lists
    was proven: TensorFlow counts its devices in another order than NVML, so which one it speaks of cannot be told.
    """
    proven = proven_gpus(snapshot)
    everything = not isinstance(snapshot.gpus, Gap) and len(proven) >= len(snapshot.gpus)
    for finding in findings:
        inferred = finding.severity is Severity.ERROR and not finding.name.startswith("deep-")
        one_gpu = any(evidence.fact.startswith("gpus") for evidence in finding.evidence)
        if proven and inferred and (everything or not one_gpu):
            note = f"{finding.message} (yet TensorFlow computed correctly on {', '.join(proven)}: --deep)"
            yield finding._replace(severity=Severity.INFO, message=note)
        else:
            yield finding


def answered(skipped: Iterable[Skipped], snapshot: Snapshot) -> Iterator[Skipped]:
    """With a proof, "does TensorFlow use the GPU?" is no longer open, whatever rule could not be judged."""
    proven = proven_gpus(snapshot)
    for one in skipped:
        yield one._replace(decisive=False) if proven else one
