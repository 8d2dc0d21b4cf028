"""A machine from a file: what `gpucheck snapshot --raw` wrote there, or what a test describes by hand.

    {"schema": "gpucheck.machine/1", "note": "…", "extends": "other-machine", "complete": true,
     "about": {…}, "env": {"PATH": "…"},
     "children": {"nvml": {"ended": "exit", "code": 0, "lines": [{…}], "errors": ""}},
     "paths": {"/proc/driver/nvidia/version": {"text": "NVRM version: …"},
               "/usr/lib/libcuda.so.1": {"link": "libcuda.so.580.126.09"},
               "/usr/lib/libcuda.so.580.126.09": {"elf": {"machine": "x86_64"}, "size": 100},
               "/dev/nvidia0": {"kind": "char", "mode": "0660", "gid": 44, "accessible": false},
               "/root": {"gap": "permission denied: /root", "gap_kind": "denied"}, "/opt": {"names": ["cuda"]}}}

Folders come into being with what lies in them. `complete`: what is not described is not there; a recording is not
complete, and what it did not record is a gap.
"""

from __future__ import annotations

import base64
import json
import posixpath
from typing import Any, Literal, Union

from gpucheck.compat.variables import NAMES
from gpucheck.facts.gap import Gap
from gpucheck.host import About, Answer, Child, Elf, Room, Stat

SCHEMA = "gpucheck.machine/1"
_MOST_LINKS = 40


class BadMachine(ValueError):
    """A machine file does not hold what its schema says."""


class RecordedHost:
    """Implements `gpucheck.host.Host` over a machine file that was read with ``json``."""

    def __init__(self, machine: dict[str, Any]) -> None:
        if machine.get("schema") != SCHEMA:
            raise BadMachine(f"schema {SCHEMA} expected, not {machine.get('schema')!r}")
        self.flavour: Literal["posix", "windows"] = machine.get("flavour", "posix")
        self._about = About(
            **{**_ABOUT, **machine.get("about", {}), "groups": tuple(machine.get("about", {}).get("groups", ()))}
        )
        self._env: dict[str, str] = machine.get("env", {})
        self._children: dict[str, dict[str, Any]] = machine.get("children", {})
        self._complete = bool(machine.get("complete", False))
        self._nodes: dict[str, dict[str, Any]] = {}
        self._below: dict[str, set[str]] = {}
        for asked, node in machine.get("paths", {}).items():
            path = asked[1:] if asked.startswith("//") else asked  # "/" + "/pyvenv.cfg", recorded as it was asked
            self._nodes[path] = node
            if not node.get("absent"):
                self._grow(path)

    def _grow(self, path: str) -> None:
        while path not in ("/", ""):
            parent, name = posixpath.split(path)
            if name in self._below.setdefault(parent, set()):
                return
            self._below[parent].add(name)
            path = parent

    def about(self) -> About:
        return self._about

    def env(self, name: str) -> Union[str, None]:
        if name not in NAMES:
            raise LookupError(f"{name} is not on the allow-list of compat.variables")
        return self._env.get(name)

    def _walk(self, path: str) -> Union[str, None]:
        """Resolve links part by part, as the kernel does; None for a circle."""
        todo = [part for part in path.split("/") if part not in ("", ".")][::-1]
        at, hops = "/", 0
        while todo:
            part = todo.pop()
            if part == "..":
                at = posixpath.dirname(at)
                continue
            step = posixpath.join(at, part)
            link = self._nodes.get(step, {}).get("link")
            if link is None:
                at = step
                continue
            hops += 1
            if hops > _MOST_LINKS:
                return None
            if link.startswith("/"):
                at = "/"
            todo.extend(part for part in link.split("/")[::-1] if part not in ("", "."))
        return at

    def _node(self, path: str) -> Union[dict[str, Any], None, Gap]:
        real = self._walk(path)
        if real is None:
            return None
        node = self._nodes.get(real)
        if node is None:
            if real in self._below:
                return {"kind": "dir"}
            parent = self._nodes.get(posixpath.dirname(real))
            listed = parent is not None and "names" in parent
            if self._complete or (listed and posixpath.basename(real) not in parent["names"]):  # type: ignore[index]
                return None
            return Gap(f"not recorded: {path}", "not-collected")
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
        real = self._walk(path)
        node = self._node(path)
        if node is None or isinstance(node, Gap):
            return node
        assert real is not None
        if "names" in node:
            return tuple(sorted(set(node["names"]) | self._below.get(real, set())))
        if real in self._below:
            return tuple(sorted(self._below[real]))
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
        return str(node["real"]) if "real" in node else self._walk(path)

    def is_link(self, path: str) -> bool:
        parent = self._walk(posixpath.dirname(path))
        node = self._nodes.get(posixpath.join(parent or "/", posixpath.basename(path)), {})
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

    def room(self, path: str) -> Union[Room, None, Gap]:
        while True:
            room = self._nodes.get(path, {}).get("room")
            if room:
                return Room(room["free_bytes"], room["total_bytes"])
            if path in ("/", ""):
                return Room(100 << 30, 200 << 30) if self._complete else Gap("not recorded", "not-collected")
            path = posixpath.dirname(path)

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
