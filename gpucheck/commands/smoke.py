"""What `gpucheck smoke` does, once its words are understood: look, compute, measure, within one time; then tell.

Whatever ends it early (its own time, SIGTERM from Slurm or a CI, Ctrl-C), what is known by then is told, and no process
is left behind.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import NamedTuple, Optional, Union

from gpucheck import __version__, api
from gpucheck.commands import arguments, bench, expected
from gpucheck.expecting import judging as expecting
from gpucheck.expecting.expectations import Expectations
from gpucheck.facts.bench import Result
from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.interruption import Interrupted, TimeIsUp, listen, time_limit
from gpucheck.output import Unwritable, WrongUsage, check_place, colored, columns, complain, leave, write
from gpucheck.smoke import judging
from gpucheck.smoke.result import PARTS, UNKNOWN, PartName, Smoke, SmokePart

SECONDS = 300.0  # for everything
FORMATS = ("terminal", "json", "junit")
LOOK_SECONDS = 10.0
_LEAST_BENCH = 5.0  # seconds: with fewer not even a framework is imported twice
_GRACE = 5.0  # seconds after which one that is stuck is ended from outside of its main thread
_MEASURING = 15.0  # seconds of the speed test itself, at most


class Words(NamedTuple):
    """The command line, understood."""

    python: Optional[str] = None
    timeout: Optional[float] = None
    fail_under: Optional[float] = None
    no_bench: bool = False
    expect: Optional[str] = None
    ignore: tuple[str, ...] = ()
    strict: bool = False
    simulate: Optional[str] = None
    format: str = "terminal"
    output: Optional[str] = None
    nagios: bool = False
    verbose: bool = False


def smoke(words: Words) -> int:
    """Do it all. Gives the exit code."""
    if words.output is not None:
        check_place(words.output)
    if words.simulate is not None:
        given = {"--timeout": words.timeout is not None, "--fail-under": words.fail_under is not None}
        arguments.check_simulate(words.simulate, words.python, given)
    wishes = expected.of_file(words.expect) if words.expect is not None else None
    if wishes is None and words.simulate is None:
        wishes = expected.of_project()
    run = Run(words, wishes, arguments.seconds(_timeout(words, wishes), False))
    if words.simulate is not None:
        run.rehearse(words.simulate)
        return run.tell()
    python = arguments.interpreter(words.python)
    listen()
    with run.at_the_latest():
        run.conduct(python)
        return run.tell()


def _timeout(words: Words, wishes: Union[Expectations, None]) -> float:
    asked = wishes.timeout if words.timeout is None and wishes is not None else words.timeout
    return SECONDS if asked is None else asked


class Run:
    """One smoke test: what is known of it at any moment, and how it goes on."""

    def __init__(self, words: Words, wishes: Union[Expectations, None], timeout: float) -> None:
        self.words, self.wishes, self.timeout = words, wishes, timeout
        self.begin = time.monotonic()
        self.taken = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.ignore = (*words.ignore, *(wishes.ignore if wishes else ()))
        self.strict = words.strict or bool(wishes and wishes.strict)
        self.snapshot: Union[Snapshot, None] = None
        self.report: Union[api.Report, None] = None
        self.result: Union[Result, None] = None
        self.parts: dict[PartName, SmokePart] = {}
        self.stopped: Union[str, None] = None
        self.stopped_with: Union[int, None] = None
        self._looked = 0.0  # seconds
        self._told = False

    @property
    def left(self) -> float:
        """Seconds, of which a tenth, at most three, is kept for telling."""
        return self.timeout - min(3.0, self.timeout / 10) - (time.monotonic() - self.begin)

    def rehearse(self, name: str) -> None:
        """On a recorded machine: what it was asked to compute is recorded, too, or was not asked; no speed is."""
        self.report = api.rehearse(name, self.ignore)
        self.snapshot = self.report.snapshot
        self.parts["operation"] = judging.operation(self.snapshot, 0.0)
        said = "no speed is measured in a rehearsal (gpucheck bench --simulate tries --fail-under)"
        self.parts["bench"] = SmokePart("bench", "not-run", said)

    def conduct(self, python: Optional[str]) -> None:
        """Every part in turn. A signal, or the end of its time, ends the part that it finds and those behind it."""
        try:
            with time_limit(self.left):
                self._look(python)
                self._compute()
                self._measure()
        except TimeIsUp:
            self.stopped = "timeout"
        except Interrupted as stop:
            self._end_by(stop.exit_code)

    def _look(self, python: Optional[str]) -> None:
        facts = api.look_here(python, False, min(LOOK_SECONDS, max(0.1, self.left / 2)))
        self.snapshot = facts
        self.report = api.judge(facts, self._ignored())
        self._looked = time.monotonic() - self.begin

    def _ignored(self) -> tuple[str, ...]:
        """Where another framework is what there is, that there is no TensorFlow is no finding."""
        return self.ignore if self._framework() == "tensorflow" else (*self.ignore, "tensorflow-not-installed")

    def _framework(self) -> str:
        """The one that is tried: TensorFlow, unless it is known to be absent and another is there."""
        python = self.snapshot.python if self.snapshot else None
        if not isinstance(python, Python) or python.tensorflow is not None:
            return "tensorflow"
        try:
            return bench.backend_of(bench.Words(), python)
        except WrongUsage:
            return "tensorflow"

    def _compute(self) -> None:
        begin = time.monotonic()
        if self.snapshot is None or self._framework() != "tensorflow":
            return  # the speed test's own steps are the operation
        share = 1.0 if self.words.no_bench else 0.6
        self.snapshot = api.look_deeper(self.snapshot, max(0.1, self.left * share))
        self.report = api.judge(self.snapshot, self.ignore)
        self.parts["operation"] = judging.operation(self.snapshot, time.monotonic() - begin)

    def _measure(self) -> None:
        why_not = self._why_no_bench()
        if why_not is not None:
            self.parts["bench"] = why_not
            return
        assert self.snapshot is not None
        assert self.report is not None
        framework, begin = self._framework(), time.monotonic()
        try:
            self.result = bench.measure(self.speed_test(framework), self.snapshot, self.report)
        except WrongUsage as error:
            self.parts["bench"] = SmokePart("bench", "error", str(error), time.monotonic() - begin)
            return
        self._measured(framework, time.monotonic() - begin)

    def speed_test(self, framework: str) -> bench.Words:
        """What is measured: short, and without TensorFlow each GPU, for its steps are the operation then."""
        return bench.Words(
            python=self.words.python,
            devices=None if framework == "tensorflow" else "all",
            time=max(1.0, min(_MEASURING, self.left / 4)),
            fail_under=self.words.fail_under,
            brief=True,
        )

    def visible(self) -> Union[bool, Gap]:
        """Is there a GPU to measure?"""
        from gpucheck.bench.devices import visible

        gpus = self.snapshot.gpus if self.snapshot else Gap("nothing was looked at", "not-collected")
        return gpus if isinstance(gpus, Gap) else bool(visible(gpus, os.environ))

    def _measured(self, framework: str, seconds: float) -> None:
        result, wanted = self.result, self.words.fail_under
        assert result is not None
        if result.interrupted:
            self._end_by(result.exit_code)
        gate = None if wanted is None else bench.gate(result, wanted)
        self.parts["bench"] = judging.bench(result, gate, wanted, seconds)
        if framework != "tensorflow":
            self.parts["operation"] = judging.operation_of_bench(result, framework, seconds)

    def _why_no_bench(self) -> Union[SmokePart, None]:
        if self.words.no_bench:
            return SmokePart("bench", "not-run", "--no-bench")
        if self.parts.get("operation", SmokePart("operation", "ok", "")).outcome != "ok":
            return SmokePart("bench", "not-run", "nothing is to be measured where the operation did not succeed")
        visible = self.visible()
        if visible is not True:
            return self._nothing_to_measure(visible)
        if self.left < _LEAST_BENCH:
            return SmokePart(
                "bench", "unknown", f"only {max(0.0, self.left):.1f} of {self.timeout:g} seconds were left"
            )
        return None

    def _nothing_to_measure(self, visible: Union[bool, Gap]) -> SmokePart:
        assert self.snapshot is not None
        framework = self._framework()
        if framework != "tensorflow":
            self.parts["operation"] = judging.nothing_visible(self.snapshot, visible, framework)
            return SmokePart("bench", "not-run", "no GPU is visible")
        why = visible.reason if isinstance(visible, Gap) else "CUDA_VISIBLE_DEVICES names none that NVML lists"
        return SmokePart("bench", "unknown", f"it is not known which GPU to measure: {why}")

    def _end_by(self, code: int) -> None:
        """code: of `Interrupted`."""
        self.stopped_with = None if code == TimeIsUp().exit_code else code
        self.stopped = "timeout" if self.stopped_with is None else _name(code - 128)

    # Telling

    def known(self) -> Smoke:
        """What is known now, with what was expected held against it."""
        report = self.report
        parts = [self.parts.get(name) or self._unfinished(name) for name in PARTS]
        if report is not None:
            if self.wishes is not None:
                report = expecting.judge(report, self.wishes, self.ignore, self._speed(parts[-1]))
            from gpucheck.render.causes import headline

            parts[0] = SmokePart("doctor", report.verdict, headline(report), self._looked)
        seconds = time.monotonic() - self.begin
        return Smoke(
            *(__version__, self.taken, tuple(parts), report, self.result, self.timeout, seconds, self.stopped),
            self.strict,
        )

    def _unfinished(self, name: PartName) -> SmokePart:
        if name == "operation" and self.words.no_bench and self.snapshot and self._framework() != "tensorflow":
            framework = judging.FRAMEWORKS[self._framework()]
            said = f"there is no TensorFlow, and {framework}'s operations are those of the speed test (--no-bench)"
            return SmokePart(name, "unknown", said)
        why = {None: "it did not come to that", "timeout": f"the {self.timeout:g} seconds were over"}
        return SmokePart(name, "unknown", why.get(self.stopped, f"ended by {self.stopped}"))

    def _speed(self, bench: SmokePart) -> Union[tuple[float, float], Gap, None]:
        """None: it was not to be measured."""
        if bench.outcome == "not-run" and (self.words.no_bench or self.words.simulate is not None):
            return None
        return judging.speed(self.result) if self.result else Gap(bench.said, "not-collected")

    def tell(self) -> int:
        """Write what is known; gives the exit code."""
        self._told = True
        known = self.known()
        code = known.nagios_code if self.words.nagios else self.stopped_with or known.exit_code
        words = self.words
        try:
            if words.format != "terminal":
                write(_document(known, words.format, code), words.output)
            if words.format == "terminal" or words.output is not None:
                on_screen = words.output is None or words.format != "terminal"
                write(self._text(known, on_screen), None if on_screen else words.output)
        except Unwritable as error:
            complain(str(error))
            if words.nagios and not code:  # its word and its exit code say the same
                return unknown(str(error))
            if words.output is not None:
                write(self._text(known, True), None)
            code = code or 2
        return code

    def _text(self, known: Smoke, on_screen: bool) -> str:
        if self.words.nagios:
            from gpucheck.render.smoke import nagios

            return nagios.render(known)
        from gpucheck.render.smoke import terminal

        width, color = (columns(), colored()) if on_screen else (80, False)
        return terminal.render(known, width, color, self.words.verbose)

    def at_the_latest(self) -> _Watchdog:
        """For what not even a signal wakes: a system call that hangs in the main thread."""
        return _Watchdog(self.timeout + _GRACE - (time.monotonic() - self.begin), self._give_up)

    def _give_up(self) -> None:
        if self._told:
            return
        self.stopped = "timeout"
        _end_children()
        leave(self.tell())


class _Watchdog:
    def __init__(self, seconds: float, work: Callable[[], None]) -> None:
        import threading

        self._timer = threading.Timer(max(0.1, seconds), work)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *of: object) -> None:
        self._timer.cancel()


def _end_children() -> None:
    from contextlib import suppress

    import psutil

    with suppress(psutil.Error):
        for child in psutil.Process(os.getpid()).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _document(known: Smoke, format: str, code: int) -> str:
    if format == "json":
        from gpucheck.render.smoke import json

        return json.render(known, code)
    from gpucheck.render.smoke import junit

    return junit.render(known)


def unknown(why: str) -> int:
    """A plugin of Nagios that has no answer says so on standard output; its exit code."""
    from gpucheck.render.smoke.nagios import line

    write(line(why), None)
    return UNKNOWN
