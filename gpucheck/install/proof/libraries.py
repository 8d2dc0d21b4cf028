"""CUDA's libraries in the new environment: each loads, in the planned version, and TensorFlow's loader finds it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Union

from gpucheck.compat.libraries import checked_by, library_of, soname
from gpucheck.facts.plan import Check, Choice
from gpucheck.facts.versions import CudaVersion, CudnnVersion, LibraryVersion, Version
from gpucheck.install.proof.asking import Said
from gpucheck.install.proof.places import inside
from gpucheck.install.proof.reading import Reading

# Only the driver brings these libraries and functions (cuInit, unlike cudaMalloc and cublasCreate): a library that
# lacks one of them is whole.
_DRIVER = re.compile(r"\b(lib(?:cuda|nvidia-[\w-]+|nvcuvid|nvoptix)\.so\.\d+)|undefined symbol: (cu[A-Z]\w+)")
_REFUSED = re.compile(r"Could not load dynamic library '([^']+)'; dlerror: (.*?)(?:; LD_LIBRARY_PATH: .*)?$", re.M)
_TITLES = {"cudart": "CUDA runtime", "cudnn": "cuDNN", "cublas": "cuBLAS", "nccl": "NCCL"}
_MOST_LINES = 20


class Owned(NamedTuple):
    """A CUDA library of a wheel. owners: (distribution, version), more than one where two wheels hold the same path."""

    path: str
    library: str
    owners: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


def owned(reading: Reading) -> tuple[Owned, ...]:
    """The files of NVIDIA's wheels that TensorFlow, or a library that it opens, opens."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in reading.distributions:
        for path in one.libraries if one.name.startswith("nvidia-") else ():
            if library_of(os.path.basename(path)):
                found.setdefault(path, []).append((one.name, one.version))
    return tuple(
        Owned(path, library_of(os.path.basename(path)) or "", tuple(owners)) for path, owners in sorted(found.items())
    )


def wanted(choice: Choice) -> tuple[str, ...]:
    """The sonames without which this release registers no GPU."""
    if choice.cuda is None:
        return ()
    names = (soname(name, choice.cuda, choice.cudnn) for name in checked_by(choice.release))
    return tuple(name for name in names if name)


def libraries(said: Said, own: Sequence[Owned], root: str, choice: Choice) -> Check:
    """Each CUDA library of the environment loads alone, tells the version of its wheel, and takes others from here."""
    answers = {str(line.get("path")): line for line in said.stages("library")}
    wrong = [*_absent(own, choice)]
    waiting, told = [], {}
    for one in own:
        line = answers.get(one.path)
        if line is None:
            doing = " here" if said.doing == one.path else " before it came to this one"
            wrong.append(f"{one.name} was not tried: {said.words or 'the child stopped'}{doing}")
            continue
        trouble, wait = _trouble(one, line, choice)
        if trouble:
            wrong.append(trouble)
        elif wait:
            waiting.append(wait)
        elif line.get("version"):
            told[one.name] = ".".join(str(number) for number in line["version"])
        outside = foreign(line.get("mapped"), own, root)
        wrong += [f"{one.name} takes {path}, which is not the environment's" for path in outside]
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return Check("libraries", "failed", f"{wrong[0]}{more}.", _few(wrong))
    seen = [f"{title} {told[one.name]}" for one in own if (title := _TITLES.get(one.library)) and one.name in told]
    note = f"; {len(waiting)} more {'needs' if len(waiting) == 1 else 'need'} a driver" if waiting else ""
    what = f"{len(own) - len(waiting)} CUDA libraries load from the environment itself: {', '.join(seen)}{note}."
    return Check("libraries", "proven", what, _few([*(f"{name} {text}" for name, text in told.items()), *waiting]))


def _absent(own: Sequence[Owned], choice: Choice) -> Iterable[str]:
    have = {one.name for one in own}
    for name in wanted(choice):
        if name not in have:
            other = next(
                (one for one in own if one.library == library_of(name) and one.name.startswith(_stem(name))), None
            )
            instead = f"; {other.name} of {' '.join(other.owners[0])} is" if other else ""
            yield f"{name} is not in the environment{instead}"


def _stem(name: str) -> str:
    return f"{name.partition('.so')[0]}.so"


def _trouble(one: Owned, line: dict[str, Any], choice: Choice) -> tuple[str, str]:
    """(what is wrong with it, what it waits for)"""
    if line.get("signal"):
        return f"{one.name} does not load: {signal_name(int(line['signal']))}", ""
    if not line.get("ok"):
        error = str(line.get("error"))
        waits = _DRIVER.search(error)
        return (
            ("", f"{one.name} needs {waits[1] or waits[2]} of the driver")
            if waits
            else (f"{one.name} does not load: {error}", "")
        )
    numbers = line.get("version")
    if not isinstance(numbers, list):
        code = line.get("code")
        # CUDA 11.8's runtime answers 35 or 36 where there is no driver, or one that does less than it asks for.
        return "", f"{one.name} tells no version (code {code})" if code else ""
    version = LibraryVersion(".".join(str(number) for number in numbers))
    owners = _made_for(one, choice)
    if not any(_same(version, text) for _name, text in owners):
        return f"{one.name} is {version}, its wheel is {' '.join(owners[0])}", ""
    if one.library == "cudart" and choice.cuda and not _fits(CudaVersion(version.text), choice.cuda, choice):
        return f"{one.name} is CUDA {version}, {choice.release} was built with {choice.cuda}", ""
    if one.library == "cudnn" and choice.cudnn and not _fits(CudnnVersion(version.text), choice.cudnn, choice):
        return f"{one.name} is cuDNN {version}, {choice.release} needs {choice.cudnn} or later of the same major", ""
    return "", ""


