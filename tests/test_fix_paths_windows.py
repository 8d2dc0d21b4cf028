r"""`gpucheck doctor --fix-paths` on Windows, as far as it is text: what becomes of PATH and CUDA_PATH. On any system.

That HKCU\Environment really becomes so is seen in test_windows_fix_paths.py.
"""

from __future__ import annotations

import re
from typing import Any

import looked
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from gpucheck.compat.registry import MACHINE_VARIABLES, USER_VARIABLES
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.toolkits import Pointer, Toolkit, Toolkits
from gpucheck.facts.versions import CudaVersion
from gpucheck.facts.windows import PathEntry, SearchPath, Windows
from gpucheck.host.recorded import RecordedHost
from gpucheck.paths import entries, powershell, undo, windows, writer
from gpucheck.paths import state as states
from gpucheck.paths.plan import CannotFix, Plan, Stored, VariableChange
from gpucheck.paths.wish import Wish, wish

V112 = r"C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v11.2"
V118 = r"C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v11.8"
BIN = V112 + r"\bin"
HOME = r"%USERPROFILE%\AppData\Local\Microsoft\WindowsApps"
VALUES = {"%SYSTEMROOT%": r"C:\Windows", "%USERPROFILE%": r"C:\Users\me", "%CUDA_PATH_V11_2%": V112}


def expand(text: str) -> str:
    for name, value in VALUES.items():
        for form in (name, name.lower(), name.title()):
            text = text.replace(form, value)
    return text


def machine_of(tensorflow: str | None = "11.2", pointer: tuple[str, str | None] | None = None) -> Snapshot:
    """A snapshot with toolkits 11.2 and 11.8 and a TensorFlow that was built with CUDA of that version."""
    snapshot = looked.snapshot("tf221-and-cuda")
    assert not isinstance(snapshot.python, Gap)
    build = snapshot.python.tensorflow
    assert build is not None
    assert not isinstance(build, Gap)
    new = build._replace(cuda_version=CudaVersion(tensorflow)) if tensorflow else None
    kits = tuple(Toolkit(root, CudaVersion(root[-4:]), None, ("CUDA_PATH",), None, None, None) for root in (V112, V118))
    pointers = (Pointer("CUDA_PATH", *pointer),) if pointer else ()
    return snapshot._replace(python=snapshot.python._replace(tensorflow=new), toolkits=Toolkits(kits, pointers))


def user(path: str | None, expandable: bool = True, machine: str = r"C:\Windows\system32", **more: str) -> windows.User:
    own = {} if path is None else {"PATH": Stored(path, expandable)}
    own.update({name: Stored(value, False) for name, value in more.items()})
    return windows.User(own, {"PATH": Stored(machine, True)}, expand)


def planned(path: str | None, *add: str, **more: Any) -> Plan:
    return windows.plan(machine_of(), Wish(add or (BIN,), (), ()), user(path, **more))


def new_path(plan: Plan) -> Stored | None:
    found = [one for one in plan.changes if isinstance(one, VariableChange) and one.name == "Path"]
    return found[0].after if found else None


def stored(path: str | None, *add: str, **more: Any) -> Stored:
    after = new_path(planned(path, *add, **more))
    assert after is not None
    return after


def test_the_folder_comes_first_and_what_is_not_understood_stays_as_it_is() -> None:
    strange = HOME + r";;%NOBODY_KNOWS%\bin;\\server\share\tools;relative\dir; C:\blank ;C:\semi;C:\trailing\;"
    assert stored(strange) == Stored(f"{BIN};{strange}", True)


@pytest.mark.parametrize("expandable", [True, False])
def test_the_type_of_the_value_is_kept(expandable: bool) -> None:
    assert stored(r"C:\x", expandable=expandable).expandable is expandable


def test_where_the_user_has_no_path_yet_one_is_made() -> None:
    assert stored(None) == Stored(BIN, True)
    assert stored("") == Stored(BIN, True)


