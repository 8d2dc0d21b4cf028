"""No file tree and no environment lets a traceback through, stops the answer, or makes JSON that cannot be read."""

from __future__ import annotations

import json
import tempfile
import time
from typing import Any

import pytest
from examples import examples
from hypothesis import HealthCheck, given
from strange_trees import PLACES, environments, lay_down, remove, trees, without_root_powers

from gpucheck.facts.codec import decode, encode
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.host import Elf, Room, Stat
from gpucheck.host.local import LocalHost

TIMEOUT = 3.0
_RELAXED = {"suppress_health_check": list(HealthCheck)}


@examples(25, **_RELAXED)
@given(trees)
def test_every_answer_about_a_path_is_a_value_or_none_or_a_gap(tree: dict[str, Any]) -> None:
    root = tempfile.mkdtemp()
    try:
        lay_down(root, tree)
        host = LocalHost(1.0, {}, root)
        with without_root_powers():
            for place in PLACES:
                path = "/" + place
                assert isinstance(host.read(path), (bytes, type(None), Gap))
                assert isinstance(host.names(path), (tuple, type(None), Gap))
                assert isinstance(host.stat(path), (Stat, type(None), Gap))
                assert isinstance(host.real(path), (str, type(None), Gap))
                assert isinstance(host.is_link(path), bool)
                assert isinstance(host.elf(path), (Elf, type(None), Gap))
                assert isinstance(host.room(path), (Room, type(None), Gap))
    finally:
        remove(root)


@pytest.mark.parametrize("path", ["/a\0b", "", "/", "//", "relative", "/x" * 3000, "/\udcff"])
def test_a_path_that_no_file_can_have_is_answered(path: str) -> None:
    host = LocalHost(1.0, {})
    assert isinstance(host.read("/\ud800"), (type(None), Gap))  # no byte at all stands for this one
    for ask in (host.read, host.names, host.stat, host.real, host.is_link, host.elf, host.room):
        ask(path)


@pytest.mark.slow
@examples(50, few=6, **_RELAXED)
@given(trees, environments)
def test_doctor_answers_on_a_strange_machine(tree: dict[str, Any], environ: dict[str, str]) -> None:
    from gpucheck.probes.look import look
    from gpucheck.rules.engine import judge_all

    root = tempfile.mkdtemp()
    try:
        lay_down(root, tree)
        with without_root_powers():
            begin = time.monotonic()
            snapshot = look(LocalHost(TIMEOUT, environ, root), "/venv/bin/python", timeout=TIMEOUT)
            assert time.monotonic() - begin < TIMEOUT + 0.5
        failed = [run for run in snapshot.probes if "probe failed" in run.outcome]
        assert not failed, failed
        report = judge_all(snapshot)
        for text in renderings(report):
            text.encode("utf-8")
        document = json.dumps(encode(snapshot), allow_nan=False)
        again = decode(Snapshot, json.loads(document))
        assert [finding.name for finding in judge_all(again).findings] == [one.name for one in report.findings]
    finally:
        remove(root)


def renderings(report: Any) -> list[str]:
    """The report in every format."""
    from gpucheck.render import json as as_json
    from gpucheck.render import markdown, notebook, terminal

    terminals = [terminal.render(report, width, color, verbose=True) for width, color in ((20, False), (80, True))]
    documents = [as_json.render(report), as_json.render_snapshot(report.snapshot), notebook.render(report)]
    return [*documents, *terminals, *(markdown.render(report, verbose) for verbose in (False, True))]
