"""Downloads against servers that cut, lie and fail, killed runs, full disks, and two runs at once."""

from __future__ import annotations

import base64
import hashlib
import random
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Union

import pytest
from faulty_index import Fault, FaultyIndex, nobody

from gpucheck.facts.plan import Package
from gpucheck.install.errors import Failed, InstallError, Refused
from gpucheck.install.fetching.connection import without_proxy
from gpucheck.install.fetching.fetch import _BEHIND, _LEAST, Fetcher, fetch
from gpucheck.install.fetching.patience import Patience
from gpucheck.install.fetching.trouble import seconds
from gpucheck.install.fetching.wheelhouse import clear
from gpucheck.install.indexes.settings import Settings
from gpucheck.install.progress import Silent

pytestmark = pytest.mark.slow  # processes and servers: each test little, all of them seconds

slow = pytest.mark.slow
A, B = "alpha-1-py3-none-any.whl", "beta-2.0-py3-none-any.whl"
QUICK = Patience(silence=10.0, tries=3, first=0.01, most=0.02)
PLAIN = Settings()


def noise(size: int, seed: str = "") -> bytes:
    return random.Random(f"{size}{seed}").randbytes(size)


class Told:
    """Progress, gathered."""

    def __init__(self) -> None:
        self.total: Union[int, None] = None
        self.done = 0
        self.notes: list[str] = []
        self._turn = threading.Lock()

    def begin(self, what: str, total: Union[int, None] = None) -> None:
        self.total = total

    def advance(self, amount: int) -> None:
        with self._turn:
            self.done += amount

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None: ...


def get(
    folder: Path, *packages: Package, settings: Settings = PLAIN, told: Union[Told, None] = None, parallel: int = 4
) -> list[Path]:
    """Fetch, and see that each file is the one that was planned and that nothing else is left."""
    paths = [
        Path(one) for one in fetch(packages, str(folder), settings, told or Told(), patience=QUICK, parallel=parallel)
    ]
    for package, path in zip(packages, paths, strict=True):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == package.sha256
        assert path == folder / package.file
    assert not list(folder.glob("*.part"))
    return paths


def fails(folder: Path, *packages: Package, settings: Settings = PLAIN) -> InstallError:
    with pytest.raises(InstallError) as caught:
        fetch(packages, str(folder), settings, Silent(), patience=QUICK)
    return caught.value


def part(folder: Path, package: Package) -> Path:
    return folder / f"{package.sha256}.part"


# What goes well


@slow
def test_a_reader_who_does_not_keep_up_is_not_given_more_files_than_processors(tmp_path: Path) -> None:
    files = {f"f{at}-1-py3-none-any.whl": bytes(_BEHIND + at) for at in range(1, _LEAST + 3)}
    with FaultyIndex(files) as server, Fetcher(str(tmp_path), PLAIN, Silent(), QUICK, parallel=len(files)) as fetcher:
        with fetcher._changed:
            downloads = [fetcher.add(server.package(one)) for one in files]
            for one in downloads:
                one.reading = True
        end = time.monotonic() + 20
        while sum(one.state == "done" for one in downloads) < _LEAST and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.3)
        assert [one.state for one in downloads].count("waiting") == 2
        for one in downloads:
            one.sent = one.package.size or 0
        fetcher.wait()
        assert {one.state for one in downloads} == {"done"}


def test_files_come_in_the_order_of_the_plan_and_the_bar_ends_at_its_total(tmp_path: Path) -> None:
    told = Told()
    with FaultyIndex({A: noise(100), B: noise(300_000), "gamma-1-py3-none-any.whl": b""}) as server:
        get(tmp_path, *(server.package(one) for one in server.files), told=told)
    assert told.total == told.done == 300_100


def test_the_biggest_file_is_asked_for_first(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(10), B: noise(2000), "gamma-1-py3-none-any.whl": noise(300)}) as server:
        packages = [server.package(one) for one in server.files]
        with Fetcher(str(tmp_path), PLAIN, Silent(), QUICK, parallel=1) as fetcher:
            for one in packages:  # before any thread can take one
                fetcher._changed.acquire()
                fetcher.add(one)
            for _ in packages:
                fetcher._changed.release()
            fetcher.wait()
        assert [one.file for one in server.asked] == [B, "gamma-1-py3-none-any.whl", A]


def test_what_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    told = Told()
    with FaultyIndex({A: noise(5000)}) as server:
        get(tmp_path, server.package(A))
        get(tmp_path, server.package(A), told=told)
        assert len(server.asked) == 1
    assert told.done == 5000