@pytest.mark.parametrize("entry", [BIN, BIN + "\\", BIN.upper(), BIN.replace("\\", "/"), r"%CUDA_PATH_V11_2%\bin"])
def test_an_entry_that_is_the_folder_moves_to_the_front(entry: str) -> None:
    assert stored(f"{V118}\\bin;{entry};C:\\x") == Stored(f"{BIN};{V118}\\bin;C:\\x", True)


def test_names_in_a_value_that_is_not_expanded_are_no_folder() -> None:
    old = r"%CUDA_PATH_V11_2%\bin;C:\x"
    assert stored(old, expandable=False) == Stored(f"{BIN};{old}", False)


def test_quotes_around_the_folder_go_and_others_stay() -> None:
    assert stored(rf'"C:\a;b";"{BIN}";"C:\c d"') == Stored(rf'{BIN};"C:\a;b";"C:\c d"', True)


def test_what_stands_within_quotes_is_one_entry() -> None:
    odd = rf'"C:\a;{BIN};C:\b";C:\c'
    assert stored(odd) == Stored(f"{BIN};{odd}", True)
    assert stored(f'"{odd}') == Stored(rf'{BIN};""C:\a;C:\b";C:\c', True)  # a quote is missing


def test_a_folder_that_is_first_already_is_left_alone() -> None:
    assert planned(f"{BIN};C:\\x").changes == ()


def test_the_machines_path_is_never_changed_but_told_of() -> None:
    plan = planned(r"C:\x", machine=rf"C:\Windows;{V118}\bin;{BIN}")
    assert plan.changes == ()
    assert "as administrator" in plan.by_hand[0]


def test_a_path_beyond_what_windows_takes_is_refused() -> None:
    long = ";".join(rf"C:\programs\number {n}\bin" for n in range(1200))
    assert 32000 < len(long) < 32767
    with pytest.raises(CannotFix, match="32766"):
        planned(long, machine="C:\\" + "m" * 400)


def test_a_path_that_older_programs_cut_is_told() -> None:
    long = ";".join(rf"C:\programs\number {n}\bin" for n in range(80))
    plan = planned(long)
    assert stored(long).text == f"{BIN};{long}"
    assert "2047" in plan.by_hand[-1]
    assert not planned(r"C:\x").by_hand


@pytest.mark.parametrize("folder", [r"C:\a;b", 'C:\\a"b', r"C:\100%\bin"])
def test_a_folder_that_path_cannot_hold_is_refused(folder: str) -> None:
    with pytest.raises(CannotFix, match="cannot hold"):
        planned(r"C:\x", folder)


def test_a_new_programs_path_is_the_machines_and_then_the_users() -> None:
    trial = dict(planned(HOME).trial)
    assert trial["PATH"] == rf"C:\Windows\system32;{BIN};C:\Users\me\AppData\Local\Microsoft\WindowsApps"


def test_what_only_this_shell_has_is_tried_along() -> None:
    # an environment's activation puts its folders before PATH, and no registry knows them
    snapshot = looked.snapshot("windows-cuda-not-on-path")
    assert isinstance(snapshot.windows, Windows)
    path = snapshot.windows.path_process
    assert isinstance(path, SearchPath)
    more = PathEntry(r"C:\conda\Library\bin", r"C:\conda\Library\bin", True)
    windows_ = snapshot.windows._replace(path_process=path._replace(entries=(more, *path.entries)))
    held = windows.User({"PATH": Stored(r"C:\x", True)}, {"PATH": Stored(r"C:\Windows", True)}, expand)
    trial = dict(windows.plan(snapshot._replace(windows=windows_), Wish((BIN,), (), ()), held).trial)
    first, *_, machine, cuda, last = trial["PATH"].split(";")
    assert (first, machine, cuda, last) == (r"C:\conda\Library\bin", r"C:\Windows", BIN, r"C:\x")


# --- machines


