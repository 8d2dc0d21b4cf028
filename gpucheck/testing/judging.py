"""What of a requirement this machine lacks, from doctor's report. Pure.

Doctor's verdict is about TensorFlow. A test of something else needs less of it: that CUDA starts, and that nothing is
wrong with the machine itself. Not knowing is no GPU that works: a test that needs one is not run on a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Union

from gpucheck.facts.driver import CudaDriver
from gpucheck.facts.gap import Unknown, known, need
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.python import FrameworkBuild
from gpucheck.findings import Finding, Report, Severity
from gpucheck.testing.requirement import Lack, Requirement

GIB = 1 << 30
_TITLES = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}
# Modules of rules that are about the machine, whatever is installed on it.
_MACHINE = frozenset(
    ("kernel", "holders", "container", "wsl", "nodes", "driver", "compatibility", "devices", "gpus", "visibility")
) | {"answers"}
_SOFTWARE = ("python", "libraries", "toolkits", "deep", "compat")  # facts that are not the machine's


def lacking(report: Report, wanted: Requirement) -> Union[Lack, None]:
    """Why a test that wants this cannot run, or None: it can."""
    try:
        lack = _lacking(report, wanted)
    except Unknown as unknown:
        lack = Lack(f"gpucheck could not tell whether a GPU works here: {unknown}")
    if lack is None or not report.simulated:
        return lack
    return lack._replace(reason=f"SIMULATED machine {report.simulated!r}: {lack.reason}")


def summary(report: Report) -> str:
    """One line on the machine, for the beginning of a test run."""
    lack = lacking(report, Requirement())
    if lack is not None:
        return lack.reason
    cuda = need(need(report.snapshot.driver).cuda)
    names = sorted({gpu.name for gpu in known(report.snapshot.gpus, ()) if gpu.name})
    simulated = f"SIMULATED machine {report.simulated!r}: " if report.simulated else ""
    return f"{simulated}CUDA starts and shows {_gpus(cuda.device_count or 0)}" + (f", {', '.join(names)}" * bool(names))


def _lacking(report: Report, wanted: Requirement) -> Union[Lack, None]:
    framework = wanted.framework or _installed(report)
    whole = framework == "tensorflow"
    errors = [one for one in report.findings if one.severity is Severity.ERROR and (whole or _of_machine(one))]
    if errors:
        return _as_doctor_says(errors[0])
    cuda = need(need(report.snapshot.driver).cuda)
    if cuda.status != "ok" or not cuda.device_count:
        return _without_cuda(report, cuda)
    if whole and report.verdict == "unknown":
        one = next(one for one in report.skipped if one.decisive)
        return Lack(f"gpucheck could not tell whether TensorFlow uses the GPU: {one.name}: {one.reason}")
    return _without_framework(report, framework) or _too_few(report, cuda.device_count, wanted)


def _installed(report: Report) -> str:
    return "cuda" if need(report.snapshot.python).tensorflow is None else "tensorflow"


def _of_machine(finding: Finding) -> bool:
    from gpucheck.rules.engine import RULES

    subject = RULES[finding.name].judge.__module__.rpartition(".")[2] if finding.name in RULES else ""
    facts = {evidence.fact.partition(".")[0] for evidence in finding.evidence}
    return subject in _MACHINE and facts.isdisjoint(_SOFTWARE)


def _as_doctor_says(finding: Finding) -> Lack:
    more = (*(f"  {line}" for line in finding.fix), f"More: gpucheck explain {finding.name}")
    return Lack(f"{finding.message} ({finding.name})", more)


def _without_cuda(report: Report, cuda: CudaDriver) -> Lack:
    first = next((one for one in report.findings if _of_machine(one)), None)
    if first is not None:
        return _as_doctor_says(first)
    words = cuda.error or cuda.message or cuda.status
    return Lack(f"No GPU works here: libcuda answers {words}" if cuda.status != "ok" else "libcuda shows no GPU")


def _without_framework(report: Report, framework: str) -> Union[Lack, None]:
    """TensorFlow's own build is judged by doctor's rules."""
    if framework == "cuda":
        return None
    python = need(report.snapshot.python)
    build = need(getattr(python, framework))
    if build is None:
        return Lack(f"{_TITLES[framework]} is not installed for {python.executable}")
    if isinstance(build, FrameworkBuild) and need(build.cuda_version) is None:
        return Lack(f"{_TITLES[framework]} {build.version} of {python.executable} is a build without CUDA")
    return None


def _too_few(report: Report, visible: int, wanted: Requirement) -> Union[Lack, None]:
    """Of the machine's GPUs CUDA_VISIBLE_DEVICES may leave some, and which ones is not known: so there are bounds."""
    told = " ".join(_words(wanted))
    if visible < wanted.number:
        return Lack(f"This test needs {_gpus(wanted.number)}, and CUDA shows {visible}")
    if not told:
        return None
    gpus = need(report.snapshot.gpus)
    answers = [_fits(gpu, wanted) for gpu in gpus]
    surely, perhaps = answers.count(True), len(answers) - answers.count(False)
    if surely - max(0, len(gpus) - visible) >= wanted.number:
        return None
    has = f"this machine has {', '.join(sorted({_described(gpu) for gpu in gpus}))}"
    if min(perhaps, visible) < wanted.number:
        return Lack(f"This test needs {_gpus(wanted.number)} {told}; {has}")
    doubt = "gpucheck could not tell whether CUDA shows as many"
    return Lack(f"This test needs {_gpus(wanted.number)} {told}, and {doubt}; {has}")


def _words(wanted: Requirement) -> Iterable[str]:
    if wanted.compute_capability is not None:
        yield f"of compute capability {wanted.compute_capability} or newer"
    if wanted.memory_gib is not None:
        yield f"with {wanted.memory_gib:g} GiB or more"


def _fits(gpu: Gpu, wanted: Requirement) -> Union[bool, None]:
    """None: not known."""
    answers = []
    if wanted.compute_capability is not None:
        lowest = wanted.compute_capability
        answers.append(_asked(gpu.compute_capability, lambda has: has >= lowest))
    if wanted.memory_gib is not None:
        least = wanted.memory_gib
        enough = _asked(gpu.memory_total, lambda has: round(has / GIB, 1) >= least)  # as told: 24 GB have 23.99
        if enough and known(gpu.mig_mode, None):  # a program gets an instance, which has less
            enough = None
        answers.append(enough)
    return False if False in answers else None if None in answers else True


def _asked(fact: object, question: Callable[..., bool]) -> Union[bool, None]:
    try:
        value = need(fact)
    except Unknown:
        return None
    return None if value is None else question(value)


def _described(gpu: Gpu) -> str:
    capability, memory = known(gpu.compute_capability, None), known(gpu.memory_total, None)
    parts = [f"compute capability {capability}"] if capability is not None else []
    parts += [f"{memory / GIB:.1f} GiB"] if memory is not None else []
    return f"{gpu.name or 'a GPU without a name'}" + (f" ({', '.join(parts)})" if parts else "")


def _gpus(count: int) -> str:
    return f"{count} GPU{'s' if count > 1 else ''}"