def test_a_file_with_the_right_name_and_other_contents_is_replaced(tmp_path: Path) -> None:
    told = Told()
    (tmp_path / A).write_bytes(noise(5000, "other"))
    with FaultyIndex({A: noise(5000)}) as server:
        get(tmp_path, server.package(A), told=told)
    assert "replaced" in told.notes[0]


def test_sizes_that_no_index_tells_are_told_by_the_server_or_by_the_end(tmp_path: Path) -> None:
    faults = {A: [Fault(chunked=True)]}
    with FaultyIndex({A: noise(50_000), B: noise(60_000)}, faults) as server:
        get(tmp_path, server.package(A, sized=False), server.package(B, sized=False))


def test_redirects_are_followed(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000)}) as far:
        there = Fault(status=302, headers={"Location": far.url(A)}, body=b"")
        with FaultyIndex({A: noise(5000)}, {A: [there]}) as server:
            get(tmp_path, server.package(A))
        assert len(far.asked) == 1


# Cuts and lies


def test_a_cut_connection_is_gone_on_with_at_the_byte_where_it_ended(tmp_path: Path) -> None:
    told = Told()
    with FaultyIndex({A: noise(500_000)}, {A: [Fault(cut=200_000), Fault(cut=100_000)]}) as server:
        get(tmp_path, server.package(A), told=told)
        assert server.ranges(A) == ["", "bytes=200000-", "bytes=300000-"]
    assert told.done == 500_000
    assert "goes on at byte 200000" in told.notes[0]


def test_a_file_that_is_cut_again_and_again_comes_as_long_as_each_try_brings_some_of_it(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(1_000_000)}, {A: [Fault(cut=70_000)] * 14}) as server:
        get(tmp_path, server.package(A))
        assert len(server.asked) == 15


def test_a_file_that_comes_in_crumbs_is_given_up_and_what_came_is_kept(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(1_000_000)}, {A: [Fault(cut=100)] * 20}) as server:
        package = server.package(A)
        message = str(fails(tmp_path, package))
        assert "given up after 4 tries; 400 bytes are kept" in message
        assert part(tmp_path, package).read_bytes() == server.files[A][:400]
        server.fail(A)
        get(tmp_path, package)
        assert server.asked[-1].range == "bytes=400-"


def test_a_server_without_ranges_sends_all_again_and_what_is_there_is_passed_over(tmp_path: Path) -> None:
    told = Told()
    faults = {A: [Fault(cut=200_000, ranges=False), Fault(ranges=False, cut=300_000), Fault(ranges=False)]}
    with FaultyIndex({A: noise(500_000)}, faults) as server:
        get(tmp_path, server.package(A), told=told)
    assert told.done == 500_000


def test_an_answer_that_begins_at_another_byte_is_not_taken(tmp_path: Path) -> None:
    faults = {A: [Fault(cut=200_000), Fault(shift=10), Fault(shift=-50_000)]}
    with FaultyIndex({A: noise(500_000)}, faults) as server:
        get(tmp_path, server.package(A))
        assert server.ranges(A) == ["", "bytes=200000-", "bytes=200000-"]


@pytest.mark.parametrize("length", [100_000, 499_999, 500_001, 900_000])
@pytest.mark.parametrize("sized", [True, False])
def test_lies_about_the_length_do_not_matter_where_the_bytes_are_right(
    tmp_path: Path, length: int, sized: bool
) -> None:
    with FaultyIndex({A: noise(500_000)}, {A: [Fault(length=length)]}) as server:
        get(tmp_path, server.package(A, sized=sized))


def test_bytes_after_the_end_are_not_taken(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000)}, {A: [Fault(body=noise(5000) + b"more")]}) as server:
        get(tmp_path, server.package(A))


def test_a_wrong_file_is_given_one_more_chance(tmp_path: Path) -> None:
    told = Told()
    with FaultyIndex({A: noise(300_000)}, {A: [Fault(body=noise(300_000, "wrong"))]}) as server:
        get(tmp_path, server.package(A), told=told)
        assert server.ranges(A) == ["", ""]
    assert told.done == 300_000
    assert "once more" in told.notes[0]


