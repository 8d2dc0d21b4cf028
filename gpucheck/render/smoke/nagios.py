"""A smoke test as a plugin of Nagios, Icinga, Centreon or Naemon says it (the Monitoring Plugins' guidelines).

The first line is ``GPUCHECK CRITICAL - text | 'label'=value[unit];warn;crit;min;max …``; what follows is its long text.
The bar parts text from figures, so no text has one.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.deep import Deep
from gpucheck.facts.gap import Gap
from gpucheck.findings import Severity
from gpucheck.render.causes import MARK
from gpucheck.render.smoke.words import headline, loud, serious
from gpucheck.render.text import ascii_only, plain, shorten, whole
from gpucheck.smoke.result import Smoke

STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_MOST = 300  # characters of the first line's text: NRPE passes a kilobyte


def render(smoke: Smoke) -> str:
    """The line, then one for each part and each cause with its first command."""
    said = f"SIMULATED {smoke.simulated}: {headline(smoke)}" if smoke.simulated else headline(smoke)
    first = line(said, STATES[smoke.nagios_code], _figures(smoke))
    return first + "".join(f"{_safe(text)}\n" for text in _rest(smoke))


def line(said: str, state: str = STATES[-1], figures: str = "") -> str:
    """The first line."""
    text = shorten(_safe(said), _MOST)
    return f"GPUCHECK {state} - {text}{f' | {figures}' if figures else ''}\n"


def _safe(text: str) -> str:
    return ascii_only(plain(text)).replace("|", "/")


def _rest(smoke: Smoke) -> Iterator[str]:
    if smoke.simulated:
        yield loud(smoke)
    for part in smoke.parts:
        yield f"{part.name}: {part.outcome}: {shorten(plain(part.said), 400)}"
    for cause in serious(smoke):
        finding = cause.finding
        yield f"{MARK[finding.severity].upper()} {finding.name}: {shorten(plain(finding.message), 400)}"
        for command in finding.fix[:1]:
            yield f"  fix: {whole(command)}"


def _figures(smoke: Smoke) -> str:
    found = [f"'time'={smoke.seconds:.1f}s;;;0;{smoke.timeout:g}"]
    report = smoke.report
    if report is not None:
        gpus, deep = report.snapshot.gpus, report.snapshot.deep
        for label, severity in (("errors", Severity.ERROR), ("warnings", Severity.WARNING)):
            found.append(f"'{label}'={sum(one.severity is severity for one in report.findings)};;;0")
        if not isinstance(gpus, Gap):
            found.append(f"'gpus'={len(gpus)};;;0")
            heat = [(gpu.number, gpu.temperature_c) for gpu in gpus]
            found += [f"'gpu{number}_celsius'={heat}" for number, heat in heat if isinstance(heat, int)]
        if isinstance(deep, Deep) and isinstance(deep.operations, tuple):
            worked = {one.device for one in deep.operations} - {
                one.device for one in deep.operations if one.status != "ok"
            }
            found.append(f"'gpus_computed'={len(worked)};;;0")
    trials = smoke.bench.trials if smoke.bench else ()
    for one in (verdict for trial in trials for verdict in trial.verdicts):
        if one.ratio is not None:
            found.append(f"'{one.device.replace(':', '')}_speedup'={one.ratio.value:.3g};;;0")
    return " ".join(found)
