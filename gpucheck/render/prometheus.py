"""For node_exporter's textfile collector: the verdict, the findings and what the machine is, as metrics.

https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/practices/naming/: base units,
``_info`` for words, no time stamps (the collector refuses them). What is not known has no sample. Labels are names and
versions and never a reason or a path, each of which would begin a new series. The blocks below `tell` are those of
`gpucheck.render.fleet.prometheus`, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.versions import Version
from gpucheck.findings import Report, Severity, Verdict
from gpucheck.render.causes import rehearsal
from gpucheck.render.formats import Asked, Named
from gpucheck.render.identity import identity
from gpucheck.render.text import plain, shorten

VERDICTS: tuple[Verdict, ...] = ("ok", "warning", "error", "unknown")
Sample = tuple[Mapping[str, str], float]
_Samples = Callable[[Report, bool], Iterator[Sample]]

_MOST = 200  # characters of a label's value


def tell(reports: Sequence[Named], asked: Asked) -> str:
    """All reports in one document: a metric may stand in it only once. Of several, each has its file as a label."""
    said = dict.fromkeys(rehearsal(report) for _, report in reports if report.simulated)
    lines = [f"# {sentence}\n" for sentence in said]
    for name, help, samples in _METRICS:
        every: list[Sample] = []
        for file, report in reports:
            label = {"file": file} if len(reports) > 1 else {}
            every += [({**label, **labels}, value) for labels, value in samples(report, asked.strict)]
        lines.append(metric(f"gpucheck_{name}", help, every))
    return "".join(lines)


def _simulated(report: Report, strict: bool) -> Iterator[Sample]:
    yield {"machine": report.simulated}, int(bool(report.simulated))


def _info(report: Report, strict: bool) -> Iterator[Sample]:
    known = {name: value for name, value in identity(report.snapshot).items() if name != "python"}
    yield {"version": report.version, **known}, 1


def _verdict(report: Report, strict: bool) -> Iterator[Sample]:
    yield from (({"verdict": one}, int(report.verdict == one)) for one in VERDICTS)


def _exit_code(report: Report, strict: bool) -> Iterator[Sample]:
    yield {}, report.exit_code(strict)


def _findings(report: Report, strict: bool) -> Iterator[Sample]:
    counts = Counter(one.severity for one in report.findings)
    yield from (({"severity": one.value}, counts[one]) for one in Severity)


def _found(report: Report, strict: bool) -> Iterator[Sample]:
    counts = Counter((one.name, one.severity.value) for one in report.findings)
    yield from (({"name": name, "severity": severity}, count) for (name, severity), count in counts.items())


def _rules(report: Report, strict: bool) -> Iterator[Sample]:
    yield {"state": "checked"}, len(report.checked)
    yield {"state": "skipped"}, len(report.skipped)
    yield {"state": "ignored"}, len(report.ignored)


def _skipped(report: Report, strict: bool) -> Iterator[Sample]:
    for name, decisive in dict.fromkeys((one.name, one.decisive) for one in report.skipped):
        yield {"name": name, "decisive": "true" if decisive else "false"}, 1


def _gpus(report: Report, strict: bool) -> Iterator[Sample]:
    if not isinstance(report.snapshot.gpus, Gap):
        yield {}, sum(gpu.error is None for gpu in report.snapshot.gpus)


def _gpu_info(report: Report, strict: bool) -> Iterator[Sample]:
    for gpu in _known(report):
        named = {"name": gpu.name, "uuid": gpu.uuid, "pci_address": gpu.pci_address}
        words = {label: value or "unknown" for label, value in named.items()}
        capability = gpu.compute_capability.text if isinstance(gpu.compute_capability, Version) else "unknown"
        yield {"gpu": str(gpu.number), **words, "compute_capability": capability}, 1


def _of_each(field: str) -> _Samples:
    """A number that a GPU tells."""

    def samples(report: Report, strict: bool) -> Iterator[Sample]:
        for gpu in _known(report):
            value = getattr(gpu, field)
            if isinstance(value, (int, float)):
                yield {"gpu": str(gpu.number)}, value

    return samples


def _known(report: Report) -> Iterable[Gpu]:
    return () if isinstance(report.snapshot.gpus, Gap) else report.snapshot.gpus


def _probes(report: Report, strict: bool) -> Iterator[Sample]:
    yield from (({"probe": one.name}, one.seconds) for one in report.snapshot.probes)


def _taken(report: Report, strict: bool) -> Iterator[Sample]:
    from datetime import datetime

    try:
        moment = datetime.strptime(report.snapshot.taken, "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return
    yield {}, moment.timestamp()


_METRICS: tuple[tuple[str, str, _Samples], ...] = (
    (
        "simulated",
        "1 if this is a rehearsal on a recorded machine (--simulate), and nothing about this one.",
        _simulated,
    ),
    ("info", "What was examined, in words; the value is always 1.", _info),
    ("verdict", "1 for the verdict, 0 for the others.", _verdict),
    ("exit_code", "Of gpucheck doctor: 0 fine, 1 an error was found, 3 could not tell.", _exit_code),
    ("findings", "Findings by severity.", _findings),
    ("rules", "Rules by what became of them.", _rules),
    ("rule_found", "How often a rule found something; one that found nothing is absent.", _found),
    ("rule_skipped", "A rule that could not be judged; the value is always 1.", _skipped),
    ("gpus", "Working GPUs.", _gpus),
    ("gpu_info", "A GPU in words; the value is always 1.", _gpu_info),
    ("gpu_memory_total_bytes", "Memory of a GPU.", _of_each("memory_total")),
    ("gpu_memory_free_bytes", "Free memory of a GPU.", _of_each("memory_free")),
    ("gpu_temperature_celsius", "Temperature of a GPU.", _of_each("temperature_c")),
    ("gpu_power_watts", "Power that a GPU draws.", _of_each("power_w")),
    ("probe_duration_seconds", "How long looking took.", _probes),
    ("taken_timestamp_seconds", "When the facts were taken, since 1970.", _taken),
)


def metric(name: str, help: str, samples: Iterable[Sample]) -> str:
    """One metric, a gauge. Empty where it has no sample; of samples with the same labels the first counts."""
    seen: dict[str, float] = {}
    for labels, value in samples:
        seen.setdefault(_labels(labels), value)
    if not seen:
        return ""
    lines = [f"# HELP {name} {help}", f"# TYPE {name} gauge", *(f"{name}{one} {seen[one]:.15g}" for one in seen)]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escape(value: str) -> str:
    return shorten(plain(value), _MOST).replace("\\", "\\\\").replace('"', '\\"')
