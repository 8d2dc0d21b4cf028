"""Where packages come from: what pip and uv are configured to do here, as settings for uv. Nothing is written.

uv ignores pip's configuration, so it is read here and handed over, and each setting that was taken over is told, with
credentials masked. uv's own user configuration is a wish, too; it is taken the same way (uv_settings), and uv is run
without any configuration of its own, so that a project's pyproject.toml or a variable like UV_PRERELEASE cannot change
silently what a plan resolves to.

Who wins, setting by setting: gpucheck's command line; uv's variables, user's and system's uv.toml; pip's variables and
files. Lists (extra indexes, places to find wheels, trusted hosts) are joined. --index-url on gpucheck's command line
replaces every configured index and find-links.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Union
from urllib.parse import quote

from gpucheck.install.indexes.masking import login, secrets_in, without_name
from gpucheck.install.indexes.pip_settings import from_pip
from gpucheck.install.indexes.uv_settings import from_uv
from gpucheck.install.indexes.wishes import Wish, Wishes, first, joined

_SCHEMES = ("http", "https", "all", "no")


class Settings(NamedTuple):
    """How to reach the packages. URLs may hold credentials: tell them through `masking.masked` alone.

    default_index: None for the one that uv has built in. extra: more indexes ("name=URL", as uv has it, is possible).
    find_links: folders, files, URLs. certificate: a bundle of CAs (PEM), or a folder of them; None: the system's.
    client_certificate: a PEM file with its key. proxies: (scheme, URL) with scheme "http", "https", "all" or "no" (for
    "no": hosts, joined by commas). insecure: hosts whose certificate is not checked. keyring: ask the program `keyring`
    for passwords. constraints: files that bound versions. timeout: seconds of silence, None for the default. cache:
    uv's cache folder, None for its default. passed: variables for uv that hold credentials by an index's name.
    taken_over: what was found, one line each, masked. notes: what was found and is not used.
    """

    default_index: Union[str, None] = None
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    certificate: Union[str, None] = None
    client_certificate: Union[str, None] = None
    proxies: tuple[tuple[str, str], ...] = ()
    insecure: tuple[str, ...] = ()
    keyring: bool = False
    constraints: tuple[str, ...] = ()
    offline: bool = False
    timeout: Union[float, None] = None
    cache: Union[str, None] = None
    passed: tuple[tuple[str, str], ...] = ()
    taken_over: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """URLs of all places, without uv's names for them, but with the logins that uv finds by those names."""
        indexes = [*([self.default_index] if self.default_index else []), *self.extra]
        return (*(self._with_login(one) for one in indexes), *self.find_links)

    def _with_login(self, index: str) -> str:
        url = without_name(index)
        name = re.sub("[^A-Z0-9]", "_", index[: len(index) - len(url)].rstrip("=").upper())
        user, password = (dict(self.passed).get(f"UV_INDEX_{name}_{part}", "") for part in ("USERNAME", "PASSWORD"))
        if not name or not (user or password) or "@" in url:
            return url
        return url.replace("://", f"://{quote(user, safe='')}:{quote(password, safe='')}@", 1)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, wherever it turns up."""
        found = [part for address in self.addresses for part in secrets_in(address)]
        found += [part for _, proxy in self.proxies for part in secrets_in(proxy)]
        found += [value for name, value in self.passed if name.endswith("_PASSWORD")]
        return tuple(sorted(set(found), key=len, reverse=True))

    def login(self, url: str) -> Union[tuple[str, str], None]:
        """User and password for a file's URL: its own, or those of the index on the same scheme, host and port."""
        return login(url, self.addresses)

    def without_secrets(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "****")
        return text