def _made_for(one: Owned, choice: Choice) -> tuple[tuple[str, str], ...]:
    """Of two wheels that hold the same path (nvidia-cudnn-cu12 and -cu13), the one for this release's CUDA."""
    ending = f"-cu{choice.cuda.major}" if choice.cuda else ""
    return tuple(owner for owner in one.owners if owner[0].endswith(ending)) or one.owners


def _fits(version: Version, built: Version, choice: Choice) -> bool:
    """The same major and at least the minor, as TensorFlow itself asks of cuDNN (compat.tensorflow.Release.cudnn)."""
    return version.parts[:1] == built.parts[:1] and version.parts[:2] >= built.parts[:2]


def _same(version: LibraryVersion, wheel: str) -> bool:
    """As far as the library tells: 12.9 of a wheel 12.9.79, 9.28.0 of a wheel 9.28.0.42."""
    return version.parts == LibraryVersion(wheel).parts[: len(version.parts)]


def foreign(mapped: Union[Sequence[str], None], own: Sequence[Owned], root: str) -> tuple[str, ...]:
    """CUDA's libraries among the mapped files that are neither below the environment nor one of its files by a link."""
    ours = {os.path.realpath(one.path) for one in own}
    libraries_ = [path for path in mapped or () if library_of(os.path.basename(path))]
    return tuple(path for path in libraries_ if path not in ours and not inside(path, root))


def loader(said: Said, own: Sequence[Owned], root: str, choice: Choice) -> Check:
    """TensorFlow's own loader opens every library that it registers no GPU without, and takes the environment's."""
    name, title = "loader", f"TensorFlow {choice.release}"
    line = said.stage("loader")
    if line is None:
        what = "its check of the libraries" if said.doing.startswith("Dso") else "loading its framework library"
        return Check(name, "failed", f"{title} did not survive {what}: {said.words or 'it said nothing'}.")
    if line.get("symbol") is None:
        return Check(name, "unproven", f"{title} has no check of its libraries that could be called.")
    if line.get("mapped") is None:
        return Check(name, "unproven", "This system does not tell which libraries a process has opened.")
    lacking = dict(refused(said.errors))
    mapped = opened(line["mapped"], choice)
    for soname_ in wanted(choice):  # in case the log's words change
        if soname_ not in lacking and not any(_stem(os.path.basename(path)) == _stem(soname_) for path in mapped):
            lacking[soname_] = "it is not opened"
    outside = foreign(line["mapped"], own, root)
    if lacking:
        lines = tuple(f"{one}: {_cause(one, why)}" for one, why in lacking.items())
        names = ", ".join(lacking)
        if choice.brings_cuda:
            return Check(name, "failed", f"{title} does not find {names}: it would register no GPU.", lines)
        what = f"{title} takes CUDA {choice.cuda} and cuDNN {choice.cudnn} from the system, which lacks {names}."
        return Check(name, "unproven", what, lines)
    if outside and choice.brings_cuda:
        return Check(name, "failed", f"{title} takes {outside[0]}, which is not the environment's.", outside)
    folders = ", ".join(sorted({os.path.dirname(path) for path in mapped}))
    where = "in the environment" if choice.brings_cuda else f"in {folders}"
    return Check(name, "proven", f"TensorFlow's own loader finds its {len(wanted(choice))} libraries {where}.")


def _cause(soname_: str, why: str) -> str:
    """The loader's words without the name that stands before them anyway."""
    return why[len(soname_) + 2 :] if why.startswith(f"{soname_}: ") else why


def opened(mapped: Sequence[str], choice: Choice) -> tuple[str, ...]:
    """The mapped files that are what TensorFlow wants."""
    stems = {_stem(name) for name in wanted(choice)}
    return tuple(path for path in mapped if _stem(os.path.basename(path)) in stems)


def refused(log: str) -> tuple[tuple[str, str], ...]:
    """(soname, the system's words) of each library that TensorFlow could not open, from its log."""
    return tuple(dict.fromkeys((one, why.strip()) for one, why in _REFUSED.findall(log)))


def drivers_own(names: Iterable[str]) -> bool:
    """Are these libraries the driver's, all of them?"""
    return all(_DRIVER.match(name) for name in names)


def signal_name(number: int) -> str:
    """ "SIGSEGV"; SIGALRM is the time limit of one library."""
    import signal

    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"it died of signal {number}"
    return "it hangs" if name == "SIGALRM" else f"it died of {name}"


def _few(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(lines[:_MOST_LINES])
