"""Probes: ask a host, write down facts. No judgement here.

Each module has one ``probe(host, ...)``; `look` runs them all. What can hang or crash runs in a child (children/).
"""

from __future__ import annotations
