"""What is found in compose files: how services ask for GPUs, and what their images make of it."""

from __future__ import annotations

import pytest
from container_files import HINTS, judge, read, told
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from gpucheck.containers import tree
from gpucheck.containers.reading import BadContainerFile
from gpucheck.containers.rules.engine import documented
from gpucheck.facts.gap import Gap

GPU = "tensorflow/tensorflow:2.15.0-gpu"
RESERVED = "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}"


def service(body: str, image: str = GPU, more: str = "") -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"services:\n  trainer:\n    image: {image}\n{lines}{more}"


def reserved(request: str) -> str:
    return service(f"deploy:\n  resources:\n    reservations:\n      devices:\n        - {request}")


FINE = [
    service(RESERVED),
    service("gpus: all"),
    service("gpus:\n  - driver: nvidia\n    count: 2"),
    service("runtime: nvidia"),
    service("devices:\n  - nvidia.com/gpu=all"),
    reserved("{driver: nvidia, device_ids: ['0'], capabilities: [gpu]}"),
    reserved("{capabilities: [gpu, compute, utility], count: '${N:-all}'}"),
    reserved("{driver: cdi, device_ids: [nvidia.com/gpu=all], capabilities: [gpu]}"),
    service("", "postgres:16"),
    service("", "${REGISTRY:-}postgres:16"),
    service("runtime: nvidia\nenvironment:\n  - NVIDIA_VISIBLE_DEVICES=0", "python:3.12"),
    # TensorBoard beside a trainer needs no GPU
    service(RESERVED, more=f"  board:\n    image: {GPU}\n    command: tensorboard\n"),
]

WRONG = [
    ("none at all", service(""), ["warning compose-service-without-gpu"]),
    ("an article's example", reserved("{driver: nvidia, count: all}"), ["error compose-device-request-wrong"]),
    ("misspelt, and no driver", reserved("{capabilities: [gpus]}"), ["error compose-device-request-wrong"]),
    ("no list", reserved("{driver: nvidia, capabilities: gpu}"), ["error compose-device-request-wrong"]),
    (
        "utility alone",
        reserved("{driver: nvidia, capabilities: [gpu, utility]}"),
        ["error compose-device-request-wrong"],
    ),
    (
        "number and names",
        reserved("{driver: nvidia, count: 1, device_ids: ['0'], capabilities: [gpu]}"),
        ["error compose-device-request-wrong"],
    ),
    (
        "a number in words",
        reserved("{driver: nvidia, count: one, capabilities: [gpu]}"),
        ["error compose-device-request-wrong"],
    ),
    ("the driver misspelt", reserved("{driver: nvida, capabilities: [gpu]}"), ["error compose-device-request-wrong"]),
    (
        "under limits",
        service("deploy: {resources: {limits: {devices: [{capabilities: [gpu]}]}}}"),
        ["error compose-device-request-wrong"],
    ),
    ("not under deploy", service("resources: {reservations: {}}"), ["error compose-device-request-wrong"]),
    ("gpus as a number", service("gpus: 1"), ["error compose-device-request-wrong"]),
    ("nodes alone", service("devices:\n  - /dev/nvidia0"), ["warning compose-service-without-gpu"]),
    (
        "for Swarm",
        service(
            "deploy:\n  resources:\n    reservations:\n      generic_resources:\n"
            "        - discrete_resource_spec: {kind: NVIDIA-GPU, value: 1}"
        ),
        ["warning compose-gpu-for-swarm-only"],
    ),
    (
        "the runtime alone",
        service("runtime: nvidia", "python:3.12"),
        ["error compose-runtime-without-devices"],
    ),
    ("the CPU's image", service(RESERVED, "tensorflow/tensorflow:2.15.0"), ["error image-cpu-only-tensorflow"]),
    (
        "hidden by the environment",
        service(RESERVED + "\nenvironment:\n  CUDA_VISIBLE_DEVICES: '-1'"),
        ["error image-hides-gpus"],
    ),
    (
        "void for the runtime",
        service("runtime: nvidia\nenvironment: [NVIDIA_VISIBLE_DEVICES=void]"),
        ["error image-hides-gpus"],
    ),
    (
        "capabilities in the environment",
        service(RESERVED + "\nenvironment: [NVIDIA_DRIVER_CAPABILITIES=video]"),
        ["error image-capabilities-without-compute"],
    ),
]


