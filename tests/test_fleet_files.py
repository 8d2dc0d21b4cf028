"""Files of nodes: which node each is of, and one finding, no more, for whatever is not a node's file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import fleets
import looked
import machines
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpucheck.facts.codec import BadFacts, decode, encode
from gpucheck.facts.compiled import decode_fast
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.fleet import judging, processes, reading
from gpucheck.fleet.grouping import fleet
from gpucheck.fleet.nodes import MOST_FINDINGS, MOST_GPUS, MOST_MARKS, MOST_TEXT, Node
from gpucheck.fleet.reading import Source
from gpucheck.render.fleet import FORMATS

SOME = machines.names()[::12]


def test_a_node_gets_the_findings_that_doctor_has_for_it(tmp_path: Path) -> None:
    fleets.write(tmp_path, **{name: fleets.text(name) for name in SOME})
    for name, node in fleets.judged(tmp_path).items():
        report = looked.report(name)
        assert (node.verdict, [one.name for one in node.findings]) == (
            report.verdict,
            [one.name for one in report.findings],
        )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("node01.json", "node01"),
        ("rack1/node01.json", "rack1/node01"),
        ("node01/snapshot.json", "node01"),
        ("node01/tmp/facts.json", "node01"),
        ("node01.bench.json", "node01"),
        ("gpu01.cluster.example.json", "gpu01.cluster.example"),
        ("../../etc/node01.json", "etc/node01"),
        ("snapshot.json", "snapshot"),
    ],
)
def test_a_path_names_its_node(path: str, name: str) -> None:
    assert reading.node_name(path) == name


def test_snapshots_reports_recordings_and_results_of_bench_may_lie_in_one_folder(tmp_path: Path) -> None:
    from bench_results import result

    fleets.write(tmp_path, first=fleets.text(), second=json.dumps(looked.machine(fleets.H100)))
    (tmp_path / "first.bench.json").write_text(json.dumps(encode(result())))
    nodes = fleets.judged(tmp_path)
    assert set(nodes) == {"first", "second"}
    assert nodes["first"].timings
    assert not nodes["second"].timings
    assert nodes["first"].marks == nodes["second"].marks


def test_files_of_one_name_in_two_folders_are_two_machines_and_a_bench_beside_is_not(tmp_path: Path) -> None:
    paths = []
    for name in ("rack1/n1.json", "rack2/n1.json", "rack1/n2.json", "bench/n2.bench.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
        paths.append(str(path))
    found = {one.node: len(one.paths) for one in reading.sources(paths)}
    racks = [f"{str(tmp_path).strip('/')}/rack{number}/n1" for number in (1, 2)]
    assert found == {**dict.fromkeys(racks, 1), "n2": 2}


def hostile(text: str) -> dict[str, bytes]:
    """What may lie where a node's file should."""
    facts = json.loads(text)
    return {
        "truncated": text[: len(text) // 2].encode(),
        "empty": b"",
        "zeros": b"\0" * 500,
        "deep": b'{"schema": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        "deep-facts": (
            text[:-3].rstrip().removesuffix(",") + ', "x": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}"
        ).encode(),
        "list": b"[1, 2, 3]",
        "text": b'"gpucheck.snapshot/1"',
        "other": b'{"schema": "kubernetes/1"}',
        "no-schema": b"{}",
        "digits": b'{"schema": "gpucheck.snapshot/1", "version": ' + b"9" * 100_000 + b"}",
        "latin": "{'schéma'}".encode("latin-1"),
        "wrong-types": json.dumps({**facts, "gpus": {"0": "H100"}, "system": 17}).encode(),
        "wrong-list": json.dumps({**facts, "probes": [[[]]]}).encode(),
        "nan": json.dumps({**facts, "taken": float("nan")}).encode(),
        "machine": b'{"schema": "gpucheck.machine/1", "paths": 17}',
        "surrogate": text[:-3].encode() + b'", "x": "\xed\xa0\x80"}',
        "infinite": json.dumps({**facts, "seconds": float("inf"), "gpus": float("-inf")}).encode(),
        "huge-integer": json.dumps({**facts, "gpus": 10**4000}).encode(),
        "utf-16": text.encode("utf-16"),
        "bench-of-nothing": b'{"schema": "gpucheck.bench/1"}',
        "twice": (text + text).encode(),
        "many-objects": b'{"schema": [' + b"{}," * 100_000 + b"{}]}",
        "page": b"<html><script>alert(1)</script></html>",
    }


