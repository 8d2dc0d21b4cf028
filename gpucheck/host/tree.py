r"""The file tree of a recorded machine, by the rules of its own system. What a node holds is recorded.py's.

Windows: ``\`` and ``/`` both part names, a drive stands first, and names count without regard to case. Folders come
into being with what lies in them.
"""

from __future__ import annotations

from typing import Any, Literal, Union

_MOST_LINKS = 40


class Tree:
    """Which node a path leads to. Paths are given and answered as text, with the case in which they were recorded."""

    def __init__(self, paths: dict[str, dict[str, Any]], flavour: Literal["posix", "windows"]) -> None:
        self._windows = flavour == "windows"
        if self._windows:
            import ntpath as rules
        else:
            import posixpath as rules  # type: ignore[no-redef]
        self._rules: Any = rules
        self._nodes: dict[str, dict[str, Any]] = {}
        self._written: dict[str, str] = {}  # folded path -> as it was recorded
        self._below: dict[str, dict[str, str]] = {}  # folded folder -> {folded name: name}
        for asked, node in paths.items():
            path = self._plain(asked)
            # On Windows one file may have been asked for under several spellings.
            self._nodes[self._fold(path)] = {**self._nodes.get(self._fold(path), {}), **node}
            if not node.get("absent"):
                self._grow(path)

    def _fold(self, path: str) -> str:
        return str(self._rules.normcase(path))

    def _plain(self, path: str) -> str:
        if self._windows:
            return str(self._rules.normpath(path)) if path else ""
        return path[1:] if path.startswith("//") else path  # "/" + "/pyvenv.cfg", recorded as it was asked

    def _grow(self, path: str) -> None:
        while True:
            self._written.setdefault(self._fold(path), path)
            parent, name = self._rules.split(path)
            if parent == path or not name:
                return
            names = self._below.setdefault(self._fold(parent), {})
            if self._fold(name) in names:
                return
            names[self._fold(name)] = name
            path = parent

    def parent(self, path: str) -> str:
        """Of a root the root itself."""
        return str(self._rules.dirname(path))

    def joined(self, folder: str, name: str) -> str:
        return str(self._rules.join(folder, name))

    def name(self, path: str) -> str:
        return str(self._rules.basename(path))

    def node(self, path: str) -> Union[dict[str, Any], None]:
        """What was recorded of this very path, links not followed."""
        return self._nodes.get(self._fold(path))

    def below(self, path: str) -> Union[set[str], None]:
        """Names that were recorded in this folder; None: none was."""
        names = self._below.get(self._fold(path))
        return None if names is None else set(names.values())

    def holds(self, names: list[str], name: str) -> bool:
        """Is `name` one of them?"""
        return self._fold(name) in map(self._fold, names)

    def _start(self, path: str) -> tuple[str, list[str]]:
        """Where a path begins, and its parts, the first one last."""
        if not self._windows:
            return "/", [part for part in path.split("/") if part not in ("", ".")][::-1]
        drive, rest = self._rules.splitdrive(self._plain(path))
        return drive + ("\\" if rest.startswith("\\") else ""), [part for part in rest.split("\\") if part][::-1]

    def walk(self, path: str) -> Union[str, None]:
        """Resolve links part by part, as the system does; None for a circle."""
        at, todo = self._start(path)
        hops = 0
        while todo:
            part = todo.pop()
            if part == "..":
                at = self.parent(at)
                continue
            step = self._rules.join(at, part)
            link = (self.node(step) or {}).get("link")
            if link is None:
                at = self._written.get(self._fold(step), step)
                continue
            hops += 1
            if hops > _MOST_LINKS:
                return None
            start, more = self._start(link if self._rules.isabs(link) else self._rules.join(at, link))
            at, todo = start, todo + more
        return at
