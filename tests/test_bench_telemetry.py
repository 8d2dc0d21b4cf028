"""Telemetry: the sampler with the real nvidia-ml-py and a planted driver, others' CPU load with real processes."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Union

import psutil
import pytest
from fake_driver import OLD_DRIVER, FakeDriver

from gpucheck.bench.watching import cpus, load, machine, records
from gpucheck.bench.watching.ours import Ours
from gpucheck.bench.watching.records import Reading, energy
from gpucheck.bench.watching.telemetry import Telemetry
from gpucheck.bench.watching.watched import Watched
from gpucheck.facts.bench import Sample
from gpucheck.facts.gap import Gap

FIRST = "GPU-00000000-0000-4000-8000-000000000000"
SECOND = "GPU-00000001-0000-4000-8000-000000000000"
MIG = "MIG-00000000-0000-4000-8000-000000000002"


def why(fact: object) -> str:
    assert isinstance(fact, Gap), fact
    return fact.reason


# Energy, between two readings


def reading(seconds: float, joules: Union[float, None, Gap], step: Union[float, None] = 0.1) -> Reading:
    return Reading(seconds, joules, 0, (), step)


def test_energy_is_the_difference_of_the_counter() -> None:
    assert energy(reading(1.0, 5000.0), reading(3.5, 5250.0)) == 250.0


def test_energy_of_a_short_block_is_unknown() -> None:
    assert "too short" in why(energy(reading(1.0, 5000.0), reading(2.9, 5250.0)))
    # twenty steps of a slow counter take longer
    assert "at least 6.0 s" in why(energy(reading(1.0, 5000.0), reading(6.9, 5250.0, step=0.3)))
    assert energy(reading(1.0, 5000.0), reading(7.1, 5250.0, step=0.3)) == 250.0


def test_energy_of_a_counter_that_went_back_or_stood_still_is_unknown() -> None:
    assert "backwards" in why(energy(reading(1.0, 5000.0), reading(4.0, 10.0)))
    assert "stood still" in why(energy(reading(1.0, 5000.0), reading(4.0, 5000.0)))


def test_energy_without_a_counter_is_absent_and_of_a_failing_one_unknown() -> None:
    assert energy(reading(1.0, None), reading(4.0, None)) is None
    assert energy(reading(1.0, 5.0), reading(4.0, Gap("lost"))) == Gap("lost")


# What was seen between two moments


def watched(*seen: tuple[float, records.Reasons, records.Count]) -> Watched:
    found = Watched()
    for moment, reasons, processes in seen:
        found.note(moment, reasons, processes, asked=True)
    return found


def test_a_reason_that_was_seen_once_was_set() -> None:
    seen = watched((1.0, (), 0), (1.2, ("hw-slowdown",), 2), (9.0, (), 0))
    assert seen.reasons(1.0, 9.0) == ("hw-slowdown",)
    assert seen.processes(1.0, 9.0) == 2


def test_nothing_is_known_of_a_time_that_was_not_watched_throughout() -> None:
    seen = watched((1.0, (), 0), (1.2, (), 0), (9.0, (), 0))
    assert seen.reasons(0.9, 1.3) == ()
    assert "not looked at for 7.8 s" in why(seen.reasons(1.0, 9.0))
    assert "not looked at" in why(seen.processes(1.0, 9.0))
    assert "not looked at" in why(Watched().reasons(0.0, 3.0))


def test_one_failed_reading_makes_it_unknown_and_an_unsupported_one_absent() -> None:
    assert watched((1.0, (), 0), (1.2, Gap("denied"), 0)).reasons(1.0, 1.2) == Gap("denied")
    assert watched((1.0, None, None), (1.2, None, None)).reasons(1.0, 1.2) is None


def test_many_samples_become_few_and_lose_no_reason() -> None:
    many = [
        [Sample(time=at / 5, device=device, utilization=0.5, reasons=("hw-slowdown",) if at == 777 else ())]
        for at in range(1000)
        for device in ("gpu:0", "gpu:1")
    ]
    kept = [[one for (one,) in many if one.device == device] for device in ("gpu:0", "gpu:1")]
    few = records.thinned(kept, 100)
    assert 90 <= len(few) <= 100
    assert [one.time for one in few] == sorted(one.time for one in few)
    assert sum("hw-slowdown" in one.reasons for one in few) == 2
    assert {one.utilization for one in few} == {0.5}
    assert records.thinned(kept, 5000) == tuple(
        sorted((one for (one,) in many), key=lambda one: (one.time, one.device))
    )


# Whose processes


@contextmanager
def waiting_shell() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sh", "-c", "read x"], stdin=subprocess.PIPE) as shell:
        yield shell
        if shell.poll() is None:
            shell.communicate(b"\n")


def test_a_process_that_is_not_ours_counts_and_a_descendant_of_ours_does_not() -> None:
    with waiting_shell() as shell:
        assert Ours(set, all_visible=True).others([1, os.getpid()], []) == 1
        assert Ours(set, all_visible=True).others([shell.pid], []) == 0  # a child of this very process
        assert Ours(lambda: {1}, all_visible=True).others([1], []) == 0


def test_a_thread_of_ours_is_ours() -> None:
    """In a container NVML may give the number of a thread."""
    go, numbers = threading.Event(), list[int]()

    def stay() -> None:
        numbers.append(threading.get_native_id())
        go.wait(5.0)

    thread = threading.Thread(target=stay)
    thread.start()
    while not numbers:
        time.sleep(0.001)
    assert numbers != [os.getpid()]
    assert Ours(set, all_visible=True).others(numbers, []) == 0
    go.set()
    thread.join()


def test_a_worker_that_just_ended_stays_ours() -> None:
    alive = {1}
    ours = Ours(lambda: alive, all_visible=True)
    assert ours.others([1], []) == 0
    alive.clear()
    assert ours.others([1], []) == 0


def test_a_desktop_counts_only_while_it_uses_the_gpu() -> None:
    ours = Ours(set, all_visible=True)
    assert [ours.others([], [[1, share]]) for share in (None, 0.0, 0.02, 0.4)] == [0, 0, 0, 1]


def test_in_a_container_no_other_process_is_never_known() -> None:
    ours = Ours(set, all_visible=False)
    assert "container" in why(ours.others([], []))
    assert "container" in why(ours.others([2**30], []))  # a number from outside: perhaps our own worker


# Others' share of the CPUs

STAT = """cpu  9 9 9 9 9 9 9 9 9 9
cpu0 100 10 30 1000 50 5 5 0 40 0
cpu2 200 0 100 500 0 0 0 100 0 0
cpu3 999 0 0 0 0 0 0 0 0 0
intr 1 2 3
"""


def test_busy_counts_what_was_stolen_and_not_what_waits_for_disks() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    assert cpus.busy_of(STAT, (0,)) == (150 / ticks, 1200 / ticks)
    assert cpus.busy_of(STAT, (2,)) == (400 / ticks, 900 / ticks)  # cpu1 is switched off
    assert cpus.busy_of(STAT, (0, 2)) == (550 / ticks, 2100 / ticks)


def seconds(busy: float, total: float) -> cpus.Busy:
    return cpus.Busy(busy, total)


def test_the_share_of_others_is_what_was_not_ours() -> None:
    found = load.share(seconds(10.0, 100.0), seconds(13.0, 104.0), own=2.0, seconds=2.0, cpus=2, processes=2)
    assert found == pytest.approx(0.25)
    assert load.share(seconds(10.0, 100.0), seconds(11.95, 104.0), own=2.0, seconds=2.0, cpus=2, processes=2) == 0.0


def test_a_share_that_ticks_cannot_tell_is_unknown() -> None:
    short = load.share(seconds(10.0, 100.0), seconds(10.3, 100.6), own=0.1, seconds=0.3, cpus=2, processes=2)
    assert "too short" in why(short)
    assert load.least_seconds(2, 2) == pytest.approx(0.35, abs=0.01)
    assert load.least_seconds(1, 6) == pytest.approx(0.92, abs=0.01)
    assert load.least_seconds(64, 3) == 0.3


def test_times_that_do_not_fit_are_unknown() -> None:
    still = load.share(seconds(0.0, 0.0), seconds(0.0, 0.0), own=2.0, seconds=2.0, cpus=2, processes=2)
    assert "do not go with the clock" in why(still)
    less = load.share(seconds(10.0, 100.0), seconds(10.1, 104.0), own=2.0, seconds=2.0, cpus=2, processes=2)
    assert "more time than the CPUs" in why(less)


def test_a_killed_worker_makes_others_share_unknown() -> None:
    with waiting_shell() as shell:
        found = load.Load()
        found.begin([shell.pid])
        shell.kill()
        shell.wait()
        assert f"process {shell.pid} of ours ended" in why(found.end([]))
        assert f"process {shell.pid} of ours ended" in why(found.end([shell.pid]))


def test_a_share_without_a_beginning_is_unknown() -> None:
    assert "begin was not called" in why(load.Load().end([]))


@pytest.mark.slow
def test_a_process_that_is_not_ours_is_found_and_ours_are_not_accused() -> None:
    """Ours, which is no child of this one but named, and the same process not named."""
    spin = "import time\nend = time.time() + 30\nwhile time.time() < end: pass"
    twice = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=2).pid)"
    quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    pid = int(subprocess.run([sys.executable, "-c", twice, spin], **quiet, check=True).stdout)  # type: ignore[call-overload]
    try:
        found = load.Load()
        found.begin([])
        time.sleep(1.5)
        strange = found.end([])
        found.begin([pid])
        time.sleep(1.5)
        ours = found.end([pid])
    finally:
        os.kill(pid, signal.SIGKILL)
    assert isinstance(strange, float), strange
    assert isinstance(ours, float), ours
    assert strange > 0.8 / len(found.cpus) * 0.5  # others may take half of its core
    # The machine's other work, if any, is in both.
    assert strange - ours > 0.2 / len(found.cpus)


# What the machine allows and is


def test_the_tightest_of_nested_groups_is_the_quota(tmp_path: Path) -> None:
    group = tmp_path / "batch" / "job"
    group.mkdir(parents=True)
    (tmp_path / "batch" / "cpu.max").write_text("150000 100000\n")
    (group / "cpu.max").write_text("max 100000\n")
    mounts = f"31 23 0:28 / {tmp_path} rw,relatime - cgroup2 cgroup2 rw\n"
    assert cpus.tightest_quota("0::/batch/job\n", mounts) == 1.5
    (group / "cpu.max").write_text("50000 100000\n")
    assert cpus.tightest_quota("0::/batch/job\n", mounts) == 0.5
    assert cpus.tightest_quota("0::/\n", mounts) is None


def test_a_container_sees_its_own_group_of_version_1_as_the_mount(tmp_path: Path) -> None:
    (tmp_path / "cpu.cfs_quota_us").write_text("250000\n")
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n")
    mounts = (
        f"40 31 0:31 /docker/4f5e {tmp_path} rw - cgroup cgroup rw,cpu,cpuacct\n"
        f"41 31 0:32 / {tmp_path}/none rw - cgroup cgroup rw,memory\n"
    )
    assert cpus.tightest_quota("3:cpu,cpuacct:/docker/4f5e\n2:memory:/\n", mounts) == 2.5
    (tmp_path / "cpu.cfs_quota_us").write_text("-1\n")
    assert cpus.tightest_quota("3:cpu,cpuacct:/docker/4f5e\n", mounts) is None


def test_a_cpu_has_a_name_on_every_architecture() -> None:
    assert machine.model_of("processor\t: 0\nmodel name\t: AMD  EPYC 9334\nmodel name\t: other\n") == "AMD EPYC 9334"
    arm = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"
    assert machine.model_of(arm) == "CPU implementer 0x41, part 0xd40"
    assert machine.model_of("cpu\t: POWER9, altivec supported\n") == "POWER9, altivec supported"
    assert machine.model_of(None) is None


def test_the_machine_is_told_alike_twice() -> None:
    first = machine.environment()
    assert first == machine.environment()
    assert [part.name for part in first][:3] == ["system", "CPU", "CPUs usable"]
    assert all(part.value for part in first)
    assert (machine.cpus(4, 4), machine.cpus(4, 64), machine.quota(1.5)) == ("4", "4 of 64", "1.5 CPUs")


@pytest.mark.slow
def test_the_canary_takes_about_the_same_time_again() -> None:
    assert gc.isenabled()
    times = [load.canary() for _ in range(9)]
    assert gc.isenabled()
    assert 0.0005 < min(times) < 0.1
    assert sorted(times)[2] / min(times) < 1.5  # on a quiet machine 1.001; this one may not be quiet


# A sampler that is no good


def planted(script: str) -> Telemetry:
    return Telemetry({"gpu:0": "0"}, None, time.perf_counter(), argv=["/bin/sh", "-c", script])


def test_a_sampler_that_was_not_started_or_cannot_be_leaves_gaps() -> None:
    telemetry = Telemetry({"gpu:0": "0"}, argv=["/nowhere/python"])
    assert "not started" in why(telemetry.mark()["gpu:0"])
    with telemetry:
        assert "could not be started" in why(telemetry.mark()["gpu:0"])
        assert "could not be started" in why(telemetry.reasons_between("gpu:0", 0.0, 1.0))
        assert "could not be started" in why(telemetry.about("gpu:0"))
        assert telemetry.samples() == ()


GARBAGE = (
    """echo garbage; echo '[]'; echo '{"stage": []}'; echo '{"stage": "mark", "device": "gpu:0", "time": "soon"}'; """
    """echo '{"stage": "sample", "device": "gpu:0", "time": NaN}'; echo '{"stage": "sample", "device": {}}'; """
    """echo '{"stage": "mark", "id": "1", "device": "gpu:0", "time": 1, "compute": 5}'; printf '\\377\\n'; """
)


def test_garbage_leaves_gaps_and_what_follows_it_is_read() -> None:
    sound = """echo '{"stage": "failed", "device": "gpu:0", "reason": "told after all"}'; read x"""
    with planted(GARBAGE + sound) as telemetry:
        assert telemetry.ready(5.0)
        assert why(telemetry.mark()["gpu:0"]) == "told after all"
        assert telemetry.samples() == ()


def test_a_sampler_that_ends_says_how_and_is_not_waited_for() -> None:
    for script, words in ((GARBAGE + "exit 3", "exit code 3"), ("kill -SEGV $$", "SIGSEGV")):
        with planted(script) as telemetry:
            begin = time.perf_counter()
            assert words in why(telemetry.mark(5.0)["gpu:0"])
            assert words in why(telemetry.busy_processes_between("gpu:0", 0.0, 1.0))
            assert time.perf_counter() - begin < 2.0


def test_a_silent_sampler_is_waited_for_once() -> None:
    with planted("read x; read x; read x") as telemetry:
        begin = time.perf_counter()
        assert "no reading within" in why(telemetry.mark(0.05)["gpu:0"])
        assert "no reading within" in why(telemetry.mark(5.0)["gpu:0"])
        assert time.perf_counter() - begin < 1.0


def test_a_sampler_with_another_clock_is_not_believed() -> None:
    with planted("""echo '{"stage": "hello", "time": 1.5}'; read x""") as telemetry:
        assert telemetry.ready(5.0)
        assert "clock" in why(telemetry.mark(0.05)["gpu:0"])


# The real sampler, the real nvidia-ml-py, a planted driver


class Planted:
    """A driver whose faults come in the middle."""

    def __init__(self, driver: FakeDriver, folder: Path) -> None:
        self._driver, self._file = driver, folder / "live"

    def environ(self, kind: str = "driver", /, **settings: str) -> dict[str, str]:
        return self._driver.environ(kind, FAKE_LIVE=str(self._file), **settings)

    def now(self, **settings: Union[str, int]) -> None:
        new = self._file.with_suffix(".new")
        new.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        new.rename(self._file)


@pytest.fixture
def gpu(fake_driver: FakeDriver, tmp_path: Path) -> Planted:
    return Planted(fake_driver, tmp_path)


@contextmanager
def running(environ: dict[str, str], *, own: Union[set[int], None] = None, **gpus: str) -> Iterator[Telemetry]:
    """gpus: g0="GPU-…"; ready, its energy counter's pace learned."""
    wanted = {f"gpu:{name[1:]}": value for name, value in (gpus or {"g0": FIRST}).items()}
    with Telemetry(wanted, environ, time.perf_counter(), lambda: own or set()) as telemetry:
        assert telemetry.ready(10.0)
        yield telemetry


