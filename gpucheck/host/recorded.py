r"""A machine from a file: what `gpucheck snapshot --raw` wrote there, or what a test describes by hand.

    {"schema": "gpucheck.machine/1", "note": "…", "complete": true,
     "about": {…}, "env": {"PATH": "…"},
     "children": {"nvml": {"ended": "exit", "code": 0, "lines": [{…}], "errors": ""}},
     "paths": {"/proc/driver/nvidia/version": {"text": "NVRM version: …"},
               "/usr/lib/libcuda.so.1": {"link": "libcuda.so.580.126.09"},
               "/usr/lib/libcuda.so.580.126.09": {"elf": {"machine": "x86_64"}, "size": 100},
               "/dev/nvidia0": {"kind": "char", "mode": "0660", "gid": 44, "accessible": false},
               "/root": {"gap": "permission denied: /root", "gap_kind": "denied"}, "/opt": {"names": ["cuda"]}}}

On Windows ("flavour": "windows") paths have drives and backslashes (two in JSON), names of files and variables count
without regard to case, a DLL is {"pe": {"file_version": "11.2.152.0"}}, and "registry" holds keys:
{"HKLM\\SOFTWARE\\…": {"values": {"InstallDir": "C:\\…"}, "expandable": [], "keys": ["v11.2"]}}.

Folders (and keys) come into being with what lies in them. `complete`: what is not described is not there; a recording
is not complete, and what it did not record is a gap.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Literal, Union

from gpucheck.compat import registry as registry_keys
from gpucheck.compat.variables import NAMES
from gpucheck.facts.gap import Gap
from gpucheck.host import About, Answer, Child, Elf, Key, Pe, Room, Stat
from gpucheck.host.tree import Tree

SCHEMA = "gpucheck.machine/1"


class BadMachine(ValueError):
    """A machine file does not hold what its schema says."""


class RecordedHost:
    """Implements `gpucheck.host.Host` over a machine file that was read with ``json``."""

    def __init__(self, machine: dict[str, Any]) -> None:
        if machine.get("schema") != SCHEMA:
            raise BadMachine(f"schema {SCHEMA} expected, not {machine.get('schema')!r}")
        if "extends" in machine:
            raise BadMachine('it "extends" others, which only the tests that hold them put together')
        self.flavour: Literal["posix", "windows"] = machine.get("flavour", "posix")
        self._about = About(
            **{
                **(_ABOUT_WINDOWS if self.flavour == "windows" else _ABOUT),
                **machine.get("about", {}),
                "groups": tuple(machine.get("about", {}).get("groups", ())),
            }
        )
        self._env: dict[str, str] = {_variable(name, self.flavour): v for name, v in machine.get("env", {}).items()}
        self._children: dict[str, dict[str, Any]] = machine.get("children", {})
        self._complete = bool(machine.get("complete", False))
        self._tree = Tree(machine.get("paths", {}), self.flavour)
        # Keys of the registry are a tree of the same kind as files on Windows.
        self._keys = Tree(machine.get("registry", {}), "windows") if self.flavour == "windows" else None

    def about(self) -> About:
        return self._about

    def env(self, name: str) -> Union[str, None]:
        if name not in NAMES:
            raise LookupError(f"{name} is not on the allow-list of compat.variables")
        return self._env.get(_variable(name, self.flavour))

    def _node(self, path: str) -> Union[dict[str, Any], None, Gap]:
        real = self._tree.walk(path)
        return None if real is None else self._answer(self._tree, real, f"not recorded: {path}")

    def _answer(self, tree: Tree, real: str, otherwise: str) -> Union[dict[str, Any], None, Gap]:
        node = tree.node(real)
        if node is None:
            if tree.below(real) is not None:
                return {"kind": "dir"}
            listed = (tree.node(tree.parent(real)) or {}).get("names")
            if self._complete or (listed is not None and not tree.holds(listed, tree.name(real))):
                return None
            return Gap(otherwise, "not-collected")
        if "gap" in node:
            return Gap(node["gap"], node.get("gap_kind", "unreadable"))
        return None if node.get("absent") else node

    def read(self, path: str, limit: int = 65536) -> Union[bytes, None, Gap]:
        node = self._node(path)
        if node is None or isinstance(node, Gap):
            return node
        if "text" in node:
            return str(node["text"]).encode("utf-8", "surrogateescape")[:limit]
        if "base64" in node:
            return base64.b64decode(node["base64"])[:limit]
        if "kind" in node and node["kind"] != "file":
            return Gap(f"no regular file: {path}")
        return Gap(f"content not recorded: {path}", "not-collected")

    def names(self, path: str) -> Union[tuple[str, ...], None, Gap]:
        real = self._tree.walk(path)
        node = self._node(path)
        if node is None or isinstance(node, Gap):
            return node
        assert real is not None
        below = self._tree.below(real)
        if "names" in node:
            more = {name for name in below or () if not self._tree.holds(node["names"], name)}
            return tuple(sorted(set(node["names"]) | more))
        if below is not None:
            return tuple(sorted(below))
        if node.get("kind") == "dir":
            return () if self._complete else Gap(f"not recorded: {path}", "not-collected")
        return None

    def stat(self, path: str) -> Union[Stat, None, Gap]:
        node = self._node(path)
        if node is None or isinstance(node, Gap):
            return node
        size = node.get("size", len(node["text"]) if "text" in node else 1)
        kind = node.get("kind", "dir" if "names" in node else "file")
        mode = node.get("mode", 0o755 if kind == "dir" else 0o644)
        mode = int(mode, 8) if isinstance(mode, str) else mode
        return Stat(kind, mode, node.get("uid", 0), node.get("gid", 0), size, node.get("accessible", True))

    def real(self, path: str) -> Union[str, None, Gap]:
        node = self._node(path)
        if node is None or isinstance(node, Gap):
            return node
        return str(node["real"]) if "real" in node else self._tree.walk(path)

    def is_link(self, path: str) -> bool:
        parent = self._tree.walk(self._tree.parent(path))
        node = self._tree.node(self._tree.joined(parent or "/", self._tree.name(path))) or {}
        return "link" in node or bool(node.get("is_link"))

    def elf(self, path: str) -> Union[Elf, None, Gap]:
        node = self._node(path)
        if node is None or isinstance(node, Gap):
            return node
        if "elf" in node:
            elf = node["elf"]
            return Elf(
                elf.get("defect"),
                elf.get("machine", "x86_64"),
                elf.get("bits", 64),
                elf.get("soname"),
                tuple(elf.get("needed", ())),
                elf.get("rpath"),
                elf.get("runpath"),
            )
        if node.get("size") == 0 or node.get("text") == "":
            return Elf("empty", "", 0, None, (), None, None)
        if "text" in node:
            return Elf("not-elf", "", 0, None, (), None, None)
        return Gap(f"content not recorded: {path}", "not-collected")

    def pe(self, path: str) -> Union[Pe, None, Gap]:
        node = self._node(path)
        if node is None or isinstance(node, Gap):
            return node
        if "pe" in node:
            pe = node["pe"]
            return Pe(
                pe.get("defect"),
                pe.get("machine", "x86_64"),
                pe.get("bits", 64),
                pe.get("file_version"),
                pe.get("product_version", pe.get("file_version")),
                tuple(pe.get("imports", ())),
            )
        if node.get("size") == 0 or node.get("text") == "":
            return Pe("empty", "", 0, None, None, ())
        if "text" in node:
            return Pe("not-pe", "", 0, None, None, ())
        return Gap(f"content not recorded: {path}", "not-collected")

    def registry(self, key: str) -> Union[Key, None, Gap]:
        if not registry_keys.allowed(key):
            raise LookupError(f"{key} is not on the allow-list of compat.registry")
        if self._keys is None:
            return None
        node = self._answer(self._keys, key, f"not recorded: {key}")
        if node is None or isinstance(node, Gap):
            return node
        found = sorted({*node.get("keys", ()), *(self._keys.below(key) or ())})
        values = sorted((n, str(v)) for n, v in node.get("values", {}).items() if registry_keys.kept(key, n))
        return Key(tuple(found), tuple(values), tuple(node.get("expandable", ())))

    def room(self, path: str) -> Union[Room, None, Gap]:
        while True:
            room = (self._tree.node(path) or {}).get("room")
            if room:
                return Room(room["free_bytes"], room["total_bytes"])
            parent = self._tree.parent(path)
            if parent == path:
                return Room(100 << 30, 200 << 30) if self._complete else Gap("not recorded", "not-collected")
            path = parent

    def start(self, *children: Child) -> None:
        pass

    def answer(self, name: str) -> Answer:
        answer = self._children.get(name)
        if answer is None:
            return Answer("not-started", None, (), "not recorded")
        lines = tuple(line if isinstance(line, str) else json.dumps(line) for line in answer.get("lines", ()))
        return Answer(answer.get("ended", "exit"), answer.get("code", 0), lines, answer.get("errors", ""))


_ABOUT: dict[str, Any] = {
    "os": "linux",
    "kernel": "6.8.0-45-generic",
    "machine": "x86_64",
    "uid": 1000,
    "groups": (),
    "cpu_count": 8,
    "own_python": "/opt/gpucheck/bin/python",
    "home": "/home/user",
}
_ABOUT_WINDOWS: dict[str, Any] = {
    **_ABOUT,
    "os": "windows",
    "kernel": "10.0.19045",
    "uid": -1,
    "own_python": r"C:\gpucheck\Scripts\python.exe",
    "home": r"C:\Users\user",
}


def _variable(name: str, flavour: str) -> str:
    return name.upper() if flavour == "windows" else name