def read(
    python: Union[str, None] = None,
    index_urls: Sequence[str] = (),
    offline: bool = False,
    wheelhouse: Union[str, None] = None,
    *,
    environ: Union[Mapping[str, str], None] = None,
) -> Settings:
    """What is configured for this user and this interpreter.

    Parameters
    ----------
    python: path of the interpreter whose own pip.conf counts (an environment's, else the base's). index_urls: from
    gpucheck's command line, the default index first. wheelhouse: a folder of wheels; with offline nothing else counts.
    environ: variables, those of this process if None.
    """
    environ = os.environ if environ is None else environ
    uv, pip = from_uv(environ), from_pip(environ, python)
    folder = (os.path.abspath(wheelhouse),) if wheelhouse else ()
    taken: list[str] = []
    notes: list[str] = [*uv.notes, *pip.notes]
    cache = first("cache", [], uv)
    if offline and wheelhouse:
        return Settings(find_links=folder, no_index=True, offline=True, cache=cache)
    settings = _named(index_urls, notes, uv, pip) if index_urls else _configured(taken, notes, uv, pip)
    timeout = first("timeout", taken, uv, pip)
    return settings._replace(
        find_links=(*folder, *settings.find_links),
        certificate=_certificate(environ, taken, notes, pip),
        client_certificate=environ.get("SSL_CLIENT_CERT") or first("client-cert", taken, pip),
        proxies=_proxies(environ, taken, uv, pip),
        insecure=joined("trusted-host", taken, uv, pip),
        keyring=bool(first("keyring", taken, uv, pip)),
        constraints=joined("constraint", taken, pip),
        offline=offline or bool(first("offline", taken, uv)),
        timeout=_seconds(timeout),
        cache=cache,
        passed=uv.passed,
        taken_over=tuple(taken),
        notes=tuple(notes),
    )


def _configured(taken: list[str], notes: list[str], uv: Wishes, pip: Wishes) -> Settings:
    index = first("index", taken, uv, pip)
    extra = tuple(one for one in joined("extra", taken, uv, pip) if one != index)
    places = (_there(one, notes) for one in joined("find-links", taken, uv, pip))
    links = tuple(place for place in places if place is not None)
    return Settings(index, extra, links, no_index=bool(first("no-index", taken, uv, pip)))


def _named(index_urls: Sequence[str], notes: list[str], uv: Wishes, pip: Wishes) -> Settings:
    """On the command line: nothing that is configured counts beside it."""
    passed_over = [
        wish for wish in (*uv.wishes, *pip.wishes) if wish.name in ("index", "extra", "find-links", "no-index")
    ]
    notes += [f"not used, since --index-url was given: {wish.told}" for wish in passed_over]
    return Settings(index_urls[0], tuple(index_urls[1:]))


def _there(place: str, notes: list[str]) -> Union[str, None]:
    """A place to find wheels, made absolute; uv stops at a folder that is not there, where pip goes on."""
    if "://" in place:
        return place
    path = os.path.abspath(os.path.expanduser(place))
    if os.path.exists(path):
        return path
    notes.append(f"not used, it is not there: find-links {path}")
    return None


def _certificate(environ: Mapping[str, str], taken: list[str], notes: list[str], pip: Wishes) -> Union[str, None]:
    """pip's own setting, then the variables that OpenSSL, requests and curl know (uv knows the first two alone)."""
    wishes = pip.about("cert")
    wishes += [
        Wish("cert", name, (environ[name],), "a variable")
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
        if environ.get(name)
    ]
    for wish in wishes:
        if os.path.exists(wish.values[0]):
            if not wish.key.startswith("SSL_"):
                taken.append(wish.told)
            return wish.values[0]
        notes.append(f"not used, it is not there: {wish.told}")
    return None


def _proxies(environ: Mapping[str, str], taken: list[str], uv: Wishes, pip: Wishes) -> tuple[tuple[str, str], ...]:
    """A proxy that pip or uv name counts for everything; else the usual variables, as every program reads them."""
    around = {name: environ.get(f"{name}_proxy") or environ.get(f"{name.upper()}_PROXY") for name in _SCHEMES}
    if proxy := first("proxy", taken, uv, pip):
        around |= {"http": proxy, "https": proxy, "all": None}
    return tuple((name, value) for name, value in around.items() if value)


def _seconds(value: Union[str, None]) -> Union[float, None]:
    try:
        return float(value) if value else None
    except ValueError:
        return None
