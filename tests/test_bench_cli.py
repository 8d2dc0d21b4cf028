"""`gpucheck bench` as a user meets it: wrong words, frameworks that break, full disks, signals, readers who leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_results
import jsonschema
import psutil
import pytest
from real_environments import environment

from gpucheck.commands import bench
from gpucheck.output import WrongUsage
from gpucheck.render.bench import json as json_format

slow, real = pytest.mark.slow, pytest.mark.real
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: signals and devices of Linux")
BENCH = [sys.executable, "-m", "gpucheck", "bench"]
SCHEMA = json.loads((Path(json_format.__file__).parent / "bench.schema.json").read_text())
Python = Callable[..., str]


def run(*words: object, **changes: Any) -> subprocess.CompletedProcess[str]:
    """Run it to its end. Keyword arguments in capitals are environment variables."""
    environ = {**os.environ, **{name: value for name, value in changes.items() if name.isupper()}}
    others = {name: value for name, value in changes.items() if not name.isupper()}
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environ, "timeout": 120, **others}
    return subprocess.run([*BENCH, *map(str, words)], check=False, encoding="utf-8", **given)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A result file: 9 times faster."""
    path = tmp_path_factory.mktemp("results") / "old.json"
    path.write_text(json_format.render(bench_results.result()))
    return str(path)