def on(name: str) -> tuple[Wish, Plan]:
    """What a recorded machine asks for, and what would be done there."""
    machine = looked.machine(name)
    host = RecordedHost(machine)
    values = {f"%{one.upper()}%": value for one, value in machine["env"].items()}

    def expand_there(text: str) -> str:
        return re.sub("%[^%]+%", lambda found: values.get(found[0].upper(), found[0]), text)

    asked = wish(looked.report(name))
    mine, theirs = (writer.variables(host.registry(key)) for key in (USER_VARIABLES, MACHINE_VARIABLES))
    return asked, windows.plan(looked.snapshot(name), asked, windows.User(mine, theirs, expand_there))


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("windows-cuda-not-on-path", BIN),
        ("windows-path-cut-by-setx", BIN),
        ("windows-path-plain-text", BIN),
        ("windows-cudnn-folder-and-not-bin", r"C:\tools\cuda\bin"),
    ],
)
def test_a_machine_gets_the_folder_in_front_of_its_users_path(name: str, folder: str) -> None:
    (change,) = on(name)[1].changes
    assert isinstance(change, VariableChange)
    assert change.before is not None
    assert change.after == Stored(f"{folder};{change.before.text}", change.before.expandable)


def test_wheels_that_nothing_leads_to_get_a_folder_each() -> None:
    asked, plan = on("windows-wheels-not-on-path")
    assert len(asked.add) == 7
    assert stored_there(plan).startswith(";".join(asked.add))


def stored_there(plan: Plan) -> str:
    after = new_path(plan)
    assert after is not None
    return after.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("windows-shell-opened-before", "this shell was opened before"),
        ("windows-older-cudnn-first", "as administrator, move it to the front"),
    ],
)
def test_what_only_another_can_do_is_said(name: str, words: str) -> None:
    _, plan = on(name)
    assert plan.changes == ()
    assert words in plan.by_hand[0]


@pytest.mark.parametrize("name", ["windows-tf2101", "windows-zlib-32bit", "windows-store-python", "windows-cuda-12"])
def test_a_machine_that_no_path_cures_is_left_alone(name: str) -> None:
    asked, plan = on(name)
    assert (asked.nothing, plan.changes) == (True, ())


def test_quotes_on_the_users_own_path_go() -> None:
    asked = Wish((), (), (), (BIN,))
    plan = windows.plan(machine_of(), asked, user(rf'"{BIN}";"C:\other one"'))
    assert new_path(plan) == Stored(rf'{BIN};"C:\other one"', True)
    assert plan.what == ("the user's PATH loses quotes",)


def test_variables_that_could_not_be_read_are_not_written_over() -> None:
    with pytest.raises(CannotFix, match="denied"):
        writer.variables(Gap("access denied: HKCU", "denied"))


# --- CUDA_PATH


def pointer_change(value: str, target: str | None, tensorflow: str | None = "11.2") -> VariableChange | None:
    snapshot = machine_of(tensorflow, (value, target))
    plan = windows.plan(snapshot, Wish((), (), ()), user(r"C:\x", CUDA_PATH=value))
    changes = [one for one in plan.changes if isinstance(one, VariableChange)]
    return changes[0] if changes else None


def test_a_cuda_path_of_another_cuda_is_given_tensorflows() -> None:
    assert pointer_change(V118, V118) == VariableChange("CUDA_PATH", Stored(V118, False), Stored(V112, False))
    assert pointer_change(V112.lower() + "\\", V112) is None


def test_a_cuda_path_that_leads_nowhere_is_taken_out() -> None:
    assert pointer_change(r"C:\gone", None, None) == VariableChange("CUDA_PATH", Stored(r"C:\gone", False), None)
    assert pointer_change(V118, V118, None) is None


def test_a_cuda_path_of_the_machine_alone_is_not_touched() -> None:
    snapshot = machine_of("11.2", (V118, V118))
    held = windows.User({}, {"CUDA_PATH": Stored(V118, False)}, expand)
    assert windows.plan(snapshot, Wish((), (), ()), held).changes == ()


