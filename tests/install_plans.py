"""Plans, proofs and receipts made by hand, for the tests of what is shown."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.plan import (
    RECEIPT_SCHEMA,
    SCHEMA,
    Candidate,
    Check,
    Choice,
    Cure,
    Objection,
    Package,
    Plan,
    Proof,
    Receipt,
    Request,
    Room,
    Route,
    Target,
)
from gpucheck.facts.versions import CudaVersion, CudnnVersion, LibcVersion, PackageVersion, PythonVersion

TARGET = Target("linux", "x86_64", LibcVersion("2.36"), PythonVersion("3.12"))
OLD = Objection("K06", "libtensorflow_framework does not find the CUDA wheels", "tensorflow#63362", "2.16.2 mends it")
NO_WHEEL = Objection("python-without-wheel", "it has wheels for Python 3.9, not for 3.12", "files on the index")


def choice(release: Union[str, None] = "2.21.0", hostile: str = "") -> Choice:
    return Choice(
        request=Request(),
        target=TARGET,
        release=PackageVersion(release) if release else None,
        package="tensorflow",
        requirements=("tensorflow[and-cuda]==2.21.0",),
        exclude_newer=None,
        cuda=CudaVersion("12.5.1"),
        cudnn=CudnnVersion("9.3"),
        brings_cuda=True,
        cures=("libcusolver-beside-cusparse",),
        reasons=(f"it is the newest release with code for this GPU (8.9){hostile}", "driver 580.82 runs CUDA 12"),
        candidates=(
            Candidate(PackageVersion("2.22.0rc0"), (Objection("K20", "a release candidate", "METADATA"),)),
            Candidate(PackageVersion("2.21.0"), () if release else (NO_WHEEL,)),
            Candidate(PackageVersion("2.16.1"), (OLD, NO_WHEEL)),
        ),
        routes=()
        if release
        else (Route("Another Python", ("gpucheck install --python /usr/bin/python3.12",), "PATH"),),
    )


def package(name: str, version: str, size: Union[int, None], why: str = "tensorflow") -> Package:
    file = f"{name}-{version}-py3-none-any.whl"
    return Package(name, PackageVersion(version), file, f"wheels/{file}", "0" * 64, size, why)


def plan(hostile: str = "", free: int = 50_000_000_000) -> Plan:
    return Plan(
        schema=SCHEMA,
        version="0.4.0",
        made="2026-11-23T14:00:00Z",
        choice=choice(hostile=hostile),
        packages=(
            package("tensorflow", "2.21.0", 573_000_000, f"asked for{hostile}"),
            package("nvidia-cudnn-cu12", "9.10.2.21", 706_800_000),
            package("nvidia-cuda-runtime-cu12", "12.9.79", 3_500_000),
            package("keras", "3.15.1", 1_300_000),
            package("absl-py", "2.3.1", None),
        ),
        rooms=(
            Room("downloads", "/home/user/.cache/gpucheck", 1_284_000_000, free),
            Room("the environment", "/home/user/project", 2_400_000_000, free),
        ),
        by_hand=("uv venv .venv", "uv pip install 'tensorflow[and-cuda]==2.21.0'"),
        taken_over=("pip's index-url https://user:****@mirror.example/simple (PIP_INDEX_URL)",),
        notes=(f"the active environment is left alone{hostile}",),
    )


def proof(good: bool = True) -> Proof:
    lines = () if good else ("libcudnn.so.9: file too short",)
    return Proof(
        checks=(
            Check("files", "proven", "24,872 files of 44 packages are there"),
            Check("libraries", "proven" if good else "failed", "13 CUDA libraries load from the environment", lines),
            Check("gpu", "unproven", "libraries complete, no GPU here to run on"),
        ),
        cures=(Cure("libcusolver-beside-cusparse", "a link to libcusolver", ("lib/x",)),),
        seconds=12.5,
    )


def receipt(hostile: str = "") -> Receipt:
    return Receipt(RECEIPT_SCHEMA, "0.4.0", "2026-11-23T14:01:00Z", plan(hostile), proof(), "20261123T140000-1")
