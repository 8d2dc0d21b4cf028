"""One question to a server of files, by urllib3, through the proxies, certificates and logins of the settings.

Nothing is written here, and nothing of a file is judged: see download.py. Why a question failed: trouble.py.
"""

from __future__ import annotations

import netrc
import os
import re
import ssl
import threading
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Union
from urllib.parse import urlsplit

from gpucheck import __version__
from gpucheck.install.fetching.trouble import REDIRECTS, Trouble, in_words, refused
from gpucheck.install.indexes.masking import login, masked
from gpucheck.install.indexes.settings import Settings

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

_CONNECT = 15.0  # seconds
# A compressed answer would have other bytes at the place where a cut one is gone on with.
_HEADERS = {"User-Agent": f"gpucheck/{__version__}", "Accept-Encoding": "identity"}
_SILENCE = 30.0  # seconds in which nothing comes, where the settings do not say


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
        raise refused(answer.status, answer.headers.get("Retry-After"), url)

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
        bundle, own = self._settings.certificate, self._settings.client_certificate
        tls = _tls(bundle, own, checked)
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
            proxy_ssl_context=_tls(bundle, own, True),
            proxy_headers=make_headers(proxy_basic_auth=":".join(known)) if known else None,
            timeout=timeout,
        )

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
        return in_words(error, url, self._proxy(url), self._settings.timeout or _SILENCE)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.clear()


@lru_cache(maxsize=8)  # the system's hundreds of certificates take 20 ms to read
def _tls(bundle: Union[str, None], own: Union[str, None], checked: bool) -> ssl.SSLContext:
    """The system's certificates, or those of the settings."""
    import truststore
    from urllib3 import disable_warnings
    from urllib3.exceptions import InsecureRequestWarning

    context: ssl.SSLContext
    if not checked:
        disable_warnings(InsecureRequestWarning)  # that was somebody's wish
        context = ssl._create_unverified_context()
    elif bundle is None:
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        folder = os.path.isdir(bundle)
        try:
            context = ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)
        except (OSError, ssl.SSLError) as error:
            raise Trouble(f"the certificates in {bundle} cannot be read: {error}", again=False) from error
    if own:
        try:
            context.load_cert_chain(own)
        except (OSError, ssl.SSLError) as error:
            raise Trouble(f"the client certificate in {own} cannot be read: {error}", again=False) from error
    return context


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


def placed(answer: BaseHTTPResponse, asked: int) -> tuple[int, Union[int, None], Union[int, None]]:
    """Which part of the file this is: its first byte, the one after its last, and the file's size where told."""
    told = re.match(r"bytes (\d+)-(\d+)/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if answer.status == 206 and told:
        begin, end = int(told.group(1)), int(told.group(2)) + 1
        if begin > asked:
            answer.close()
            raise Trouble(f"the server answered with byte {begin}, not {asked}")
        return begin, end, None if told.group(3) == "*" else int(told.group(3))
    first = asked if answer.status == 206 else 0
    length = answer.length_remaining
    ends = None if length is None else first + length
    return first, ends, ends
