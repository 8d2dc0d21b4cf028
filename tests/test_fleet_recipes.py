"""The recipes of docs/fleets.md: read by the shell's, YAML's and gpucheck's own parsers, and run with srun, pdsh and
kubectl that run here what they are told to run there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from gpucheck.options import app

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/fleets.md").read_text(encoding="utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = sorted(
    set(re.findall(r"gpucheck (?:snapshot|bench|fleet)\b[^'\n#>]*", "\n".join(SHELL).replace("\\\n", " ")))
)


@pytest.mark.slow
def test_the_shell_can_read_each_recipe() -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("this machine: no bash")
    for recipe in SHELL:
        done = subprocess.run([bash, "-n"], input=recipe, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), recipe


@pytest.mark.parametrize("words", COMMANDS)
def test_gpucheck_understands_each_of_its_commands(words: str) -> None:
    _, name, *rest = shlex.split(re.sub(r"\$\(.*?\)", "NODE", words))
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    assert command.make_context(name, rest).params


def test_the_commands_were_found() -> None:
    assert len(COMMANDS) >= 8
    assert {one.split()[1] for one in COMMANDS} == {"snapshot", "bench", "fleet"}


def test_ansibles_tasks_run_gpucheck_and_fetch_what_it_wrote() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    ((play,),) = [yaml.safe_load(block)]
    take, bring = play["tasks"]
    assert take["ansible.builtin.command"].split()[:2] == ["gpucheck", "snapshot"]
    assert take["ansible.builtin.command"].split()[-1] == bring["ansible.builtin.fetch"]["src"]
    assert bring["ansible.builtin.fetch"]["flat"] is True


TOOLS = {
    "gpucheck": 'exec "{python}" -m gpucheck "$@"',
    "hostname": 'echo "$NODE"',
    "srun": 'while [ "${{1#--}}" != "$1" ]; do shift; done; for NODE in n1 n2; do export NODE; "$@"; done',
    "pdsh": 'for NODE in n1 n2; do export NODE; bash -c "$3"; done',
    "kubectl": """case "$1 $2" in
"get pods") echo pod/a; echo pod/b ;;
get*) echo "node-${{2#pod/}}" ;;
exec*) shift 3; "$@" ;;
esac""",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tool", "nodes"), [("srun", ["n1", "n2"]), ("pdsh", ["n1", "n2"]), ("kubectl", ["node-a", "node-b"])]
)
def test_a_recipe_leaves_a_file_for_each_node(tool: str, nodes: list[str], tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("this machine: no bash")
    (tmp_path / "bin").mkdir()
    for name, text in TOOLS.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/bash\n{text.format(python=sys.executable)}\n")
        path.chmod(0o755)
    (recipe,) = [one for one in SHELL if tool in one]
    lines = recipe.replace("/shared/", "").replace("\\\n", " ").splitlines()
    (tmp_path / "snapshots").mkdir()
    done = subprocess.run(
        [
            "bash",
            "-c",
            "\n".join(line for line in lines if "gpucheck bench" not in line and "gpucheck fleet" not in line),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert done.stderr == ""
    found = {path.name: json.loads(path.read_text())["schema"] for path in (tmp_path / "snapshots").iterdir()}
    assert found == {f"{node}.json": "gpucheck.snapshot/1" for node in nodes}
