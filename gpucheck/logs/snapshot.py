"""What a log says of its machine, as facts of the same types, for the machine's rules; everything else is a gap.

And the other way round: whether a log can be of the machine that was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.driver import Driver, Nvml
from gpucheck.facts.gap import Gap, known
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.log import Log
from gpucheck.facts.python import Python, TensorFlowBuild
from gpucheck.facts.snapshot import SCHEMA, Snapshot
from gpucheck.facts.system import System
from gpucheck.findings import Evidence, Finding, Severity
from gpucheck.logs.stack import Stack, stack_of

UNSAID = Gap("the log does not say", "not-collected")
ELSEWHERE = "log-of-another-machine"


def snapshot_of(log: Log, version: str) -> Snapshot:
    """The facts that logs give. No fact is "absent": what a log does not say may be there. version: gpucheck's."""
    stack = stack_of(log)
    return Snapshot(
        schema=SCHEMA,
        version=version,
        taken="",
        system=_system(stack),
        environment=UNSAID,
        driver=_driver(stack),
        gpus=tuple(_gpus(stack)) or UNSAID,
        toolkits=UNSAID,
        python=_python(stack),
        libraries=UNSAID,
        deep=None,
        probes=(),
        log=log,
    )


def _system(stack: Stack) -> Union[System, Gap]:
    if stack.os is None:
        return UNSAID
    unsaid = dict.fromkeys(System._fields, UNSAID)
    return System(**{**unsaid, "os": stack.os, "wsl": 2 if stack.wsl else UNSAID})  # type: ignore[arg-type]


def _driver(stack: Stack) -> Union[Driver, Gap]:
    """nvidia-smi's table is NVML's answer; a GPU that TensorFlow named is one that the driver showed."""
    if stack.driver is None and not stack.gpus:
        return UNSAID
    unsaid = dict.fromkeys(Driver._fields, UNSAID)
    count = len(stack.gpus) or None
    nvml = Nvml("ok", None, None, None, None, stack.driver, None, stack.driver_cuda, count)
    version = stack.driver or UNSAID
    return Driver(**{**unsaid, "module_version": version, "module_source": "the log", "nvml": nvml})  # type: ignore[arg-type]


def _gpus(stack: Stack) -> Iterator[Gpu]:
    unsaid = dict.fromkeys(Gpu._fields, UNSAID)
    known_ = {"error": None, "error_code": None, "uuid": None, "pci_address": None, "source": "the log"}
    for number, gpu in enumerate(stack.gpus):
        capability = gpu.capability or UNSAID
        yield Gpu(**{**unsaid, **known_, "number": number, "name": gpu.name, "compute_capability": capability})  # type: ignore[arg-type]


def _python(stack: Stack) -> Union[Python, Gap]:
    if stack.tensorflow is None and stack.python is None:
        return UNSAID
    unsaid = dict.fromkeys(Python._fields, UNSAID)
    said = {
        "executable": "the Python of the log",
        "chosen_by": "the log",
        "read_from": "the log",
        "keras_config": None,
        "version": stack.python or UNSAID,
        "tensorflow": _build(stack),
    }
    return Python(**{**unsaid, **said})  # type: ignore[arg-type]


def _build(stack: Stack) -> Union[TensorFlowBuild, Gap]:
    """The release alone: a build of conda, a distribution or one's own has other CUDA in it than the wheel."""
    if stack.tensorflow is None:
        return UNSAID
    return TensorFlowBuild(
        version=stack.tensorflow,
        distribution=stack.tensorflow_package,
        root="the log",
        cuda_build=UNSAID,
        rocm_build=UNSAID,
        cuda_version=UNSAID,
        cudnn_version=UNSAID,
        compute_capabilities=UNSAID,
        objects=UNSAID,
    )


def contradictions(log: Log, measured: Snapshot) -> Union[Finding, None]:
    """The finding that says that the log is of another machine, or another environment, than what was measured."""
    evidence = tuple(_differing(stack_of(log), measured))
    if not evidence:
        return None
    said, found = evidence[0], evidence[1]
    message = f"The log is of another machine, environment or time: it says {said.value}, measured is {found.value}."
    fix = ("# judge the log alone (without --here and --snapshot), or take the facts where it was made:",)
    return Finding(ELSEWHERE, Severity.WARNING, message, evidence, (*fix, "gpucheck snapshot --output facts.json"))


def _differing(stack: Stack, measured: Snapshot) -> Iterator[Evidence]:
    """Pairs: what the log says, what was measured."""
    system, driver, python = measured.system, measured.driver, measured.python
    if not isinstance(system, Gap) and stack.os is not None and stack.os != system.os:
        yield from _pair("system.os", stack.os, system.os)
    if stack.module is not None and _never_had_one(measured):
        yield from _pair("driver", f"driver {stack.module}", "no driver, and no NVIDIA GPU on the PCI bus")
    if not isinstance(driver, Gap) and stack.driver is not None:
        nvml = known(driver.nvml, None)
        running = {known(driver.module_version, None), nvml.driver_version if nvml else None} - {None}
        if running and stack.driver not in running:
            yield from _pair("driver", f"driver {stack.driver}", f"driver {sorted(map(str, running))[0]}")
    if not isinstance(measured.gpus, Gap):
        names = sorted({gpu.name or "" for gpu in measured.gpus})  # no name: NVML could not open it
        strange = [gpu.name for gpu in stack.gpus if not any(_same(gpu.name, name) for name in names)]
        if strange and "" not in names:
            yield from _pair("gpus.name", strange[0], ", ".join(names) or "no GPU")
    sites = () if isinstance(python, Gap) else known(python.site_dirs, ())
    prefixes = [one for one in stack.prefixes if not one.endswith("/.local")]  # every environment may take from there
    if sites and prefixes and not any(site.startswith(f"{prefix}/") for site in sites for prefix in prefixes):
        yield from _pair("python.prefix", prefixes[0], sites[0])


def _never_had_one(measured: Snapshot) -> bool:
    """A driver that was not loaded today may have been yesterday; a card is not taken out. WSL's is on no such bus."""
    system, driver = measured.system, measured.driver
    if isinstance(system, Gap) or isinstance(driver, Gap) or known(system.wsl, 2) is not None:
        return False
    answered = isinstance(driver.nvml, Gap) or driver.nvml.driver_version is not None
    return driver.pci == () and driver.module_version is None and not answered


def _same(said: str, measured: str) -> bool:
    """Names grew a maker in driver 460: "GeForce RTX 3080", "NVIDIA GeForce RTX 3080"."""
    return said.removeprefix("NVIDIA ") == measured.removeprefix("NVIDIA ")


def _pair(fact: str, said: str, measured: str) -> Iterator[Evidence]:
    yield Evidence(f"log.{fact}", said, "the log")
    yield Evidence(fact, measured, "measured")
