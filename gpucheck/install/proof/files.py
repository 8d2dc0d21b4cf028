"""What the disk tells, with nothing run in the new environment: files, versions, and what TensorFlow was built with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Check, Choice, Package
from gpucheck.facts.python import TensorFlowBuild
from gpucheck.facts.versions import PackageVersion, Version
from gpucheck.install.proof.asking import Said
from gpucheck.install.proof.reading import Reading

_MOST_LINES = 12


def files(reading: Reading, known: Sequence[str] = ()) -> Check:
    """Every file of every distribution is there in the size that its RECORD says.

    Parameters
    ----------
    known: `Reading.troubles` from before the installation; told, and not held against it.
    """
    troubles = reading.troubles
    fresh = [line for line in troubles if line not in known]
    count = sum(one.files for one in reading.distributions)
    # Two distributions with a file of one name (tests/__init__.py, licences) are common, and seldom do harm; where it
    # is a CUDA library, its version is compared (libraries.py).
    notes = [f"{one.name} {one.version} has no RECORD" for one in reading.damage if not one.recorded]
    notes += [
        f"{one.name} {one.version}: {len(one.overwritten)} files are now those of {', '.join(sorted(set(others)))}"
        for one in reading.damage
        if (others := [name for _path, name in one.overwritten])
    ]
    if fresh:
        names = ", ".join(sorted({line.split(" ")[0] for line in fresh}))
        what = f"{_number(len(fresh), 'file')} of {count} {_are(len(fresh))} not as recorded, of {names}."
        return Check("files", "failed", what, _few(fresh))
    if not count:
        where = ", ".join(reading.folders)
        return Check("files", "unproven", f"No distribution in {where} has a RECORD.", tuple(notes))
    before = f", but {_number(len(troubles), 'file')} that {_were(len(troubles))} damaged before" if troubles else ""
    kind = "with its recorded hash" if reading.thorough else "in its recorded size"
    what = f"Each of {count} files of {len(reading.distributions)} distributions is there {kind}{before}."
    return Check("files", "proven", what, _few([*troubles, *notes]))


def consistency(
    said: Union[Said, None], reading: Reading, packages: Sequence[Package] = (), known: Sequence[str] = ()
) -> Check:
    """Every installed requirement is met (`uv pip check`), and the versions are the plan's.

    Parameters
    ----------
    said: None: there is no uv. known: its complaints before the installation.
    """
    name = "consistency"
    installed = {one.name: one.version for one in reading.distributions}
    wrong = [
        f"{one.name} {installed.get(one.name) or 'is missing'}: {one.version} was planned"
        for one in packages
        if _differ(installed.get(one.name), one.version.text)
    ]
    if wrong:
        what = f"{_number(len(wrong), 'distribution')} {_are(len(wrong))} not what was planned."
        return Check(name, "failed", what, _few(wrong))
    if said is None:
        return Check(name, "unproven", "uv, which compares requirements with what is installed, was not found.")
    met = conflicts(said)
    fresh = [line for line in met or () if line not in known]
    if fresh:
        return Check(name, "failed", f"{_number(len(fresh), 'requirement')} {_are(len(fresh))} not met.", _few(fresh))
    if met is None:
        return Check(name, "unproven", f"uv pip check gave no answer: {said.words or 'not understood'}.")
    planned = f", {_number(len(packages), 'of them')} as planned" if packages else ""
    before = f"; {_number(len(met), 'conflict')} from before" if met else ""
    what = f"The requirements of {_number(len(installed), 'distribution')} are met{planned}{before}."
    return Check(name, "proven", what, _few(met))


def conflicts(said: Said) -> Union[tuple[str, ...], None]:
    """What `uv pip check` complains of; None: it did not come to check anything."""
    text = f"{said.out}\n{said.errors}"
    if not re.search(r"^(Checked|Found) \d+ ", text, re.MULTILINE):
        return None
    lines = [line.strip() for line in text.splitlines()]
    # The WHEEL file of tensorflow-gpu 1.2.1 for Python 3.6 says cp35: whether it fits, the import tells.
    return tuple(line for line in lines if line.startswith("The package ") and "for a different platform" not in line)


def build(found: Union[TensorFlowBuild, None, Gap], reading: Reading, choice: Choice) -> Check:
    """build_info.py, read and not run, says what the table says of this release."""
    name = "build"
    if isinstance(found, Gap):
        return Check(name, "unproven", f"TensorFlow's build could not be read: {found.reason}.")
    if found is None:
        return Check(name, "failed", f"No TensorFlow lies in {', '.join(reading.folders)}.")
    installed = reading.installed(choice.package)
    if choice.release is not None and _differ(installed, choice.release.text):
        what = f"{choice.package} {installed or 'is missing'}: {choice.release} was chosen."
        return Check(name, "failed", what)
    if isinstance(found.cuda_build, Gap):
        return Check(name, "unproven", f"What TensorFlow was built with could not be read: {found.cuda_build.reason}.")
    if found.cuda_build is None:  # 1.0 to 1.3
        return Check(name, "unproven", f"TensorFlow {choice.release} does not record what it was built with.")
    if found.cuda_build != (choice.cuda is not None):
        kinds = ("with", "without") if found.cuda_build else ("without", "with")
        return Check(name, "failed", f"TensorFlow is built {kinds[0]} CUDA; one {kinds[1]} was chosen.")
    return _numbers(found, choice)


def _numbers(found: TensorFlowBuild, choice: Choice) -> Check:
    """CUDA's and cuDNN's versions, where the release records them."""
    wrong, silent = [], []
    for title, seen, wanted in (
        ("CUDA", found.cuda_version, choice.cuda),
        ("cuDNN", found.cudnn_version, choice.cudnn),
    ):
        if isinstance(seen, Gap):
            silent.append(title)
        elif not alike(seen, wanted):
            wrong.append(f"with {title} {seen or 'none'}, {wanted or 'none'} was expected")
    if wrong:
        return Check("build", "failed", f"TensorFlow is built {' and '.join(wrong)}.")
    kind = f"with CUDA {choice.cuda} and cuDNN {choice.cudnn}" if choice.cuda else "without CUDA"
    if silent:
        what = (
            f"{choice.package} {choice.release} is built {kind}, but the wheel does not record {' and '.join(silent)}."
        )
        return Check("build", "unproven", what)
    return Check("build", "proven", f"{choice.package} {choice.release} is built {kind}.")


def alike(one: Union[Version, None], other: Union[Version, None]) -> bool:
    """The same numbers as far as both go: build_info says cuDNN "9" where the table says 9.3."""
    if one is None or other is None:
        return one is other
    return all(a == b for a, b in zip(one.parts, other.parts, strict=False))


def _differ(installed: Union[str, None], wanted: str) -> bool:
    return installed is None or PackageVersion(installed) != PackageVersion(wanted)


def _few(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - _MOST_LINES
    return (*lines[:_MOST_LINES], f"and {more} more") if more > 0 else tuple(lines)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 or noun == "of them" else f"{count} {noun}s"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