@pytest.mark.parametrize("kind", sorted(hostile(fleets.text("no-gpu-vm"))))
def test_a_hostile_file_is_one_finding_of_its_node_and_no_more(kind: str, tmp_path: Path) -> None:
    fleets.write(tmp_path, good=fleets.text())
    alone = fleets.judged(tmp_path)["good"]
    (tmp_path / "bad.json").write_bytes(hostile(fleets.text("no-gpu-vm"))[kind])
    nodes = fleets.judged(tmp_path)
    assert nodes["good"] == alone
    assert [one.name for one in nodes["bad"].findings] == ["node-file-unreadable"]
    assert nodes["bad"].verdict == "unknown"
    assert not nodes["bad"].marks
    assert kind != "deep" or nodes["bad"].trouble == "nested too deeply"
    told = fleet(nodes.values(), "1")
    assert {name for one in told.over for name in one.nodes} <= {"good"}


def test_a_file_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.write(b'{"schema": "')
        file.truncate(1 << 30)
    node = judging.judge_source(Source("huge", (str(path),)))
    assert node.trouble == "larger than 4 MiB"


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this machine: no named pipes")
    os.mkfifo(tmp_path / "pipe.json")
    assert fleets.judged(tmp_path)["pipe"].trouble == "no regular file"


def test_a_link_out_of_the_folder_is_not_followed_and_one_within_is(tmp_path: Path) -> None:
    inside = fleets.write(tmp_path / "nodes", real=fleets.text())
    fleets.write(tmp_path / "elsewhere", secret=fleets.text())
    (inside / "within.json").symlink_to(inside / "real.json")
    (inside / "out.json").symlink_to(tmp_path / "elsewhere" / "secret.json")
    (inside / "folder").symlink_to(tmp_path / "elsewhere")
    (inside / "circle").symlink_to(inside)
    nodes = fleets.judged(inside)
    assert {Path(name).name for name in nodes} == {"real", "within", "out.json"}
    assert [one.trouble is None for one in nodes.values()].count(False) == 1


def test_links_in_circles_and_to_nothing_cost_themselves_alone(tmp_path: Path) -> None:
    fleets.write(tmp_path, real=fleets.text())
    (tmp_path / "one.json").symlink_to(tmp_path / "two.json")
    (tmp_path / "two.json").symlink_to(tmp_path / "one.json")
    (tmp_path / "nothing.json").symlink_to(tmp_path / "not-there")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "folder.json" / "up").symlink_to("..")
    nodes = fleets.judged(tmp_path)
    assert {name: node.trouble is None for name, node in nodes.items()} == {
        "real": True,
        **dict.fromkeys(("one", "two", "nothing"), False),
    }


