"""Why a question to a server failed, in words: which layer it was, and whether asking again is of use. Pure."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Union
from urllib.parse import urlsplit

from gpucheck.install.indexes.masking import masked

REDIRECTS = 5
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 527, 529, 530})
_WORDS = {
    401: "asks for a user and a password (401): put them into the index URL, into netrc or into pip's configuration",
    403: "refuses to hand it out (403): the login may not read it, or a firewall forbids it",
    404: "does not have it (404): it was removed, or this mirror is not complete",
    407: "the proxy asks for a user and a password (407): put them into the proxy's URL",
    410: "has it no more (410)",
    416: "says that the file is shorter than what was asked for (416)",
    429: "asks to come more slowly (429)",
    451: "must not hand it out here (451)",
}


class Trouble(Exception):
    """One try failed. again: another may succeed. wait: seconds that the server asked for. status: of HTTP, 0 else."""

    def __init__(self, what: str, *, again: bool = True, wait: Union[float, None] = None, status: int = 0) -> None:
        super().__init__(what)
        self.again, self.wait, self.status = again, wait, status


def refused(status: int, retry_after: Union[str, None], url: str) -> Trouble:
    """An answer that is not the file."""
    text = _WORDS.get(status, f"answers with HTTP status {status}")
    again = status in _AGAIN or status == 416
    return Trouble(f"{_host(url)} {text}", again=again, wait=seconds(retry_after), status=status)


def in_words(error: BaseException, url: str, proxy: str, silence: float) -> Trouble:
    """An error of urllib3's. proxy: that was asked, "" for none. silence: seconds that were waited for a byte."""
    from urllib3 import exceptions as of

    if isinstance(error, Trouble):
        return error
    if isinstance(error, of.MaxRetryError) and error.reason is not None:
        return in_words(error.reason, url, proxy, silence)
    host = _host(url)
    if isinstance(error, of.ResponseError) and "redirect" in str(error):
        return Trouble(f"{host} sends from one address to the next, more than {REDIRECTS} times", again=False)
    if isinstance(error, of.ProxyError):
        why = str(error.original_error)
        again = "407" not in why
        what = (
            _WORDS[407]
            if not again
            else f"the proxy {masked(proxy)} gives no connection: {_short(error.original_error)}"
        )
        return Trouble(what, again=again)
    if isinstance(error, (of.SSLError, ssl.SSLError)):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return Trouble(
                f"the certificate of {host} is not trusted ({_short(error)}); a company's proxy may have its own:"
                " name its bundle in pip's `cert` setting or in SSL_CERT_FILE",
                again=False,
            )
        return Trouble(f"no encrypted connection to {host}: {_short(error)}")
    if isinstance(error, (of.NameResolutionError, socket.gaierror)):
        return Trouble(f"the name {host} is not known here (DNS): is there a network?")
    if isinstance(error, (of.ConnectTimeoutError, of.NewConnectionError)):
        return Trouble(f"no connection to {host}: {_short(error)}")
    if isinstance(error, (of.ReadTimeoutError, TimeoutError)):
        return Trouble(f"{host} was silent for {silence:.0f} s")
    if isinstance(error, (of.LocationParseError, of.URLSchemeUnknown, ValueError)):
        return Trouble(f"{masked(url)} is no address to download from", again=False)
    return Trouble(f"the connection to {host} broke: {_short(error)}")


def _host(url: str) -> str:
    return urlsplit(url).hostname or masked(url)


def _short(error: BaseException) -> str:
    """The innermost reason, without the objects that urllib3 prints with it."""
    inner: Union[BaseException, None] = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return inner.verify_message
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        error, inner = inner, inner.__cause__ or inner.__context__
    text = str(error.args[-1] if error.args else error)
    return text.rpartition(">: ")[2] or type(error).__name__


def seconds(header: Union[str, None]) -> Union[float, None]:
    """Retry-After: seconds, or a date."""
    from email.utils import parsedate_to_datetime
    from time import time

    if not header:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    with suppress(ValueError, TypeError, OverflowError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    return None