def told(telemetry: Telemetry, device: str = "gpu:0") -> Reading:
    found = telemetry.mark()[device]
    assert isinstance(found, Reading), found
    return found


def soon(telemetry: Telemetry, wanted: int) -> bool:
    """Are there so many other processes at a reading within a second? The planted file is read at the next call."""
    return any(told(telemetry).processes == wanted for _ in range(10))


native = pytest.mark.native


@native
def test_a_gpu_is_sampled_and_marked(gpu: Planted) -> None:
    origin = time.perf_counter()
    environ = gpu.environ(FAKE_WATTS="250", FAKE_UTILIZATION="93", FAKE_CLOCK="1400", FAKE_PCIE_WIDTH="4")
    with Telemetry({"gpu:0": FIRST}, environ, origin) as telemetry:
        assert telemetry.ready(10.0)
        begin = time.perf_counter() - origin
        mark = told(telemetry)
        assert begin <= mark.time <= time.perf_counter() - origin  # one clock
        time.sleep(0.3)
        sample = [one for one in telemetry.samples() if one.device == "gpu:0"][-1]
        about = telemetry.about("gpu:0")
    assert (sample.utilization, sample.power, sample.clock, sample.temperature) == (0.93, 250.0, 1400.0, 45.0)
    assert (sample.memory, sample.memory_clock, sample.processes) == (512 << 20, 5000.0, 0)
    assert (sample.pcie_width, sample.pcie_generation, sample.reasons) == (4, 1, ("gpu-idle",))
    assert not isinstance(about, Gap)
    assert (about.name, about.pcie_width_max, about.clock_max, about.power_limit) == ("Tesla T4", 16, 1500.0, 70.0)


