"""Container files as a snapshot: every fact of a machine is a gap, for none was looked at."""

from __future__ import annotations

from gpucheck.facts.containers import Containers
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import SCHEMA, Snapshot

UNSAID = Gap("container files do not say", "not-collected")


def snapshot_of(containers: Containers, version: str) -> Snapshot:
    """version: gpucheck's."""
    return Snapshot(
        schema=SCHEMA,
        version=version,
        taken="",
        system=UNSAID,
        environment=UNSAID,
        driver=UNSAID,
        gpus=UNSAID,
        toolkits=UNSAID,
        python=UNSAID,
        libraries=UNSAID,
        deep=None,
        probes=(),
        containers=containers,
    )
