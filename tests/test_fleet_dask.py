"""A real Dask cluster of processes: each worker a recorded machine; one killed, one hung, one with another gpucheck."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import looked
import machines
import pytest
from bench_results import result
from fake_driver import FakeDriver

from gpucheck.fleet import collecting
from gpucheck.fleet.collecting import Answer, Question, judged
from gpucheck.fleet.grouping import fleet
from gpucheck.output import WrongUsage
from gpucheck.render.bench import json as bench_json
from gpucheck.render.json import render_snapshot

if TYPE_CHECKING:
    import distributed

    from gpucheck.fleet.collecting import asking, by_address, by_slurm, by_ssh

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
MACHINES = ("h100x8-ubuntu", "h100x8-one-lost", "driver-upgraded-not-rebooted")
ASKED = Question(None, False, 10.0)


@pytest.fixture(scope="module", autouse=True)
def _dask() -> None:
    """Loaded when the first of these tests runs: it takes a second, which the fast part of all tests does not have."""
    global distributed, asking, by_address, by_slurm, by_ssh  # noqa: PLW0603
    distributed = pytest.importorskip("distributed", reason="this machine: gpucheck-cli[fleet] is not installed")
    from gpucheck.fleet.collecting import asking, by_address, by_slurm, by_ssh


def posing(recorded: dict[str, dict[str, Any]], broken: dict[str, str]) -> Callable[..., tuple[str, str]]:
    """What a worker runs: the recorded machine of its name, or what breaks it. Travels whole, for it is a closure."""

    def look(python: str | None, deep: bool, timeout: float) -> tuple[str, str]:
        import os
        import signal
        import time

        name = str(distributed.get_worker().name)
        if broken.get(name) == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if broken.get(name) == "hung":
            time.sleep(600)
        if broken.get(name) == "raises":
            raise RuntimeError("no such thing")
        if broken.get(name) == "incompatible":
            import gpucheck.of_the_future  # type: ignore[import-not-found]  # noqa: F401
        if broken.get(name) == "garbage":
            return name, '{"schema": "gpucheck.snapshot/1", "gpus": 17}'
        if broken.get(name) == "endless":
            return name, "x" * (5 << 20)
        if broken.get(name) == "number":
            return 17  # type: ignore[return-value]
        from gpucheck import api
        from gpucheck.render.json import render_snapshot

        return name, render_snapshot(api.read_data(recorded[name]))

    return look


def measuring(results: dict[str, str]) -> Callable[..., tuple[str, str]]:
    """What bench says on a worker, or what becomes of it."""

    def measure(python: str | None, seconds: float, limit: float) -> tuple[str, str]:
        import os
        import time

        said = results[str(distributed.get_worker().name)]
        if said == "killed":
            os._exit(9)
        if said == "hung":
            time.sleep(600)
        return (said, "") if said.startswith("{") else ("", said)

    return measure


@contextmanager
def cluster(*names: str) -> Iterator[Any]:
    """Processes of these names under one scheduler."""
    worker = {"cls": distributed.Nanny, "options": {"nthreads": 1, "silence_logs": 50}}
    scheduler = {
        "cls": distributed.Scheduler,
        "options": {"port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"},
    }
    spec = {name: {**worker, "options": {**worker["options"], "name": name}} for name in names}
    with (
        distributed.SpecCluster(spec, scheduler, silence_logs=50) as made,
        distributed.Client(made, set_as_default=False) as client,
    ):
        if names:
            client.wait_for_workers(len(names), timeout=120)
        yield client


def answers(client: Any, look: Any, seconds: float, measure: Any = None) -> dict[str, Answer]:
    question = ASKED if measure is None else ASKED._replace(bench=1.0)
    found = asking.ask(client, question, look, measure, every_worker=True, seconds=seconds)
    return {one.node.rpartition("/")[2]: one for one in found}


def timed(step: float) -> str:
    """A result of bench with about that step on its GPU, in milliseconds."""
    return bench_json.render(result(speedup=3.8 / step, noise=0.001))


BROKEN = {
    **{"a": "killed", "b": "hung", "c": "incompatible", "d": "raises"},
    **{"e": "garbage", "f": "endless", "g": "number"},
}


@pytest.fixture(scope="module")
def ten() -> Iterator[Any]:
    """Ten processes. Everything is imported in them, however long this machine takes: then seconds do for an answer."""
    names = (*MACHINES, *BROKEN)
    with cluster(*names) as client:
        warm = answers(client, posing(dict.fromkeys(names, machines.load(MACHINES[0])), {}), 200.0)
        assert [one.trouble for one in warm.values()] == [None] * 10
        yield client


def test_gpus_are_measured_where_they_answered_and_a_slow_one_is_found(ten: Any) -> None:
    results = dict.fromkeys((*MACHINES, *BROKEN), timed(1.0))
    results |= {"e": timed(1.3), "c": "no TensorFlow", "d": "killed"}
    machine = machines.load(MACHINES[0])
    found = answers(ten, posing(dict.fromkeys(results, machine), {}), 200.0, measuring(results))
    told = fleet([judged(one) for one in found.values()], "1")
    (slow,) = [one for one in told.over if one.finding.name == "gpu-slower-than-peers"]
    assert [name.rpartition("/")[2] for name in slow.nodes] == ["e"]
    assert "most of 8 GPUs" in slow.finding.message
    (group,) = [one for one in told.groups if one.name == "gpu-not-measured"]
    said = {case.nodes[0].rpartition("/")[2]: case.message for case in group.cases}
    assert set(said) == {"c", "d"}
    assert "no TensorFlow" in said["c"]
    assert "died" in said["d"]
    assert [one.trouble for one in told.nodes] == [None] * 10


def test_the_rest_answers_where_one_is_killed_one_hangs_and_one_is_incompatible(ten: Any) -> None:
    recorded = {name: machines.load(name) for name in MACHINES}
    ten.wait_for_workers(10, timeout=120)  # the one that died in the test before was started again
    found = answers(ten, posing(recorded, BROKEN), 12.0)
    assert set(found) == {*MACHINES, *BROKEN}
    for name in MACHINES:
        node = judged(found[name])
        report = looked.report(name)
        assert (node.verdict, [one.name for one in node.findings]) == (
            report.verdict,
            [one.name for one in report.findings],
        )
    nodes = {name: judged(found[name]) for name in BROKEN}
    found_on = {name: [one.name for one in node.findings] for name, node in nodes.items()}
    assert [found_on[name] for name in "abd"] == [["node-without-answer"]] * 3
    assert [found_on[name] for name in "cefg"] == [["node-incompatible"]] * 4
    assert "died" in str(nodes["a"].trouble)
    assert "in time" in str(nodes["b"].trouble)
    assert f"Python {sys.version_info[0]}.{sys.version_info[1]}" in str(nodes["c"].trouble)
    assert "no such thing" in str(nodes["d"].trouble)
    told = fleet([judged(one) for one in found.values()], "1")
    assert told.exit_code() == 1
    assert len(told.nodes) == 10


def test_a_machine_without_a_gpu_is_not_missed_in_the_measurement() -> None:
    facts = looked.snapshot("no-gpu-vm")
    node = judged(Answer("n", "tcp://n", render_snapshot(facts), unmeasured="no NVIDIA GPU is visible there"))
    assert "gpu-not-measured" not in {one.name for one in node.findings}


@pytest.mark.native
def test_bench_runs_there_and_its_last_words_come_back(fake_driver: FakeDriver) -> None:
    words = "from gpucheck.fleet.collecting import there; print(there.measure(None, 1.0, {}))"
    environ = fake_driver.environ(PYTHONPATH=str(ROOT))

    def said(limit: float, python: str = sys.executable) -> str:
        done = subprocess.run(
            [python, "-c", words.format(limit)], capture_output=True, text=True, env=environ, timeout=120
        )
        return done.stdout + done.stderr

    assert "has no TensorFlow, JAX or PyTorch" in said(60.0)
    assert "was not done within 0.01 s" in said(0.01)


def test_this_machine_answers_for_itself_once_a_host_and_its_answer_is_kept(tmp_path: Path) -> None:
    scheduler = {"dashboard_address": "127.0.0.1:0", "silence_logs": 50, "scheduler_port": 0}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, **scheduler) as made:
        words = ["--dask", made.scheduler_address, "--format", "json", "--save", str(tmp_path), "--bench", "1"]
        done = command(*words, "--timeout", "30")
    told = json.loads(done.stdout)
    assert done.returncode == told["exit_code"]
    assert done.stderr == ""
    assert len(told["nodes"]) == 1
    assert told["nodes"][0]["trouble"] is None
    (kept,) = tmp_path.iterdir()
    assert json.loads(kept.read_text())["schema"] == "gpucheck.snapshot/1"


def command(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gpucheck", "fleet", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        timeout=120,
    )


def old_gpucheck(folder: Path) -> Path:
    """An installed gpucheck of long ago, without what fleets need."""
    package = folder / "gpucheck"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "0.0.1"\n')
    metadata = folder / "gpucheck_cli-0.0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: gpucheck-cli\nVersion: 0.0.1\n")
    return folder


def test_a_worker_with_another_gpucheck_is_reported_with_its_version(tmp_path: Path) -> None:
    old = old_gpucheck(tmp_path)
    with cluster("new") as client:
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "distributed.cli.dask_worker", client.scheduler.address),
                *("--name", "old", "--nthreads", "1", "--no-nanny", "--no-dashboard"),
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(old)},
            stderr=subprocess.DEVNULL,
        )
        try:
            client.wait_for_workers(2, timeout=60)
            found = {one.address: one for one in asking.ask(client, ASKED, every_worker=True, seconds=40)}
            assert worker.poll() is None, "the question ended it"
        finally:
            worker.terminate()
            worker.wait(20)
    troubles = [one.trouble for one in found.values() if one.trouble]
    assert [one.rule for one in troubles] == ["node-incompatible"], troubles
    assert "gpucheck 0.0.1" in troubles[0].why
    assert sum(one.text is not None for one in found.values()) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--dask", "tcp://127.0.0.1:1", "--timeout", "1"], "no scheduler answers at tcp://127.0.0.1:1"),
        (["--dask", ""], "takes the address of a scheduler"),
        (["--ssh", ""], "no host is named"),
        (["--slurm", "nodes=1"], "there is no sbatch on the PATH"),
    ],
)
def test_whom_nobody_can_ask_is_wrong_usage_in_one_line(words: list[str], complaint: str) -> None:
    done = command(*words, PATH="/nowhere")
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_the_extra_it_is_named() -> None:
    words = "import sys; sys.modules['distributed'] = None; from gpucheck.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", words, "fleet", "--dask", "tcp://127.0.0.1:1"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "gpucheck-cli[fleet]" in done.stderr


def test_a_scheduler_without_a_worker_is_wrong_usage() -> None:
    with (
        cluster() as client,
        pytest.raises(WrongUsage, match="has no worker"),
        by_address.reached(client.scheduler.address),
    ):
        pass


# --- ssh


@contextmanager
def ssh_server(folder: Path) -> Iterator[dict[str, Any]]:
    """A real SSH server on this machine, asyncssh's, that runs what it is told; how to connect to it."""
    asyncssh = pytest.importorskip("asyncssh", reason="this machine: gpucheck-cli[fleet] is not installed")
    key = asyncssh.generate_private_key("ssh-ed25519")
    ready, stop = threading.Event(), threading.Event()
    port: list[int] = []

    async def serve() -> None:
        running: set[asyncio.Task[None]] = set()

        async def run(process: Any) -> None:
            task = asyncio.current_task()
            assert task is not None
            running.add(task)
            child = await asyncio.create_subprocess_shell(
                process.command or "true",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )

            async def pump(source: Any, sink: Any) -> None:
                while line := await source.readline():
                    with suppress(Exception):
                        sink.write(line.decode())

            told = asyncio.gather(pump(child.stdout, process.stdout), pump(child.stderr, process.stderr))
            left = asyncio.ensure_future(process.wait_closed())
            try:
                await asyncio.wait({told, left}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # As sshd does: who loses its connection loses its processes.
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                code = await child.wait()
                await told
                left.cancel()
                with suppress(Exception):
                    process.exit(code)
                running.discard(task)

        listener = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[key], process_factory=run, server_factory=lambda: Open(asyncssh)
        )
        port.append(listener.sockets[0].getsockname()[1])
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.05)
        listener.close()
        await listener.wait_closed()
        if running:
            await asyncio.wait(running, timeout=20)

    def Open(library: Any) -> Any:
        class Anyone(library.SSHServer):  # type: ignore[misc]
            def begin_auth(self, username: str) -> bool:
                return False

        return Anyone()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield {"port": port[0], "known_hosts": None, "config": None, "client_keys": None, "username": "anyone"}
    finally:
        stop.set()
        thread.join(20)