def test_a_file_that_stays_wrong_is_refused_with_both_hashes_and_nothing_of_it_stays(tmp_path: Path) -> None:
    wrong = noise(300_000, "wrong")
    with FaultyIndex({A: noise(300_000)}, {A: [Fault(body=wrong)] * 5}) as server:
        package = server.package(A)
        error = fails(tmp_path, package)
        assert len(server.asked) == 2
    assert type(error) is Failed
    assert package.sha256 in error.lines[0]
    assert hashlib.sha256(wrong).hexdigest() in error.lines[1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [100, 299_000, 301_000])
def test_a_wrong_file_of_another_size_is_refused_too(tmp_path: Path, size: int) -> None:
    with FaultyIndex({A: noise(300_000)}, {A: [Fault(body=noise(size, "wrong"))] * 20}) as server:
        error = fails(tmp_path, server.package(A))
    assert "not the file that was planned" in str(error)
    assert list(tmp_path.iterdir()) == []


def test_damage_in_what_an_earlier_run_left_is_found_and_mended(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(300_000)}) as server:
        package = server.package(A)
        part(tmp_path, package).write_bytes(bytes(100_000))
        get(tmp_path, package)
        part(tmp_path, package).write_bytes(bytes(400_000))  # more than the whole
        (tmp_path / A).unlink()
        get(tmp_path, package)


# Errors in words


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_errors_of_a_server_that_pass_are_waited_for(tmp_path: Path, status: int) -> None:
    told = Told()
    with FaultyIndex({A: noise(5000)}, {A: [Fault(status=status, body=b"sorry")] * 3}) as server:
        get(tmp_path, server.package(A), told=told)
    assert all("127.0.0.1" in note for note in told.notes)
    assert len(told.notes) == 3


def test_a_server_that_fails_on_is_given_up(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000)}, {A: [Fault(status=503, body=b"")] * 9}) as server:
        error = fails(tmp_path, server.package(A))
        assert len(server.asked) == 4
    assert "HTTP status 503 (given up after 4 tries)" in str(error)


def test_a_server_that_asks_for_more_patience_than_there_is_is_given_up_at_once(tmp_path: Path) -> None:
    later = Fault(status=503, headers={"Retry-After": "86400"}, body=b"")
    with FaultyIndex({A: noise(5000)}, {A: [later]}) as server:
        error = fails(tmp_path, server.package(A))
        assert len(server.asked) == 1
    assert "asks to wait 86400 s" in str(error)


def test_retry_after_is_seconds_or_a_date() -> None:
    assert seconds("7") == 7.0
    assert seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert (seconds("Wed, 21 Oct 2099 07:28:00 GMT") or 0) > 1e9
    assert [seconds(text) for text in (None, "", "soon", "-1", "²")] == [None] * 5


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "a user and a password"),
        (403, "refuses"),
        (404, "does not have it"),
        (410, "no more"),
        (451, "must not"),
        (418, "HTTP status 418"),
    ],
)
def test_errors_that_stay_are_told_in_words_and_not_asked_for_twice(tmp_path: Path, status: int, words: str) -> None:
    with FaultyIndex({A: noise(5000)}, {A: [Fault(status=status, body=b"")] * 9}) as server:
        error = fails(tmp_path, server.package(A))
        assert len(server.asked) == 1
    assert words in str(error)
    assert A in str(error)


def test_one_failure_ends_the_others_and_keeps_what_they_have(tmp_path: Path) -> None:
    held = threading.Event()
    faults = {A: [Fault(status=404)], B: [Fault(cut=600_000, hold=held)]}
    with FaultyIndex({A: noise(10), B: noise(900_000)}, faults) as server:
        beta = server.package(B)
        with Fetcher(str(tmp_path), PLAIN, Silent(), QUICK) as fetcher:
            second = fetcher.add(beta)
            second.await_bytes(200_000, 0)
            fetcher.add(server.package(A))
            with pytest.raises(Failed, match="does not have it"):
                fetcher.wait()
        held.set()
    assert 200_000 <= part(tmp_path, beta).stat().st_size <= 600_000


def test_a_login_page_is_not_taken_for_the_file(tmp_path: Path) -> None:
    page = Fault(headers={"Content-Type": "text/html; charset=utf-8"}, body=b"<html>Welcome to our hotel")
    with FaultyIndex({A: noise(5000)}, {A: [page] * 3}) as server:
        assert "login page of this network" in str(fails(tmp_path, server.package(A)))


