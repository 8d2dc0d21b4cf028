"""How a rule about container files is declared, and what several of them ask. Judging all of them: ../report.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Union

from gpucheck.compat.tensorflow import RELEASES, Release, final
from gpucheck.containers.stack import Stack, TensorFlow
from gpucheck.facts.containers import ContainerFile, Service, Setting
from gpucheck.facts.gap import Gap, Unknown, known, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, Rule, name_of


class Case(NamedTuple):
    """What rules judge: one image, and the service that runs it where a compose file says so.

    name: for messages ("Dockerfile", "service trainer"). stack: None: the service names no image (part of a whole).
    facts: of the host, where --here or --snapshot gave any.
    """

    name: str
    source: str
    file: ContainerFile
    stack: Union[Stack, None, Gap]
    service: Union[Service, None]
    facts: Union[Snapshot, None]


Judge = Callable[[Case], "Iterable[Found]"]

RULES: dict[str, Rule] = {}


def rule(severity: Severity, *, decisive: bool = False, explains: tuple[str, ...] = ()) -> Callable[[Judge], Judge]:
    """Register a rule, as `gpucheck.rules.engine.rule` does: named after its function, documented by its docstring."""

    def register(judge: Judge) -> Judge:
        name = name_of(judge, RULES)
        made: Any = judge  # a Rule's judge takes a snapshot; these are called by ../report.py alone
        RULES[name] = Rule(name, severity, decisive, explains, judge.__doc__ or "", made)
        return judge

    return register


def documented() -> dict[str, Rule]:
    """The rules of container files, for lists and pages."""
    from gpucheck.containers.rules import load

    load()
    return RULES


def asks_for_gpu(case: Case) -> bool:
    """Does the compose file say that this service gets a GPU?"""
    service = case.service
    if service is None:
        return False
    return bool(service.requests) or (service.runtime is not None and service.runtime.text == "nvidia")


def weight(case: Case) -> Severity:
    """How much it matters that an image computes on the CPU: is a GPU meant to be used?"""
    if asks_for_gpu(case):
        return Severity.ERROR
    stack = case.stack
    if not isinstance(stack, Stack):
        return Severity.INFO
    visible = stack.image.setting("NVIDIA_VISIBLE_DEVICES")
    meant = visible is not None and visible.value not in ("", "none", "void")
    return Severity.WARNING if meant or stack.contents.gpu is True else Severity.INFO


def stack_of(case: Case) -> Union[Stack, None]:
    """The image's, None where there is none. Raises Unknown."""
    return need(case.stack)


def tensorflow_of(case: Case) -> Union[tuple[Stack, TensorFlow], None]:
    """The image and its TensorFlow; None: it has none. Raises Unknown."""
    stack = stack_of(case)
    found = need(stack.tensorflow) if stack is not None else None
    return None if stack is None or found is None else (stack, found)


def setting(case: Case, name: str) -> Union[Setting, None]:
    """A variable as the container gets it: the service's before the image's. Raises Unknown where it is not known."""
    found = None
    if case.service is not None:
        found = next((one for one in reversed(case.service.settings) if one.name == name), None)
        if found is None and case.service.unread is not None:
            raise Unknown(Gap(f"{case.service.source}: {case.service.unread} is not beside the compose file"))
    if found is None and isinstance(case.stack, Stack):
        found = case.stack.image.setting(name)
    if found is not None and "${" in found.value and name != "LD_LIBRARY_PATH":
        raise Unknown(Gap(f"{found.source}: the value of {name} depends on a variable", "not-collected"))
    return found


def base_evidence(stack: Stack) -> tuple[str, object, str]:
    """The base image as evidence."""
    image = stack.image
    value = image.reference.reason if isinstance(image.reference, Gap) else image.reference
    return ("image.reference", f"{value} ({image.note})" if image.note else value, image.source)


def package_evidence(found: TensorFlow) -> tuple[str, object, str]:
    """What installs TensorFlow, as evidence."""
    return ("image.packages", found.label, found.source)


class Misfit(NamedTuple):
    """row: the release that it is said of. certain: of every release that it may be; else of the newest."""

    row: Release
    certain: bool


def misfit(found: TensorFlow, fits: Callable[[Release], bool]) -> Union[Misfit, None]:
    """Does something not fit every release that may be installed, or at least the newest, which pip takes today?

    Raises
    ------
    Unknown: it fits some of them, and which one pip takes is not known.
    """
    bad = [row for row in found.rows if not fits(row)]
    if found.doubt and 0 < len(bad) < len(found.rows):
        raise Unknown(Gap(found.doubt))
    if not bad or bad[-1] is not found.rows[-1]:
        return None
    return Misfit(bad[-1], len(bad) == len(found.rows))


def today(found: TensorFlow, wrong: Misfit) -> str:
    """The release in words: TensorFlow 2.15.1, or what a build takes today."""
    if wrong.certain and len(found.rows) == 1:
        return f"TensorFlow {wrong.row.version}"
    if wrong.certain:
        return f"every TensorFlow that {found.label} allows here ({found.rows[0].version} to {wrong.row.version})"
    return f"TensorFlow {wrong.row.version} (or later), which pip takes for {found.label} today,"


# Of the extra itself, or of how TensorFlow finds what it brings.
_DEFECTS = {"K01", "K02", "K06", "Q01"}


def with_cuda(stack: Stack) -> str:
    """The line that installs a TensorFlow with CUDA's libraries from pip: the newest that has no defect of its own."""
    python = known(stack.python, None)
    short = f"{python.major}.{python.minor}" if python else ""
    sound = [row for row in RELEASES if row.cudnn_wheel and final(row) and not _DEFECTS & set(row.issues.split())]
    fitting = [row for row in sound if not short or short in row.pythons.split()]
    return f"RUN pip install 'tensorflow[and-cuda]=={(fitting or sound)[-1].version}'"


def severity(wrong: Misfit) -> Severity:
    return Severity.ERROR if wrong.certain else Severity.WARNING


def each_name(names: Iterable[str]) -> Iterator[str]:
    yield from dict.fromkeys(names)