# Wrong words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (bench.Words(plot="steps.gif"), "--plot"),
        (bench.Words(fail_slower=5.0), "--compare"),
        (bench.Words(seed_line=True, workload="mlp"), "--seed-line"),
        (bench.Words(seed_line=True, input="fit"), "--seed-line"),
        (bench.Words(backend="jax", jit=False), "--jit"),
        (bench.Words(output="/nowhere/at/all"), "no folder"),
        (bench.Words(save="/"), "folder"),
        (bench.Words(compare="/nowhere.json"), "nowhere.json"),
        (bench.Words(load="/nowhere.json"), "nowhere.json"),
        (bench.Words(load=__file__), "no result"),
        (bench.Words(load=__file__, devices="x"), "--devices is for a measurement"),
        (bench.Words(load=__file__, batch_sizes=(3,)), "--batch-size is for a measurement"),
        (bench.Words(save="one", output="./one"), "a file each"),
        (bench.Words(save=""), "empty name"),
        (bench.Words(save="x" * 300), "too long"),
    ],
)
def test_words_that_make_no_sense_are_refused_before_any_work(words: bench.Words, said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        bench.bench(words)


@slow
@pytest.mark.parametrize(
    "words",
    [
        ["--time", "0.5"],
        ["--time", "soon"],
        ["--batch-size", "0"],
        ["--batch-size", "64,,256"],
        ["--devices", "tpu"],
        ["--simulate", "speed=9"],
        ["--data", "/nowhere/at/all"],
        ["--workload", "resnet"],
        ["--python", "/nowhere/python"],
        ["--python", "/dev/null"],
        ["--fail-under", "-1"],
        ["--load", "/dev/null"],
        ["--compare", "/dev/null"],
    ],
)
def test_wrong_usage_is_one_line_and_exits_with_2(words: list[str]) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


# A saved result: shown, kept, compared


@slow
@pytest.mark.parametrize("form", ["terminal", "json", "markdown", "html"])
def test_a_saved_result_is_shown_in_every_format(saved: str, form: str) -> None:
    done = run("--load", saved, "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    assert "H100" in done.stdout


@slow
@linux
def test_a_full_disk_costs_the_file_and_not_the_answer(saved: str, tmp_path: Path) -> None:
    for option in ("--output", "--save"):
        done = run("--load", saved, option, "/dev/full", TMPDIR=str(tmp_path))
        assert done.returncode == 2
        assert "FASTER" in done.stdout
        assert "No space left on device" in done.stderr
    (rescued,) = tmp_path.glob("gpucheck-bench-*.json")
    assert str(rescued) in done.stderr
    assert json.loads(rescued.read_text()) == json.loads(Path(saved).read_text())
    done = run("--load", saved, "--output", "/dev/full", "--format", "json")
    assert json.loads(done.stdout)["schema"] == "gpucheck.bench/1", "in the format that was asked for"
    kept = tmp_path / "kept.json"
    done = run("--load", saved, "--output", "/dev/full", "--save", kept, "--format", "json")
    assert done.returncode == 2
    assert json.loads(kept.read_text())["schema"] == json.loads(Path(saved).read_text())["schema"]


@slow
@linux
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="this machine: only root mounts a disk")
def test_a_small_disk_that_is_full_leaves_no_part_of_a_file(saved: str, tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("this machine: no file system may be mounted")
    try:
        done = run("--load", saved, "--save", tmp_path / "result.json")
        assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
        assert "FASTER" in done.stdout
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@slow
def test_a_reader_who_leaves_is_no_error(saved: str) -> None:
    with subprocess.Popen([*BENCH, "--load", saved, "--format", "json"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 0


@slow
def test_a_result_is_compared_with_itself_and_with_another(saved: str, tmp_path: Path) -> None:
    assert run("--load", saved, "--compare", saved, "--fail-slower", "5").returncode in (0, 3)
    other = json.loads(Path(saved).read_text())
    other["settings"]["backend"] = "jax"
    unlike = tmp_path / "unlike.json"
    unlike.write_text(json.dumps(other))
    refused = run("--load", saved, "--compare", unlike)
    assert refused.returncode == 2
    assert "--compare-unlike" in refused.stderr
    assert run("--load", saved, "--compare", unlike, "--compare-unlike").returncode in (0, 3)


@slow
def test_a_saved_result_that_became_slower_fails_the_gate_without_a_new_measurement(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    result = bench_results.result(noise=0.001)
    old.write_text(json_format.render(result))
    slower = json.loads(old.read_text())
    for leg in slower["trials"][0]["legs"]:
        for block in leg["blocks"]:
            block["seconds"] *= 1.5
    new.write_text(json.dumps(slower))
    done = run("--load", new, "--compare", old, "--fail-slower", "10")
    assert done.returncode == 1
    assert "SLOWER" in done.stdout
    assert run("--load", new, "--compare", old).returncode == 0
    assert run("--load", old, "--compare", new, "--fail-slower", "10").returncode == 0


@slow
@linux
def test_standard_output_by_its_name_and_a_long_name_are_places_to_write_to(saved: str, tmp_path: Path) -> None:
    done = run("--load", saved, "--format", "json", "--output", "/dev/stdout")
    assert (done.returncode, json.loads(done.stdout)["schema"]) == (0, "gpucheck.bench/1")
    longest = tmp_path / ("x" * 250 + ".json")
    assert run("--load", saved, "--save", longest).returncode == 0
    assert [one.name for one in tmp_path.iterdir()] == [longest.name]


@slow
def test_a_speedup_that_is_not_reached_exits_with_1(saved: str) -> None:
    assert run("--load", saved, "--fail-under", "2").returncode == 0
    assert run("--load", saved, "--fail-under", "500").returncode == 1


# Frameworks that break: a real virtual environment with a broken tensorflow in it


@pytest.fixture
def python(tmp_path: Path) -> Python:
    def make(source: str) -> str:
        folder = tmp_path / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        (site,) = folder.glob("lib/python3*/site-packages") if os.name != "nt" else folder.glob("Lib/site-packages")
        (site / "tensorflow").mkdir()
        (site / "tensorflow" / "__init__.py").write_text(source)
        (site / "tensorflow-2.21.0.dist-info").mkdir()
        about = "Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.21.0\n"
        (site / "tensorflow-2.21.0.dist-info" / "METADATA").write_text(about)
        return str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")

    return make


GARBAGE = "import os\nfor at in range(40):\n try: os.write(at, b'{}garbage\\n' * 99)\n except OSError: pass\n"
BROKEN = {
    "it raises": ("raise ImportError('libcudart.so.12: cannot open shared object file')", "libcudart.so.12", "import"),
    "it leaves": ("import sys; sys.exit(0)", "SystemExit", "import"),
    "it ends the process": ("import os; os._exit(0)", "exit code 0", "crash"),
    "it aborts": ("import os; os.abort()", "SIGABRT", "crash"),
    "it is killed": ("import os; os.kill(os.getpid(), 9)", "SIGKILL", "crash"),
    "it prints to every descriptor": (GARBAGE + "raise ImportError('after all')", "after all", "import"),
    "it closes every descriptor": ("import os; os.closerange(0, 99)\nraise ImportError('x')", "ended with", "crash"),
    "it needs all memory": ("x = bytearray(1 << 60)", "MemoryError", "memory"),
    "it is empty": ("", "is empty", "import"),
}


@slow
@pytest.mark.parametrize("how", BROKEN)
def test_a_framework_that_does_not_import_is_told_with_its_words(python: Python, how: str) -> None:
    source, words, kind = BROKEN[how]
    done = run("--python", python(source), "--devices", "cpu", "--time", "1", "--format", "json")
    assert done.returncode == 1, done.stderr
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(done.stdout))
    (leg,) = json.loads(done.stdout)["trials"][0]["legs"]
    assert leg["failure"]["kind"] == kind, leg["failure"]
    assert words in leg["failure"]["message"]
    assert leg["figures"] is None


@slow
def test_a_python_without_a_framework_is_wrong_usage() -> None:
    done = run("--python", sys.executable)
    assert done.returncode == 2
    assert "has no TensorFlow, JAX or PyTorch" in done.stderr


@slow
@linux
def test_a_python_that_hangs_or_is_none_is_told_in_time(tmp_path: Path) -> None:
    for name, script in (("hangs", "exec sleep 1000"), ("babbles", "echo no python")):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        begin = time.monotonic()
        done = run("--python", path, timeout=60)
        assert done.returncode == 2, done
        assert done.stderr.strip()
        assert time.monotonic() - begin < 30


# Signals


def started(*words: str, **more: Any) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([*BENCH, *words], stdout=pipe, stderr=pipe, text=True, start_new_session=True, **more)


def children(process: subprocess.Popen[str], least: int) -> list[psutil.Process]:
    """All of its descendants, once there are so many: the sampler and the workers."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        found = psutil.Process(process.pid).children(recursive=True)
        if len(found) >= least:
            return found
        time.sleep(0.05)
    raise AssertionError(process.communicate())


def heard(process: subprocess.Popen[str], words: str) -> None:
    """Wait until it said so on standard error."""
    assert process.stderr is not None
    late = threading.Timer(90, process.kill)
    late.start()
    try:
        assert any(words in line for line in process.stderr), f"never said: {words}"
    finally:
        late.cancel()


def gone(processes: list[psutil.Process], within: float = 5.0) -> bool:
    _gone, alive = psutil.wait_procs(processes, within)
    return not [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


HANGS = "import time; time.sleep(1000)"


@slow
@linux
@pytest.mark.parametrize("group", [True, False])
def test_ctrl_c_while_a_framework_is_imported_tells_what_is_known(python: Python, group: bool) -> None:
    process = started("--python", python(HANGS), "--devices", "cpu", "--format", "json")
    heard(process, "importing")
    ours = children(process, 2)
    time.sleep(0.3)
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    out, _err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert json.loads(out)["interrupted"] is True
    assert gone(ours)


@slow
@linux
def test_ctrl_c_twice_leaves_nothing_behind(python: Python) -> None:
    process = started("--python", python(HANGS), "--devices", "cpu")
    heard(process, "importing")
    ours = children(process, 2)
    for gap in (0.0, 0.02, 0.0):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(gap)
    out, _err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "INTERRUPTED" in out
    assert gone(ours)


@slow
@linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_told_to_end_tells_what_is_known(
    python: Python, number: signal.Signals, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.json"
    words = ("--devices", "cpu", "--format", "json", "--save", str(kept))
    process = started("--python", python(HANGS), *words)
    heard(process, "importing")
    ours = children(process, 2)
    process.send_signal(number)
    out, _err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert json.loads(out) == json.loads(kept.read_text())
    assert json.loads(out)["exit_code"] == 128 + number
    assert gone(ours)


@slow
@linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_workers_do_not_outlive_the_command(python: Python, number: signal.Signals) -> None:
    process = started("--python", python(HANGS), "--simulate", "speedup=2")
    heard(process, "importing")
    ours = children(process, 2)
    time.sleep(0.3)
    os.kill(process.pid, number)
    process.communicate(timeout=20)
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert gone(ours)


@pytest.fixture(scope="module")
def tensorflow() -> str:
    return str(environment("tfnocuda") / "bin" / "python")


QUICK = ("--workload", "mlp", "--time", "60", "--simulate", "speedup=3,noise=0.5", "--format", "json")


@real
@slow
@linux
@pytest.mark.parametrize(("words", "blocks"), [("importing", 0), ("batch 64", 0), ("measuring", 1)])
def test_ctrl_c_in_a_real_run_tells_what_is_known(tensorflow: str, words: str, blocks: int) -> None:
    process = started("--python", tensorflow, *QUICK)
    heard(process, words)
    ours = children(process, 3)
    if blocks:
        time.sleep(6)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    result = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(result)
    assert result["interrupted"] is True
    assert len(result["trials"][0]["legs"][0]["blocks"]) >= blocks
    assert gone(ours)


@real
@slow
@linux
def test_a_worker_that_is_killed_from_outside_costs_its_device_alone(tensorflow: str) -> None:
    process = started("--python", tensorflow, *QUICK[:3], "4", *QUICK[4:])
    heard(process, "measuring")
    workers = [one for one in children(process, 3) if "worker.py" in " ".join(one.cmdline())]
    assert len(workers) == 2
    victim = max(workers, key=lambda one: one.create_time())
    victim.kill()
    out, err = process.communicate(timeout=120)
    result = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(result)
    cpu, gpu = result["trials"][0]["legs"]
    assert gpu["failure"]["kind"] in ("crash", "memory"), (gpu["failure"], err)
    assert "SIGKILL" in gpu["failure"]["message"]
    assert cpu["failure"] is None
    assert len(cpu["blocks"]) >= 4
    assert process.returncode == 3
    assert gone(workers)


@real
@slow
@linux
def test_a_batch_for_which_memory_is_too_small_is_told(tensorflow: str) -> None:
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))

    words = ("--devices", "cpu", "--batch-size", "1048576,64", "--time", "1", "--format", "json")
    process = started("--python", tensorflow, *words, preexec_fn=limit)
    out, err = process.communicate(timeout=120)
    large, small = (trial["legs"][0] for trial in json.loads(out)["trials"])
    assert large["failure"]["kind"] in ("memory", "crash"), (large["failure"], err)
    assert small["failure"] is None, "the next batch size gets a worker of its own"
    assert len(small["blocks"]) > 0
    assert process.returncode == 1
