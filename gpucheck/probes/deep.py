"""`--deep`: the examined Python imports TensorFlow in a child and computes on every GPU. The child does the work; here
its lines become facts. Whatever it was doing when it hung or died is told by the "begin" line that came last."""

from __future__ import annotations

import json
import os
from typing import Any, Union

from gpucheck.facts.deep import Deep, Operation
from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Python
from gpucheck.host import Answer, Child, Host

_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "children", "deep.py")
# A crash on one GPU leaves the others to be tried, by a new child that leaves out what has been tried: so many times.
_MOST_CHILDREN = 9
_MOST_LOG, _MOST_LINE = 40, 400
_SPEAKS_OF_GPUS = (
    *("gpu", "cuda", "cudnn", "cublas", "cufft", "cusolver", "cusparse", "nccl", "nvidia", "ptx", "libdevice"),
    *("dlerror", "numpy 1.x", "_array_api"),
)
# Said in healthy runs, too (the taxonomy's ok-harmless-log-line): beside a failure they would look like its cause.
_HARMLESS = (
    *("unable to register cu", "attempting to register factory", "computation placer already registered"),
    *("could not find tensorrt", "libnvinfer", "numa node", "numa support"),
    *("cpu_feature_guard", "available cpu instructions", "onednn custom operations"),
    *("adding visible gpu devices", "nothing_to_do"),
    *("can't find ptxas binary", "couldn't get ptxas version", "relying on driver to perform ptx compilation"),
    *("falling back to the cuda driver for ptx compilation", "successfully opened"),
)


def start(host: Host, examined: Union[Python, Gap]) -> None:
    """Start the first child; the other probes go on meanwhile."""
    if not isinstance(examined, Gap):
        host.start(_child(0, examined.executable, 0))


def _child(number: int, executable: str, leave_out: int) -> Child:
    name = f"deep-{number}" if number else "deep"
    # The last twentieth of the time is for telling what the child did until then.
    return Child(name, None, (executable, _SCRIPT, str(leave_out)), share=0.95)


def probe(host: Host, examined: Union[Python, Gap]) -> Union[Deep, Gap]:
    """Wait for the child (and for those that go on where it died)."""
    answer = host.answer("deep")
    if answer.ended == "not-started":
        return Gap(f"the examined Python was not started: {answer.errors or 'not found'}", "not-collected")
    lines = _lines(answer)
    deep = _deep(lines, answer)
    if isinstance(deep, Gap):
        return deep
    operations = list(_operations(lines, answer))
    for number in range(1, _MOST_CHILDREN):
        if not operations or operations[-1].status != "crashed" or isinstance(examined, Gap):
            break
        host.start(_child(number, examined.executable, len(operations)))
        answer = host.answer(f"deep-{number}")
        more = list(_operations(_lines(answer), answer))
        if not more:
            break
        operations += more
    known = isinstance(deep.devices, tuple)
    return deep._replace(operations=tuple(operations) if known else Gap("no devices were listed", "not-collected"))


def _lines(answer: Answer) -> list[dict[str, Any]]:
    found = []
    for text in answer.lines:
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and isinstance(line.get("stage"), str):
            found.append(line)
    return found


def _deep(lines: list[dict[str, Any]], answer: Answer) -> Union[Deep, Gap]:
    """Everything but the operations."""
    unknown = Gap("TensorFlow did not get that far", "not-collected")
    log = _log(answer.errors)
    empty = Deep("ok", None, None, None, None, unknown, unknown, log, _failed_libraries(answer.errors))
    if not lines:
        if answer.ended == "deadline":
            # The script's first line comes before the import: TensorFlow has no part in this.
            return Gap("the examined Python did not come to the script before the deadline", "deadline")
        last = (answer.errors.strip().splitlines() or ["it said nothing"])[-1][:_MOST_LINE]
        return Gap(f"the examined Python did not run the script ({_end(answer)}): {last}", "crashed")
    imported = _stage(lines, "import")
    if imported is None:
        status, error = _unfinished(answer, "while importing TensorFlow")
        return empty._replace(status=status, error=error)
    seconds = imported.get("seconds")
    if not imported.get("ok"):
        failed = empty._replace(error=_text(imported, "error"), import_seconds=seconds)
        return failed._replace(status="import-failed" if imported.get("installed", True) else "not-installed")
    deep = empty._replace(
        tensorflow_version=_text(imported, "version"),
        built_with_cuda=imported.get("built_with_cuda"),
        import_seconds=seconds,
    )
    listed = _stage(lines, "devices")
    if listed is None:
        status, error = _unfinished(answer, "while listing devices")
        return deep._replace(status=status, error=error)
    if not isinstance(listed.get("devices"), list):
        return deep._replace(devices=Gap(f"TensorFlow could not list its devices: {_text(listed, 'error')}", "crashed"))
    return deep._replace(devices=tuple(str(device) for device in listed["devices"]))


def _operations(lines: list[dict[str, Any]], answer: Answer) -> list[Operation]:
    """What was computed; at the end what had begun and never came back."""
    found = [
        Operation(
            str(line.get("device")),
            line.get("operation", "matmul"),
            line.get("status", "error"),
            _text(line, "error"),
            line.get("relative_error"),
            line.get("seconds"),
        )
        for line in lines
        if line["stage"] == "operation"
    ]
    last = lines[-1] if lines else {}
    if last.get("stage") == "begin" and last.get("device"):
        status, error = _unfinished(answer, "while computing")
        found.append(Operation(str(last["device"]), last.get("what", "matmul"), status, error, None, None))
    return found


def _unfinished(answer: Answer, when: str) -> tuple[Any, str]:
    if answer.ended == "deadline":
        return "hung", f"no answer before the deadline, {when}"
    return "crashed", f"{_end(answer)} {when}"


def _end(answer: Answer) -> str:
    if answer.ended == "deadline":
        return "no answer before the deadline"
    if answer.ended != "signal" or answer.code is None:
        return f"it ended with exit code {answer.code}"
    import signal

    try:
        return f"killed by {signal.Signals(answer.code).name}"
    except (ValueError, RecursionError):
        return f"killed by signal {answer.code}"


def _stage(lines: list[dict[str, Any]], name: str) -> Union[dict[str, Any], None]:
    return next((line for line in lines if line["stage"] == name), None)


def _text(line: dict[str, Any], key: str) -> Union[str, None]:
    value = line.get(key)
    return value if isinstance(value, str) else None


def _log(errors: str) -> tuple[str, ...]:
    kept: dict[str, None] = {}
    for line in errors.splitlines():
        lower = line.lower()
        if any(word in lower for word in _SPEAKS_OF_GPUS) and not any(words in lower for words in _HARMLESS):
            kept[line.strip()[:_MOST_LINE]] = None
    lines = tuple(kept)
    # What is missing is said at the beginning, what a computation died of at the end.
    return lines if len(lines) <= _MOST_LOG else (*lines[: _MOST_LOG // 2], *lines[-_MOST_LOG // 2 :])


def _failed_libraries(errors: str) -> tuple[str, ...]:
    """Sonames that would not open, in the words of tsl/platform/default/dso_loader.cc and of cuDNN 8."""
    import re

    found = re.findall(r"Could not load dynamic library '([^']+)'|Could not load library (\S+?)\.? Error", errors)
    return tuple(dict.fromkeys(one or other for one, other in found))
