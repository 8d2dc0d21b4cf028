"""A compose file -> its services: image or build, how each asks for GPUs, and the variables that matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Union

from gpucheck.compat.variables import NAMES
from gpucheck.containers import images, tree
from gpucheck.containers.expansion import expand
from gpucheck.containers.lists import Beside
from gpucheck.containers.tree import Leaf, Row, Table, Tree
from gpucheck.facts.containers import GpuRequest, Image, Said, Service, Setting
from gpucheck.facts.gap import Gap

MOST_SERVICES = 500
_OVERRIDES = {
    "compose.yaml": ("compose.override.yaml", "compose.override.yml"),
    "compose.yml": ("compose.override.yml", "compose.override.yaml"),
    "docker-compose.yml": ("docker-compose.override.yml", "docker-compose.override.yaml"),
    "docker-compose.yaml": ("docker-compose.override.yaml", "docker-compose.override.yml"),
}


_NO_KEYS = (("deploy", "resources", "limits", "devices"), ("deploy", "devices"), ("deploy", "resources", "devices"))


class Context(NamedTuple):
    """path: how the compose file is called. scope: variables of .env. beside: files of its folder."""

    path: str
    scope: Mapping[str, Union[str, None]]
    beside: Beside


def services(text: str, path: str, beside: Beside) -> tuple[tuple[Service, ...], tuple[str, ...]]:
    """Every service, and notes on what was not read.

    Raises
    ------
    tree.BadTree: it is no YAML that can be read, or has no services.
    """
    top = tree.load(text, path)
    notes: list[str] = []
    for name in _OVERRIDES.get(path.rsplit("/", 1)[-1], ()):
        over = beside.read(name)
        if over is not None:  # Compose takes it by itself
            merged = tree.merged(top, tree.load(over, beside.name(name)))
            top = merged if merged is not None else top
            notes.append(f"together with {name}, as Compose does")
            break
    if tree.at(top, "include") is not None:
        notes.append("what `include` names was not read")
    # The first version of the format had services at the top.
    table = tree.at(top, "services")
    if not isinstance(table, Table):
        raise tree.BadTree("it has no services")
    at = Context(path, _environment_of_project(beside), beside)
    made = tuple(_service(name, table, at) for name in list(table.members)[:MOST_SERVICES])
    return made, tuple(notes)


def _environment_of_project(beside: Beside) -> dict[str, Union[str, None]]:
    """The .env beside it, from which Compose fills in variables."""
    found: dict[str, Union[str, None]] = {}
    for line in (beside.read(".env") or "").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = value.split(" #")[0].strip().strip("\"'")
    return found


def _filled(text: Union[str, None], at: Context) -> Union[str, None, Gap]:
    """A value as Compose fills it in; what the shell may set and .env does not is not known, but for its default."""
    if text is None:
        return None
    made = expand(text.replace("$$", "\0"), at.scope, absent=None, escape="\0")
    again = _defaults(text, at) if made.unknown else made.text
    return again.replace("\0", "$") if isinstance(again, str) else again


def _defaults(text: str, at: Context) -> Union[str, Gap]:
    """${TAG:-latest} is "latest" where nobody sets TAG, as a build argument's default is."""
    bare = expand(text.replace("$$", "\0"), at.scope, absent=None, escape="\0")
    names = [name for name in bare.unknown if f"${{{name}:-" not in text and f"${{{name}-" not in text]
    if names:
        return Gap(f"it depends on {' and '.join(names)}, which has no default", "not-collected")
    return expand(text.replace("$$", "\0"), at.scope, escape="\0").text


def _service(name: str, table: Table, at: Context) -> Service:
    body, here = _extended(table.members[name], table, at, 0)
    image = _image(name, body, here)
    unread, from_files = _env_files(body, here)
    settings = (*from_files, *_settings(tree.at(body, "environment"), here))
    runtime = tree.at(body, "runtime")
    said = _filled(tree.word(runtime), here)
    return Service(
        name,
        table.members[name].source,
        image,
        Said(said, runtime.source) if isinstance(said, str) and runtime is not None else None,
        settings,
        unread,
        tuple(_requests(body, here)),
        tuple(_mistakes(body, here)),
    )