def test_hosts_are_asked_by_ssh_and_one_that_cannot_be_reached_costs_itself_alone(tmp_path: Path) -> None:
    with ssh_server(tmp_path) as connecting:
        hosts = by_ssh.hosts("127.0.0.1,no-such-host.invalid")
        with by_ssh.reached(hosts, sys.executable, **connecting) as reached:
            found = {one.node: one for one in asking.ask(reached.client, ASKED, named=reached.named, seconds=60)}
    assert set(found) == {"127.0.0.1"}
    assert judged(found["127.0.0.1"]).trouble is None
    assert [(one.node, one.trouble and one.trouble.rule) for one in reached.missing] == [
        ("no-such-host.invalid", "node-without-answer")
    ]


def test_a_host_without_dask_says_what_it_lacks(tmp_path: Path) -> None:
    bare = f"{sys.executable} -S"  # without site-packages
    with (
        ssh_server(tmp_path) as connecting,
        pytest.raises(WrongUsage, match=r"127\.0\.0\.1: ModuleNotFoundError: No module named 'distributed'"),
        by_ssh.reached(by_ssh.hosts("127.0.0.1"), bare, **connecting),
    ):
        pass


def test_no_host_that_can_be_reached_is_wrong_usage() -> None:
    with (
        pytest.raises(WrongUsage, match="no host could be asked"),
        by_ssh.reached(by_ssh.hosts("no-such-host.invalid"), sys.executable, config=None),
    ):
        pass


