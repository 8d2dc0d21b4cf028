"""Container files as text, judged without a disk."""

from __future__ import annotations

from gpucheck.containers import reading
from gpucheck.containers.report import judge_file
from gpucheck.facts.containers import ContainerFile
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Report

HINTS = ("image-needs-driver",)  # of every image for GPUs


class Files:
    """A build context in memory."""

    def __init__(self, files: dict[str, str] | None = None) -> None:
        self.files = dict(files or {})

    def read(self, path: str) -> str | None:
        return self.files.get(path.removeprefix("./"))

    def name(self, path: str) -> str:
        return path.removeprefix("./")


def read(text: str, path: str = "Dockerfile", files: dict[str, str] | None = None) -> ContainerFile:
    return reading.read(text, path, Files(files))


def judge(
    text: str, path: str = "Dockerfile", files: dict[str, str] | None = None, host: Snapshot | None = None
) -> Report:
    return judge_file(read(text, path, files), "0.1.0", host)


def told(
    text: str, path: str = "Dockerfile", files: dict[str, str] | None = None, host: Snapshot | None = None
) -> list[str]:
    """ "error image-cuda-missing" … of each finding, without the hints."""
    findings = judge(text, path, files, host).findings
    return [f"{one.severity.value} {one.name}" for one in findings if one.name not in HINTS]