def _extended(body: Tree, table: Table, at: Context, depth: int) -> tuple[Union[Tree, None], Context]:
    """A service with what it extends."""
    extends = tree.at(body, "extends")
    if extends is None or depth > 10:
        return body, at
    name = tree.word(extends) or tree.word(tree.at(extends, "service"))
    file = tree.word(tree.at(extends, "file"))
    other: Union[Tree, None] = table
    if file is not None:
        text = at.beside.read(file)
        if text is None:
            return body, at
        other = tree.at(tree.load(text, at.beside.name(file)), "services")
    base = tree.at(other, name or "")
    if base is None or not isinstance(other, Table):
        return body, at
    inner, _ = _extended(base, other, at, depth + 1)
    return tree.merged(inner, body), at


def _image(name: str, body: Union[Tree, None], at: Context) -> Union[Image, None, Gap]:
    build = tree.at(body, "build")
    called = f"{at.path}: service {name}"
    if build is not None:
        return _built(called, build, at)
    leaf = tree.at(body, "image")
    reference = _filled(tree.word(leaf), at)
    if leaf is None or reference is None:
        return None
    return Image(called, reference, leaf.source, "", _platform(body, at), (), (), (), (), ())


def _platform(body: Union[Tree, None], at: Context) -> str:
    made = _filled(tree.word(tree.at(body, "platform")), at)
    return made if isinstance(made, str) else ""


def _built(name: str, build: Tree, at: Context) -> Union[Image, Gap]:
    context = _filled(tree.word(build) or tree.word(tree.at(build, "context")) or ".", at)
    file = _filled(tree.word(tree.at(build, "dockerfile")), at)
    target = _filled(tree.word(tree.at(build, "target")), at)
    if isinstance(context, Gap) or isinstance(file, Gap) or isinstance(target, Gap):
        return Gap(f"{build.source}: what is built depends on a variable without a default", "not-collected")
    folder = "" if context in (None, ".", "./") else f"{str(context).rstrip('/')}/"
    inline = tree.at(build, "dockerfile_inline")
    path = f"{folder}{file or 'Dockerfile'}"
    text = tree.word(inline) if inline is not None else at.beside.read(path)
    if text is None:
        return Gap(f"{build.source}: {path} is not beside the compose file", "not-collected")
    arguments = {key: _argument(value, at) for key, value, _ in tree.pairs(tree.at(build, "args"))}
    called = at.beside.name(path) if inline is None else at.path
    try:
        made = images.image(text, called, Below(at.beside, folder), name, arguments, target)
    except images.NoImage as error:
        return Gap(f"{called}: {error}", "unreadable")
    return made


def _argument(value: Union[str, None], at: Context) -> Union[str, None]:
    made = _filled(value, at)
    return made if isinstance(made, str) else None


class Below:
    """A folder of another `Beside`: a build context."""

    def __init__(self, outer: Beside, folder: str) -> None:
        self.outer, self.folder = outer, folder

    def read(self, path: str) -> Union[str, None]:
        return self.outer.read(f"{self.folder}{path.removeprefix('/')}")

    def name(self, path: str) -> str:
        return self.outer.name(f"{self.folder}{path.removeprefix('/')}")


def _settings(found: Union[Tree, None], at: Context) -> Iterator[Setting]:
    for name, value, source in tree.pairs(found):
        made = _filled(value, at)
        if name in NAMES:
            # A name alone is taken from whoever starts Compose.
            text = f"${{{name}}}" if made is None or isinstance(made, Gap) else made
            yield Setting(name, text, source)


