"""Commands -> what they install. One function per installer; what is not understood and matters becomes a mark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Union

from packaging.utils import canonicalize_name

from gpucheck.containers import lists
from gpucheck.containers.expansion import Scope, expand
from gpucheck.containers.lists import Beside
from gpucheck.containers.places import Placed
from gpucheck.containers.shell import Command
from gpucheck.facts.containers import Package, Said

# pip's and uv's options that take the next word.
_VALUED = (
    *("-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target"),
    *("--prefix", "--root", "--trusted-host", "--timeout", "--retries", "--proxy", "--cache-dir", "--platform"),
    *("--python-version", "--abi", "--implementation", "--upgrade-strategy", "--no-binary", "--only-binary"),
    *("--progress-bar", "--src", "--global-option", "--install-option", "--config-settings", "--python", "-p"),
    *("--index", "--default-index", "--index-strategy", "--build-constraint", "--override", "--torch-backend"),
    *("--use-feature", "--use-deprecated", "--log", "--exists-action", "--cert", "--client-cert", "--report"),
    *("--link-mode", "--group", "--extra", "-n", "--name", "-P", "-o", "--resolution", "--prerelease"),
    *("--directory", "--project", "--keyring-provider", "-C"),
)
_CONDAS = ("conda", "mamba", "micromamba")
_SYSTEM = ("apt", "apt-get", "aptitude", "dnf", "yum", "microdnf", "apk", "zypper")
_SYSTEM_MATTERS = ("cuda", "cudnn", "nvidia", "python", "nvinfer", "cublas", "pip")
# Commands that name CUDA without bringing any.
_MOST_NESTED = 3  # scripts that call scripts
_HARMLESS = ("echo", "printf", "export", "ldconfig", "rm", "test", "[", "set", "cd", "chmod", "chown", "ls", "nvcc")


class Context(NamedTuple):
    """Where commands stand. scope: variables known. beside: files of the build context. scripts: those being read."""

    scope: Scope
    beside: Beside
    scripts: tuple[str, ...] = ()
    certain: bool = True


Found = Union[Package, Said, "Removed", "Open"]


class Removed(NamedTuple):
    """``pip uninstall``."""

    names: tuple[str, ...]


class Open(NamedTuple):
    """Something that may install more and cannot be read."""

    said: Said


def found_in(commands: Iterator[tuple[Command, str]], context: Context) -> Iterator[Found]:
    """What commands install. Each comes with its source (FILE:LINE)."""
    scope = dict(context.scope)
    fetched: set[str] = set()
    for command, source in commands:
        words = _words(command, scope)
        while words and "=" in words[0] and words[0].split("=")[0].isidentifier():
            name, _, value = words.pop(0).partition("=")
            if name == "CONDA_OVERRIDE_CUDA":
                yield Said("conda-override", source)
            if not words:
                scope[name] = None if "$" in value else value
        if not words:
            continue
        if words[0] in ("cd", "pushd") and isinstance(context.beside, Placed):
            context = context._replace(beside=context.beside.after_cd(words[1] if len(words) > 1 else "/"))
        if words[0] == "export":
            scope.update((name, None if "$" in value else value) for name, _, value in _assigned(words[1:]))
        if words[0].rsplit("/", 1)[-1] in ("wget", "curl", "aria2c"):
            fetched |= {word.rsplit("/", 1)[-1] for word in words[1:]}
        certain = context.certain and command.certain
        inner = context._replace(scope=scope, certain=certain)
        made = list(_of_command(words, source, inner, fetched))
        yield from made
        if not any(isinstance(one, Package) for one in made):
            yield from _marks(words, source)


def _words(command: Command, scope: Scope) -> list[str]:
    made: list[str] = []
    for word in command.words:
        if word.literal or "$" not in word.text:
            made.append(word.text)
        else:
            # A shell's own variables are not known, and an empty one gives no word: pip install $EXTRAS.
            text = expand(word.text, scope, absent=None).text
            made += text.split() if "${" not in text else [text] if text else []
    return made


def _assigned(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for word in words:
        if "=" in word:
            yield word.partition("=")


def _of_command(words: list[str], source: str, at: Context, fetched: set[str]) -> Iterator[Found]:
    program = words[0].rsplit("/", 1)[-1]
    rest = words[1:]
    if program.startswith("$") and "install" in rest[:4]:
        yield Open(Said(f"runs {words[0]} install", source))
    elif program in ("poetry", "uv", "pdm", "pipenv", "hatch", "rye") and rest[:1] == ["run"]:
        yield from _of_command(rest[1:], source, at, fetched) if rest[1:] else ()
    elif program in _CONDAS and rest[:1] == ["run"]:
        inner = rest[1:]
        while inner and inner[0].startswith("-"):
            inner = inner[2:] if inner[0] in ("-n", "--name", "-p", "--prefix") else inner[1:]
        yield from _of_command(inner, source, at, fetched) if inner else ()
    elif program.startswith("pip") and _python_of(program[3:]) is not None:
        yield from _pip(rest, _python_of(program[3:]) or "", source, at)
    elif program.startswith("python") and _python_of(program[6:]) is not None and rest[:2] == ["-m", "pip"]:
        yield from _pip(rest[2:], _python_of(program[6:]) or "", source, at)
    elif program == "uv" and rest:
        yield from _uv(rest, source, at)
    elif program in ("poetry", "pdm") and rest[:1] == ["add"]:
        yield from _pip_words(rest[1:], "", source, at)
    elif program in ("poetry", "pdm") and rest[:1] in (["install"], ["sync"]):
        yield from _from_project("pyproject.toml", (), "", source, at)
    elif program == "gpucheck" and rest[:1] == ["install"]:
        yield from _own(rest[1:], source, at)
    elif program == "pipenv" and rest[:1] in (["install"], ["sync"]):
        yield Open(Said("pipenv installs what a Pipfile names", source))
    elif program in _CONDAS:
        yield from _conda(rest, source, at)
    elif program in _SYSTEM:
        yield from _system(rest, source, at)
    else:
        yield from _script(program, words, source, at, fetched)


def _python_of(ending: str) -> Union[str, None]:
    """ "3.11" of pip3.11, "" of pip, pip3 and python3; None: no pip at all (pipx)."""
    if ending in ("", "2", "3"):
        return "2.7" if ending == "2" else ""
    return ending if ending.replace(".", "").isdigit() and "." in ending else None


def _pip(words: list[str], python: str, source: str, at: Context) -> Iterator[Found]:
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in _VALUED and "=" not in words[0] else words[1:]
    if words[:1] == ["install"]:
        yield from _pip_words(words[1:], python, source, at)
    elif words[:1] == ["uninstall"]:
        yield Removed(tuple(canonicalize_name(word) for word in words[1:] if not word.startswith("-")))


def _pip_words(words: list[str], python: str, source: str, at: Context) -> Iterator[Found]:
    for option in ("--python", "-p"):
        if option in words[:-1]:
            value = words[words.index(option) + 1]
            python = value if value.replace(".", "").isdigit() and "." in value else python
    number = 0
    while number < len(words):
        word, number = words[number], number + 1
        option, equals, value = word.partition("=")
        if option in ("-r", "--requirement", "--requirements") or (word[:2] == "-r" and word[:3] != "-re"):
            if not equals:
                value = word[2:] if word[:2] == "-r" and len(word) > 2 else words[number] if number < len(words) else ""
                number += len(word) == 2 or word.startswith("--")
            yield from _from_list(value, python, source, at)
        elif option in ("-e", "--editable"):
            continue  # its value is a folder, and comes next
        elif word in _VALUED:
            number += 1
        elif not word.startswith("-") and not word.startswith((">", "<", "2>")):
            yield from _pip_word(word, python, source, at)


def _pip_word(word: str, python: str, source: str, at: Context) -> Iterator[Found]:
    path, _, extras = word.partition("[")
    if (word.startswith((".", "/")) or path in ("",)) and not word.endswith((".whl", ".gz", ".zip")):
        where = lists.joined(path.rstrip("/") + "/" if path not in (".", "./") else "", "pyproject.toml")
        yield from _from_project(where, tuple(extras.rstrip("]").split(",")) if extras else (), python, source, at)
        return
    made = lists.requirement(word, source, python, at.certain)
    if made is not None:
        yield made
    elif word.startswith("$"):
        yield Open(Said(f"pip installs {word}", source))


def _from_list(path: str, python: str, source: str, at: Context) -> Iterator[Found]:
    if "$" in path:
        yield Open(Said(f"pip installs from {path}", source))
        return
    for one in (
        lists.environment(path, at.beside)
        if path.endswith((".yml", ".yaml"))
        else lists.requirements(path, at.beside, python)
    ):
        yield from _certain(one, source, at)


def _from_project(path: str, extras: tuple[str, ...], python: str, source: str, at: Context) -> Iterator[Found]:
    for one in lists.project(path, at.beside, python, extras):
        yield from _certain(one, source, at)


def _certain(one: Union[Package, Said], source: str, at: Context) -> Iterator[Found]:
    if isinstance(one, Said):
        yield Open(Said(one.text, source))
    else:
        yield one._replace(certain=one.certain and at.certain)


def _uv(rest: list[str], source: str, at: Context) -> Iterator[Found]:
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] in _VALUED else rest[1:]
    if rest[:1] == ["pip"]:
        yield from _pip(rest[1:], "", source, at)
    elif rest[:1] == ["add"]:
        yield from _pip_words(rest[1:], "", source, at)
    elif rest[:1] in (["venv"], ["python"]):
        yield Said("python", source)
    elif rest[:1] == ["sync"]:
        extras = tuple(rest[number + 1] for number, word in enumerate(rest[:-1]) if word == "--extra")
        yield Said("python", source)
        yield from _from_project("pyproject.toml", extras, "", source, at)


def _own(words: list[str], source: str, at: Context) -> Iterator[Found]:
    """`gpucheck install`: as pip, into an environment of its own, and what it does not find is linked."""
    yield Said("python", source)
    yield Said("library-link", source)
    number = 0
    while number < len(words):
        word, number = words[number], number + 1
        if word in ("--env", "--python", "--with", "--wheelhouse", "--from-lock", "--index-url", "--format"):
            number += 1
        elif not word.startswith("-"):
            yield from _pip_word(word, "", source, at)


def _conda(rest: list[str], source: str, at: Context) -> Iterator[Found]:
    while rest and rest[0].startswith("-"):
        rest = rest[1:]
    whole = rest[:1] == ["env"]
    if rest[1 if whole else 0 :][:1] not in (["install"], ["create"], ["update"]):
        return
    yield Said("python", source)
    words = rest[2 if whole else 1 :]
    number, any_file = 0, False
    while number < len(words):
        word, number = words[number], number + 1
        option, equals, value = word.partition("=")
        if option in ("-f", "--file"):
            any_file = True
            path = value if equals else words[number] if number < len(words) else ""
            number += not equals
            yield from _conda_file(path, source, at)
        elif option in ("-n", "--name", "-c", "--channel", "-p", "--prefix", "--solver", "-r", "--root-prefix"):
            number += not equals
        elif not word.startswith("-"):
            made = lists.conda(word, source, at.certain)
            if made is not None:
                yield made
    if whole and not any_file:
        yield from _conda_file("environment.yml", source, at)


def _conda_file(path: str, source: str, at: Context) -> Iterator[Found]:
    if "$" in path:
        yield Open(Said(f"conda installs from {path}", source))
        return
    for one in lists.environment(path, at.beside):
        yield from _certain(one, source, at)


def _system(rest: list[str], source: str, at: Context) -> Iterator[Found]:
    words = [word for word in rest if not word.startswith("-")]
    if words[:1] not in (["install"], ["add"], ["reinstall"]):
        return
    for word in words[1:]:
        name, _, version = word.partition("=")
        lowered = name.lower()
        if any(part in lowered for part in _SYSTEM_MATTERS):
            cut = lowered.find("$")
            named = lowered if cut < 0 else f"{lowered[:cut]}$"
            wanted = f"=={version.split('-')[0].split('+')[0]}" if version and "$" not in version else ""
            yield Package("system", named, (), wanted, "", at.certain, source)


def _script(program: str, words: list[str], source: str, at: Context, fetched: set[str]) -> Iterator[Found]:
    """A shell script of the build context is read like a RUN; one that is not here leaves things open."""
    name = words[0]
    if program in ("bash", "sh", "dash", "zsh", "source", "."):
        name = next((word for word in words[1:] if not word.startswith("-")), "")
        if "-c" in words and name:
            from gpucheck.containers.shell import commands

            if len(at.scripts) < _MOST_NESTED:
                inner = ((one, source) for one in commands(name))
                yield from found_in(inner, at._replace(scripts=(*at.scripts, "-c")))
            return
    base = name.rsplit("/", 1)[-1]
    if not base.endswith(".sh") or base in fetched or "$" in name or "conda" in base.lower() or "forge" in base.lower():
        return
    if base in at.scripts:
        return
    text = at.beside.read(name)
    if text is None or len(at.scripts) >= _MOST_NESTED:
        yield Open(Said(f"runs {base}, which is not beside the file", source))
        return
    from gpucheck.containers.shell import commands

    called = at.beside.name(name)
    inner = ((one, f"{called}:{text.count(chr(10), 0, one.words[0].offset) + 1}") for one in commands(text))
    yield from found_in(inner, at._replace(scripts=(*at.scripts, base)))


def _marks(words: list[str], source: str) -> Iterator[Said]:
    """What a command that installs nothing known has to do with CUDA, cuDNN or with which Python is the default."""
    program = words[0].rsplit("/", 1)[-1]
    text = " ".join(words).lower()
    if program == "ln" and "stubs" in text and "libcuda.so.1" in text:
        yield Said("stub-link", source)
    if program == "ln" and any(name in text for name in ("cusolver", "cudnn", "nvidia")):
        yield Said("library-link", source)
    if program in _HARMLESS or (program.startswith("python") and "import" in text):
        return
    for word in ("cudnn", "cuda"):
        if word in text:
            yield Said(word, source)
    pythons = ("update-alternatives", "pyenv", "virtualenv", "deadsnakes", "python-build", "get-pip", "miniconda")
    if any(word in text for word in (*pythons, "-m venv", "anaconda", "miniforge", "mambaforge", "configure")) or (
        program == "ln" and "python" in text
    ):
        yield Said("python", source)
