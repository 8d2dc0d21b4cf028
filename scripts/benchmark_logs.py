"""How often a log's settled cause is the first finding, and how fast an innocent log is read.

python scripts/benchmark_logs.py                 the project's own logs (tests/data/logs), and the speed
python scripts/benchmark_logs.py --cases FILE    a file of reports, too: JSON lines with "log" (lines), "code" (the
                                                 settled cause), "env" (what the reporter said), "negative"
python scripts/benchmark_logs.py --check         exit code 1 where a figure misses its mark

Speeds are megabytes a second of CPU time, so of one core; the median of three runs.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Union

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import machines  # noqa: E402

from gpucheck import api  # noqa: E402
from gpucheck.findings import Report, Severity  # noqa: E402
from gpucheck.logs.gathering import Gathering  # noqa: E402
from gpucheck.logs.messages import by_name  # noqa: E402

LOGS = ROOT / "tests" / "data" / "logs"
LEAST_RIGHT = 0.95  # of the sample's reports with lines
LEAST_SPEED = 100.0  # MB/s on innocent training logs
_SIZE = 24_000_000
_PIECE = api.CHUNK


class Case(NamedTuple):
    """A report: its lines, its settled cause, and the recorded machine whose facts came with it."""

    name: str
    origin: str
    cause: str
    text: str
    machine: str = ""


def own_cases() -> Iterator[Case]:
    """Of tests/data/logs/cases.tsv."""
    for row in (LOGS / "cases.tsv").read_text().splitlines()[1:]:
        name, cause, origin, machine = row.split("\t")
        yield Case(name, origin, cause, (LOGS / f"{name}.log").read_text(), machine)


def cases_of(path: Path) -> Iterator[Case]:
    """Of a file of reports: the lines alone, then the lines with what the reporter said beside them."""
    reports = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    for one in reports:
        if one["log"]:
            yield Case(one["id"], f"{path.name}, lines alone", one["code"], "\n".join(one["log"]))
    for one in reports:
        if one["log"]:
            yield Case(one["id"], f"{path.name}, with words", one["code"], "\n".join((*one["log"], *one["env"])))


def report_of(case: Case) -> Report:
    facts = None
    if case.machine:
        facts = api.read_data({"schema": "gpucheck.machine/1", **machines.load(case.machine)})
    return api.judge_logs(api.log_of(case.text), facts)


class Score(NamedTuple):
    """Of one case: what came of it."""

    case: Case
    first: str  # name of the first finding
    right: bool
    among: bool  # open, and the cause is one of those that remain
    harmless_accused: bool
    negative_accused: bool


def score(case: Case) -> Score:
    """Judge a case."""
    report = report_of(case)
    first = report.findings[0] if report.findings else None
    serious = [one for one in report.findings if one.severity is not Severity.INFO]
    accused = [one for one in serious if one.evidence and all(map(_harmless, (each.fact for each in one.evidence)))]
    return Score(
        case,
        first.name if first else "nothing",
        first is not None and first.name == case.cause,
        any(case.cause in (one.name, *one.remaining) for one in report.findings),
        bool(accused),
        case.cause.startswith("ok-") and any(one.severity is Severity.ERROR for one in serious),
    )


def _harmless(fact: str) -> bool:
    message = by_name().get(fact.removeprefix("log."))
    return message is not None and bool(message.harmless)


def tell_accuracy(cases: Iterable[Case], verbose: bool) -> bool:
    """Print the table; whether every figure reaches its mark."""
    scores = [score(case) for case in cases]
    fine = True
    print("| reports | settled cause first | among what remains | harmless line accused | negative with error |")
    print("| --- | --- | --- | --- | --- |")
    for origin in dict.fromkeys(one.case.origin for one in scores):
        of = [one for one in scores if one.case.origin == origin]
        right = sum(one.right for one in of)
        among = sum(one.among and not one.right for one in of)
        harmless, negative = sum(one.harmless_accused for one in of), sum(one.negative_accused for one in of)
        fine &= not harmless and not negative and (origin != "report" or right >= LEAST_RIGHT * len(of))
        print(f"| {origin} | {right} of {len(of)} ({right / len(of):.1%}) | {among} | {harmless} | {negative} |")
    for one in scores if verbose else ():
        if not one.right:
            print(f"  {one.case.origin} {one.case.name}: {one.case.cause}, first is {one.first}")
    return fine


# What programs print while they train and nothing is wrong.


def keras_2(dice: random.Random) -> str:
    step = dice.randint(1, 1875)
    bar = "=" * (step * 30 // 1875)
    losses = f"loss: {dice.random():.4f} - accuracy: {dice.random():.4f}"
    line = f"\r{step:>4}/1875 [{bar:.<30}] - ETA: {dice.randint(0, 99)}s - {losses}" + "\b" * 80
    return line if step > 20 else f"{line}\nEpoch {dice.randint(1, 99)}/99\n"


def keras_3(dice: random.Random) -> str:
    step = dice.randint(1, 1875)
    bar = f"\x1b[32m{'━' * 10}\x1b[0m\x1b[37m{'━' * 10}\x1b[0m"
    losses = f"accuracy: {dice.random():.4f} - loss: {dice.random():.4f}"
    return f"\r\x1b[1m{step:>4}/1875\x1b[0m {bar} \x1b[1m1s\x1b[0m {dice.randint(0, 99)}ms/step - {losses}" + (
        "\n" if step < 20 else ""
    )


def pytorch(dice: random.Random) -> str:
    numbers = f"Loss {dice.random():.4e} ({dice.random():.4e})   Acc@1 {dice.random() * 100:6.2f}"
    return f"Epoch: [{dice.randint(0, 90)}][{dice.randint(1, 5005):>4}/5005]  Time {dice.random():6.3f}  {numbers}\n"


def estimator(dice: random.Random) -> str:
    loss = f"INFO:tensorflow:loss = {dice.random()}, step = {dice.randint(1, 10**6)} ({dice.random():.3f} sec)\n"
    return f"{loss}INFO:tensorflow:global_step/sec: {dice.random() * 100:.2f}\n"


def trainer(dice: random.Random) -> str:
    return f"{{'loss': {dice.random():.4f}, 'grad_norm': {dice.random():.3f}, 'epoch': {dice.random() * 3:.2f}}}\n"


def prose(dice: random.Random) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = (
        letters[at % 26] * 2 + letters[at // 26 % 26] + letters[at // 676] for at in dice.choices(range(17000), k=14)
    )
    return " ".join(words) + "\n"


def noise(dice: random.Random) -> str:
    return base64.b64encode(dice.randbytes(60)).decode() + "\n"


def chatter(dice: random.Random) -> str:
    front = (
        f"2024-05-10 11:33:19.{dice.randint(100000, 999999)}: W tensorflow/core/common_runtime/bfc_allocator.cc:275]"
    )
    return f"{front} Ran out of memory trying to allocate {dice.randint(1, 900)}MiB. See logs for memory state.\n"


INNOCENT = (keras_2, keras_3, pytorch, estimator, trainer)
OTHERS = (prose, noise, chatter)  # no line like another; no word like another; every line one to be read


def made(line: Callable[[random.Random], str], size: int = _SIZE) -> bytes:
    """A log of such lines, the same every time."""
    dice, lines, length = random.Random(6), [], 0
    while length < size:
        lines.append(line(dice))
        length += len(lines[-1])
    return "".join(lines).encode()


def speed(data: bytes) -> float:
    """Median of three, MB/s of CPU time."""
    pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
    speeds = []
    for _ in range(3):
        gathering = Gathering()
        start = time.process_time()
        gathering.read("made.log", pieces)
        speeds.append(len(data) / 1e6 / (time.process_time() - start))
    return statistics.median(speeds)


def tell_speed() -> bool:
    """Print the table; whether innocent logs are read fast enough."""
    print("| log | MB/s |\n| --- | --- |")
    slowest = float("inf")
    for line in (*INNOCENT, *OTHERS):
        innocent = line in INNOCENT
        found = speed(made(line, _SIZE if innocent else _SIZE // 12))
        slowest = min(slowest, found) if innocent else slowest
        print(f"| {line.__name__} | {found:.0f} |")
    return slowest >= LEAST_SPEED


def main(words: Union[list[str], None] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, metavar="FILE", help="a file of reports, too")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a figure misses its mark")
    parser.add_argument("--verbose", action="store_true", help="each case that is not right")
    given = parser.parse_args(words)
    cases = [*own_cases(), *(cases_of(given.cases) if given.cases else ())]
    right = tell_accuracy(cases, given.verbose)
    print()
    fast = tell_speed()
    return 0 if (right and fast) or not given.check else 1


if __name__ == "__main__":
    sys.exit(main())
