"""One resolution: what `uv pip compile` is asked, and how. What the answer means is said by those who ask."""

from __future__ import annotations

import os
from typing import NamedTuple, Union

from gpucheck.facts.plan import Target
from gpucheck.install.indexes import uv
from gpucheck.install.indexes.platforms import python_text, uv_platform
from gpucheck.install.indexes.settings import Settings

DEADLINE = 300.0  # seconds
_FAR = "2099-01-01T00:00:00Z"
# wrapt's own switch: with its optional C part a wheel would be for the Python that builds it, not for the target's.
BUILDING = {"WRAPT_INSTALL_EXTENSIONS": "false"}


class Question(NamedTuple):
    """requirements: of PEP 508. exclude_newer: RFC 3339, None for no bound. built: packages whose source may be built;
    everything else is taken as wheels. base_python: an interpreter that runs such builds. timeless: packages for which
    the bound does not count.
    """

    requirements: tuple[str, ...]
    target: Target
    exclude_newer: Union[str, None]
    built: tuple[str, ...]
    base_python: str
    timeless: tuple[str, ...] = ()

    def arguments(self, *more: str) -> list[str]:
        # Without --python uv would look through every interpreter of the machine.
        words = ["pip", "compile", "-", "--no-header", "--python", self.base_python]
        words += ["--python-version", python_text(self.target), "--python-platform", uv_platform(self.target)]
        words += ["--only-binary", ":all:", *(word for name in self.built for word in ("--no-binary", name))]
        if self.exclude_newer:
            words += ["--exclude-newer", self.exclude_newer]
            # What builds a source of that time is of today: build systems of then cannot be told to uv.
            now = (*self.timeless, *(("setuptools", "wheel") if self.built else ()))
            words += [word for name in now for word in ("--exclude-newer-package", f"{name}={_FAR}")]
        return [*words, *more]


def ask(question: Question, settings: Settings, *more: str) -> uv.Done:
    """The answer, whatever it is. more: further arguments of `uv pip compile`.

    Raises
    ------
    InstallError: uv could not be run, or did not end in time.
    """
    words = question.arguments(*more)
    for path in settings.constraints:
        words += ["--constraints", path if "://" in path else os.path.abspath(path)]
    text = "".join(f"{one}\n" for one in question.requirements)
    return uv.run([*words, *uv.options(settings)], settings=settings, deadline=DEADLINE, stdin=text, variables=BUILDING)