@native
@pytest.mark.slow
def test_energy_rises_by_the_planted_watts(gpu: Planted) -> None:
    with running(gpu.environ(FAKE_PROFILE="8xh100", FAKE_WATTS="300"), g0="0", g1=SECOND) as telemetry:
        before = telemetry.mark()
        time.sleep(2.2)
        after = telemetry.mark()
        for device in ("gpu:0", "gpu:1"):
            first, last = before[device], after[device]
            assert isinstance(first, Reading), first
            assert isinstance(last, Reading), last
            assert last.counter_step == pytest.approx(0.05, rel=0.3)
            joules = energy(first, last)
            assert isinstance(joules, float), joules
            assert joules == pytest.approx(300 * (last.time - first.time), rel=0.05)
        gpu.now(FAKE_ENERGY=5)
        time.sleep(0.1)
        assert isinstance(before["gpu:0"], Reading)
        assert "backwards" in why(energy(before["gpu:0"], told(telemetry)))


@native
def test_a_gpu_without_an_energy_counter_has_none(gpu: Planted) -> None:
    with running(gpu.environ(FAKE_PROFILE="gtx1080")) as telemetry:
        mark = told(telemetry)
        assert (mark.energy_j, mark.counter_step, mark.reasons) == (None, None, ("gpu-idle",))
        assert energy(mark, mark._replace(time=mark.time + 5.0)) is None


