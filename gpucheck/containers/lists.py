"""Lists of packages in files beside a Dockerfile: requirements.txt, pyproject.toml, environment.yml, and one word of
them. Text in, packages out; other files that a list names are asked for through `Beside`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, Union

from packaging.markers import InvalidMarker, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from gpucheck.facts.containers import Package, Said
from gpucheck.facts.gap import Gap

_LINUX = {
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
    "extra": "",
}
_MOST_WORD = 2000  # characters


class Beside(Protocol):
    """Files of a build context."""

    def read(self, path: str) -> Union[str, None]:
        """A file's text; None: it is not here, or is not fit to be read."""

    def name(self, path: str) -> str:
        """How a file is called in evidence."""


def folder_of(path: str) -> str:
    """What stands before the last slash, with it."""
    return path[: path.rfind("/") + 1]


def joined(folder: str, path: str) -> str:
    return path if path.startswith("/") else f"{folder}{path.removeprefix('./')}"


def requirements(
    path: str, beside: Beside, python: str, seen: Union[set[str], None] = None
) -> Iterator[Union[Package, Said]]:
    """A requirements file's packages; a Said is a list that cannot be read. seen: files that were read, each once."""
    seen = set() if seen is None else seen
    if path in seen:
        return
    seen.add(path)
    text, source = beside.read(path), beside.name(path)
    if text is None:
        yield Said(f"{path} is not beside the file, or may be another one", source)
        return
    pending, first = "", 0
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = raw.strip() if raw.lstrip().startswith("#") else raw.split(" #")[0].strip()
        if line.startswith("#"):
            continue
        first = first or number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        whole, at = (pending + line).strip(), first
        pending, first = "", 0
        yield from _requirement_line(whole, path, f"{source}:{at}", beside, python, seen)


def _requirement_line(
    line: str, path: str, source: str, beside: Beside, python: str, seen: set[str]
) -> Iterator[Union[Package, Said]]:
    for option in ("-r", "--requirement"):
        if line.startswith((f"{option} ", f"{option}=")) or (option == "-r" and line[:2] == "-r"):
            other = line[len(option) :].strip(" =")
            yield from requirements(joined(folder_of(path), other), beside, python, seen)
            return
    if not line or line.startswith("-"):
        return
    found = requirement(line.split(" --hash", maxsplit=1)[0].split(" --", maxsplit=1)[0].strip(), source, python)
    if found is not None:
        yield found


def requirement(
    word: str, source: str, python: str, certain: bool = True, known_python: str = ""
) -> Union[Package, None]:
    """One word as pip takes it: ``tensorflow[and-cuda]==2.18.0``, a wheel's address; None: something else.

    A word with a variable that is not known keeps its name, where that stands before it.
    """
    if "$" in word:
        head = word[: word.index("$")]
        name = head.rstrip("=<>~![ ")
        if not name or "/" in name:
            return None
        # tensorflow$SUFFIX may be tensorflow-cpu; tensorflow==$VERSION is tensorflow.
        full = canonicalize_name(name.split("[")[0]) + ("" if head[len(name) :] or "[" in name else "$")
        extras = ("?",) if "[" in head else ()
        return Package("pip", full, extras, Gap(f"the version in {word} is not known"), python, certain, source)
    if word.lower().split("?")[0].split("#")[0].endswith(".whl"):
        return _wheel(word, source, python, certain)
    try:
        made = Requirement(word[:_MOST_WORD])
    except (InvalidRequirement, RecursionError):
        return None
    if made.marker is not None:
        holds = _holds(made.marker, known_python or python)
        if holds is False:
            return None
        certain = certain and holds is True
    name = canonicalize_name(made.name)
    if made.url is not None:
        wheel = _wheel(made.url, source, python, certain) if made.url.endswith(".whl") else None
        return wheel or Package("pip", name, (), Gap(f"{word} comes from an address"), python, certain, source)
    return Package("pip", name, tuple(sorted(made.extras)), str(made.specifier), python, certain, source)


def _wheel(word: str, source: str, python: str, certain: bool) -> Union[Package, None]:
    file = word.split("?", maxsplit=1)[0].split("#", maxsplit=1)[0].replace("%2B", "+").rsplit("/", 1)[-1]
    try:
        name, version, _, _ = parse_wheel_filename(file)
    except (InvalidWheelFilename, ValueError):
        return None
    return Package("pip", name, (), f"=={version}", python, certain, source)


