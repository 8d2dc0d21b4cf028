"""Does what was installed work? Files, requirements, build, libraries, loader, import, Keras, CPU and GPU.

Each answer comes from a child of the new interpreter with a time limit of its own, or from the files; one that crashes
or hangs leaves the others. A check that cannot be made says why. Nothing here changes the environment, but for the
bytecode that an import leaves in __pycache__.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Check, Choice, Cure, Package, Proof
from gpucheck.facts.python import TensorFlowBuild
from gpucheck.host.local import LocalHost
from gpucheck.install.errors import InstallError
from gpucheck.install.indexes import uv
from gpucheck.install.progress import Progress, Silent
from gpucheck.install.proof import dlls, files, gpus, libraries, running, surroundings
from gpucheck.install.proof.asking import Child, Prover, Said
from gpucheck.install.proof.case import LIMITS, Asked, Before, Case
from gpucheck.install.proof.places import inside, same
from gpucheck.install.proof.reading import read
from gpucheck.probes import distributions, tensorflow

_NAMES = ("tensorflow", "keras", "numpy")


def look_before(python: str, *, deadline: float = 120.0) -> Before:
    """Note what is wrong already, before an installation into an existing environment."""
    with Prover(python, os.environ, deadline) as prover:
        reading = read(_folders(prover.ask("where", LIMITS["where"]).said()))
        check = _start_check(prover)
        met = files.conflicts(check.said()) if check else None
    return Before(met or (), reading.troubles)


def prove(
    python: str,
    choice: Choice,
    *,
    root: str,
    deadline: float = 600.0,
    progress: Union[Progress, None] = None,
    packages: Sequence[Package] = (),
    cures: Sequence[Cure] = (),
    before: Union[Before, None] = None,
    thorough: bool = False,
    environ: Union[Mapping[str, str], None] = None,
    only: Union[Sequence[str], None] = None,
) -> Proof:
    """Prove an environment against the choice that it was made by.

    Parameters
    ----------
    python: the new interpreter. root: the environment's folder. deadline: seconds for everything.
    packages: the lock's; their versions are compared with what is installed. cures: applied, told in the proof.
    before: what `look_before` saw in an existing environment. thorough: sha256 of all files, half a minute.
    environ: the user's variables; None: this process's. only: names of checks; None: all of them.

    Raises
    ------
    Failed: there is no room for a temporary folder. KeyboardInterrupt: passed on; every child is ended then.
    """
    begin = time.monotonic()
    user, root = dict(os.environ if environ is None else environ), os.path.abspath(root)
    with Prover(python, user, deadline) as prover:
        around = surroundings.clean(user, prover.room)
        prover.environ = around.environ
        case = Case(prover, choice, root, user, around, tuple(packages), before or Before(), thorough)
        checks = _checks(case, progress or Silent(), only)
    return Proof(checks, tuple(cures), round(time.monotonic() - begin, 3))


def _checks(case: Case, progress: Progress, only: Union[Sequence[str], None]) -> tuple[Check, ...]:
    progress.begin("proving: interpreter")
    where = case.prover.ask("where", LIMITS["where"], names=_NAMES).said()
    if where.stage("where") is None and case.around.folders:
        # Its own library (libpython of a module or of conda) lies beside CUDA's: then it is proven as it runs.
        case.prover.environ = surroundings.with_folders(case.around, case.user)
        where = case.prover.ask("where", LIMITS["where"], names=_NAMES).said()
    found = interpreter(where, case)
    if found.state == "failed":
        return (found, *(Check(name, "skipped", "The interpreter does not run.") for name in _wanted(only)))
    # The import takes longest, and most of it waits for the disk: the files are read meanwhile.
    running_ = case.prover.ask("tensorflow", LIMITS["tensorflow"]) if set(_wanted(only)) & _NEED_TENSORFLOW else None
    asked = Asked(case, read(_folders(where), case.thorough), running_)
    for name in _wanted(only):
        progress.begin(f"proving: {name}")
        asked.made[name] = _CHECKS[name](asked)
    return (found, *asked.made.values())


def _wanted(only: Union[Sequence[str], None]) -> tuple[str, ...]:
    return tuple(name for name in _CHECKS if only is None or name in only)


def interpreter(where: Said, case: Case) -> Check:
    """The new interpreter runs, in the version that was planned for, and it is this environment's."""
    name, line, target = "interpreter", where.stage("where"), case.choice.target
    if line is None:
        return Check(name, "failed", f"The interpreter does not run: {where.words or 'it said nothing'}.")
    version = ".".join(str(part) for part in line["version"])
    if not isinstance(target, Gap) and list(target.python.parts[:2]) != list(line["version"])[:2]:
        return Check(name, "failed", f"The interpreter is Python {version}, {target.python} was planned for.")
    if not same(line["prefix"], case.root):
        return Check(name, "failed", f"The interpreter belongs to {line['prefix']}, not to {case.root}.")
    return Check(name, "proven", f"Python {version} runs.")