@native
def test_a_throttle_reason_that_comes_and_goes_is_in_its_block_alone(gpu: Planted) -> None:
    with running(gpu.environ(FAKE_REASONS="0")) as telemetry:
        first = told(telemetry)
        second = told(telemetry)
        gpu.now(FAKE_REASONS=64)
        third = told(telemetry)
        time.sleep(0.3)
        gpu.now(FAKE_REASONS=0)
        fourth = told(telemetry)
        fifth = told(telemetry)
        assert telemetry.reasons_between("gpu:0", first.time, second.time) == ()
        assert telemetry.reasons_between("gpu:0", third.time, fourth.time) == ("hw-thermal-slowdown",)
        assert telemetry.reasons_between("gpu:0", fourth.time, fifth.time) == ()
        assert any("hw-thermal-slowdown" in one.reasons for one in telemetry.samples())
        assert telemetry.reasons_between("cpu", 0.0, 1.0) is None


@native
def test_other_processes_are_counted_and_ours_are_not(gpu: Planted) -> None:
    with waiting_shell() as shell, running(gpu.environ(), own={os.getppid()}) as telemetry:
        assert told(telemetry).processes == 0
        begin = told(telemetry).time
        gpu.now(FAKE_PID=1)
        assert soon(telemetry, 1)
        gpu.now(FAKE_PID=f"1,{shell.pid},{os.getpid()},{os.getppid()}")
        assert soon(telemetry, 1)
        gpu.now(FAKE_MPS_PID=1)
        assert soon(telemetry, 1)
        gpu.now(FAKE_GRAPHICS_PID=1)
        assert soon(telemetry, 0)
        gpu.now(FAKE_GRAPHICS_PID=1, FAKE_PROCESS_SM=60)
        assert soon(telemetry, 1)
        gpu.now(FAKE_CODES="nvmlDeviceGetComputeRunningProcesses=4")
        assert "Insufficient Permissions" in why(told(telemetry).processes)
        assert telemetry.busy_processes_between("gpu:0", begin, told(telemetry).time) == 1