@pytest.mark.parametrize("text", FINE)
def test_services_that_get_what_they_need_are_left_alone(text: str) -> None:
    report = judge(text, "compose.yml")
    assert [one.name for one in report.findings if one.severity.value != "info"] == []
    assert report.verdict == "ok"


@pytest.mark.parametrize(("text", "expected"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_what_a_compose_file_is_told(text: str, expected: list[str]) -> None:
    findings = judge(text, "compose.yml").findings
    assert [f"{one.severity.value} {one.name}" for one in findings if one.name not in HINTS] == expected
    for one in findings:
        path, _, line = one.evidence[0].source.rpartition(":")
        assert (path, 1 <= int(line) <= text.count("\n") + 1) == ("compose.yml", True)


def test_every_rule_of_compose_files_fires_somewhere() -> None:
    named = {word.split()[1] for _, _, expected in WRONG for word in expected}
    assert {name for name in documented() if name.startswith("compose-")} <= named


def test_a_build_is_followed_to_its_dockerfile_with_its_arguments_and_target() -> None:
    text = (
        "services:\n  a:\n    build:\n      context: ./docker\n      dockerfile: gpu.Dockerfile\n      target: run\n"
        f"      args:\n        TAG: ${{TF:-2.15.0}}\n    {RESERVED}\n"
    )
    files = {"docker/gpu.Dockerfile": "ARG TAG=x\nFROM tensorflow/tensorflow:${TAG} AS run\nFROM node\n"}
    (finding,) = judge(text, "compose.yml", files).findings
    assert finding.name == "image-cpu-only-tensorflow"
    assert finding.evidence[0].source == "docker/gpu.Dockerfile:2"
    files[".env"] = "TF=2.15.0-gpu\n"
    assert told(text, "compose.yml", files) == []


def test_requirements_of_a_build_context_are_found_there() -> None:
    files = {"app/Dockerfile": "FROM python:3.12\nRUN pip install -r r.txt\n", "app/r.txt": "tensorflow==2.15.1\n"}
    found = told("services:\n  a:\n    build: app\n", "compose.yml", files)
    assert found == ["error image-python-without-wheel", "info image-cuda-missing"]


def test_a_dockerfile_inside_the_compose_file_is_read() -> None:
    text = "services:\n  a:\n    build:\n      dockerfile_inline: |\n        FROM tensorflow/tensorflow:2.15.0-gpu\n"
    assert told(text, "compose.yml") == ["warning compose-service-without-gpu"]


def test_anchors_merge_keys_and_extends_bring_their_reservation() -> None:
    text = (
        f"x-gpu: &gpu\n  {RESERVED}\nservices:\n  a:\n    <<: *gpu\n    image: {GPU}\n"
        f"  b:\n    extends: {{service: a}}\n    image: nvcr.io/nvidia/tensorflow:23.01-tf2-py3\n"
        f"  c:\n    extends:\n      service: d\n      file: base.yml\n    image: tensorflow/tensorflow:2.14.0-gpu\n"
    )
    assert told(text, "compose.yml", {"base.yml": f"services:\n  d:\n    {RESERVED}\n"}) == []
    assert told(text, "compose.yml") == ["warning compose-service-without-gpu"]


def test_the_override_that_compose_takes_by_itself_is_taken() -> None:
    files = {"compose.override.yml": f"services:\n  trainer:\n    {RESERVED}\n"}
    assert told(service(""), "compose.yml", files) == []
    assert told(service(""), "other.yml", files) == ["warning compose-service-without-gpu"]


def test_variables_of_an_env_file_count_and_one_that_is_not_here_leaves_them_open() -> None:
    text = service("runtime: nvidia\nenv_file: gpu.env", "python:3.12")
    assert told(text, "compose.yml", {"gpu.env": "TOKEN=geheim\nNVIDIA_VISIBLE_DEVICES=all\n"}) == []
    report = judge(text, "compose.yml")
    assert "compose-runtime-without-devices" in [one.name for one in report.skipped]
    facts = read(text, "compose.yml", {"gpu.env": "TOKEN=geheim\n"})
    assert "geheim" not in repr(facts)


def test_an_image_by_a_variable_without_default_is_not_known() -> None:
    (one,) = read(service("", "${IMAGE}"), "compose.yml").services
    assert not isinstance(one.image, Gap)
    assert one.image is not None
    assert isinstance(one.image.reference, Gap)
    assert judge(service(RESERVED, "${IMAGE}"), "compose.yml").exit_code() == 3


def test_an_unknown_neighbour_leaves_nothing_open_where_another_service_was_judged() -> None:
    more = "  api:\n    image: registry.example.org/api\n"
    assert judge(service(RESERVED, more=more), "compose.yml").verdict == "ok"
    assert judge(f"services:\n{more}", "compose.yml").verdict == "unknown"


def test_an_unknown_image_that_is_given_a_gpu_leaves_the_verdict_open() -> None:
    more = f"  api:\n    image: registry.example.org/api\n    {RESERVED}\n"
    assert judge(service(RESERVED, more=more), "compose.yml").verdict == "unknown"


def test_pytorch_in_an_image_is_no_proof_that_a_gpu_is_meant() -> None:
    """horovod/horovod docker-compose.test.yml: services for the CPU, with a torch of theirs."""
    files = {"Dockerfile": "FROM ubuntu:20.04\nRUN pip install torch -f https://host/whl/cpu/torch_stable.html\n"}
    assert told("services:\n  a:\n    build: .\n", "compose.yml", files) == []


def test_json_and_tabs_of_others_are_yaml_too() -> None:
    assert told('{"services": {"a": {"image": "tensorflow/tensorflow:2.15.0-gpu"}}}', "compose.json") == [
        "warning compose-service-without-gpu"
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: [", "line"),
        ("services: []", "no services"),
        ("a: 1", "no services"),
        ("services: " + "[" * 100, "deeper"),
        ("x" * (1 << 20), "larger"),
        ("\t", "line"),
    ],
)
def test_what_is_no_compose_file_is_refused_in_words(text: str, word: str) -> None:
    with pytest.raises(BadContainerFile, match=word):
        read(text, "compose.yml")


@pytest.mark.slow
def test_a_bomb_of_aliases_ends() -> None:
    lines = [
        "a0: &a0 [x, x]",
        *(f"a{at}: &a{at} [*a{at - 1}, *a{at - 1}]" for at in range(1, 30)),
        "services: {b: *a29}",
    ]
    with pytest.raises(BadContainerFile, match="too many"):
        read("\n".join(lines), "compose.yml")


def test_an_alias_that_holds_itself_ends() -> None:
    with pytest.raises(BadContainerFile, match="too many"):
        read("services: &a\n  b: *a\n", "compose.yml")


@pytest.mark.slow
@given(st.text(alphabet="a:-[]{}&*!|>#'\"\n \tservi<", max_size=60))
@examples(200)
def test_any_text_is_a_tree_or_is_refused(text: str) -> None:
    try:
        tree.load(text, "x")
    except tree.BadTree as error:
        assert "\n" not in str(error)  # noqa: PT017


def test_the_reservation_that_is_proposed_is_one_that_passes() -> None:
    (finding,) = (one for one in judge(service(""), "compose.yml").findings if one.name.startswith("compose"))
    body = "\n".join(line for line in finding.fix if not line.startswith("#"))
    assert told(service(body), "compose.yml") == []
