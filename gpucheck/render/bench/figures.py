"""The tables: one row a device, one row a batch size. Cells are texts as the machine gave them, not yet `plain`."""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck.facts.bench import Leg, Result, Trial, Verdict
from gpucheck.facts.gap import Gap
from gpucheck.render.bench.amounts import Unit, interval, mib, number, percent, setup, time, unit

ABSENT, UNKNOWN = "-", "n/a"


class Column(NamedTuple):
    """short: for a terminal, broken where it may be. long: for a page."""

    short: str
    long: str


class Table(NamedTuple):
    """The first cell of a row is its heading."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def devices(trial: Trial) -> Table:
    """Every device at one batch size. A column in which no device has anything is left out."""
    best = unit([leg.figures.step.value for leg in trial.legs if leg.figures is not None])
    rows = [_row(leg, best) for leg in trial.legs]
    columns = _columns(best)
    kept = [at for at in range(len(columns)) if at < 3 or any(row[at] != ABSENT for row in rows)]
    return Table(tuple(columns[at] for at in kept), tuple(tuple(row[at] for at in kept) for row in rows))


def _columns(best: Unit) -> tuple[Column, ...]:
    return (
        Column("", "device"),
        Column("first\nstep", "first step"),
        Column(f"step, {best.name}\n(95 % interval)", f"step, {best.name}: median of blocks (95 % interval)"),
        Column(f"p95,\n{best.name}", f"p95 of single steps, {best.name}"),
        Column("images\n/s", "images/s"),
        Column("GFLOP/s\n(of most)", "GFLOP/s (share of what a large matrix product reached)"),
        Column("J/\nstep", "J/step, idle subtracted"),
        Column("memory", "memory"),
    )


def _row(leg: Leg, best: Unit) -> tuple[str, ...]:
    figures = leg.figures
    first = [phase.seconds for phase in leg.phases if phase.name == "first-step"]
    start = (leg.device, setup(first[0]) if first else ABSENT)
    if figures is None:
        return (*start, "no figure", *([ABSENT] * 4), _memory(leg.memory))
    return (
        *start,
        interval(figures.step, best.per_second, to="-"),
        ABSENT if figures.p95 is None else number(figures.p95 * best.per_second),
        number(figures.images_per_second),
        f"{number(figures.gflops)}{_share(figures.gflops, leg.product_gflops)}",
        _amount(figures.joules_per_step),
        _memory(leg.memory),
    )


def _share(gflops: float, product: Union[float, Gap]) -> str:
    return "" if isinstance(product, Gap) or product <= 0 else f" ({percent(gflops / product)})"


def _amount(value: Union[float, None, Gap]) -> str:
    return UNKNOWN if isinstance(value, Gap) else ABSENT if value is None else number(value)


def _memory(value: Union[int, None, Gap]) -> str:
    return UNKNOWN if isinstance(value, Gap) else ABSENT if value is None else mib(value)


def batches(result: Result) -> Union[Table, None]:
    """The sweep over batch sizes; None where there is but one."""
    if len(result.trials) < 2:
        return None
    names = tuple(dict.fromkeys(leg.device for trial in result.trials for leg in trial.legs))
    gpus = tuple(dict.fromkeys(verdict.device for trial in result.trials for verdict in trial.verdicts))
    against = tuple(Column(f"cpu / {name}" if len(gpus) > 1 else "ratio", f"CPU's step / {name}'s") for name in gpus)
    head = (Column("batch", "batch size"), *(Column(name, f"{name}: step") for name in names), *against)
    return Table(head, tuple(_batch(trial, names, gpus) for trial in result.trials))


def _batch(trial: Trial, names: tuple[str, ...], gpus: tuple[str, ...]) -> tuple[str, ...]:
    steps = {leg.device: time(leg.figures.step.value) for leg in trial.legs if leg.figures is not None}
    told = {verdict.device: _ratio(verdict) for verdict in trial.verdicts}
    return (str(trial.batch_size), *(steps.get(one, ABSENT) for one in names), *(told.get(one, ABSENT) for one in gpus))


def _ratio(verdict: Verdict) -> str:
    word = verdict.word.replace("-", " ")
    return word if verdict.ratio is None else f"{interval(verdict.ratio, to='-')} {word}"