@native
def test_a_mig_instance_has_no_energy_of_its_own(gpu: Planted) -> None:
    with running(gpu.environ(FAKE_PROFILE="h100-mig", FAKE_REASONS="4"), g0=MIG) as telemetry:
        mark = told(telemetry)
        assert (mark.energy_j, mark.reasons) == (None, ("sw-power-cap",))
        sample = next(one for one in telemetry.samples() if one.device == "gpu:0")
        assert (sample.power, sample.temperature) == (None, 45.0)


@native
def test_a_gpu_that_nvml_does_not_know_is_a_gap_and_the_other_is_told(gpu: Planted) -> None:
    with running(gpu.environ(), g0=FIRST, g5=SECOND) as telemetry:
        marks = telemetry.mark()
        assert isinstance(marks["gpu:0"], Reading)
        assert "NotFound" in why(marks["gpu:5"])
        assert "NotFound" in why(telemetry.reasons_between("gpu:5", 0.0, 1.0))


@native
def test_a_gpu_that_falls_off_the_bus_gives_gaps_in_its_readings(gpu: Planted) -> None:
    with running(gpu.environ()) as telemetry:
        begin = told(telemetry).time
        gpu.now(FAKE_LOST=0)
        mark = told(telemetry)
        assert "GPU is lost" in why(mark.energy_j)
        assert "GPU is lost" in why(mark.reasons)
        assert "GPU is lost" in why(telemetry.reasons_between("gpu:0", begin, mark.time))