def _folders(where: Said) -> tuple[str, ...]:
    line = where.stage("where")
    return tuple(str(folder).replace("\\", "/") for folder in line["site"]) if line else ()


def _files(asked: Asked) -> Check:
    return files.files(asked.reading, asked.case.before.damaged)


def _start_check(prover: Prover) -> Union[Child, None]:
    """`uv pip check`, without the user's uv.toml and UV_* variables."""
    try:
        program = uv.binary()
    except InstallError:
        return None
    environ = {name: value for name, value in prover.environ.items() if not name.startswith("UV_")}
    argv = (program, "--no-config", "--color", "never", "pip", "check", "--python", prover.python)
    return prover.run(argv, LIMITS["consistency"], environ)


def _consistency(asked: Asked) -> Check:
    child = _start_check(asked.case.prover)
    said = child.said() if child else None
    return files.consistency(said, asked.reading, asked.case.packages, asked.case.before.conflicts)


def _build(asked: Asked) -> Check:
    host = LocalHost(10.0, {})
    folders = asked.reading.folders
    installed = distributions.scan(host, folders, None)
    found: Union[TensorFlowBuild, None, Gap] = tensorflow.find(host, folders, installed)
    return files.build(found, asked.reading, asked.case.choice)


def _libraries(asked: Asked) -> Check:
    name, choice = "libraries", asked.case.choice
    if choice.cuda is None:
        return Check(name, "skipped", "A build without CUDA asks for none.")
    if not choice.brings_cuda:
        what = f"TensorFlow {choice.release} takes CUDA {choice.cuda} and cuDNN {choice.cudnn} from the system."
        return Check(name, "skipped", what)
    said = asked.ask("libraries", paths=[one.path for one in asked.own])
    return libraries.libraries(said, asked.own, asked.case.root, choice)


def _loader(asked: Asked) -> Check:
    name, choice = "loader", asked.case.choice
    if choice.cuda is None:
        return Check(name, "skipped", "A build without CUDA loads none.")
    if not isinstance(choice.target, Gap) and choice.target.os == "windows":
        return dlls.loader(asked.ask("libraries", paths=list(dlls.wanted(choice))), choice)
    framework = asked.framework()
    if framework is None:
        what = f"TensorFlow {choice.release} has no framework library whose loader could be called."
        return Check(name, "unproven", what)  # up to 1.3; where it was lost, RECORD tells
    return libraries.loader(asked.ask("loader", path=framework), asked.own, asked.case.root, choice)


def _import(asked: Asked) -> Check:
    return running.imported(asked.ran(), asked.reading, asked.case.root, asked.case.choice)


def _keras(asked: Asked) -> Check:
    return running.keras(asked.ran(), asked.reading, asked.case.choice)


def _cpu(asked: Asked) -> Check:
    return running.on_the_cpu(asked.ran())


def _gpu(asked: Asked) -> Check:
    return gpus.listed(asked.ran(), asked.ask("driver"), asked.case.choice)


def _gpu_operation(asked: Asked) -> Check:
    made = {name: check.state for name, check in asked.made.items()}
    complete = made.get("loader") == "proven" and made.get("libraries") in ("proven", "skipped")
    return gpus.on_the_gpus(asked.ran(), asked.made.get("gpu") or _gpu(asked), complete)


def _surroundings(asked: Asked) -> Check:
    case, framework = asked.case, asked.framework()
    outside: list[str] = []
    trouble = None
    if case.around.folders and case.choice.cuda is not None and framework is not None:
        environ = surroundings.with_folders(case.around, case.user)
        said = case.prover.ask("loader", LIMITS["loader"], environ, path=framework).said()
        line = said.stage("loader") or {}
        paths = libraries.foreign(line.get("mapped"), asked.own, case.root) if case.choice.brings_cuda else ()
        outside += [f"LD_LIBRARY_PATH makes TensorFlow load {path}" for path in paths]
        outside += [f"with LD_LIBRARY_PATH {name} does not load: {why}" for name, why in libraries.refused(said.errors)]
    plain = case.prover.ask("where", LIMITS["where"], case.user, False, names=_NAMES).said()
    line = plain.stage("where") or {}
    if not line:
        trouble = f"With your variables the interpreter does not run: {plain.words or 'it said nothing'}."
    for name, place in sorted(line.get("found", {}).items()):
        if isinstance(place, str) and not inside(place, case.root):
            outside.append(f"`import {name}` takes {place}")
    return surroundings.around(outside, case.around.settings, trouble)


_CHECKS: dict[str, Callable[[Asked], Check]] = {
    "files": _files,
    "consistency": _consistency,
    "build": _build,
    "libraries": _libraries,
    "loader": _loader,
    "import": _import,
    "keras": _keras,
    "cpu operation": _cpu,
    "gpu": _gpu,
    "gpu operation": _gpu_operation,
    "surroundings": _surroundings,
}
NAMES = ("interpreter", *_CHECKS)
_NEED_TENSORFLOW = {"import", "keras", "cpu operation", "gpu", "gpu operation"}
