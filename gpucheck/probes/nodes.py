"""The driver's device nodes."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.driver import DeviceNode
from gpucheck.facts.gap import Gap
from gpucheck.host import Host


def probe(host: Host) -> Union[tuple[DeviceNode, ...], Gap]:
    """/dev/nvidia* and /dev/dxg (WSL2), character devices only."""
    names = host.names("/dev")
    if not isinstance(names, tuple):
        return () if names is None else names
    nodes: list[DeviceNode] = []
    for name in names:
        if name.startswith("nvidia") or name == "dxg":
            status = host.stat(f"/dev/{name}")
            if isinstance(status, Gap):
                return status
            if status is not None and status.kind == "char":
                nodes.append(DeviceNode(f"/dev/{name}", status.mode, status.uid, status.gid, status.accessible))
    return tuple(nodes)
