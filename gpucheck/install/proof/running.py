"""What TensorFlow does in the new environment: it imports, has its Keras and computes on the CPU."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from gpucheck.compat.keras import FIRST_WITH_KERAS_3
from gpucheck.compat.libraries import library_of
from gpucheck.facts.plan import Check, Choice
from gpucheck.facts.versions import PackageVersion
from gpucheck.install.proof.asking import Said
from gpucheck.install.proof.libraries import drivers_own
from gpucheck.install.proof.places import inside
from gpucheck.install.proof.reading import Reading

_MOST_CHILDREN = 9  # a crash on one GPU leaves the others to be tried, by a new child: so many times
_MOST_LINES, _MOST_LINE = 12, 300
# Lines of a log that tell why an import or an operation failed; what healthy runs say, too; what stands before a line.
_TELLING = re.compile(
    r"numpy 1\.x|_ARRAY_API|module compiled against|undefined symbol|cannot open shared|Descriptors cannot|protobuf"
    r"|Cannot dlopen|Could not load dynamic library|Ignoring visible gpu|CUDA_ERROR|cudnn|cublas|^\w*Error: ",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"Successfully opened|cudart_stub|[Uu]nable to register|TensorRT|libnvinfer")
_PREFIX = re.compile(r"^(?:[IWEF]\d{4} [\d:.]+\s+\d+|\d{4}-\d\d-\d\d [\d:.]+: [IWEF]) \S+\] ")


class Ran(NamedTuple):
    """What one child, or several that went on where it failed, said. first: the one that imported.

    operations: with those that never came back, status "crashed" or "hung".
    """

    first: Said
    operations: tuple[dict[str, Any], ...]
    log: str


def gather(first: Said, again: Callable[[int, bool], Said]) -> Ran:
    """Read the first child's words, and go on where it failed.

    Parameters
    ----------
    again: `again(leave_out, hide)` runs another child that leaves out so many operations; hide: it sees no GPU.
    """
    said, operations, logs = first, [*_operations(first)], [first.errors]
    for _ in range(_MOST_CHILDREN):
        if not operations or operations[-1]["status"] != "crashed":
            break
        said = again(len(operations), False)
        more = _operations(said)
        logs.append(said.errors)
        if not more:
            break
        operations += more
    if any(of_cpu(one) and one["status"] != "ok" for one in operations) and _listed(first):
        # A GPU that fails takes everything down, the CPU's work, too: is it the GPU, or the installation?
        said = again(0, True)
        operations = [*_operations(said), *(one for one in operations if not of_cpu(one))]
    return Ran(first, tuple(operations), "\n".join(logs))


def of_cpu(operation: dict[str, Any]) -> bool:
    return bool(operation["device"] == "CPU:0")


def _listed(said: Said) -> bool:
    line = said.stage("devices")
    return bool(line and line.get("devices"))


def _operations(said: Said) -> list[dict[str, Any]]:
    found = list(said.stages("operation"))
    last = said.lines[-1] if said.lines else {}
    if last.get("stage") == "begin" and last.get("device"):
        status = "hung" if said.hung else "crashed"
        found.append({"device": last["device"], "operation": last["what"], "status": status, "error": said.end})
    return found


def imported(ran: Ran, reading: Reading, root: str, choice: Choice) -> Check:
    """`import tensorflow` gives the chosen version, from the environment."""
    name, line = "import", ran.first.stage("import")
    if line is None:
        hint = ": this CPU lacks instructions that the wheel was built for (AVX)" if "SIGILL" in ran.first.end else ""
        words = ran.first.end or "it said nothing"
        return Check(name, "failed", f"Importing TensorFlow: {words}{hint}.", telling(ran.log))
    if not line.get("ok"):
        error = str(line.get("error"))
        missing = re.search(r"(lib[\w.-]+\.so[\w.]*|\w+64_\w+\.dll)", error)
        if missing and not choice.brings_cuda and choice.cuda and _of_the_system(missing[1]):
            what = f"TensorFlow {choice.release} imports only where CUDA {choice.cuda} is installed: {error}."
            return Check(name, "unproven", what)
        hint = _hint(f"{ran.log}\n{error}", reading)
        return Check(name, "failed", f"TensorFlow does not import: {error}{hint}.", telling(ran.log))
    version, file = str(line.get("version")), str(line.get("file"))
    if choice.release is not None and PackageVersion(version) != choice.release:
        return Check(name, "failed", f"TensorFlow {version} is imported, {choice.release} was chosen.")
    if not inside(file, root):
        return Check(name, "failed", f"Not the environment's TensorFlow is imported: {file}.")
    return Check(name, "proven", f"TensorFlow {version} imports in {float(line.get('seconds', 0)):.1f} s.")


def _hint(text: str, reading: Reading) -> str:
    """What an older TensorFlow beside a newer package says in many words."""
    if "_ARRAY_API" in text or "compiled using NumPy 1" in text:
        return f" (it was compiled for NumPy 1, and NumPy {reading.installed('numpy')} is installed)"
    if "Descriptors can" in text:
        return f" (its protocols were made for an older protobuf than {reading.installed('protobuf')})"
    return ""


def _of_the_system(library: str) -> bool:
    return library_of(library) is not None or drivers_own((library,)) or library.endswith(".dll")


def keras(ran: Ran, reading: Reading, choice: Choice) -> Check:
    """tf.keras is the Keras that belongs to this release, on TensorFlow, and makes a layer."""
    name, line = "keras", ran.first.stage("keras")
    if not has_imported(ran):
        return Check(name, "skipped", "TensorFlow was not imported.")
    if line is None:
        words = ran.first.words or "it said nothing"
        return Check(name, "failed", f"Asking Keras for its version: {words}.", telling(ran.log))
    if not line.get("ok"):
        return Check(name, "failed", f"Keras does not answer: {line.get('error')}.", telling(ran.log))
    if line.get("version") is None:
        return Check(name, "skipped", f"TensorFlow {choice.release} has no tf.keras with a version.")
    version, backend = str(line["version"]), str(line.get("backend"))
    package = reading.installed("keras")
    three = choice.release is not None and choice.release >= FIRST_WITH_KERAS_3
    if (PackageVersion(version).major == 3) != three:
        wanted = "3" if three else "2"
        return Check(name, "failed", f"tf.keras is Keras {version}; TensorFlow {choice.release} goes with {wanted}.")
    if three and package is not None and PackageVersion(package) != PackageVersion(version):
        return Check(name, "failed", f"tf.keras is {version}, the installed package keras {package}.")
    if backend != "tensorflow":
        return Check(name, "failed", f"Keras {version} works on {backend}, not on TensorFlow.")
    layer = next((one for one in ran.operations if one.get("operation") == "layer"), None)
    if layer is not None and layer["status"] != "ok":
        return Check(name, "failed", f"Keras {version} makes no layer: {layer.get('error') or layer['status']}.")
    return Check(name, "proven", f"Keras {version} works on {backend}{' and makes a layer' if layer else ''}.")


def on_the_cpu(ran: Ran) -> Check:
    """A product of matrices on the CPU is right."""
    name = "cpu operation"
    if not has_imported(ran):
        return Check(name, "skipped", "TensorFlow was not imported.")
    one = next((one for one in ran.operations if of_cpu(one)), None)
    if one is None:
        return Check(name, "failed", f"Nothing was computed: {ran.first.words or 'it said nothing'}.", telling(ran.log))
    if one["status"] != "ok":
        return Check(name, "failed", f"{told(one)}.", telling(ran.log))
    return Check(name, "proven", f"A product of two matrices on the CPU is right: off by {one['off']:.1e}.")


def told(one: dict[str, Any]) -> str:
    """An operation that failed, in words."""
    error = one.get("error") or (f"off by {one['off']:.1e}" if one.get("off") is not None else "NaN or infinity")
    return f"{one['operation']} on {one['device']}: {error}"


def has_imported(ran: Ran) -> bool:
    line = ran.first.stage("import")
    return line is not None and line.get("ok") is True


def telling(log: str) -> tuple[str, ...]:
    """The lines of a log that tell a cause, each once."""
    kept = (line.strip() for line in log.splitlines() if _TELLING.search(line) and not _HARMLESS.search(line))
    return tuple(dict.fromkeys(_PREFIX.sub("", line)[:_MOST_LINE] for line in kept))[-_MOST_LINES:]
