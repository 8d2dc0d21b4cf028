"""uv's words when it could not make a plan, as one of ours: nothing fits, or the index could not be asked. Pure."""

from __future__ import annotations

import re

from gpucheck.install.errors import InstallError, NoPlan, Refused

_FRAME = re.compile(r"^[\s×╰├│─▶]*(?:error|cause|caused by)?:?\s*", re.IGNORECASE)
# What uv says about an index that it could not ask, and what that means. The first that fits counts.
_LAYERS = (
    (r"401 Unauthorized|lack of valid authentication", "it asks for a user and a password, or refuses those it got"),
    (r"403 Forbidden", "it forbids the access (403)"),
    (r"407|proxy authentication", "the proxy asks for a user and a password (407)"),
    (r"tunnel error|proxy", "the proxy gives no connection"),
    (
        r"invalid peer certificate|UnknownIssuer|certificate",
        "its certificate is not trusted; a company's proxy may have its own: name its bundle in pip's `cert` setting"
        " or in SSL_CERT_FILE",
    ),
    (r"dns error|lookup address|name resolution", "its name is not known here (DNS): is there a network?"),
    (r"Connection refused|tcp connect error|Network is unreachable", "nothing answers there"),
    (r"timed out|timeout", "it is too slow to answer"),
    (r"HTTP status (?:server|client) error \((\d{3}[^)]*)\)", r"it answers with \1"),
    (r"error sending request|Failed to fetch|connection", "the connection broke"),
)
_BUILD = r"Failed to (?:download and )?build `([^`]+)`"
_OFFLINE = "network was disabled|Network connectivity is disabled|not found in the cache"


def understood(error: str) -> InstallError:
    """What to raise for a failed `uv pip compile`, by its standard error.

    NoPlan: the index was asked, and nothing fits. Refused: it could not be asked, so nobody knows.
    """
    lines = told(error)
    text = "\n".join(lines)
    refused = re.search("401 Unauthorized|403 Forbidden|lack of valid authentication", text)
    if "No solution found" in text and not refused:
        if re.search(_OFFLINE, text):
            return Refused("offline, and what is needed is neither in uv's cache nor in a --wheelhouse", lines)
        return NoPlan("no set of packages fits together", _without_heading(lines))
    if re.search(_OFFLINE, text):
        return Refused("offline, and what is needed is neither in uv's cache nor in a --wheelhouse", lines)
    if found := re.search(_BUILD, text):
        return NoPlan(f"{found.group(1)} has no wheel, and its source cannot be built here", lines[:4])
    for pattern, meaning in _LAYERS:
        if found := re.search(pattern, text, re.IGNORECASE):
            return Refused(f"the index could not be asked: {found.expand(meaning)}", lines)
    return NoPlan("uv could not make a plan", lines)


def told(error: str) -> tuple[str, ...]:
    """uv's lines without its frame: causes and hints, each sentence a line."""
    lines: list[str] = []
    for raw in error.splitlines():
        line = _FRAME.sub("", raw) if not raw.lstrip().startswith("hint") else raw.strip()
        if line and not line.startswith(("warning:", "Resolved ")):
            lines.append(line)
    return tuple(lines)


def _without_heading(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line for line in lines if not line.startswith("No solution found")) or lines


def without_wheel(error: str) -> tuple[str, ...]:
    """Packages of which uv found a source and no wheel."""
    found = re.findall(r"Wheels are required for `([^`]+)` because building from source is disabled", error)
    found += re.findall(r"Because (?:only )?([a-z0-9][a-z0-9._-]*?)[=<>! ][^ ]* has no usable wheels", error)
    return tuple(dict.fromkeys(found))


def without_date(error: str) -> bool:
    """Did the index keep silent about when files were uploaded, so that a date hid them?"""
    return "is missing an upload date" in error