@pytest.mark.slow
def test_a_folder_that_may_not_be_listed_is_one_node(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("this machine: permissions are another thing on Windows")
    fleets.write(tmp_path, good=fleets.text("no-gpu-vm"), closed=fleets.text("no-gpu-vm"))
    (tmp_path / "rack1").mkdir(mode=0o000)
    (tmp_path / "closed.json").chmod(0o000)
    tmp_path.chmod(0o755)
    # Root may read everything, and nobody could not load gpucheck: so everything is loaded first.
    words = "import json, os; from gpucheck.fleet.judging import judge_source; from gpucheck.fleet import reading; "
    words += "[judge_source(reading.Source('', (one,))) for one in ('good.json', 'none')]; "
    words += "os.geteuid() or os.seteuid(65534); "
    words += "print(json.dumps({one.node: judge_source(one).trouble for one in reading.sources(['.'])}))"
    done = subprocess.run(
        [sys.executable, "-c", words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        timeout=60,
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == {"good": None, "closed": "Permission denied", "rack1": "Permission denied"}


def test_two_folders_with_the_same_names_are_two_sets_of_machines(tmp_path: Path) -> None:
    day, other = (fleets.write(tmp_path / name, n1="{}", n2="{}") for name in ("rack1", "rack2"))
    (tmp_path / "benches").mkdir()
    (other / "n3.json").write_text("{}")
    (tmp_path / "benches" / "n3.bench.json").write_text("{}")
    found = {one.node: len(one.paths) for one in reading.sources([str(day), str(other), str(tmp_path / "benches")])}
    above = str(tmp_path).strip("/")
    assert found == {**{f"{above}/{rack}/{node}": 1 for rack in ("rack1", "rack2") for node in ("n1", "n2")}, "n3": 2}
    assert len(reading.sources([str(day), str(day), str(day / "n1.json")])) == 2


def test_the_newest_snapshot_of_a_node_counts(tmp_path: Path) -> None:
    old = json.loads(fleets.text("no-gpu-vm"))
    (tmp_path / "n.json").write_text(json.dumps({**old, "taken": "2026-01-01T00:00:00+00:00"}))
    (tmp_path / "n.snapshot.json").write_text(fleets.text(taken="2026-02-01T00:00:00+00:00"))
    (node,) = fleets.judged(tmp_path).values()
    assert node.gpu_count == 8


def test_machines_of_one_name_stay_two() -> None:
    nodes = [fleets.node("localhost")._replace(source=f"tcp://10.0.0.{at}") for at in (1, 2, 2)]
    told = fleet(nodes, "1")
    assert [one.name for one in told.nodes] == [
        *("localhost", "localhost (tcp://10.0.0.2)", "localhost (tcp://10.0.0.2) 2"),
    ]


def test_gpus_that_bench_could_not_measure_are_told(tmp_path: Path) -> None:
    from bench_results import failed, result

    fleets.write(tmp_path, n=fleets.text())
    (tmp_path / "n.bench.json").write_text(json.dumps(encode(result(gpu_leg=failed("gpu:0")))))
    (node,) = fleets.judged(tmp_path).values()
    (finding,) = [one for one in node.findings if one.name == "gpu-not-measured"]
    assert "gpu:0: " in finding.message
    assert node.verdict == "warning"


def test_what_is_expected_is_held_against_each_node(tmp_path: Path) -> None:
    from bench_results import result

    from gpucheck.expecting.reading import read

    wishes = read('driver = ">=580"\nspeed-up = ">=20"\n[gpus]\ncount = 8\n', "cluster.toml", lambda: ())
    assert wishes is not None
    fleets.write(tmp_path, whole=fleets.text(), short=fleets.text("rtx4090-ubuntu"), bad="{", timed=fleets.text())
    (tmp_path / "timed.bench.json").write_text(json.dumps(encode(result(speedup=9.2))))
    nodes = {one.node: judging.judge_source(one, (), wishes) for one in reading.sources([str(tmp_path)])}
    found = {name: [one.message for one in node.findings if "expectation" in one.name] for name, node in nodes.items()}
    assert found["whole"] == []
    assert len(found["short"]) == 1
    assert "times as fast as the CPU, and is 9" in found["timed"][0]
    assert nodes["short"].verdict == nodes["timed"].verdict == "error"
    assert [one.name for one in nodes["bad"].findings] == ["node-file-unreadable"]
    ignored = judging.judge_source(Source("s", (str(tmp_path / "short.json"),)), ("expectation-not-met",), wishes)
    assert "expectation-not-met" not in {one.name for one in ignored.findings}


def test_facts_without_bounds_make_a_node_with_them(tmp_path: Path) -> None:
    facts = json.loads(fleets.text())
    facts["gpus"] = [{**facts["gpus"][0], "name": "x" * 2000, "number": at} for at in range(500)]
    facts["system"]["kernel"] = "6" * 100_000
    fleets.write(tmp_path, big=json.dumps(facts))
    node = fleets.judged(tmp_path)["big"]
    assert node.trouble is None
    assert len(node.gpus) <= MOST_GPUS
    assert len(node.marks) <= MOST_MARKS
    assert len(node.findings) <= MOST_FINDINGS
    assert len(repr(node)) < 200_000
    assert all(len(mark.value) <= MOST_TEXT for mark in node.marks)


@pytest.mark.parametrize("format", FORMATS)
def test_html_and_escapes_in_names_do_nothing_in_any_format(format: str, tmp_path: Path) -> None:
    from importlib import import_module

    nasty = '<script>alert("x")</script>\x1b[31m\u202e|`"\\'
    facts = json.loads(fleets.text())
    for gpu in facts["gpus"]:
        gpu["name"] = nasty
    path = tmp_path / "a<img src=x>\n\x1b]0;t\x07b.json"
    path.write_text(json.dumps(facts))
    told = fleet(fleets.judged(tmp_path).values(), "1")
    text = import_module(f"gpucheck.render.fleet.{format}").render(told)
    assert "\x1b" not in text
    assert "\u202e" not in text
    if format in ("html", "junit", "markdown"):
        assert "<script>alert" not in text
        assert "<img" not in text
    if format == "json":
        assert json.loads(text)["nodes"][0]["peers"] == nasty
    if format == "prometheus":
        assert all(line.startswith(("#", "gpucheck_fleet_")) for line in text.splitlines())


def test_an_answer_is_kept_under_a_name_that_leads_nowhere() -> None:
    assert reading.file_name("../../etc/passwd") == "_.._etc_passwd"
    assert reading.file_name("10.0.0.1/3") == "10.0.0.1_3"
    assert reading.file_name("…") == "_"


def test_judging_ends_when_its_time_is_over() -> None:
    def endless() -> None:
        while True:
            pass

    with pytest.raises(TimeoutError), judging._within(0.05):
        endless()


def dies_at_bad(source: Source) -> Node:
    if source.node == "bad":
        os._exit(9)
    return judging.judge_source(source)


@pytest.mark.slow
def test_a_process_that_dies_costs_one_node(tmp_path: Path) -> None:
    fleets.write(tmp_path, **{f"node{at}": fleets.text() for at in range(30)}, bad=fleets.text())
    nodes = list(processes.judged(reading.sources([str(tmp_path)]), dies_at_bad, 2))
    assert len(nodes) == 31
    assert [(one.name, one.trouble) for one in nodes if one.trouble] == [("bad", "the process that judged it died")]


@pytest.mark.slow
def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    fleets.write(tmp_path, **{name: fleets.text(name) for name in machines.names()})
    found = reading.sources([str(tmp_path)])
    alone = sorted(processes.judge_sources(found, processes=1))
    assert sorted(processes.judge_sources(found, processes=2)) == alone


# --- the compiled decoder


def test_the_fast_decoder_gives_what_the_other_gives() -> None:
    for name in SOME:
        data = json.loads(json.dumps(encode(looked.snapshot(name))))
        assert decode_fast(Snapshot, data) == decode(Snapshot, data) == looked.snapshot(name)


def outcome(read: Any, data: Any) -> Any:
    try:
        return read(Snapshot, data)
    except BadFacts as error:
        return str(error)


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5), st.just([]), st.just({})
)
BASE = encode(looked.snapshot("rtx4090-ubuntu"))


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_the_fast_decoder_refuses_what_the_other_refuses_in_the_same_words(data: Any) -> None:
    document = json.loads(json.dumps(BASE))
    at: Any = document
    while True:
        keys = sorted(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(at[key], (dict, list)) and at[key] and data.draw(st.integers(0, 3)):
            at = at[key]
            continue
        if isinstance(at, dict) and data.draw(st.booleans()):
            del at[key]
        else:
            at[key] = data.draw(JUNK)
        break
    assert outcome(decode_fast, document) == outcome(decode, document)


def test_a_trouble_is_a_warning_and_the_fleet_could_not_tell(tmp_path: Path) -> None:
    fleets.write(tmp_path, good=fleets.text("no-gpu-vm"), bad="{")
    told = fleet(fleets.judged(tmp_path).values(), "1")
    assert (told.verdict, told.exit_code(), told.exit_code(strict=True)) == ("unknown", 3, 1)
    assert [(one.name, one.severity, one.nodes) for one in told.groups if "unreadable" in one.name] == [
        ("node-file-unreadable", Severity.WARNING, ("bad",))
    ]


def dies(source: Source) -> Node:
    if source.node != "first":
        os._exit(9)
    return judging.judge_source(source)


@pytest.mark.slow
def test_every_process_may_die_and_every_node_is_still_told(tmp_path: Path) -> None:
    fleets.write(tmp_path, first=fleets.text("no-gpu-vm"), second="{}", third="{}")
    nodes = {one.name: one.trouble for one in processes.judged(reading.sources([str(tmp_path)]), dies, 2)}
    died = "the process that judged it died"
    assert nodes == {"first": None, "second": died, "third": died}


@pytest.mark.slow
def test_ten_thousand_nodes_are_told_as_the_machines_that_they_are(tmp_path: Path) -> None:
    names = machines.names()
    texts = {name: fleets.text(name) for name in names}
    for at in range(10_000):
        text = texts[names[at % len(names)]]
        (tmp_path / f"node{at:05}.json").write_text(text if at % 1000 != 9 else text[: len(text) // 2])
    words = [sys.executable, "-m", "gpucheck", "fleet", str(tmp_path), "--format", "json", "--ignore", "driver-drift"]
    for name in ("library-drift", "fewer-gpus-than-peers", "clocks-below-peers", "pcie-link-below-peers"):
        words += ["--ignore", name]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        timeout=900,
    )
    told = json.loads(done.stdout)
    cut = {f"node{at:05}" for at in range(9, 10_000, 1000)}
    assert {node["name"] for node in told["nodes"] if node["trouble"]} == cut
    expected = Counter(
        looked.report(names[at % len(names)]).verdict if at % 1000 != 9 else "unknown" for at in range(10_000)
    )
    assert Counter(node["verdict"] for node in told["nodes"]) == expected
    assert len(told["states"]) < 2 * len(names)