# --- slurm


SBATCH = """#!{python}
import os, subprocess, sys
# A queue of one machine: every job starts at once.
job = str(os.getpid())
log = open({log!r}, "a")
log.write(open(sys.argv[-1]).read())
child = subprocess.Popen(["bash", sys.argv[-1]] if False else ["bash", "-c", open(sys.argv[-1]).read()],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
open(os.path.join({folder!r}, "job-%d" % child.pid), "w").close()
print("Submitted batch job %d" % child.pid)
"""
SCANCEL = """#!{python}
import os, signal, sys
for job in sys.argv[1:]:
    try:
        os.killpg(int(job), signal.SIGTERM)
    except OSError:
        pass
"""


def test_slurms_jobs_are_submitted_asked_and_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue", reason="this machine: gpucheck-cli[fleet] is not installed")
    log = tmp_path / "scripts.txt"
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        path = tmp_path / name
        path.write_text(text.format(python=sys.executable, log=str(log), folder=str(tmp_path)))
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    asked = by_slurm.wishes("nodes=1,partition=gpu,gres=gpu:8,exclusive,time=00:05:00,wait=60")
    with by_slurm.reached(asked, sys.executable) as reached:
        found = list(asking.ask(reached.client, ASKED, seconds=60))
    assert not reached.missing
    assert [judged(one).trouble for one in found] == [None]
    script = log.read_text()
    for line in ("#SBATCH -p gpu", "#SBATCH --gres=gpu:8", "#SBATCH --exclusive", "#SBATCH -t 00:05:00"):
        assert line in script


