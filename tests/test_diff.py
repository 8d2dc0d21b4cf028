"""`gpucheck diff`: what is a change and what is none, which change explains a finding and how that is proven."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import browser
import looked
import machines
import pytest
import sample
from browser import Chromium
from jsonschema import Draft202012Validator
from pages import bare
from test_hiding import places, without
from test_render import FORBIDDEN

from gpucheck.differing.changes import compared
from gpucheck.differing.compare import difference
from gpucheck.differing.difference import Case, Difference, Explanation
from gpucheck.differing.matching import matched
from gpucheck.differing.tree import leaves, mixed
from gpucheck.facts.codec import decode, encode
from gpucheck.facts.environment import Environment, Variable
from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import GpuProcess
from gpucheck.facts.python import Distribution
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import DriverVersion, PackageVersion
from gpucheck.findings import Evidence, Finding, Severity
from gpucheck.render.diff import FORMATS
from gpucheck.render.diff.words import Asked, what
from gpucheck.rules.engine import judge_all

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"
TAKEN = "2026-11-23T08:00:00Z"
SUFFIX = {"terminal": "txt", "markdown": "md"}


@cache
def told(before: str, now: str) -> Difference:
    return difference(machine(before), machine(now), (f"{before}.json", f"{now}.json"), "1.0")


def machine(name: str) -> Snapshot:
    return looked.snapshot(name)._replace(taken=TAKEN, version="1.0")


def case(found: Difference, name: str, state: str = "new") -> Case:
    return next(one for one in found.cases if one.finding.name == name and one.state == state)


def explanation(found: Difference, name: str, state: str = "new") -> Explanation:
    given = case(found, name, state).explanation
    assert given is not None
    return given


def rendered(format: str, found: Difference, **asked: Any) -> str:
    text = import_module(f"gpucheck.render.diff.{format}").render(found, Asked(**asked))
    assert isinstance(text, str)
    return text


# Which change explains what


def test_a_driver_that_was_upgraded_without_a_reboot_is_named_with_its_versions() -> None:
    found = told("rtx4090-ubuntu", "driver-upgraded-not-rebooted")
    given = explanation(found, "driver-library-version-mismatch")
    assert (given.how, given.changes) == ("explained", ("libcuda's answer",))
    assert [(link.follows, link.sort) for link in given.links] == [("kernel module", "named")]
    assert what(found.change("kernel module")) == "580.126.09 → 580.95.05"
    assert given.still == ("driver.libraries.version: 580.126.09",)
    assert case(found, "cuda-init-failed").follows == "driver-library-version-mismatch"
    assert found.exit_code() == 1


def test_a_module_that_is_not_loaded_any_more_is_no_cause_beside_what_keeps_it_out() -> None:
    given = explanation(told("rtx4090-ubuntu", "azure-secure-boot"), "secure-boot-unsigned-module")
    assert given.changes == ("Secure Boot",)


def test_a_gpus_facts_are_told_by_their_names_and_sizes_in_gib() -> None:
    found = told("h100x8-ubuntu", "h100x8-one-lost")
    words = {change.name: what(change) for change in found.changes}
    assert words["GPU 5: answer"] == "error: none → GPU is lost; error_code: none → 15"
    assert words["GPU 5: memory"] == "79.6 GiB → not there"
    assert rendered("terminal", found).endswith("a new error; 1 finding new or worse; exit code 1\n")


def test_a_machine_without_a_gpu_is_not_called_unknown() -> None:
    assert told("no-gpu-vm", "nvml-hangs").before.machine.startswith("no NVIDIA GPU; no driver loaded; ")
    assert told("no-gpu-vm", "nvml-hangs").now.machine.startswith("GPUs unknown; driver ")


def test_a_fact_of_the_whole_machine_is_told_before_and_now() -> None:
    found = told("docker-rtx4090", "old-cudnn-in-ld-library-path")
    assert {change.name: what(change) for change in found.changes}["container"] == "docker → none"
    assert "follows    files in /opt/cudnn-9.1/lib (this brought the file):\n" in rendered("terminal", found)


def test_a_library_that_is_found_elsewhere_leads_to_the_variable_that_did_it() -> None:
    found = told("tf221-and-cuda", "old-cudnn-in-ld-library-path")
    given = explanation(found, "cudnn-wrong-version")
    assert given.changes == ("library cudnn",)
    seen = {link.follows for link in given.links if link.sort == "seen"}
    assert seen == {"variable LD_LIBRARY_PATH", "files in /opt/cudnn-9.1/lib"}
    assert "cudnn-wrong-version" in found.change("variable LD_LIBRARY_PATH").explains
    assert not found.change("package numpy").explains


def test_a_package_that_was_upgraded_explains_what_it_broke() -> None:
    before = machine("rtx4090-ubuntu")
    found = difference(before, packages(before, protobuf="6.33.0"))
    (name,) = {one.finding.name for one in found.of("new")}
    given = explanation(found, name)
    assert (given.how, given.changes) == ("explained", ("package protobuf",))
    assert what(found.change("package protobuf")).endswith(" → 6.33.0")


def test_a_finding_that_is_gone_is_explained_the_other_way_round() -> None:
    found = told("driver-upgraded-not-rebooted", "rtx4090-ubuntu")
    given = explanation(found, "driver-library-version-mismatch", "gone")
    assert given.changes == ("libcuda's answer",)
    assert "as it is now, the finding goes" in given.proof
    assert found.exit_code() == 0


def test_changes_that_only_together_take_a_finding_away_are_a_set_of_which_none_is_left_out() -> None:
    found = told("rtx4090-ubuntu", "cuda-12-toolkit-not-on-loader-path")
    given = explanation(found, "cuda-libs-not-on-loader-path")
    assert given.how == "together"
    assert {"library cublas", "library cudnn"} <= set(given.changes)
    assert_minimal(found, "cuda-libs-not-on-loader-path", machine("rtx4090-ubuntu"), found_now("cuda-12-toolkit-not"))


def found_now(front: str) -> Snapshot:
    return machine(next(name for name in machines.names() if name.startswith(front)))


def assert_minimal(found: Difference, name: str, before: Snapshot, now: Snapshot) -> None:
    given = explanation(found, name)
    whole = compared(before, now)
    for left_out in ("", *given.changes):
        back = {place for one in given.changes if one != left_out for place in found.change(one).places}
        report = judge_all(mixed(whole.tree, back))
        assert (report.find(name) is None) is (not left_out), left_out


def test_what_was_not_known_before_is_not_called_new_for_a_change() -> None:
    now = machine("driver-upgraded-not-rebooted")
    before = now._replace(driver=Gap("permission denied", "denied"), gpus=Gap("permission denied", "denied"))
    found = difference(before, now)
    given = explanation(found, "driver-library-version-mismatch")
    assert (given.how, given.changes) == ("unseen", ())
    assert "it may have been there before" in given.proof
    assert case(found, "driver-library-version-mismatch").not_judged == "permission denied"
    assert not [change for change in found.changes if change.weight != "volatile"]
    assert found.exit_code() == 3
    text = rendered("terminal", found)
    assert "ERROR NOT SEEN BEFORE  driver-library-version-mismatch" in text
    assert "new error" not in text.lower()


def test_a_question_that_nobody_asked_is_no_change() -> None:
    found = difference(machine("rtx4090-ubuntu"), machine("deep-t4-wrong-numbers"))
    given = explanation(found, "deep-wrong-numbers")
    assert (given.how, found.exit_code()) == ("unseen", 3)
    assert "deep was not known then (nobody asked)" in given.proof


def test_a_fact_that_fails_to_be_read_now_is_taken_as_it_was() -> None:
    found = told("rtx4090-ubuntu", "only-gpu-lost")
    given = explanation(found, "gpu-lost")
    assert given.changes
    assert "what is not known now taken as it is before" in given.proof


# What is a change


def healthy(**changes: object) -> Snapshot:
    return sample.healthy()._replace(**changes)  # type: ignore[arg-type]


def packages(facts: Snapshot, **versions: str) -> Snapshot:
    assert not isinstance(facts.python, Gap)
    assert not isinstance(facts.python.distributions, Gap)
    made = tuple(
        one._replace(version=PackageVersion(versions[one.name])) if one.name in versions else one
        for one in facts.python.distributions
    )
    return facts._replace(python=facts.python._replace(distributions=made))


def names(before: Snapshot, now: Snapshot) -> dict[str, str]:
    return {change.name: what(change) for change in difference(before, now).changes}


def test_a_snapshot_does_not_differ_from_itself() -> None:
    found = difference(healthy(), healthy())
    assert (found.changes, found.unknown, found.judging, found.remarks) == ((), (), (), ())
    assert not found.differs
    assert (found.exit_code(), found.exit_code(any_change=True)) == (0, 0)


def test_what_moves_by_itself_is_volatile() -> None:
    warm = sample.gpu(temperature_c=71, memory_free=20 << 30, utilization=3, processes=(GpuProcess(7, 1, None),))
    found = difference(healthy(), healthy(gpus=(warm,), system=sample.system(suspends=4)))
    assert {change.weight for change in found.changes} == {"volatile"}
    assert not found.differs


def test_what_moves_by_itself_is_named_all_the_same_where_it_explains_a_finding() -> None:
    full = sample.gpu(memory_free=1 << 28, processes=(GpuProcess(7, 23 << 30, "python"),))
    found = difference(healthy(), healthy(gpus=(full,)))
    (new,) = found.of("new")
    assert new.explanation is not None
    assert new.explanation.changes[0] in ("GPU 0: free memory", "GPU 0: processes")
    assert new.explanation.changes[0] in rendered("terminal", found)


def test_a_gpu_is_the_one_with_its_uuid_wherever_it_sits() -> None:
    both = (sample.gpu(0), sample.gpu(1))
    swapped = tuple(both[1 - at]._replace(number=at, pci_address=both[at].pci_address) for at in (0, 1))
    found = names(healthy(gpus=both), healthy(gpus=swapped))
    assert set(found) == {"GPU 0: place", "GPU 1: place"}


def test_another_card_in_the_same_slot_is_another_gpu() -> None:
    found = names(healthy(), healthy(gpus=(sample.gpu(uuid="GPU-another"),)))
    assert list(found) == ["GPU in 0000:01:00.0"]
    assert "+ GPU-another" in found["GPU in 0000:01:00.0"]


def test_a_gpu_without_a_uuid_is_matched_by_its_slot_and_then_by_its_number() -> None:
    nameless = sample.gpu(uuid=None)
    assert set(names(healthy(gpus=(nameless,)), healthy(gpus=(nameless._replace(persistence=True),)))) == {
        "GPU 0: persistence mode"
    }
    other_number = healthy(gpus=(nameless._replace(number=3),))
    assert names(healthy(gpus=(nameless,)), other_number) == {"GPU 3: place": "0 → 3"}
    slotless = nameless._replace(pci_address=None)
    assert names(healthy(gpus=(slotless,)), healthy(gpus=(slotless,))) == {}


def test_entries_of_a_path_are_told_one_by_one_and_their_order_counts() -> None:
    def with_path(value: str) -> Snapshot:
        return healthy(environment=Environment((Variable("LD_LIBRARY_PATH", value),)))

    def change(before: str, now: str) -> str:
        return names(with_path(before), with_path(now))["variable LD_LIBRARY_PATH"]

    assert change("/a:/b", "/c:/a") == "+ /c (first); - /b"
    assert change("/a:/b", "/b:/a") == "order: /b : /a"
    assert "more or less often" in change("/a:/b", "/a:/b:/b")


def test_the_same_version_of_another_build_is_a_change() -> None:
    assert names(packages(healthy(), torch="2.6.0+cpu"), packages(healthy(), torch="2.6.0+cu124")) == {
        "package torch": "2.6.0+cpu → 2.6.0+cu124"
    }
    assert names(packages(healthy(), numpy="2.3.04"), packages(healthy(), numpy="2.3.4")) == {}


def test_both_halves_of_a_driver_that_were_upgraded_are_one_change() -> None:
    old = sample.driver()
    assert not isinstance(old.nvml, Gap)
    assert not isinstance(old.libraries, Gap)
    version = DriverVersion("590.44.01")
    new = sample.driver(
        module_version=version,
        libraries=tuple(one._replace(version=version) for one in old.libraries),
        nvml=old.nvml._replace(driver_version=version),
    )
    assert names(healthy(), healthy(driver=new)) == {"driver": "580.126.09 → 590.44.01"}
    half = names(healthy(), healthy(driver=old._replace(module_version=version)))
    assert half == {"kernel module": "580.126.09 → 590.44.01"}


def test_a_package_in_two_folders_is_two_packages() -> None:
    facts = healthy()
    assert not isinstance(facts.python, Gap)
    assert not isinstance(facts.python.distributions, Gap)
    second = Distribution("numpy", PackageVersion("1.26.4"), "/home/user/.local", None, True)
    now = facts._replace(python=facts.python._replace(distributions=(*facts.python.distributions, second)))
    assert names(facts, now) == {"package numpy": "+ numpy (2): 1.26.4"}


def test_what_an_older_gpucheck_did_not_collect_is_said_to_be_so() -> None:
    document = encode(healthy())
    del document["system"]["firmware"]
    del document["gpus"][0]["vbios"]
    before = decode(Snapshot, document)
    now = healthy(gpus=(sample.gpu(vbios="95.02"),), system=sample.system(firmware=None))
    found = difference(before._replace(version="0.0.9"), now)
    assert found.changes == ()
    assert {(one.side, one.places, one.collected) for one in found.unknown} == {
        ("before", ("system.firmware",), False),
        ("before", ("gpus[GPU-5a1b0c9e-0000-4000-8000-000000000000].vbios",), False),
    }
    assert any("different versions of gpucheck (0.0.9, 0.1.0)" in remark for remark in found.remarks)


def test_two_machines_look_like_two_machines() -> None:
    found = difference(healthy(), healthy(gpus=(sample.gpu(uuid="GPU-another"),), taken="2026-01-01T00:00:00Z"))
    assert "two different machines" in found.remarks[0]
    assert "taken later" in found.remarks[1]
    assert not difference(healthy(), healthy(gpus=())).remarks


# Which finding is which


def finding(message: str, severity: Severity = Severity.ERROR, value: str = "") -> Finding:
    return Finding("gpu-lost", severity, message, (Evidence("gpus.error", value, "NVML"),))


def test_findings_of_one_name_are_told_apart_by_what_they_are_about() -> None:
    one, two, three = (finding(f"GPU {number} is lost.") for number in (0, 1, 2))
    pairs = matched([one, two], [two, three])
    assert [pair for pair in pairs if None not in pair] == [(two, two)]
    assert (None, three) in pairs
    assert (one, None) in pairs


def test_a_finding_whose_numbers_changed_is_still_the_same() -> None:
    hot, hotter = finding("GPU 0 is at 90 °C."), finding("GPU 0 is at 93 °C.")
    assert matched([hot], [hotter]) == ((hot, hotter),)


def test_a_finding_that_got_worse_counts_as_new_and_one_that_got_milder_does_not() -> None:
    found = told("rtx4090-ubuntu", "rtx4090-ubuntu")
    warning, error = finding("x", Severity.WARNING), finding("x", Severity.ERROR)
    worse = found._replace(cases=(Case("worse", error, warning, None, None, None),))
    milder = found._replace(cases=(Case("better", warning, error, None, None, None),))
    assert (worse.exit_code(), milder.exit_code()) == (1, 0)


def test_a_new_warning_fails_where_it_is_asked_for_and_so_does_any_change() -> None:
    found = told("rtx4090-ubuntu", "rtx4090-ubuntu")
    warned = found._replace(cases=(Case("new", finding("x", Severity.WARNING), None, None, None, None),))
    assert (warned.exit_code(), warned.exit_code(strict=True)) == (0, 1)
    upgraded = difference(healthy(), packages(healthy(), numpy="2.3.9"))
    assert (upgraded.exit_code(), upgraded.exit_code(any_change=True)) == (0, 1)


def test_a_rule_that_decides_and_can_no_longer_be_judged_leaves_it_open() -> None:
    blind = healthy(driver=Gap("no answer", "deadline"))
    assert difference(healthy(), blind).exit_code() == 3
    assert difference(blind, blind).exit_code() == 0


# The formats


@pytest.mark.parametrize("format", FORMATS)
def test_each_format_is_as_its_golden_file(format: str) -> None:
    path = GOLDEN / f"diff.{SUFFIX.get(format, format)}"
    text = rendered(format, told("tf221-and-cuda", "old-cudnn-in-ld-library-path"))
    text = bare(text) if format == "html" else text
    if os.environ.get("GPUCHECK_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_json_holds_to_its_schema() -> None:
    schema = json.loads((ROOT / "gpucheck/render/diff/diff.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    document = json.loads(rendered("json", told("tf221-and-cuda", "old-cudnn-in-ld-library-path")))
    Draft202012Validator(schema).validate(document)
    assert not Draft202012Validator(schema).is_valid({**document, "exit_code": 2})
    names = {change["name"] for change in document["changes"]}
    for one in document["cases"]:
        assert set((one["explanation"] or {"changes": ()})["changes"]) <= names


@pytest.mark.parametrize("format", FORMATS)
def test_no_format_lets_a_hostile_machine_act(format: str) -> None:
    for before, now in ((sample.healthy(), sample.hostile().snapshot), (sample.hostile().snapshot, sample.healthy())):
        found = difference(before, now, (sample.HOSTILE, sample.HOSTILE))
        text = rendered(format, found, verbose=True)
        assert not FORBIDDEN.search(text)
        if format == "html":
            assert not re.search(r"<(script|iframe|img|link|object)\b|<[^>]*\son\w+=", text)
        if format == "markdown":  # within a block of code nothing acts
            prose = re.sub(r"(?ms)^(`{3,})sh\n.*?^\1$", "", text)
            assert not re.search(r"(?<!`)<script", prose)
            assert "\n@" not in prose


def test_a_narrow_terminal_has_no_line_beyond_its_width_but_commands() -> None:
    text = rendered("terminal", told("tf221-and-cuda", "old-cudnn-in-ld-library-path"), width=40)
    # commands and names are copied whole
    whole = ("    ", "  more", "NEW ", "GONE", "a new error; ")
    assert [line for line in text.splitlines() if len(line) > 40 and not line.startswith(whole)] == []


# All machines


def peer(name: str) -> str:
    return "windows-tf2101" if name.startswith("windows") else "rtx4090-ubuntu"


@pytest.mark.slow
def test_no_machine_differs_from_itself_and_all_that_differs_can_be_put_back() -> None:
    for name in machines.names():
        itself = difference(looked.snapshot(name), looked.snapshot(name))
        assert not itself.differs, name
        assert itself.exit_code(strict=True, any_change=True) == 0, name
        before, now = looked.snapshot(peer(name)), looked.snapshot(name)
        whole = compared(before, now).tree
        every = {leaf.place for leaf in leaves(whole)}
        for base_is_now, facts in ((True, before), (False, now)):
            back = mixed(whole, every, base_is_now)
            assert _said(back) == _said(facts), name
        assert mixed(whole, set()) == now, name


def _said(facts: Snapshot) -> list[tuple[str, str]]:
    return sorted((one.name, one.message) for one in judge_all(facts).findings)


@pytest.mark.slow
def test_putting_back_what_explains_a_finding_really_takes_it_away() -> None:
    proven = 0
    for name in machines.names():
        found, whole = told(peer(name), name), compared(machine(peer(name)), machine(name))
        gaps = {leaf.place for leaf in whole.unknown}
        for one in found.of("new", "worse"):
            assert one.explanation is not None, (name, one.finding.name)
            sets = [one.explanation.changes] if one.explanation.how == "together" else None
            for chosen in sets or [(change,) for change in one.explanation.changes]:
                back = {place for change in chosen for place in found.change(change).places}
                back |= gaps if "taken as it is" in one.explanation.proof else set()
                report = judge_all(mixed(whole.tree, back))
                assert one.finding.name in report.checked, (name, one.finding.name, chosen)
                assert one.finding not in report.findings, (name, one.finding.name, chosen)
                proven += 1
    assert proven > 250


@pytest.mark.slow
def test_every_new_finding_is_explained_but_those_that_nobody_could_see() -> None:
    for name in machines.names():
        found = told(peer(name), name)
        for one in found.of("new", "worse"):
            assert one.explanation is not None
            open_ = one.finding.name.startswith("deep-") or one.not_judged is not None
            assert one.explanation.how in (
                ("unseen",) if open_ and not one.explanation.changes else ("explained", "together")
            ), (name, one)


@pytest.mark.slow
def test_hiding_any_fact_is_no_change() -> None:
    for name in ("rtx4090-ubuntu", "h100x8-mig", "windows-tf2101", "wsl2-rtx3060", "deep-rtx4090-proven"):
        facts = looked.snapshot(name)
        for at in places(facts, Snapshot):
            hidden = without(facts, at)
            for before, now in ((facts, hidden), (hidden, facts)):
                found = difference(before, now)
                assert not found.changes, (name, at, found.changes)
                assert found.unknown, (name, at)


@pytest.mark.slow
def test_any_two_machines_can_be_compared_and_told() -> None:
    every = machines.names()
    schema = Draft202012Validator(json.loads((ROOT / "gpucheck/render/diff/diff.schema.json").read_text()))
    chance = random.Random(7)
    for number in range(150):
        first, second = chance.choice(every), chance.choice(every)
        found = difference(looked.snapshot(first), looked.snapshot(second))
        for format in FORMATS:
            text = rendered(format, found, verbose=bool(number % 2), width=20 + number % 80)
            assert not FORBIDDEN.search(text), (first, second, format)
        if not number % 10:
            schema.validate(json.loads(rendered("json", found)))


# The page in a browser


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with browser.chromium(tmp_path_factory.mktemp("pages")) as one:
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_accessible_and_fits_a_telephone(chromium: Chromium, dark: bool) -> None:
    for pair in (("tf221-and-cuda", "old-cudnn-in-ld-library-path"), ("windows-tf2101", "windows-cuda-not-on-path")):
        page = rendered("html", told(*pair))
        for width in (400, 1400):
            with chromium.showing(page, width, dark) as shown:
                assert browser.overflow(shown) <= 0, (pair, width)
                for table in shown.locator(".wide").all():  # now stands below before, not beyond the edge
                    assert table.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
                browser.unfold(shown)
                assert browser.violations(shown) == [], (pair, width)
    hostile = difference(sample.healthy(), sample.hostile().snapshot)
    with chromium.showing(rendered("html", hostile), 400, dark) as shown:
        browser.unfold(shown)
        assert browser.overflow(shown) <= 0
        assert browser.violations(shown) == []


# The command


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    argv = [sys.executable, "-m", "gpucheck", "diff", *words]
    return subprocess.run(argv, capture_output=True, text=True, env=environ, timeout=60)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A snapshot, a report and a recorded machine, by what they are of."""
    folder = tmp_path_factory.mktemp("snapshots")
    good, bad, recorded = (folder / f"{name}.json" for name in ("good", "bad", "recorded"))
    good.write_text(json.dumps(encode(machine("rtx4090-ubuntu"))))
    report = {"schema": "gpucheck.report/1", "facts": encode(machine("driver-upgraded-not-rebooted"))}
    bad.write_text(json.dumps(report))
    recorded.write_text(json.dumps({"schema": "gpucheck.machine/1", **machines.load("rtx4090-ubuntu")}))
    return {path.stem: str(path) for path in (good, bad, recorded)}


