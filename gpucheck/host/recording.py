"""Look at a machine and write down every answer, for `gpucheck snapshot --raw`."""

from __future__ import annotations

import base64
import json
from typing import Any, Union

from gpucheck.facts.codec import encode
from gpucheck.facts.gap import Gap
from gpucheck.host import About, Answer, Child, Elf, Host, Key, Pe, Room, Stat, sieve
from gpucheck.host.recorded import SCHEMA


class RecordingHost:
    """Implements `gpucheck.host.Host` by asking another and remembering. `machine()` gives the recording."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.flavour = host.flavour
        self._env: dict[str, str] = {}
        self._paths: dict[str, dict[str, Any]] = {}
        self._registry: dict[str, dict[str, Any]] = {}
        self._children: dict[str, Any] = {}

    def _note(self, path: str, answer: Any, **facts: Any) -> None:
        node = self._paths.setdefault(path, {})
        if isinstance(answer, Gap):
            if not node:
                node.update(gap=encode(answer.reason), gap_kind=answer.kind)
        elif answer is None:
            if not node:
                node["absent"] = True
        else:
            for key in ("gap", "gap_kind", "absent"):
                node.pop(key, None)
            node.update(facts)

    def about(self) -> About:
        return self._host.about()

    def env(self, name: str) -> Union[str, None]:
        value = self._host.env(name)
        if value is not None:
            self._env[name] = value
        return value

    def read(self, path: str, limit: int = 65536) -> Union[bytes, None, Gap]:
        data = self._host.read(path, limit)
        if isinstance(data, bytes):
            kept = sieve.content(path, data)
            try:
                self._note(path, kept, text=kept.decode("utf-8"))
            except UnicodeDecodeError:
                self._note(path, kept, base64=base64.b64encode(kept).decode("ascii"))
        else:
            self._note(path, data)
        return data

    def names(self, path: str) -> Union[tuple[str, ...], None, Gap]:
        names = self._host.names(path)
        kept = () if names is None or isinstance(names, Gap) else sieve.names(path, names)
        self._note(path, names, names=encode(kept), kind="dir")
        return names

    def stat(self, path: str) -> Union[Stat, None, Gap]:
        stat = self._host.stat(path)
        self._note(path, stat, **({} if stat is None or isinstance(stat, Gap) else stat._asdict()))
        return stat

    def real(self, path: str) -> Union[str, None, Gap]:
        real = self._host.real(path)
        self._note(path, real, real=encode(real))
        return real

    def is_link(self, path: str) -> bool:
        link = self._host.is_link(path)
        if link:
            self._note(path, True, is_link=True)
        return link

    def elf(self, path: str) -> Union[Elf, None, Gap]:
        elf = self._host.elf(path)
        self._note(path, elf, elf=encode(elf))
        return elf

    def pe(self, path: str) -> Union[Pe, None, Gap]:
        pe = self._host.pe(path)
        self._note(path, pe, pe=encode(pe))
        return pe

    def registry(self, key: str) -> Union[Key, None, Gap]:
        found = self._host.registry(key)
        if isinstance(found, Gap):
            self._registry[key] = {"gap": encode(found.reason), "gap_kind": found.kind}
        elif found is None:
            self._registry[key] = {"absent": True}
        else:
            values = {name: encode(text) for name, text in found.values}
            self._registry[key] = {"keys": encode(found.keys), "values": values, "expandable": encode(found.expandable)}
        return found

    def room(self, path: str) -> Union[Room, None, Gap]:
        room = self._host.room(path)
        self._note(path, room, room=encode(room))
        return room

    def start(self, *children: Child) -> None:
        self._host.start(*children)

    def answer(self, name: str) -> Answer:
        answer = self._host.answer(name)
        lines = [_parsed(line) for line in answer.lines]
        self._children[name] = {
            "ended": answer.ended,
            "code": answer.code,
            "lines": lines,
            "errors": encode(sieve.errors(name, answer.errors)),
        }
        return answer

    def machine(self) -> dict[str, Any]:
        """The recording, ready for ``json.dump``."""
        return {
            "schema": SCHEMA,
            "flavour": self.flavour,
            "complete": False,
            "about": encode(self._host.about()),
            "env": {name: encode(value) for name, value in sorted(self._env.items())},
            "children": self._children,
            **({"registry": dict(sorted(self._registry.items()))} if self.flavour == "windows" else {}),
            "paths": {encode(path): node for path, node in sorted(self._paths.items())},
        }


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return encode(line)
