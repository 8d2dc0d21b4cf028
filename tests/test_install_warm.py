"""uv's own cache, filled by our downloads: as a plain `uv pip install` does it; over cuts, kills and wrong files."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Union

import pytest
from faulty_index import Fault, FaultyIndex
from local_index import Index, make, tree, wheels
from test_install_fetch import QUICK, Told, small_disk  # noqa: F401 (a fixture)

from gpucheck.facts.plan import Package
from gpucheck.facts.versions import PackageVersion
from gpucheck.install.errors import Failed, Refused
from gpucheck.install.fetching.connection import Connections
from gpucheck.install.fetching.warm import Warm, keys, missing, warm
from gpucheck.install.indexes import uv
from gpucheck.install.indexes.settings import Settings

pytestmark = pytest.mark.slow


class Place(NamedTuple):
    """wheels: three of them. cache: uv's own. downloads: where ours are kept."""

    root: Path
    wheels: Path
    cache: Path
    downloads: Path

    def settings(self, index: str, **other: object) -> Settings:
        return Settings(default_index=index, cache=str(self.cache))._replace(**other)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "wheels"
    make(folder, "alpha", "1.0", size=400_000)
    make(folder, "beta", "2.0", size=50_000, requires=["alpha"])
    make(folder, "gamma", "3.0")
    return Place(tmp_path, folder, tmp_path / "cache", tmp_path / "downloads")


def planned(place: Place, files: str) -> list[Package]:
    """As a plan has them. files: URL of the folder that they are in."""
    return [
        Package(
            one.name,
            PackageVersion.parse(one.version),
            one.path.name,
            f"{files}/{one.path.name}",
            one.sha256,
            one.size,
            "a test",
        )
        for one in wheels(place.wheels)
    ]


def fill(place: Place, packages: Sequence[Package], settings: Settings, told: Union[Told, None] = None) -> Warm:
    return warm(packages, settings, sys.executable, told or Told(), folder=str(place.downloads), patience=QUICK)


def install(place: Place, done: Warm) -> list[str]:
    """From the lock, offline, as an installation does it. Gives what is there then."""
    target = place.root / "environment"
    shutil.rmtree(target, ignore_errors=True)
    lock = place.root / "pylock.toml"
    lock.write_text(done.lock)
    words = ["pip", "install", "--no-deps", "-p", sys.executable, "--target", str(target), "-r", str(lock)]
    ended = uv.run([*words, "--preview-features", "pylock", *uv.options(done.settings)], settings=done.settings)
    assert done.settings.offline
    assert ended.code == 0, ended.err
    assert (target / "alpha" / "noise.bin").stat().st_size == 400_000
    return sorted(one.name for one in target.glob("*.dist-info"))


ALL = ["alpha-1.0.dist-info", "beta-2.0.dist-info", "gamma-3.0.dist-info"]


def plain(place: Place, settings: Settings, *names: str) -> None:
    """What a user does without gpucheck."""
    target = place.root / "plain"
    shutil.rmtree(target, ignore_errors=True)
    ended = uv.run(["pip", "install", "-p", sys.executable, "--target", str(target), *names], settings=settings)
    assert ended.code == 0, ended.err


def downloads(index: Index) -> list[str]:
    """Files that were asked for since the last time."""
    found = [path.rpartition("/")[2] for method, path in index.asked if path.endswith(".whl") and method == "GET"]
    index.asked.clear()
    return sorted(found)


LOGINS = pytest.mark.parametrize("login", [None, ("me", "s3cr3t99")])
SLASHES = pytest.mark.parametrize("slash", ["/", ""])


@LOGINS
@SLASHES
def test_each_file_is_downloaded_once_and_then_installs_without_a_network(
    place: Place, login: Union[tuple[str, str], None], slash: str
) -> None:
    told = Told()
    with Index(place.wheels, login=login) as index:
        packages = planned(place, index.bare.replace("/simple/", "/files"))
        settings = place.settings(index.url.rstrip("/") + slash)
        plain(place, settings._replace(cache=str(place.root / "other")), "gamma")
        index.asked.clear()
        done = fill(place, packages, settings, told)
        assert downloads(index) == sorted(one.file for one in packages)
    assert install(place, done) == ALL
    assert done.bytes == told.total == told.done == sum(one.size or 0 for one in packages)
    assert sorted(done.files) == sorted(one.file for one in packages)
    assert list(place.downloads.iterdir()) == []
    assert not list(place.cache.glob(".tmp*"))


