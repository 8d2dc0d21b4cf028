"""What is found in Dockerfiles, and what is not. Many are reductions of public ones; where from stands in the id."""

from __future__ import annotations

import json

import pytest
from container_files import HINTS, judge, read, told
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from gpucheck.compat import images
from gpucheck.compat.tensorflow import RELEASES
from gpucheck.containers.contents import contents
from gpucheck.containers.report import judge_file
from gpucheck.containers.rules.driver import brings_driver
from gpucheck.containers.rules.engine import documented
from gpucheck.facts.codec import decode, encode
from gpucheck.facts.containers import ContainerFile, Image
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import CudaVersion, CudnnVersion

CUDA11 = "FROM nvidia/cuda:11.2.2-cudnn8-runtime-ubuntu20.04\nRUN apt-get install -y python3 python3-pip\n"
WRONG_CUDNN = "error image-cudnn-wrong-version"
CUDA12 = "FROM nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04\nRUN apt-get install -y python3-pip\n"

# (where it is from, Dockerfile, findings without the driver's note; "?" for an open verdict)
CASES = [
    # those that are fine
    ("tested build of 2.11", CUDA11 + "RUN pip3 install tensorflow==2.11.1\n", []),
    ("tested build of 2.15", CUDA12 + "RUN pip3 install tensorflow==2.15.1\n", []),
    ("plain base and extra", "FROM python:3.11-slim\nRUN pip install 'tensorflow[and-cuda]==2.17.1'\n", []),
    ("TensorFlow's own image", "FROM tensorflow/tensorflow:2.15.0-gpu\nRUN pip install pandas\n", []),
    ("TensorFlow's own, asked again", "FROM tensorflow/tensorflow:2.15.0-gpu\nRUN pip install tensorflow\n", []),
    ("no framework at all", "FROM node:20\nRUN npm ci\n", []),
    (
        "horovod/horovod docker/horovod/Dockerfile: libcudnn8 by apt, python by a variable",
        "ARG TAG=11.2.2-devel-ubuntu20.04\nFROM nvidia/cuda:${TAG}\nARG V=2.7.1\nARG CUDNN=8.1.1.33-1+cuda11.2\n"
        "ARG P=3.8\nRUN apt-get install -y libcudnn8=${CUDNN} python${P}\nRUN pip install tensorflow==${V}\n",
        [],
    ),
    (
        "a public Dockerfile with CUDA 8, cuDNN 6 and TensorFlow 1.4",
        "FROM nvidia/cuda:8.0-cudnn6-runtime-ubuntu16.04\nRUN pip install tensorflow-gpu==1.4.0\n",
        [],
    ),
    ("a range that fits whole", CUDA12 + "RUN pip3 install 'tensorflow>=2.15.1,<2.18'\n", []),
    (
        "a public Dockerfile: the package tensorflow-gpu on an image that holds the package tensorflow",
        "FROM tensorflow/tensorflow:latest-gpu\nRUN python3 -m pip install tensorflow-gpu\n",
        ["warning image-tensorflow-gpu-removed"],
    ),
    (
        "the same on an image that holds the package tensorflow-gpu",
        "FROM tensorflow/tensorflow:2.0.0-gpu-py3\nRUN pip install tensorflow-gpu\n",
        [],
    ),
    (
        "a public Dockerfile: the empty package after a real one",
        "FROM python:3.9-slim-buster\nRUN pip install tensorflow==2.15\nRUN pip3 install tensorflow-gpu==2.12.0\n",
        ["error image-tensorflow-gpu-removed"],
    ),
    (
        "one that is there is not taken anew",
        "FROM python:3.9\nRUN pip install tensorflow-gpu==2.10.1\nRUN pip install tensorflow-gpu\n",
        ["error image-cuda-missing"],
    ),
    (
        "a public Dockerfile: what conda's file brings is not here",
        "FROM continuumio/miniconda3\nRUN conda env update -n root --file environment.yml\n"
        "RUN pip install tensorflow==2.10.1\n",
        [],
    ),
    ("a script that is not here", "FROM python:3.9\nRUN bash init.sh\nRUN pip install tensorflow==2.10.1\n", []),
    # CUDA and cuDNN
    (
        "dcslin/seq2seq Dockerfile",
        "from nvidia/cuda:8.0-cudnn7-devel\nrun python3 -m pip install tensorflow-gpu==1.0\n",
        ["error image-cudnn-wrong-version"],
    ),
    (
        "pedro-dm-gomes/graphrnn-mmw-denoising Dockerfile",
        "FROM nvidia/cuda:11.6.1-runtime-ubuntu20.04\nRUN apt install -y python3-pip && true\n"
        "RUN A=b python3 -m pip install tensorflow==2.12.0\n",
        ["error image-cudnn-missing"],
    ),
    (
        "a public Dockerfile, not pinned",
        "FROM nvidia/cuda:11.3.1-cudnn8-runtime-ubuntu20.04\n"
        "RUN apt-get -y install python3-pip\nRUN python3 -m pip install tensorflow\n",
        ["warning image-cudnn-wrong-version"],
    ),
    (
        "a public Dockerfile with libcudnn8 on base",
        "FROM nvidia/cuda:11.6.1-base-ubuntu20.04\nRUN apt-get install -y python3-pip libcudnn8\n"
        "RUN pip install tensorflow==2.12.0\n",
        ["error image-cuda-missing"],
    ),
    ("cuDNN 8.1 where 8.6 is wanted", CUDA11 + "RUN pip3 install tensorflow==2.13.1\n", [WRONG_CUDNN]),
    (
        "CUDA 12 for a build with 11",
        CUDA12 + "RUN pip3 install tensorflow==2.14.1\n",
        ["error image-cuda-wrong-version"],
    ),
    (
        "cuDNN 9.2 where 9.3 is wanted (tensorflow#60913)",
        "FROM nvidia/cuda:12.5.1-cudnn-runtime-ubuntu22.04\nRUN apt-get install -y python3-pip\n"
        "RUN pip install tensorflow==2.18.0\n",
        ["error image-cudnn-wrong-version"],
    ),
    (
        "libcusolver.so.10 of 11.0 is not in 11.2",
        CUDA11 + "RUN pip3 install tensorflow==2.4.1\n",
        ["error image-cuda-wrong-version"],
    ),
    (
        "not pinned, CUDA 11, Python 3.10",
        "FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04\nRUN apt-get install -y python3-pip\n"
        "RUN pip install tensorflow\n",
        ["warning image-cuda-wrong-version", "warning image-cudnn-wrong-version"],
    ),
    ("the extra comes too early", CUDA11 + "RUN pip3 install 'tensorflow[and-cuda]==2.11.1'\n", []),
    (
        "the extra comes too early, and no CUDA",
        "FROM python:3.10\nRUN pip install 'tensorflow-gpu==2.10.1'\n",
        ["error image-cuda-missing"],
    ),
    ("no CUDA, not meant", "FROM python:3.11\nRUN pip install tensorflow==2.15.1\n", ["info image-cuda-missing"]),
    (
        "no CUDA, and meant",
        "FROM python:3.11\nENV NVIDIA_VISIBLE_DEVICES=all\nRUN pip install tensorflow==2.15.1\n",
        ["warning image-cuda-missing"],
    ),
    (
        "CUDA twice",
        CUDA12 + "RUN pip3 install 'tensorflow[and-cuda]==2.15.1'\n",
        ["info image-two-cudas"],
    ),
    (
        "2.16.1's RUNPATH",
        "FROM python:3.12\nRUN pip install 'tensorflow[and-cuda]==2.16.1'\n",
        ["error image-pip-cuda-not-found"],
    ),
    (
        "2.16.1's RUNPATH, helped",
        "FROM python:3.12\nENV LD_LIBRARY_PATH=/x/nvidia/cudnn/lib\nRUN pip install 'tensorflow[and-cuda]==2.16.1'\n",
        [],
    ),
    # what cannot be installed
    ("aptitek/testorflow Dockerfile", "FROM python:3.12-alpine\nRUN python -m pip install tensorflow\n", [
        "error image-glibc-does-not-fit", "info image-cuda-missing"]),
    ("old release, new Python", "FROM python:3.12\nRUN pip install tensorflow==2.15.1\n", [
        "error image-python-without-wheel", "info image-cuda-missing"]),
    ("a range, and no wheel", "FROM python:3.11\nRUN pip install 'tensorflow>=1.15,<2'\n", [
        "error image-python-without-wheel"]),
    (
        "glibc of CentOS 7",
        "FROM nvidia/cuda:12.2.2-cudnn8-runtime-centos7\n"
        "RUN python3.10 -m pip install 'tensorflow[and-cuda]==2.21.0'\n",
        ["error image-glibc-does-not-fit", "info image-two-cudas"],
    ),
    (
        "a public Dockerfile with 2.15.0's extra",
        "FROM python:3.11\nRUN pip3 install tensorflow[and-cuda]==2.15.0\n",
        ["error image-and-cuda-unresolvable"],
    ),
    (
        "tensorflow-gpu today",
        "FROM python:3.11\nRUN pip install tensorflow-gpu\n",
        ["error image-tensorflow-gpu-removed", "error image-python-without-wheel", "error image-cuda-missing"],
    ),
    # builds for the CPU
    (
        "a public Dockerfile with the CPU's package on CUDA",
        CUDA11 + "ARG PKG=tensorflow-cpu==2.10.1\nRUN pip3 install ${PKG}\n",
        ["warning image-cpu-only-tensorflow"],
    ),
    ("the CPU's image", "FROM tensorflow/tensorflow:2.15.0\n", ["info image-cpu-only-tensorflow"]),
    (
        "tensorflow 1 is the CPU's",
        "FROM nvidia/cuda:10.0-cudnn7-runtime-ubuntu18.04\nRUN pip install tensorflow==1.14.0\n",
        ["warning image-cpu-only-tensorflow"],
    ),
    (
        "conda in docker build",
        "FROM condaforge/miniforge3\nENV NVIDIA_VISIBLE_DEVICES=all\nRUN conda install -y tensorflow\n",
        ["warning image-conda-cpu-build"],
    ),
    (
        "conda told of CUDA",
        "FROM condaforge/miniforge3\nENV NVIDIA_VISIBLE_DEVICES=all\n"
        "RUN CONDA_OVERRIDE_CUDA=12 conda install -y tensorflow\n",
        [],
    ),
    (
        "pittyacg/DockerTest Dockerfile",
        "FROM nvidia/cuda:8.0-cudnn7-runtime-ubuntu16.04\nFROM continuumio/miniconda3\nRUN pip install numpy\n",
        ["warning image-stage-without-effect"],
    ),
    (
        "over NVIDIA's own build",
        "FROM nvcr.io/nvidia/tensorflow:23.01-tf2-py3\nRUN pip install tensorflow==2.12.0\n",
        ["error image-cuda-wrong-version", "warning image-replaces-tensorflow"],
    ),
    # variables, drivers
    (
        "capabilities",
        CUDA12 + "ENV NVIDIA_DRIVER_CAPABILITIES=utility\nRUN pip3 install tensorflow==2.15.1\n",
        ["error image-capabilities-without-compute"],
    ),
    (
        "capabilities, misspelt beside",
        CUDA12 + "ENV NVIDIA_DRIVER_CAPABILITIES compute,utilty\nRUN pip3 install tensorflow==2.15.1\n",
        ["warning image-capabilities-without-compute"],
    ),
    ("capabilities of an image without GPU", "FROM node:20\nENV NVIDIA_DRIVER_CAPABILITIES=video\n", []),
    (
        "no utility for 2.21",
        "FROM python:3.12\nENV NVIDIA_DRIVER_CAPABILITIES=compute LD_LIBRARY_PATH=/nvidia\n"
        "RUN pip install 'tensorflow[and-cuda]==2.21.0'\n",
        ["error image-capabilities-without-compute"],
    ),
    (
        "hidden",
        CUDA12 + "ENV CUDA_VISIBLE_DEVICES=-1\nRUN pip3 install tensorflow==2.15.1\n",
        ["warning image-hides-gpus"],
    ),
    (
        "void",
        CUDA12 + "ENV NVIDIA_VISIBLE_DEVICES=void\nRUN pip3 install tensorflow==2.15.1\n",
        ["warning image-hides-gpus"],
    ),
    (
        "stubs",
        CUDA12 + "ENV LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs:$LD_LIBRARY_PATH\n"
        "RUN pip3 install tensorflow==2.15.1\n",
        ["warning image-stubs-on-library-path"],
    ),
    (
        "stubs, linked",
        CUDA12 + "RUN ln -s /usr/local/cuda/lib64/stubs/libcuda.so /usr/local/cuda/lib64/stubs/libcuda.so.1\n"
        "ENV LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs:$LD_LIBRARY_PATH\nRUN pip3 install tensorflow==2.15.1\n",
        ["error image-stubs-on-library-path"],
    ),
    (
        "the path of a public Dockerfile",
        "FROM nvidia/cuda:10.0-cudnn7-devel-ubuntu18.04\nRUN apt-get install -y python3 python3-pip\n"
        "ENV LD_LIBRARY_PATH /usr/local/cuda/extras/CUPTI/lib64\nRUN pip3 install tensorflow-gpu==1.13.1\n",
        ["info image-library-path-overridden"],
    ),
    (
        "a driver in the image",
        CUDA12 + "RUN apt-get install -y libnvidia-compute-535\nRUN pip3 install tensorflow==2.15.1\n",
        ["warning image-holds-driver"],
    ),
]  # fmt: skip