def test_a_silent_server_is_left_and_asked_again(tmp_path: Path) -> None:
    told, held = Told(), threading.Event()
    with FaultyIndex({A: noise(500_000)}, {A: [Fault(cut=100_000, hold=held)]}) as server:
        get(tmp_path, server.package(A), settings=Settings(timeout=0.1), told=told)
        held.set()
        assert server.ranges(A) == ["", "bytes=100000-"]
    assert "silent" in told.notes[0]


def test_endless_redirects_are_given_up(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000)}) as server:
        server.fail(A, *[Fault(status=302, headers={"Location": server.url(A)}, body=b"")] * 20)
        assert "from one address to the next" in str(fails(tmp_path, server.package(A)))


def test_no_name_and_no_listener_are_told_apart(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000)}) as server, nobody() as place:
        package = server.package(A, url=f"http://{place}/{A}")
        assert "no connection to 127.0.0.1: Connection refused" in str(fails(tmp_path, package))
    unknown = package._replace(url="http://files.invalid/alpha.whl")
    assert "files.invalid is not known here (DNS)" in str(fails(tmp_path, unknown))
    assert "no address to download from" in str(fails(tmp_path, package._replace(url="gopher://x/y")))


def test_where_no_server_ever_answered_it_is_told_soon(tmp_path: Path) -> None:
    often = Patience(silence=60.0, tries=30, first=0.001, most=0.002)
    with FaultyIndex({A: noise(5000), B: noise(10)}) as server:
        package, other = server.package(A), server.package(B)
    with pytest.raises(Failed, match="given up after 5 tries"):
        fetch([package], str(tmp_path), PLAIN, patience=often)
    with FaultyIndex({B: noise(10)}) as server, Fetcher(str(tmp_path), PLAIN, Silent(), often) as fetcher:
        fetcher.add(other._replace(url=server.url(B)))
        fetcher.wait()
        fetcher.add(package)
        with pytest.raises(Failed, match="given up after 31 tries"):
            fetcher.wait()


def test_offline_asks_no_server(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000)}) as server:
        error = fails(tmp_path, server.package(A), settings=Settings(offline=True))
        assert isinstance(error, Refused)
        assert A in str(error)
        get(tmp_path, server.package(A))
        get(tmp_path, server.package(A), settings=Settings(offline=True))
        assert len(server.asked) == 1


# Logins, proxies, certificates


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_the_login_of_an_index_is_sent_to_its_host_and_to_no_other(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000)}) as far:
        there = Fault(status=302, headers={"Location": far.url(A)}, body=b"")
        with FaultyIndex({A: noise(5000)}, {A: [there]}, login=basic("me", "s3cr3t")) as server:
            index = server.root.replace("://", "://me:s3cr3t@") + "/simple"
            get(tmp_path, server.package(A), settings=Settings(default_index=index))
            assert server.asked[0].headers["authorization"] == basic("me", "s3cr3t")
        assert "authorization" not in far.asked[0].headers


def test_a_login_is_found_in_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cr3t\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with FaultyIndex({A: noise(5000)}, login=basic("me", "s3cr3t")) as server:
        get(tmp_path / "wheels", server.package(A))


def test_no_message_shows_a_password(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000)}, {A: [Fault(status=403), *[Fault(body=b"no")] * 4]}) as server:
        url = server.url(A).replace("://", "://me:s3cr3t@")
        for package in (server.package(A, url=url), server.package(A, url=url + "?sig=s3cr3t9")):
            error = fails(tmp_path, package)
            assert "s3cr3t" not in "\n".join((str(error), *error.lines))


def test_a_proxy_is_asked_with_its_own_login_and_not_for_hosts_without_proxy(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000), B: noise(6000)}) as server:
        proxies = (("http", server.root.replace("://", "://me:s3cr3t@")),)
        far = server.package(A, url="http://files.invalid/alpha/" + A)
        get(tmp_path, far, settings=Settings(proxies=proxies))
        assert server.asked[0].by_proxy
        assert server.asked[0].headers["proxy-authorization"] == basic("me", "s3cr3t")
        get(tmp_path, server.package(B), settings=Settings(proxies=(*proxies, ("no", "localhost,127.0.0.1"))))
        assert not server.asked[1].by_proxy


def test_a_proxy_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000)}) as server, nobody() as place:
        package = server.package(A, url="http://files.invalid/a.whl")
        settings = Settings(proxies=(("all", f"http://me:s3cr3t@{place}"),))
        message = str(fails(tmp_path, package, settings=settings))
    assert "the proxy http://****@127.0.0.1" in message
    assert "s3cr3t" not in message
    with FaultyIndex({A: noise(5000)}, {A: [Fault(status=407)]}) as server:
        far = server.package(A, url="http://files.invalid/" + A)
        assert "the proxy asks for a user" in str(
            fails(tmp_path, far, settings=Settings(proxies=(("http", server.root),)))
        )