@LOGINS
@SLASHES
def test_what_a_plain_install_left_in_the_cache_is_used_and_the_other_way_round(
    place: Place, login: Union[tuple[str, str], None], slash: str
) -> None:
    with Index(place.wheels, login=login) as index:
        settings = place.settings(index.url.rstrip("/") + slash)
        packages = planned(place, index.bare.replace("/simple/", "/files"))
        plain(place, settings, "alpha", "gamma")
        assert [one.name for one in missing(packages, keys(packages, settings, sys.executable), sys.executable)] == [
            "beta"
        ]
        downloads(index)
        done = fill(place, packages, settings)
        assert downloads(index) == ["beta-2.0-py3-none-any.whl"]
        plain(place, settings, "beta", "gamma")
        assert downloads(index) == []
        again = fill(place, packages, settings)
        assert (again.bytes, again.files) == (0, ())
        assert downloads(index) == []
    assert install(place, done) == ALL


def test_offline_what_uv_has_is_enough_and_what_it_lacks_is_named(place: Place) -> None:
    with Index(place.wheels) as index:
        settings = place.settings(index.url)
        packages = planned(place, index.bare.replace("/simple/", "/files"))
        fill(place, packages[:2], settings)
    with pytest.raises(Refused, match=r"offline, and not here: gamma-3\.0"):
        fill(place, packages, settings._replace(offline=True))
    done = fill(place, packages[:2], settings._replace(offline=True))
    assert install(place, done) == ALL[:2]


def test_a_wheelhouse_needs_no_index(place: Place) -> None:
    packages = planned(place, str(place.wheels))
    settings = Settings(offline=True, no_index=True, find_links=(str(place.wheels),), cache=str(place.cache))
    assert install(place, fill(place, packages, settings)) == ALL
    assert fill(place, packages, settings).files == ()


def test_a_folder_that_is_an_index_is_used_as_a_plain_install_left_it(place: Place) -> None:
    packages = planned(place, place.wheels.as_uri())
    settings = Settings(default_index=tree(place.wheels, place.root / "index"), cache=str(place.cache))
    plain(place, settings, "alpha")
    done = fill(place, packages, settings)
    assert [one.partition("-")[0] for one in done.files] == ["beta", "gamma"]
    assert install(place, done) == ALL


def test_files_that_no_index_offers_any_more_are_installed_all_the_same(place: Place) -> None:
    with FaultyIndex({one.path.name: one.path.read_bytes() for one in wheels(place.wheels)}) as server:
        packages = planned(place, f"{server.root}/files")
        settings = place.settings(f"{server.root}/simple")  # whose pages are not there
        done = fill(place, packages, settings)
        assert install(place, done) == ALL
        assert fill(place, packages, settings).files == ()


def test_a_page_of_links_is_a_place_too(place: Place) -> None:
    files = {one.path.name: one.path.read_bytes() for one in wheels(place.wheels)}
    page = "".join(f'<a href="{one.path.name}#sha256={one.sha256}">x</a>' for one in wheels(place.wheels))
    with FaultyIndex({**files, "index.html": page.encode()}) as server:
        server.headers["index.html"] = {"Content-Type": "text/html"}
        links = f"{server.root}/files/index.html"
        settings = Settings(no_index=True, find_links=(links,), cache=str(place.cache))
        packages = planned(place, f"{server.root}/files")
        target = str(place.root / "plain")
        words = ["pip", "install", "-p", sys.executable, "--target", target, "alpha", *uv.options(settings)]
        assert uv.run(words, settings=settings).code == 0
        done = fill(place, packages, settings)
        assert [one.partition("-")[0] for one in done.files] == ["beta", "gamma"]
        assert install(place, done) == ALL


# Cuts, kills and wrong files


@pytest.fixture
def faulty(place: Place) -> Iterator[tuple[FaultyIndex, list[Package], Settings]]:
    with FaultyIndex({one.path.name: one.path.read_bytes() for one in wheels(place.wheels)}) as server:
        yield server, planned(place, f"{server.root}/files"), place.settings(f"{server.root}/simple")


Faulty = tuple[FaultyIndex, list[Package], Settings]


def test_uv_does_not_notice_a_cut_connection(place: Place, faulty: Faulty) -> None:
    server, packages, settings = faulty
    alpha, told = packages[0].file, Told()
    server.fail(alpha, Fault(cut=100_000), Fault(status=503), Fault(cut=150_000), Fault(ranges=False))
    done = fill(place, packages, settings, told)
    assert server.ranges(alpha) == ["", "bytes=100000-", "bytes=100000-", "bytes=250000-"]
    assert install(place, done) == ALL
    assert told.done == told.total


def test_a_file_that_was_wrong_at_first_is_unpacked_right(place: Place, faulty: Faulty) -> None:
    server, packages, settings = faulty
    right = server.files[packages[0].file]
    wrong = right[:200_000] + bytes(1000) + right[201_000:]
    server.fail(packages[0].file, Fault(body=wrong))
    done = fill(place, packages, settings)
    assert install(place, done) == ALL
    assert (place.root / "environment/alpha/noise.bin").read_bytes() in right


