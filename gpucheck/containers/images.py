"""A Dockerfile -> the image that its last stage (or the one asked for) makes. See facts.containers.Image."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from posixpath import join, normpath
from typing import NamedTuple, Union

from gpucheck.compat.variables import NAMES
from gpucheck.containers import dockerfile
from gpucheck.containers.dockerfile import Instruction, Text
from gpucheck.containers.expansion import Expanded, expand
from gpucheck.containers.installs import Context, Found, Open, Removed, found_in
from gpucheck.containers.lists import Beside
from gpucheck.containers.places import Copy, Placed, copies
from gpucheck.containers.shell import Command, commands
from gpucheck.facts.containers import Image, Package, Said, Setting
from gpucheck.facts.gap import Gap
from gpucheck.rules.installed import TENSORFLOWS

_SCRIPTS = ("", "sh", "bash", "ash", "dash", "/bin/sh", "/bin/bash")
# What a stage that is copied from may hold beside files: environments and folders of pip.
_CARRIERS = ("venv", "site-packages", "/usr/local", "/install", ".local", "/opt/conda", "env")


MOST_STAGES = 200


class Stage(NamedTuple):
    name: str
    base: Expanded
    source: str
    platform: str
    body: tuple[Instruction, ...]
    note: str


class NoImage(ValueError):
    """The file has no FROM, or not the stage that is asked for."""


def image(
    text: str,
    path: str,
    beside: Beside,
    name: str = "",
    arguments: Union[Mapping[str, Union[str, None]], None] = None,
    target: Union[str, None] = None,
) -> Image:
    """The image of a Dockerfile's text.

    Parameters
    ----------
    path: how the file is called in sources.
    arguments: build arguments that are given; None as a value: given, and not known.
    target: the stage to build; None: the last.

    Raises
    ------
    NoImage: there is no FROM, or no such stage.
    """
    every = dockerfile.instructions(text)
    escape = dockerfile.escape_of(text.removeprefix("\ufeff").splitlines())
    given = dict(arguments or {})
    globals_, stages = _stages(every, path, given, escape)
    if len(stages) > MOST_STAGES:
        raise NoImage(f"it has more than {MOST_STAGES} stages")
    chosen = _chosen(stages, target)
    made = _Maker(path, beside, given, globals_, escape, stages, {})
    reference, source, note, platform = made.follow(chosen)
    return Image(
        name or path,
        reference,
        source,
        note,
        platform,
        tuple(made.settings),
        tuple(made.packages),
        tuple(made.open),
        tuple(_unused(every, stages, chosen)),
        tuple(made.marks),
    )


def _unused(every: Sequence[Instruction], stages: list[Stage], chosen: Stage) -> Iterator[Said]:
    """Earlier stages without a name, which only a number could take something from."""
    taken = " ".join(f"{one.flag('from')} {one.flag('mount')}" for one in every).replace("from=", " ").replace(",", " ")
    for number, stage in enumerate(stages):
        if stage is chosen:
            return
        if not stage.name and str(number) not in taken.split() and not stage.base.unknown:
            yield Said(stage.base.text, stage.source)


def _chosen(stages: Sequence[Stage], target: Union[str, None]) -> Stage:
    if not stages:
        raise NoImage("it has no FROM")
    if target is None:
        return stages[-1]
    for number, stage in enumerate(stages):
        if stage.name.lower() == target.lower() or str(number) == target:
            return stage
    raise NoImage(f"it has no stage called {target}")


def _stages(
    every: Sequence[Instruction], path: str, given: dict[str, Union[str, None]], escape: str
) -> tuple[dict[str, Union[str, None]], list[Stage]]:
    globals_: dict[str, Union[str, None]] = {}
    stages: list[Stage] = []
    bodies: list[list[Instruction]] = []
    lines: dict[str, int] = {}
    for one in every:
        if one.keyword == "ARG" and not stages:
            for name, value in _pairs(one.body.text):
                default = None if value is None else _whole(expand(value, globals_, absent="", escape=escape))
                globals_[name] = given.get(name, default)
                lines[name] = one.line
        elif one.keyword == "FROM":
            stages.append(_stage(one, path, globals_, lines, escape))
            bodies.append([])
        elif stages:
            bodies[-1].append(one)
    return globals_, [stage._replace(body=tuple(body)) for stage, body in zip(stages, bodies, strict=True)]


def _whole(made: Expanded) -> Union[str, None]:
    return None if made.unknown else made.text


def _stage(
    one: Instruction, path: str, globals_: dict[str, Union[str, None]], lines: dict[str, int], escape: str
) -> Stage:
    words = one.body.text.split()
    base = expand(words[0].strip("\"'") if words else "", globals_, absent=None, escape=escape)
    named = words[2] if len(words) > 2 and words[1].lower() == "as" else ""
    note = ", ".join(f"ARG {name} of line {lines[name]}" for name in base.used if name in lines)
    platform = expand(one.flag("platform") or "", globals_, absent=None, escape=escape).text
    return Stage(named, base, f"{path}:{one.line}", platform, (), f"by the default of {note}" if note else "")


def _pairs(text: str) -> Iterator[tuple[str, Union[str, None]]]:
    """(name, value) of an ARG or ENV in its form with "="; None: no value."""
    for word in _split(text):
        name, equals, value = word.partition("=")
        if name:
            yield name, value if equals else None


def _split(text: str) -> list[str]:
    """Words as Docker splits them: quotes hold blanks together and go."""
    words: list[str] = []
    word, quote, begun, at = "", "", False, 0
    while at < len(text):
        sign = text[at]
        if sign == "\\" and at + 1 < len(text) and quote != "'" and text[at + 1] != "$":
            word, begun, at = word + text[at + 1], True, at + 1
        elif quote:
            quote, word = ("", word) if sign == quote else (quote, word + sign)
        elif sign in "\"'":
            quote, begun = sign, True
        elif sign.isspace():
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word, begun = word + sign, True
        at += 1
    return [*words, word] if begun else words


class _Maker:
    """Follows stages from the one that is built down to its base image, and gathers what they do, oldest first."""

    def __init__(
        self,
        path: str,
        beside: Beside,
        given: dict[str, Union[str, None]],
        globals_: dict[str, Union[str, None]],
        escape: str,
        stages: list[Stage],
        others: dict[int, _Maker],
    ) -> None:
        self.path, self.beside, self.given, self.globals = path, beside, given, globals_
        self.escape, self.stages, self.others = escape, stages, others
        self.at = 0  # the stage that is being gathered
        self.settings: list[Setting] = []
        self.packages: list[Package] = []
        self.open: list[Said] = []
        self.marks: list[Said] = []
        self.environment: dict[str, Union[str, None]] = {}
        self.copies: list[Copy] = []
        self.workdir = "/"

    def follow(self, stage: Stage) -> tuple[Union[str, Gap], str, str, str]:
        """Gather a stage and what it stands on; gives (reference, source, note, platform) of the lowest image."""
        at = next(number for number, each in enumerate(self.stages) if each is stage)
        below = None
        if not stage.base.unknown:
            names = [one.name.lower() for one in self.stages[:at]]
            if stage.base.text.lower() in names and stage.base.text:
                below = self.stages[len(names) - 1 - names[::-1].index(stage.base.text.lower())]
        if below is not None:
            reference, source, note, platform = self.follow(below)
        else:
            reference, source, note, platform = _reference(stage), stage.source, stage.note, stage.platform
        self.at = at
        self._gather(stage)
        return reference, source, note, platform

    def _gather(self, stage: Stage) -> None:
        arguments: dict[str, Union[str, None]] = {}
        for one in stage.body:
            scope = {**arguments, **self.environment}
            if one.keyword == "ARG":
                for name, value in _pairs(one.body.text):
                    default = self.globals.get(name) if value is None else _whole(self._expand(value, scope))
                    arguments[name] = self.given.get(name, default)
            elif one.keyword == "ENV":
                self._env(one, scope)
            elif one.keyword == "WORKDIR":
                self.workdir = normpath(join(self.workdir, self._expand(one.body.text.strip(), scope).text))
            elif one.keyword == "RUN":
                mounts = [copy for name, value in one.flags if name == "mount" for copy in self._mounted(value)]
                placed = Placed(self.beside, (*self.copies, *mounts), self.workdir)
                self._take(found_in(self._commands(one), Context(scope, placed)))
            elif one.keyword in ("COPY", "ADD"):
                self._copy(one, scope)

    def _expand(self, text: str, scope: Mapping[str, Union[str, None]]) -> Expanded:
        # What the base image sets is not known here.
        return expand(text, scope, absent=None, escape=self.escape)

    def _env(self, one: Instruction, scope: Mapping[str, Union[str, None]]) -> None:
        words = _split(one.body.text)
        if words and "=" not in words[0]:  # the old form: ENV NAME a value with blanks
            name, _, value = one.body.text.strip().partition(" ")
            pairs: list[tuple[str, Union[str, None]]] = [(name, value.strip())]
        else:
            pairs = list(_pairs(one.body.text))
        for name, raw in pairs:
            made = self._expand(raw or "", scope)
            self.environment[name] = None if made.unknown else made.text
            if name in NAMES:
                at = one.body.line(max(0, one.body.text.find(name)))
                self.settings.append(Setting(name, made.text[:4000], f"{self.path}:{at}"))

    def _commands(self, one: Instruction) -> Iterator[tuple[Command, str]]:
        body = one.body
        first = body.text[: one.heredocs[0].offset].strip() if one.heredocs else None
        if first in _SCRIPTS:
            for doc in one.heredocs[:1]:
                if not doc.body.text.startswith("#!") or "sh" in doc.body.text.splitlines()[0]:
                    yield from self._of_text(doc.body)
            return
        words = _exec_form(body.text)
        if words is not None:
            shell = words[:1] and words[0].rsplit("/", 1)[-1] in ("sh", "bash") and len(words) > 2 and "c" in words[1]
            body = Text(words[2] if shell else " ".join(_quoted(word) for word in words), ((0, one.line),))
        yield from self._of_text(body)

    def _of_text(self, body: Text) -> Iterator[tuple[Command, str]]:
        for command in commands(body.text):
            yield command, f"{self.path}:{body.line(command.words[0].offset)}"

    def _take(self, found: Iterator[Found]) -> None:
        for one in found:
            if isinstance(one, Package):
                self.packages.append(one)
            elif isinstance(one, Removed):
                self.packages = [each for each in self.packages if each.tool != "pip" or each.name not in one.names]
            elif isinstance(one, Open):
                self.open.append(one.said)
            else:
                self.marks.append(one)

    def _mounted(self, value: str) -> tuple[Copy, ...]:
        """A bind mount of the build context: --mount=type=bind,source=…,target=…"""
        said = dict(part.partition("=")[::2] for part in value.split(","))
        target = said.get("target") or said.get("dst") or said.get("destination") or ""
        if said.get("type", "bind") != "bind" or "from" in said or not target:
            return ()
        return copies([said.get("source") or said.get("src") or ".", target], self.workdir)

    def _stage_called(self, origin: str) -> Union[Stage, None]:
        """The stage of that name or number; Docker takes only one that stands further up."""
        for number, stage in enumerate(self.stages[: self.at]):
            if stage.name.lower() == origin.lower() or str(number) == origin:
                return stage
        return None

    def _other(self, stage: Stage) -> _Maker:
        """What another stage gathers, made once."""
        number = next(at for at, each in enumerate(self.stages) if each is stage)
        if number not in self.others:
            other = _Maker(self.path, self.beside, self.given, self.globals, self.escape, self.stages, self.others)
            other.follow(stage)
            self.others[number] = other
        return self.others[number]

    def _copy(self, one: Instruction, scope: Mapping[str, Union[str, None]]) -> None:
        source = f"{self.path}:{one.line}"
        text = self._expand(one.body.text, scope).text
        origin = one.flag("from")
        if origin is None:
            words = _exec_form(text) or _split(text)
            self.copies += copies(words, self.workdir)
            self.marks += [Said(word, source) for word in ("cudnn", "cuda") if word in text.lower()]
            return
        stage = self._stage_called(origin)
        if stage is None:
            lowered = f"{origin} {text}".lower()
            self.marks += [Said(word, source) for word in ("cudnn", "cuda") if word in lowered]
            self.marks += [Said("python", source)] if "python" in lowered else []
            return
        other = self._other(stage)
        carried = [each for each in other.packages if each.tool == "pip"]
        if any(word in text for word in _CARRIERS):
            self.packages += carried
            self.open += other.open
        elif any(each.name.rstrip("$") in TENSORFLOWS for each in carried):
            self.open.append(Said(f"copies from the stage {origin}", source))
        self.marks += [Said(word, source) for word in ("cudnn", "cuda") if word in text.lower()]


def _reference(stage: Stage) -> Union[str, Gap]:
    if not stage.base.unknown:
        return stage.base.text or Gap("FROM names no image")
    names = " and ".join(stage.base.unknown)
    return Gap(f"the base image {stage.base.text} depends on {names}, which has no default", "not-collected")


def _exec_form(text: str) -> Union[list[str], None]:
    if not text.lstrip().startswith("["):
        return None
    try:
        made = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return made if isinstance(made, list) and all(isinstance(one, str) for one in made) and made else None


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
