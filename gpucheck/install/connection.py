"""One question to a server of files, by urllib3, and why it failed, in words: which layer, and is asking again of use?

Nothing is written here, and nothing of a file is judged: see download.py.
"""

from __future__ import annotations

import netrc
import os
import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Union
from urllib.parse import urlsplit

from gpucheck import __version__
from gpucheck.install.masking import login, masked
from gpucheck.install.settings import Settings

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

REDIRECTS = 5
_CONNECT = 15.0  # seconds
# A compressed answer would have other bytes at the place where a cut one is gone on with.
_HEADERS = {"User-Agent": f"gpucheck/{__version__}", "Accept-Encoding": "identity"}
_SILENCE = 30.0  # seconds in which nothing comes, where the settings do not say
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


class Connections:
    """Connections that are kept open and shared by threads, through the proxies and certificates of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pools: dict[tuple[str, bool], PoolManager] = {}
        self._turn = threading.Lock()
        self._logins = _netrc()
        self.answered = False  # any server, ever

    def get(self, url: str, begin: int = 0) -> BaseHTTPResponse:
        """The answer to a question for the file, from that byte on (a server may answer with all of it: status 200).

        Raises
        ------
        Trouble: no connection, or an answer that is neither 200 nor 206.
        """
        from urllib3 import Retry, make_headers
        from urllib3.exceptions import HTTPError

        headers = _HEADERS | ({"Range": f"bytes={begin}-"} if begin else {})
        known = self._login(url)
        if known:
            headers |= make_headers(basic_auth=":".join(known))
        patience = Retry(total=None, connect=0, read=0, other=0, status=0, redirect=REDIRECTS, raise_on_redirect=True)
        try:
            answer = self._pool(url).request(
                "GET", _without_login(url), headers=headers, retries=patience, preload_content=False
            )
        except (HTTPError, OSError, ValueError) as error:
            raise self.trouble(error, url) from error
        self.answered = True
        if answer.status in (200, 206):
            return answer
        answer.close()
        wait = _seconds(answer.headers.get("Retry-After"))
        text = _WORDS.get(answer.status, f"answers with HTTP status {answer.status}")
        again = answer.status in _AGAIN or answer.status == 416
        raise Trouble(f"{_host(url)} {text}", again=again, wait=wait, status=answer.status)

    def _login(self, url: str) -> Union[tuple[str, str], None]:
        found = self._settings.login(url)
        if found is None and self._logins is not None:
            entry = self._logins.authenticators(urlsplit(url).hostname or "")
            if entry is not None and (entry[0] or entry[2]):
                found = (entry[0] or "", entry[2] or "")
        return found

    def _pool(self, url: str) -> PoolManager:
        proxy, checked = self._proxy(url), self._checked(url)
        with self._turn:
            if (proxy, checked) not in self._pools:
                self._pools[proxy, checked] = self._open(proxy, checked)
            return self._pools[proxy, checked]

    def _open(self, proxy: str, checked: bool) -> PoolManager:
        from urllib3 import PoolManager, ProxyManager, Timeout, make_headers

        silence = self._settings.timeout or _SILENCE
        timeout = Timeout(connect=min(_CONNECT, silence), read=silence)
        tls = self._tls(checked)
        if not proxy:
            return PoolManager(num_pools=8, maxsize=8, ssl_context=tls, timeout=timeout)
        scheme = urlsplit(proxy).scheme
        if scheme not in ("http", "https"):
            raise Trouble(
                f"the proxy {masked(proxy)}: gpucheck speaks to HTTP proxies alone, not {scheme}", again=False
            )
        known = login(proxy, ())
        return ProxyManager(
            _without_login(proxy),
            num_pools=8,
            maxsize=8,
            ssl_context=tls,
            proxy_ssl_context=self._tls(True),
            proxy_headers=make_headers(proxy_basic_auth=":".join(known)) if known else None,
            timeout=timeout,
        )

    def _tls(self, checked: bool) -> ssl.SSLContext:
        """The system's certificates, or those of the settings."""
        import truststore
        from urllib3 import disable_warnings
        from urllib3.exceptions import InsecureRequestWarning

        bundle, own = self._settings.certificate, self._settings.client_certificate
        context: ssl.SSLContext
        if not checked:
            disable_warnings(InsecureRequestWarning)  # that was somebody's wish
            context = ssl._create_unverified_context()
        elif bundle is None:
            context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        else:
            folder = os.path.isdir(bundle)
            try:
                context = ssl.create_default_context(
                    cafile=None if folder else bundle, capath=bundle if folder else None
                )
            except (OSError, ssl.SSLError) as error:
                raise Trouble(f"the certificates in {bundle} cannot be read: {error}", again=False) from error
        if own:
            try:
                context.load_cert_chain(own)
            except (OSError, ssl.SSLError) as error:
                raise Trouble(f"the client certificate in {own} cannot be read: {error}", again=False) from error
        return context

    def _checked(self, url: str) -> bool:
        parts = urlsplit(url)
        hosts = {urlsplit(one).netloc if "://" in one else one for one in self._settings.insecure}
        return not {parts.hostname or "", parts.netloc.rpartition("@")[2]} & hosts

    def _proxy(self, url: str) -> str:
        """The proxy for a URL, "" where there is none."""
        proxies = dict(self._settings.proxies)
        parts = urlsplit(url)
        if without_proxy(parts.hostname or "", parts.netloc.rpartition("@")[2], proxies.get("no", "")):
            return ""
        found = proxies.get(parts.scheme) or proxies.get("all") or ""
        return found if "://" in found or not found else f"http://{found}"

    def trouble(self, error: BaseException, url: str) -> Trouble:
        """An error of urllib3's in words."""
        from urllib3 import exceptions as of

        if isinstance(error, Trouble):
            return error
        if isinstance(error, of.MaxRetryError) and error.reason is not None:
            return self.trouble(error.reason, url)
        host = _host(url)
        if isinstance(error, of.ResponseError) and "redirect" in str(error):
            return Trouble(f"{host} sends from one address to the next, more than {REDIRECTS} times", again=False)
        if isinstance(error, of.ProxyError):
            proxy = masked(self._proxy(url))
            why = str(error.original_error)
            again = "407" not in why
            what = (
                _WORDS[407] if not again else f"the proxy {proxy} gives no connection: {_short(error.original_error)}"
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
            return Trouble(f"{host} was silent for {self._settings.timeout or _SILENCE:.0f} s")
        if isinstance(error, (of.LocationParseError, of.URLSchemeUnknown, ValueError)):
            return Trouble(f"{masked(url)} is no address to download from", again=False)
        return Trouble(f"the connection to {host} broke: {_short(error)}")

    def close(self) -> None:
        for pool in self._pools.values():
            pool.clear()


def without_proxy(host: str, with_port: str, no: str) -> bool:
    """Is a host in NO_PROXY? Names and what ends with them, addresses and networks (10.0.0.0/8), * for all."""
    import ipaddress

    for entry in (one.strip().lower() for one in no.split(",")):
        name = entry.removeprefix("*").removeprefix(".")
        if entry == "*" or (name and (host in (name, entry) or host.endswith(f".{name}") or with_port == name)):
            return True
        if "/" in entry:
            with suppress(ValueError):
                if ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False):
                    return True
    return False


def _netrc() -> Union[netrc.netrc, None]:
    """The user's logins; a file that cannot be read has none."""
    named = os.environ.get("NETRC")
    for path in [named] if named else [os.path.expanduser("~/.netrc"), os.path.expanduser("~/_netrc")]:
        with suppress(OSError, netrc.NetrcParseError, UnicodeError):
            return netrc.netrc(path)
    return None


def _without_login(url: str) -> str:
    """Fit to be sent: urllib3 would send a login in a URL by itself, also to where it redirects."""
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path.partition('#')[0]}"


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


def _seconds(header: Union[str, None]) -> Union[float, None]:
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