@pytest.mark.parametrize(
    ("no", "direct"),
    [
        ("", False),
        ("example.org", True),
        (".org", True),
        ("*.example.org", True),
        ("files.example.org:8080", True),
        ("files.example.org:81", False),
        ("ample.org", False),
        ("*", True),
        ("a, FILES.example.org", True),
        ("10.0.0.0/8", False),
    ],
)
def test_hosts_without_proxy(no: str, direct: bool) -> None:
    assert without_proxy("files.example.org", "files.example.org:8080", no) is direct


def test_networks_without_proxy() -> None:
    assert without_proxy("10.1.2.3", "10.1.2.3", "10.0.0.0/8")
    assert not without_proxy("11.1.2.3", "11.1.2.3", "10.0.0.0/8,x/y")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody trusts, with its key in the same file."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("needs the program openssl")
    folder = tmp_path_factory.mktemp("tls")
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    words += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run([openssl, *words], check=True, capture_output=True)
    (folder / "both").write_bytes((folder / "key").read_bytes() + (folder / "cert").read_bytes())
    return folder


def test_an_untrusted_certificate_is_refused_at_once_and_its_cure_named(tmp_path: Path, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(certificate / "both"))
    with FaultyIndex({A: noise(5000), B: noise(600)}, tls=context) as server:
        message = str(fails(tmp_path, server.package(A)))
        assert "certificate of 127.0.0.1 is not trusted (self-signed certificate)" in message
        assert "SSL_CERT_FILE" in message
        assert server.asked == []
        get(tmp_path, server.package(A), settings=Settings(certificate=str(certificate / "cert")))
        get(tmp_path, server.package(B), settings=Settings(insecure=("127.0.0.1",)))
        none = fails(tmp_path / "x", server.package(B), settings=Settings(certificate=str(certificate / "none")))
        assert "cannot be read" in str(none)


# Folders


def test_a_wheelhouse_is_linked_not_copied(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000)}) as server:
        (house := tmp_path / "a house").mkdir()
        [source] = get(house, server.package(A))
        told = Told()
        [path] = get(tmp_path / "one", server.package(A, url=str(source)), told=told)
        assert path.stat().st_ino == source.stat().st_ino
        [path] = get(tmp_path / "two", server.package(A, url=source.as_uri()))
        assert path.stat().st_ino == source.stat().st_ino
        get(house, server.package(A, url=str(source)))
        assert len(server.asked) == 1
    assert told.done == told.total == 5000


def test_a_wheelhouse_with_another_file_is_refused(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(5000)}) as server:
        package = server.package(A)
    (tmp_path / "house").mkdir()
    source = tmp_path / "house" / A
    error = fails(tmp_path, package._replace(url=str(source)))
    assert f"{A} is not in {tmp_path / 'house'}" in str(error)
    source.write_bytes(noise(5000, "other"))
    error = fails(tmp_path, package._replace(url=str(source)))
    assert package.sha256 in error.lines[0]
    assert not (tmp_path / A).exists()