# What is left open, and a word of the reason.
OPEN = [
    ("a private base", "FROM hub.example.org/base\nRUN pip install tensorflow==2.16.1\n", "hub.example.org/base"),
    ("no default", "ARG CUDA\nFROM nvidia/cuda:${CUDA}-runtime\nRUN pip install tensorflow==2.15.1\n", "CUDA"),
    ("aLeX-49/logically-challenge: a digest", "FROM tensorflow/tensorflow@sha256:7b2e\n", "digest"),
    ("a list that is not here", "FROM python:3.11\nRUN pip install -r requirements.txt\n", "requirements.txt"),
    ("google-deepmind/alphafold", CUDA11 + "RUN pip3 install -r /app/alphafold/requirements.txt\n", "requirements.txt"),
    ("google/deepvariant", "ARG I=ubuntu:16.04\nFROM $I\nRUN ./run-prereq.sh\n", "run-prereq.sh"),
    ("tensorflow's gpu.Dockerfile", "FROM ubuntu:18.04\nARG PIP\nRUN ${PIP} install tensorflow\n", "${PIP}"),
    ("a version by argument", CUDA11 + "ARG V\nRUN pip3 install tensorflow==$V\n", "tensorflow==${V}"),
    (
        "Xealdar/tp-cnn: what the pip of Ubuntu 18.04 takes",
        "FROM nvidia/cuda:10.0-cudnn7-devel-ubuntu18.04\nRUN apt-get install -y python3 python3-pip\n"
        "RUN pip3 install tensorflow-gpu\n",
        "Python 3.6",
    ),
    (
        "which Python",
        "FROM nvidia/cuda:11.2.2-cudnn8-runtime-ubuntu20.04\nRUN uv venv\nRUN uv pip install tensorflow\n",
        "Python",
    ),
    (
        "either build",
        CUDA12 + "RUN if [ $X ]; then pip install tensorflow; else pip install tensorflow-cpu; fi\n",
        "condition",
    ),
    (
        "cuDNN by hand",
        "FROM nvidia/cuda:12.3.2-devel-ubuntu22.04\nCOPY cudnn /x\nRUN python3.10 -m pip install tensorflow==2.16.2\n",
        "cuDNN",
    ),
    ("PyTorch's CUDA", "FROM python:3.11\nRUN pip install torch tensorflow==2.16.2\n", "torch"),
    (
        "CUDA by hand",
        "FROM ubuntu:22.04\nRUN sh cuda_12.3.2_linux.run --silent\nRUN python3.10 -m pip install tensorflow==2.16.2\n",
        "CUDA",
    ),
    (
        "a tag that nobody has listed",
        "FROM nvidia/cuda:12.9.1-cudnn-runtime-ubuntu24.04\nRUN python3.12 -m pip install tensorflow==2.18.1\n",
        "which cuDNN",
    ),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_a_dockerfile_is_told(text: str, expected: list[str]) -> None:
    findings = judge(text).findings
    assert [f"{one.severity.value} {one.name}" for one in findings if one.name not in HINTS] == expected
    for one in findings:
        path, _, line = one.evidence[0].source.rpartition(":")
        assert (path, 1 <= int(line) <= text.count("\n") + 1) == ("Dockerfile", True)


@pytest.mark.parametrize(("text", "word"), [case[1:] for case in OPEN], ids=[case[0] for case in OPEN])
def test_what_cannot_be_known_is_said_to_be_unknown(text: str, word: str) -> None:
    report = judge(text)
    assert [one for one in report.findings if one.severity.value != "info"] == []
    assert (report.verdict, report.exit_code()) == ("unknown", 3)
    assert any(word in one.reason for one in report.skipped if one.decisive)


def test_every_rule_fires_somewhere_and_is_documented() -> None:
    named = {word.split()[1] for _, _, expected in CASES for word in expected}
    of_dockerfiles = {name for name in documented() if name.startswith("image-")}
    assert named == of_dockerfiles - {"image-needs-driver", "image-host-driver-too-old"}
    for one in documented().values():
        for title in ("## What it means", "## Why it matters", "## How to fix", "## References"):
            assert title in one.documentation, one.name


def test_the_driver_that_a_host_needs_is_told() -> None:
    (hint,) = (one for one in judge(CUDA12 + "RUN pip3 install tensorflow==2.15.1\n").findings if one.name in HINTS)
    assert "525.60.13" in hint.message


def test_facts_survive_json_and_are_judged_alike() -> None:
    report = judge(CUDA11 + "RUN pip3 install tensorflow==2.15.1\n")
    facts = decode(Snapshot, json.loads(json.dumps(encode(report.snapshot))))
    assert facts == report.snapshot
    from gpucheck import api

    assert api.judge(facts).findings == report.findings


def _hidden(image: Image) -> list[Image]:
    """The image with each of its facts hidden."""
    gap = Gap("hidden")
    found = [image._replace(reference=gap)]
    for at, one in enumerate(image.packages):
        hidden = one._replace(wanted=gap)
        found.append(image._replace(packages=(*image.packages[:at], hidden, *image.packages[at + 1 :])))
        hidden = one._replace(certain=False)
        found.append(image._replace(packages=(*image.packages[:at], hidden, *image.packages[at + 1 :])))
    for at, each in enumerate(image.settings):
        unknown = each._replace(value=f"${{{each.name}}}")
        found.append(image._replace(settings=(*image.settings[:at], unknown, *image.settings[at + 1 :])))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("text", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_hiding_a_fact_never_adds_a_finding(text: str) -> None:
    file = read(text)
    assert file.image is not None
    before = set(told(text))
    for image in _hidden(file.image):
        hidden: ContainerFile = file._replace(image=image)
        after = {f"{one.severity.value} {one.name}" for one in judge_file(hidden, "0", None).findings}
        # A gap may make a finding less severe: nothing says any more that a GPU is meant.
        assert {one.split()[1] for one in after} - set(HINTS) <= {one.split()[1] for one in before}


@pytest.mark.parametrize("text", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_a_line_that_is_proposed_is_one_that_passes(text: str) -> None:
    python = read(text)
    assert python.image is not None
    for one in judge(text).findings:
        for line in one.fix:
            if line.startswith("RUN pip install 'tensorflow[and-cuda]") and one.name != "image-python-without-wheel":
                base = "3.10" if "==2.10" in line or "==2.14" in line else "3.11"
                assert told(f"FROM python:{base}\n{line}\n") == [], line


@pytest.mark.parametrize(
    ("name", "brings"),
    [
        ("cuda", True),
        ("cuda-12-2", True),
        ("cuda-runtime-12-2", True),
        ("cuda-drivers", True),
        ("nvidia-driver-535", True),
        ("libnvidia-compute-535", True),
        ("cuda-toolkit-12-2", False),
        ("cuda-libraries-12-2", False),
        ("cuda-compat-12-2", False),
        ("nvidia-container-toolkit", False),
        ("libnvidia-ml-dev", False),
        ("python3", False),
    ],
)
def test_packages_that_bring_a_driver_are_told_from_those_that_do_not(name: str, brings: bool) -> None:
    assert brings_driver(name) is brings


@pytest.mark.parametrize(
    ("reference", "cuda", "cudnn", "libraries"),
    [
        ("nvidia/cuda:11.2.2-cudnn8-runtime-ubuntu20.04", "11.2.2", ["8.1.1"], True),
        ("docker.io/nvidia/cuda:11.2-cudnn8-devel@sha256:ab", "11.2", ["8.1.1"], True),
        ("nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubi8", "12.4.1", ["9.1.0"], True),
        ("nvidia/cuda:12.2.0-base-ubuntu22.04", "12.2.0", None, False),
        ("nvidia/cuda:12.2.0-runtime-ubuntu22.04", "12.2.0", None, True),
        ("nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04", "11.8.0", ["8.6.0", "8.9.6"], True),
        ("python:3.11", None, None, False),
    ],
)
def test_tags_tell_what_is_in_an_image(
    reference: str, cuda: str | None, cudnn: list[str] | None, libraries: bool
) -> None:
    made = contents(reference)
    assert made.cuda == (CudaVersion(cuda) if cuda else None)
    assert made.libraries is libraries
    found = None if made.cudnn is None or isinstance(made.cudnn, Gap) else list(dict.fromkeys(map(str, made.cudnn)))
    assert found == cudnn


@pytest.mark.slow
@given(st.text(alphabet="nvidia/cu:-.0123dtensorflowgpy@", max_size=40))
@examples(200)
def test_any_name_of_an_image_is_taken(name: str) -> None:
    contents(name)


def test_the_table_of_images_is_in_order_and_plausible() -> None:
    rows = images.CUDNN
    assert [CudaVersion(row.cuda) for row in rows] == sorted(CudaVersion(row.cuda) for row in rows)
    for row in rows:
        assert CudnnVersion(row.least) <= CudnnVersion(row.most)
        digits = row.cudnn.removeprefix("cudnn")
        assert not digits or CudnnVersion(row.least).major == int(digits)
        assert row.source
    assert len({name for row in images.SYSTEMS for name in row.names}) == sum(len(row.names) for row in images.SYSTEMS)


@pytest.mark.slow
def test_every_release_on_every_image_is_judged_without_a_fault() -> None:
    for row in images.CUDNN:
        base = f"FROM nvidia/cuda:{row.cuda}-{row.cudnn}-runtime-ubuntu22.04\n"
        for release in RELEASES:
            judge(f"{base}RUN python3.10 -m pip install {release.package}=={release.version}\n")
