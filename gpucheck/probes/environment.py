"""The environment variables that matter, and no others: the list is in compat.variables."""

from __future__ import annotations

from gpucheck.compat.variables import NAMES
from gpucheck.facts.environment import Environment, Variable
from gpucheck.host import Host


def probe(host: Host) -> Environment:
    """Every variable of the list that is set; an empty value is one."""
    values = ((name, host.env(name)) for name in NAMES)
    return Environment(tuple(Variable(name, value) for name, value in values if value is not None))
