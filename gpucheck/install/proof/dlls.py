"""On Windows, where TensorFlow's loader cannot be called: the DLLs that it loads by name, loaded by those names."""

from __future__ import annotations

from gpucheck.compat.dlls import dll
from gpucheck.compat.libraries import checked_by
from gpucheck.facts.plan import Check, Choice
from gpucheck.install.proof.asking import Said


def wanted(choice: Choice) -> tuple[str, ...]:
    """The DLLs without which this release registers no GPU."""
    if choice.cuda is None:
        return ()
    names = (dll(name, choice.cuda, choice.cudnn) for name in checked_by(choice.release))
    return tuple(name for name in names if name)


def loader(said: Said, choice: Choice) -> Check:
    """Each of them is found. They come with CUDA's and cuDNN's own installers: what is missing is no fault of ours."""
    name = "loader"
    answers = {str(line.get("path")): line for line in said.stages("library")}
    lacking = [one for one in wanted(choice) if not answers.get(one, {}).get("ok")]
    whole = f"CUDA {choice.cuda} and cuDNN {choice.cudnn}"
    if lacking:
        lines = tuple(f"{one}: {answers[one].get('error') if one in answers else said.words}" for one in lacking)
        what = f"TensorFlow {choice.release} takes {whole} from the system, which lacks {', '.join(lacking)}."
        return Check(name, "unproven", what, lines)
    lines = tuple(f"{one}: {answers[one].get('file')}" for one in wanted(choice))
    return Check(name, "proven", f"The {len(lines)} DLLs of {whole} are found.", lines)