def test_a_queue_that_starts_nothing_is_told_node_by_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue", reason="this machine: gpucheck-cli[fleet] is not installed")
    for name, text in (("sbatch", "#!/bin/sh\necho Submitted batch job 7\n"), ("scancel", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with by_slurm.reached(by_slurm.wishes("nodes=2,wait=1"), sys.executable) as reached:
        assert [one.node for one in reached.missing] == ["slurm job 1 of 2", "slurm job 2 of 2"]
        assert list(asking.ask(reached.client, ASKED, seconds=1)) == []


def test_what_slurm_refuses_is_told_in_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue", reason="this machine: gpucheck-cli[fleet] is not installed")
    said = "sbatch: error: invalid partition specified: gpus"
    (tmp_path / "sbatch").write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with (
        pytest.raises(WrongUsage, match="invalid partition specified: gpus") as refused,
        by_slurm.reached(by_slurm.wishes("nodes=2,wait=100"), sys.executable),
    ):
        pass
    assert str(refused.value) == f"--slurm: {said}"


@pytest.mark.parametrize("text", ["partition=gpu", "nodes=x", "nodes=0", "nodes=2,comment=a b"])
def test_words_for_slurm_that_make_no_job_are_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="--slurm"):
        by_slurm.wishes(text)


@pytest.mark.parametrize("text", ["-oProxyCommand=x", "gpu[1-", "host:port", "@no-such-file", "", "@/dev/null"])
def test_words_that_are_no_hosts_are_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="--ssh"):
        by_ssh.hosts(text)


def test_hosts_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("gpu[01-02]  # the rack\n\nadmin@login:2222\n")
    assert by_ssh.hosts(f"@{tmp_path / 'hosts'}") == (
        by_ssh.Host("gpu01", None, None),
        by_ssh.Host("gpu02", None, None),
        by_ssh.Host("login", "admin", 2222),
    )


def test_without_an_answer_there_is_still_a_node() -> None:
    assert judged(Answer("n", "tcp://n", None)).trouble == "it said nothing"
    assert collecting.Question(None, False, 1.0).timeout == 1.0
