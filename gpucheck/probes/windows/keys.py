"""Reading the registry: values by name, and a gap where one part of an answer was not given."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.host import Host


def values(host: Host, key: str) -> Union[dict[str, str], None, Gap]:
    """The values of a key under their names in lower case; None: there is no such key."""
    found = host.registry(key)
    if found is None or isinstance(found, Gap):
        return found
    return {name.lower(): value for name, value in found.values}


def value(host: Host, key: str, name: str) -> Union[str, None, Gap]:
    """One value; None: neither is there."""
    found = values(host, key)
    return found.get(name.lower()) if isinstance(found, dict) else found


def below(host: Host, key: str) -> Union[tuple[str, ...], None, Gap]:
    """The names of the keys in a key; None: there is no such key."""
    found = host.registry(key)
    return found if found is None or isinstance(found, Gap) else found.keys