@native
def test_a_hang_in_the_middle_costs_one_gpu_its_readings_and_nobody_time(gpu: Planted) -> None:
    with running(gpu.environ(FAKE_PROFILE="8xh100"), g0=FIRST, g1=SECOND) as telemetry:
        begin = told(telemetry, "gpu:1").time
        gpu.now(FAKE_HANG="nvmlDeviceGetTotalEnergyConsumption", FAKE_HANG_GPU=1)
        marks = telemetry.mark(0.3)
        assert isinstance(marks["gpu:0"], Reading)
        assert "no reading within 0.3 s" in why(marks["gpu:1"])
        before = time.perf_counter()
        assert isinstance(telemetry.mark(5.0)["gpu:0"], Reading)  # gpu:1 is not waited for again
        assert time.perf_counter() - before < 1.0
        assert "not looked at" in why(telemetry.reasons_between("gpu:1", begin, begin + 3.0))
        pid = telemetry.pid
    assert not psutil.pid_exists(pid or 0)


@native
def test_a_crash_in_the_middle_is_told_with_its_signal(gpu: Planted) -> None:
    with running(gpu.environ()) as telemetry:
        mark = told(telemetry)
        gpu.now(FAKE_SEGV="nvmlDeviceGetTotalEnergyConsumption")
        assert "SIGSEGV" in why(telemetry.mark(5.0)["gpu:0"])
        assert "SIGSEGV" in why(telemetry.reasons_between("gpu:0", mark.time, mark.time + 3.0))
        assert telemetry.samples()  # what was told before stays