def _holds(marker: object, python: str) -> Union[bool, None]:
    """Does a marker hold on Linux? None: it asks for a Python that is not known."""
    text = str(marker)
    if "python" in text.replace("platform_python_implementation", "") and not python:
        return None
    try:
        environment = {**_LINUX, "python_version": python or "3", "python_full_version": f"{python or '3'}.0"}
        return bool(marker.evaluate(environment))  # type: ignore[attr-defined]
    except (InvalidMarker, UndefinedEnvironmentName, ValueError):
        return None


def project(path: str, beside: Beside, python: str, extras: tuple[str, ...] = ()) -> Iterator[Union[Package, Said]]:
    """What a pyproject.toml asks for: PEP 621, and the simple form of Poetry."""
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    text, source = beside.read(path), beside.name(path)
    if text is None:
        yield Said(f"{path} is not beside the file, or may be another one", source)
        return
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        yield Said(f"{path} is no TOML", source)
        return
    table = data.get("project") if isinstance(data.get("project"), dict) else {}
    listed = table.get("dependencies", []) if isinstance(table, dict) else []
    optional = table.get("optional-dependencies", {}) if isinstance(table, dict) else {}
    groups = [optional.get(extra, []) for extra in extras] if isinstance(optional, dict) else []
    for word in (*_words(listed), *(word for group in groups for word in _words(group))):
        found = requirement(word, f"{source}:{_line_of(text, word)}", python)
        if found is not None:
            yield found
    yield from _of_poetry(data, text, source, python)


def _words(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _line_of(text: str, word: str) -> int:
    return text[: max(0, text.find(word))].count("\n") + 1


def _of_poetry(data: dict[str, object], text: str, source: str, python: str) -> Iterator[Package]:
    tool = data.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    listed = poetry.get("dependencies") if isinstance(poetry, dict) else None
    for name, value in listed.items() if isinstance(listed, dict) else ():
        version = value.get("version", "") if isinstance(value, dict) else value
        extras = value.get("extras", []) if isinstance(value, dict) else []
        line = _line_of(text, f"\n{name}") + 1
        if isinstance(version, str) and name != "python":
            wanted = _caret(version)
            if wanted is not None:
                found = canonicalize_name(name)
                yield Package("pip", found, tuple(_words(extras)), wanted, python, True, f"{source}:{line}")


def _caret(version: str) -> Union[str, None]:
    """Poetry's ^2.15 and ~2.15 as pip writes them; None: another of its forms."""
    text = version.strip()
    if text in ("", "*"):
        return ""
    numbers = text.lstrip("^~=")
    if not numbers.replace(".", "").isdigit():
        return text if text[0] in "<>=!" else None
    parts = numbers.split(".")
    if text[0] == "^":
        return f">={numbers},<{int(parts[0]) + 1}" if parts[0] != "0" else None
    if text[0] == "~":
        return f">={numbers},<{parts[0]}.{int(parts[1]) + 1}" if len(parts) > 1 else f"=={numbers}.*"
    return f"=={numbers}"


def environment(path: str, beside: Beside) -> Iterator[Union[Package, Said]]:
    """What an environment.yml of conda asks for, pip's part of it too."""
    from gpucheck.containers import tree

    text, source = beside.read(path), beside.name(path)
    if text is None:
        yield Said(f"{path} is not beside the file, or may be another one", source)
        return
    try:
        top = tree.load(text, source)
    except tree.BadTree:
        yield Said(f"{path} is no YAML that can be read", source)
        return
    for one in tree.items(tree.at(top, "dependencies")):
        if isinstance(one, tree.Leaf):
            found = conda(one.text or "", one.source)
            if found is not None:
                yield found
        for each in tree.items(tree.at(one, "pip")):
            if isinstance(each, tree.Leaf):
                made = requirement(each.text or "", each.source, "")
                if made is not None:
                    yield made


def conda(word: str, source: str, certain: bool = True) -> Union[Package, None]:
    """One word as conda takes it: ``conda-forge::tensorflow=2.15=cuda*``. A build string is kept as an extra."""
    text = word.rsplit("::", 1)[-1].strip()
    end = next((at for at, sign in enumerate(text) if sign in "=<>!~ "), len(text))
    name, rest = text[:end].strip().lower(), text[end:].strip()
    if not name or "$" in name or "/" in name or name[0] in "-.":
        return None
    if "$" in rest:
        return Package("conda", name, (), Gap(f"the version in {word} is not known"), "", certain, source)
    build = ""
    if rest.startswith("=") and not rest.startswith("=="):
        version, _, build = rest[1:].partition("=")
        rest = f"=={version}.*" if version and not version.endswith("*") else f"=={version}" if version else ""
    return Package("conda", name, (build,) if build else (), rest.replace(" ", ""), "", certain, source)