@pytest.mark.parametrize(
    "name", ["../evil-1-py3-none-any.whl", "/evil-1-py3-none-any.whl", "a\\b.whl", "C:x.whl", ".whl", "x.exe", ""]
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with FaultyIndex({A: noise(50)}) as server:
        error = fails(tmp_path / "in", server.package(A)._replace(file=name))
        assert isinstance(error, Refused)
        assert isinstance(fails(tmp_path, server.package(A, sha256="../" + "0" * 61)), Refused)
        assert server.asked == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with FaultyIndex({A: noise(50)}) as server:
        error = fails(tmp_path / "file" / "wheels", server.package(A))
    assert f"cannot write to {tmp_path / 'file' / 'wheels'}: Not a directory" in str(error)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    (folder := tmp_path / "small").mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "gpucheck-test", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this machine: needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_as_that_and_what_came_is_gone_on_with(tmp_path: Path, small_disk: Path) -> None:
    with FaultyIndex({A: noise(3_000_000)}) as server:
        package = server.package(A)
        message = str(fails(small_disk, package))
        assert "the disk is full" in message
        assert "MB are still to come" in message
        there = part(small_disk, package).stat().st_size
        assert 500_000 < there <= 1 << 20
        subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
        get(small_disk, package)
        assert server.asked[-1].range == f"bytes={there}-"


def test_a_read_only_disk_is_refused(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with FaultyIndex({A: noise(50)}) as server:
        error = fails(small_disk, server.package(A))
        assert isinstance(error, Refused)
        assert "cannot write" in str(error)
        assert server.asked == []


def test_what_nobody_went_on_with_is_removed_when_it_is_old(tmp_path: Path) -> None:
    with FaultyIndex({A: noise(500_000)}, {A: [Fault(cut=100)] * 9}) as server:
        package = server.package(A)
        fails(tmp_path, package)
    (tmp_path / "mine.part").write_text("not ours")
    assert clear(str(tmp_path), age=60) == 0
    assert clear(str(tmp_path), age=0) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.part"]
    assert clear(str(tmp_path / "nothing"), age=0) == 0


# Processes

PROGRAM = """
import sys
from gpucheck.facts.plan import Package
from gpucheck.facts.versions import PackageVersion
from gpucheck.install.fetching.fetch import fetch
from gpucheck.install.fetching.patience import Patience
from gpucheck.install.indexes.settings import Settings
folder, url, file, sha256, size = sys.argv[1:]
package = Package("alpha", PackageVersion.parse("1"), file, url, sha256, int(size), "")
try:
    fetch([package], folder, Settings(), patience=Patience(first=0.01))
except KeyboardInterrupt:
    print("interrupted")
    sys.exit(130)
"""


def start(folder: Path, package: Package) -> subprocess.Popen[str]:
    words = [str(folder), package.url, package.file, package.sha256, str(package.size)]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stdout=subprocess.PIPE, text=True)


def grown(path: Path, size: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 20
    while not path.exists() or path.stat().st_size < size:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)


@slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_was_ended_is_gone_on_with(tmp_path: Path, number: int) -> None:
    held = threading.Event()
    with FaultyIndex({A: noise(900_000)}, {A: [Fault(cut=600_000, hold=held)]}) as server:
        package = server.package(A)
        process = start(tmp_path, package)
        grown(part(tmp_path, package), 300_000, process)
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)  # while the server is silent
        assert process.returncode == (130 if number == signal.SIGINT else -number)
        assert out == ("interrupted\n" if number == signal.SIGINT else "")
        held.set()
        there = part(tmp_path, package).stat().st_size
        assert 300_000 <= there <= 600_000
        get(tmp_path, package)
        assert server.ranges(A) == ["", f"bytes={there}-"]


@slow
def test_two_runs_at_once_download_a_file_once(tmp_path: Path) -> None:
    held = threading.Event()
    with FaultyIndex({A: noise(900_000)}, {A: [Fault(cut=600_000, hold=held)]}) as server:
        package = server.package(A)
        processes = [start(tmp_path, package) for _ in range(3)]
        grown(part(tmp_path, package), 200_000, processes[0])
        time.sleep(0.5)  # so that the others are there, too
        held.set()
        assert [one.wait(20) for one in processes] == [0, 0, 0]
        assert sorted(server.ranges(A)) == ["", "bytes=600000-"]
        get(tmp_path, package)


@slow
def test_when_one_of_two_runs_is_killed_the_other_goes_on_with_its_bytes(tmp_path: Path) -> None:
    held = threading.Event()
    with FaultyIndex({A: noise(900_000)}, {A: [Fault(cut=600_000, hold=held)]}) as server:
        package = server.package(A)
        first = start(tmp_path, package)
        grown(part(tmp_path, package), 200_000, first)
        second = start(tmp_path, package)
        time.sleep(0.5)
        assert len(server.asked) == 1
        first.kill()
        assert second.wait(20) == 0
        held.set()
        first.wait()
        [_, rest] = server.ranges(A)
        assert 200_000 <= int(rest.strip("bytes=-")) <= 600_000


def test_clearing_leaves_what_another_run_works_on(tmp_path: Path) -> None:
    held = threading.Event()
    with FaultyIndex({A: noise(900_000)}, {A: [Fault(cut=600_000, hold=held)]}) as server:
        package = server.package(A)
        with Fetcher(str(tmp_path), PLAIN, Silent(), QUICK) as fetcher:
            fetcher.add(package).await_bytes(100_000, 0)
            assert clear(str(tmp_path), age=0) == 0
        held.set()
    assert part(tmp_path, package).exists()