def test_a_file_that_stays_wrong_reaches_neither_the_cache_nor_the_disk(place: Place, faulty: Faulty) -> None:
    server, packages, settings = faulty
    right = server.files[packages[0].file]
    wrong = right[:200_000] + bytes(1000) + right[201_000:]
    server.fail(packages[0].file, *[Fault(body=wrong)] * 20)
    with pytest.raises(Failed, match="not the file that was planned") as caught:
        fill(place, packages[:1], settings)
    assert packages[0].sha256 in caught.value.lines[0]
    assert len(server.ranges(packages[0].file)) == 2
    assert list(place.downloads.iterdir()) == []
    assert missing(packages[:1], keys(packages[:1], settings, sys.executable), sys.executable) == tuple(packages[:1])


def test_a_file_that_is_not_there_ends_it_with_the_reason(place: Place, faulty: Faulty) -> None:
    server, packages, settings = faulty
    server.fail(packages[1].file, Fault(status=404))
    with pytest.raises(Failed, match=r"cannot download beta-2\.0.*does not have it"):
        fill(place, packages, settings)


def test_a_full_disk_under_uvs_cache_is_told_in_uvs_words(place: Place, small_disk: Path) -> None:  # noqa: F811
    make(place.wheels, "delta", "4.0", size=3_000_000)
    with FaultyIndex({one.path.name: one.path.read_bytes() for one in wheels(place.wheels)}) as server:
        packages = [one for one in planned(place, f"{server.root}/files") if one.name == "delta"]
        settings = Settings(default_index=f"{server.root}/simple", cache=str(small_disk))
        with pytest.raises(Failed, match="uv could not unpack") as caught:
            fill(place, packages, settings)
        assert any("No space left" in line for line in caught.value.lines)
        assert not list(small_disk.glob(".tmp*"))


def test_a_file_with_the_right_hash_that_is_no_wheel_is_uvs_to_refuse(place: Place) -> None:
    data = b"not a zip" * 1000
    with FaultyIndex({"alpha-1.0-py3-none-any.whl": data}) as server:
        package = server.package("alpha-1.0-py3-none-any.whl", version=PackageVersion.parse("1.0"))
        with pytest.raises(Failed, match="uv could not unpack") as caught:
            fill(place, [package], place.settings(f"{server.root}/simple"))
    assert any("alpha" in line for line in caught.value.lines)


PROGRAM = """
import json, sys
from gpucheck.facts.plan import Package
from gpucheck.facts.versions import PackageVersion
from gpucheck.install.indexes.settings import Settings
from gpucheck.install.fetching.warm import warm
told = json.loads(sys.argv[1])
packages = [Package(*one)._replace(version=PackageVersion.parse(one[1])) for one in told["packages"]]
settings = Settings(default_index=told["index"], cache=told["cache"])
warm(packages, settings, sys.executable, folder=told["downloads"])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_ended_is_gone_on_with_at_its_byte(place: Place, faulty: Faulty, number: int) -> None:
    import json

    import psutil

    server, packages, settings = faulty
    held = threading.Event()
    alpha = packages[0]
    server.fail(alpha.file, Fault(cut=300_000, hold=held))
    told = {
        "packages": [[*one[:1], str(one.version), *one[2:]] for one in packages],
        "index": settings.default_index,
        "cache": settings.cache,
        "downloads": str(place.downloads),
    }
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, json.dumps(told)], stderr=subprocess.DEVNULL)
    part = place.downloads / f"{alpha.sha256}.part"
    end = time.monotonic() + 20
    while not part.exists() or part.stat().st_size < 200_000 or not psutil.Process(process.pid).children():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    [child] = psutil.Process(process.pid).children()
    process.send_signal(number)
    process.wait(20)
    psutil.wait_procs([child], 10)
    assert not child.is_running()
    there = part.stat().st_size
    held.set()
    done = fill(place, packages, settings)
    assert server.ranges(alpha.file) == ["", f"bytes={there}-"]
    assert install(place, done) == ALL


def test_the_mirror_hands_out_nothing_to_who_does_not_know_the_word(place: Place, faulty: Faulty) -> None:
    from gpucheck.install.fetching.feed import Feed
    from gpucheck.install.fetching.fetch import Fetcher
    from gpucheck.install.fetching.trouble import Trouble

    server, packages, settings = faulty
    with Fetcher(str(place.root), settings, Told(), QUICK) as fetcher, Feed(packages, fetcher) as feed:
        url = feed.urls[packages[0].file]
        root = url.rpartition("/")[0].rpartition("/")[0]
        for wrong in (
            f"{root}/{packages[0].file}",
            f"{root}/x/{packages[0].file}",
            url + "x",
            root + "/",
            url + "/../x",
        ):
            with pytest.raises(Trouble, match="404"):
                Connections(settings).get(wrong)
        assert feed.asked == ()
        assert len(Connections(settings).get(url).data) == packages[0].size
        assert feed.asked == (packages[0].file,)
    assert len(server.asked) == 1
