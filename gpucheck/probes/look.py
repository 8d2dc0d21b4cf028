"""One look at a machine: every probe once, under one deadline, whatever happens to any of them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, Union

from gpucheck import __version__
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import SCHEMA, ProbeRun, Snapshot
from gpucheck.host import Host
from gpucheck.probes import deep as deep_probe
from gpucheck.probes import driver, environment, gpus, libraries, python, system, toolkits
from gpucheck.probes.loader import Loader

T = TypeVar("T")

# A probe that reads files may use this part of what time is left, then it is abandoned; so the last one still gets
# its turn when the first hangs (a dead network disk on LD_LIBRARY_PATH).
_SHARE = 0.4


class Looking:
    """Runs probes in threads of their own, so that one that hangs is left behind."""

    def __init__(self, timeout: float) -> None:
        self._end = time.monotonic() + timeout
        self.runs: list[ProbeRun] = []

    def run(self, name: str, probe: Callable[..., T], *given: Any, share: float = _SHARE) -> Union[T, Gap]:
        """The probe's facts, or a gap with the reason."""
        answers: list[Union[T, Gap]] = []

        def work() -> None:
            try:
                answers.append(probe(*given))
            except Exception as error:  # a bug or a machine beyond imagination: the other probes still answer
                answers.append(Gap(f"the {name} probe failed: {type(error).__name__}: {error}", "crashed"))

        begin = time.monotonic()
        wait = max(0.05, (self._end - begin) * share)
        thread = threading.Thread(target=work, name=f"probe {name}", daemon=True)
        try:
            thread.start()
            _join(thread, wait)
        except RuntimeError:  # no thread is left to this user or container: better without a deadline than not at all
            work()
        answer = answers[0] if answers else Gap(f"the {name} probe gave no answer within {wait:.1f} s", "deadline")
        outcome = answer.reason if isinstance(answer, Gap) else "ok"
        self.runs.append(ProbeRun(name, round(time.monotonic() - begin, 4), outcome))
        return answer


class Probes(NamedTuple):
    """Those of one system, by subject. The others are the same on both. switches: what only Windows has."""

    python: Callable[..., Any]
    system: Callable[..., Any]
    toolkits: Callable[..., Any]
    loader: Callable[..., Any]
    libraries: Callable[..., Any]
    driver: Callable[..., Any]
    switches: Union[Callable[..., Any], None]


def _loader(host: Host, _examined: object) -> Loader:
    return Loader(host)


_POSIX = Probes(python.probe, system.probe, toolkits.probe, _loader, libraries.probe, driver.probe, None)


def _of(host: Host) -> Probes:
    if host.flavour == "posix":
        return _POSIX
    from gpucheck.probes import windows  # loaded there alone

    return Probes(*windows.probes())


def _join(thread: threading.Thread, seconds: float) -> None:
    """Wait for its end. On Windows no wait is broken off by Ctrl-C, so it is many short ones there."""
    if sys.platform != "win32":
        thread.join(seconds)
        return
    end = time.monotonic() + seconds
    while thread.is_alive() and (left := end - time.monotonic()) > 0:
        thread.join(min(left, 0.1))


def look(host: Host, interpreter: str | None = None, deep: bool = False, timeout: float = 10.0) -> Snapshot:
    """Collect all facts.

    Parameters
    ----------
    host: the machine.
    interpreter: the Python to examine; None: found as `gpucheck.probes.python` says.
    deep: also import TensorFlow there and compute on each GPU.
    timeout: seconds in all; the answer is there at the latest a moment after.
    """
    looking = Looking(timeout)
    taken = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    driver.start(host)
    own = _of(host)
    variables = looking.run("environment", environment.probe, host)
    examined = looking.run("python", own.python, host, interpreter)
    if deep:
        deep_probe.start(host, examined)
    machine = looking.run("system", own.system, host, examined)
    kits = looking.run("toolkits", own.toolkits, host)
    loader = own.loader(host, examined)
    shared = looking.run("libraries", own.libraries, host, examined, kits, loader)
    # These wait for children, which have deadlines of their own.
    chips = looking.run("gpus", gpus.probe, host, share=0.98)
    kernel = looking.run("driver", own.driver, host, loader, share=0.98)
    switches = looking.run("windows", own.switches, host, examined, kits, shared, loader) if own.switches else None
    proof = looking.run("deep", deep_probe.probe, host, examined, share=1.0) if deep else None
    return Snapshot(
        SCHEMA,
        __version__,
        taken,
        machine,
        variables,
        kernel,
        chips,
        kits,
        examined,
        shared,
        proof,
        tuple(looking.runs),
        switches,
    )