@native
def test_a_driver_of_old_is_sampled_all_the_same(gpu: Planted) -> None:
    environ = gpu.environ("old", FAKE_PROFILE="gtx1080", FAKE_DRIVER=OLD_DRIVER, FAKE_PID="1", FAKE_REASONS="32")
    with running(environ, g0="0") as telemetry:
        mark = told(telemetry)
        assert (mark.energy_j, mark.processes, mark.reasons) == (None, 1, ("sw-thermal-slowdown",))


@native
def test_nvml_that_does_not_start_or_hangs_leaves_the_cpu_told(gpu: Planted) -> None:
    with running(gpu.environ(FAKE_CODES="nvmlInit=18")) as telemetry:
        assert "version mismatch" in why(telemetry.mark()["gpu:0"])
    with Telemetry({"gpu:0": FIRST}, gpu.environ(FAKE_HANG="nvmlInit")) as telemetry:
        assert not telemetry.ready(0.5)
        assert "no reading" in why(telemetry.mark(0.1)["gpu:0"])
        end = time.monotonic() + 10.0
        while not telemetry.samples() and time.monotonic() < end:
            time.sleep(0.05)
        (cpu, *_) = telemetry.samples()
        assert cpu.device == "cpu"
        assert cpu.utilization is not None
        assert 0.0 <= cpu.utilization <= 1.0


@native
def test_what_the_driver_prints_is_not_taken_for_readings(gpu: Planted) -> None:
    line = '{"stage": "mark", "id": "1", "device": "gpu:0", "time": 1.0, "energy": 1, "reasons": [], "compute": []}'
    with running(gpu.environ(FAKE_CHATTER=line)) as telemetry:
        assert told(telemetry).reasons == ("gpu-idle",)


PARENT = """
import sys, time
from gpucheck.bench.watching.telemetry import Telemetry
from gpucheck.bench.watching.watched import Watched
telemetry = Telemetry({"gpu:0": "0"})
telemetry.start()
print(telemetry.pid, flush=True)
time.sleep(600)
"""


@native
@pytest.mark.parametrize("hang", ["", "nvmlInit"])
def test_the_sampler_does_not_outlive_a_killed_parent(gpu: Planted, hang: str) -> None:
    environ = gpu.environ(FAKE_HANG=hang)
    with subprocess.Popen([sys.executable, "-c", PARENT], env=environ, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        sampler = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.5)
        assert sampler.is_running()
        parent.kill()
    end = time.monotonic() + 5.0
    while sampler.is_running() and sampler.status() != psutil.STATUS_ZOMBIE and time.monotonic() < end:
        time.sleep(0.02)
    assert time.monotonic() < end


@native
@pytest.mark.slow
def test_the_sampler_takes_hardly_any_time_of_a_core(gpu: Planted) -> None:
    with running(gpu.environ()) as telemetry:
        time.sleep(4.0)
        share = telemetry.overhead()
    assert share is not None
    assert share < 0.02  # 0.4 % measured; process time hardly depends on what else runs