# --- what is shown


def test_powershell_keeps_the_type_and_every_sign() -> None:
    change = VariableChange("Path", None, Stored(r"C:\it's;%A%;$env:B;`n", True))
    lines = powershell.lines((change, VariableChange("CUDA_PATH", Stored("x", False), None)))
    assert lines[0] == (
        r"Set-ItemProperty -LiteralPath 'HKCU:\Environment' -Name 'Path' -Type ExpandString "
        r"-Value 'C:\it''s;%A%;$env:B;`n'"
    )
    assert lines[1] == r"Remove-ItemProperty -LiteralPath 'HKCU:\Environment' -Name 'CUDA_PATH'"
    assert powershell.lines(()) == ()


# --- the way back


def undone(before: Stored | None, after: Stored | None, held: Stored | None, name: str = "Path") -> Stored | None:
    state = states.with_change(states.State(), VariableChange(name, before, after))
    state_read_again = states.State(variables=tuple(states._variable(one) for one in _rows(state)))
    changes = undo.plan(state_read_again, lambda path: None, lambda asked: held).changes
    return changes[0].after if changes else held  # type: ignore[return-value]


def _rows(state: states.State) -> list[dict[str, Any]]:
    import json

    rows: list[dict[str, Any]] = json.loads(states.encode(state))["variables"]
    return rows


def test_undo_gives_back_the_very_value() -> None:
    for old in (None, Stored("", False), Stored(HOME + ";;", True)):
        new = Stored(f"{BIN};x", True)
        assert undone(old, new, new) == old


def test_undo_takes_out_our_folder_alone_where_an_installer_has_written_since() -> None:
    old, new = Stored(r"%A%\a;C:\b", True), Stored(rf"{BIN};%A%\a;C:\b", True)
    held = Stored(rf"C:\new\bin;{BIN};%A%\a;C:\b;C:\newer", True)
    assert undone(old, new, held) == Stored(r"C:\new\bin;%A%\a;C:\b;C:\newer", True)


def test_undo_leaves_somebody_elses_value() -> None:
    held = Stored(r"C:\theirs", False)
    assert undone(Stored(V118, False), Stored(V112, False), held, "CUDA_PATH") == held


def test_a_second_change_is_undone_to_what_was_before_the_first() -> None:
    first, second, third = Stored("a", True), Stored("b;a", True), Stored("c;b;a", True)
    state = states.with_change(states.State(), VariableChange("Path", first, second))
    state = states.with_change(state, VariableChange("Path", second, third))
    assert state.variables == (states.VariableMark("Path", first, third),)


ENTRY = st.text(st.sampled_from(list('aB%\\/:." ')), max_size=8)
PATHS = st.lists(st.one_of(ENTRY, st.sampled_from([BIN, f'"{BIN}"', BIN.lower() + "\\", V118])), max_size=8).map(
    ";".join
)


@examples(100)
@given(PATHS)
def test_cutting_a_path_loses_no_character(text: str) -> None:
    assert ";".join(entries.split(text)) == text


@examples(100)
@given(PATHS)
def test_no_entry_but_the_folder_itself_ever_goes(text: str) -> None:
    after = entries.in_front(entries.unquoted(text, (BIN,), expand), (BIN,), expand)
    first, *rest = entries.split(after)
    assert first == BIN
    expected = [one for one in entries.split(text) if not entries.same(one, BIN, expand)]
    assert rest == (expected if text else [])


@examples(100)
@given(PATHS, PATHS)
def test_undo_after_anything_never_drops_what_others_added(old: str, others: str) -> None:
    new = entries.in_front(old, (BIN,), expand)
    held = Stored(f"{others};{new}", True)
    back = undone(Stored(old, True), Stored(new, True), held)
    assert back is not None
    mine = set(entries.split(new)) - set(entries.split(old))
    if '"' not in others and '"' not in old:
        assert set(entries.split(others)) - mine <= set(entries.split(back.text))