@pytest.mark.slow
def test_the_command_tells_by_its_exit_code_whether_there_is_a_new_error(files: dict[str, str]) -> None:
    assert run(files["good"], files["recorded"]).returncode == 0
    worse = run(files["good"], files["bad"])
    assert worse.returncode == 1
    assert "NEW ERROR  driver-library-version-mismatch" in worse.stdout
    better = run(files["bad"], files["good"])
    assert (better.returncode, run(files["bad"], files["good"], "--exit-code").returncode) == (0, 1)
    assert json.loads(run(files["good"], files["bad"], "--format", "json").stdout)["exit_code"] == 1


@pytest.mark.slow
def test_one_file_is_compared_with_this_machine(files: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    done = run(files["good"], "--format", "html", "--output", str(page), "--python", sys.executable)
    assert done.returncode in (0, 1, 3)
    assert "this machine" in page.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such-file.json",), "No such file"),
        (("{good}", "{good}", "--deep"), "not together with a second file"),
        (("{good}", "{good}", "--output", "/no/such/folder/x"), "no folder"),
        ((), "Missing argument"),
        (("{good}", "--format", "xml"), "xml"),
    ],
)
def test_wrong_usage_is_said_in_words(files: dict[str, str], words: tuple[str, ...], said: str) -> None:
    done = run(*(word.format(**files) for word in words))
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