def _env_files(body: Union[Tree, None], at: Context) -> tuple[Union[str, None], tuple[Setting, ...]]:
    listed = tree.at(body, "env_file")
    unread, found = None, []
    for one in (listed,) if isinstance(listed, Leaf) else tree.items(listed):
        path = tree.word(one) or tree.word(tree.at(one, "path"))
        text = at.beside.read(path) if path and "$" not in path else None
        if text is None:
            unread = path or "an env_file"
            continue
        for number, line in enumerate(text.splitlines(), 1):
            name, equals, value = line.strip().removeprefix("export ").partition("=")
            if equals and name.strip() in NAMES:
                source = f"{at.beside.name(path or '')}:{number}"
                found.append(Setting(name.strip(), value.strip().strip("\"'"), source))
    return unread, tuple(found)


def _requests(body: Union[Tree, None], at: Context) -> Iterator[GpuRequest]:
    for one in tree.items(tree.at(body, "deploy", "resources", "reservations", "devices")):
        yield _request("devices", one, at)
    gpus = tree.at(body, "gpus")
    if isinstance(gpus, Leaf) and gpus.text is not None:
        yield GpuRequest("gpus", ("gpu",), None, gpus.text, False, gpus.source)
    for one in tree.items(gpus):
        made = _request("gpus", one, at)
        yield made._replace(capabilities=made.capabilities or ("gpu",))
    for one in tree.items(tree.at(body, "devices")):
        text = tree.word(one) or tree.word(tree.at(one, "source")) or ""
        if text.startswith("nvidia.com/gpu"):
            yield GpuRequest("cdi", ("gpu",), None, None, True, one.source)
        elif text.startswith("/dev/nvidia"):
            yield GpuRequest("nodes", None, None, None, True, one.source)
    generic = tree.at(body, "deploy", "resources", "reservations", "generic_resources")
    for one in tree.items(generic):
        kind = tree.word(tree.at(one, "discrete_resource_spec", "kind")) or ""
        if "gpu" in kind.lower():
            yield GpuRequest("swarm", None, None, None, False, one.source)


def _request(way: str, one: Tree, at: Context) -> GpuRequest:
    listed = tree.at(one, "capabilities")
    flat = [inner for each in tree.items(listed) for inner in (tree.items(each) or (each,))]
    words = tuple(text for each in flat if (text := tree.word(each)) is not None)
    capabilities = words if isinstance(listed, Row) else (f"{tree.word(listed)} (no list)",) if listed else None
    count = _filled(tree.word(tree.at(one, "count")), at)
    driver = _filled(tree.word(tree.at(one, "driver")), at)
    return GpuRequest(
        way,
        capabilities,
        driver if isinstance(driver, str) else None,
        count if isinstance(count, str) else None,
        tree.at(one, "device_ids") is not None,
        one.source,
    )


def _mistakes(body: Union[Tree, None], at: Context) -> Iterator[Said]:
    """GPUs that are asked for where Compose does not look."""
    for keys in (
        ("deploy", "resources", "limits", "devices"),
        ("deploy", "devices"),
        ("deploy", "resources", "devices"),
    ):
        wrong = tree.at(body, *keys)
        if wrong is not None:
            yield Said(f"{'.'.join(keys)} is no key of Compose", wrong.source)
    wrong = tree.at(body, "reservations") or tree.at(body, "resources")
    if wrong is not None:
        yield Said("resources belong under deploy", wrong.source)
    devices = tree.at(body, "deploy", "resources", "reservations", "devices")
    if isinstance(devices, Table):
        yield Said("deploy.resources.reservations.devices is a list (its pieces begin with a dash)", devices.source)
    gpus = tree.at(body, "gpus")
    if isinstance(gpus, Leaf) and gpus.text not in ("all", None) and "$" not in (gpus.text or ""):
        yield Said(f"gpus takes all or a list of requests, not {gpus.text}", gpus.source)
    if isinstance(gpus, Table):
        yield Said("gpus takes all or a list of requests", gpus.source)


def is_compose(text: str) -> bool:
    """Does it look like one? For a file whose name does not tell."""
    lines = text.splitlines()
    return any(line.rstrip().rstrip(":") == "services" and line.rstrip().endswith(":") for line in lines)
