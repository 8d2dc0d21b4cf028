"""From a choice to a lock, against indexes made by the test: what is chosen, with which hash, and what is said else."""

from __future__ import annotations

import http.server
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from local_index import Index, make, make_sdist, make_tensorflow, tree, wheels

from gpucheck.compat.tensorflow import RELEASES, Release
from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Choice, Package, Request, Target
from gpucheck.facts.versions import LibcVersion, PackageVersion, PythonVersion
from gpucheck.install.errors import InstallError, NoPlan, Refused
from gpucheck.install.indexes import building, locking, pylock, uv
from gpucheck.install.indexes.complaints import told, understood
from gpucheck.install.indexes.newest import newest
from gpucheck.install.indexes.platforms import best, tags, uv_platform
from gpucheck.install.indexes.settings import Settings
from gpucheck.install.indexes.signals import hear, held_back

pytestmark = pytest.mark.slow  # processes and servers: each test little, all of them seconds

slow = pytest.mark.slow
real = pytest.mark.real
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def target(
    libc: str | None | Gap = "2.36", python: str = HERE, machine: str = "x86_64", system: str = "linux"
) -> Target:
    known = LibcVersion(libc) if isinstance(libc, str) else libc
    return Target("windows" if system == "windows" else "linux", machine, known, PythonVersion(python))


def choice(*requirements: str, to: Target | Gap | None = None, newer: str | None = None, **more: object) -> Choice:
    made = Choice(
        request=Request(),
        target=target() if to is None else to,
        release=PackageVersion("9.9"),
        package="tensorflow",
        requirements=requirements or ("tensorflow==9.9",),
        exclude_newer=newer,
        cuda=None,
        cudnn=None,
        brings_cuda=True,
        cures=(),
        reasons=("because",),
        candidates=(),
        routes=(),
    )
    return made._replace(**more)  # type: ignore[arg-type]


def from_folder(folder: Path, cache: Path) -> Settings:
    return Settings(find_links=(str(folder),), no_index=True, cache=str(cache))


def from_index(index: Index, cache: Path) -> Settings:
    return Settings(default_index=index.url, cache=str(cache))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tensorflow with one dependency, and one that only the extra brings."""
    place = tmp_path / "wheels"
    make_tensorflow(place, "9.9", requires=("beta-x>=2",), extras={"and-cuda": ["cu-lib<2; sys_platform == 'linux'"]})
    make(place, "Beta_x", "2.1", size=1000)
    make(place, "cu-lib", "1.2")
    make(place, "cu-lib", "2.0")
    return place


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_every_file_of_a_plan_has_its_hash_its_size_and_its_reason(folder: Path, cache: Path) -> None:
    lock = locking.lock(choice("tensorflow[and-cuda]==9.9"), from_folder(folder, cache))
    assert [(one.name, str(one.version), one.why) for one in lock.packages] == [
        ("beta-x", "2.1", "tensorflow"),
        ("cu-lib", "1.2", "tensorflow"),
        ("tensorflow", "9.9", "asked for"),
    ]
    there = {one.path.name: one for one in wheels(folder)}
    for package in lock.packages:
        assert (package.sha256, package.size) == (there[package.file].sha256, there[package.file].size)
        assert package.url == str(there[package.file].path)
    assert lock.notes == ()


@slow
def test_a_lock_read_again_is_the_same_plan_and_made_again_the_same_text(folder: Path, cache: Path) -> None:
    lock = locking.lock(choice(), from_folder(folder, cache))
    path = folder / "pylock.toml"
    path.write_text(lock.text)
    assert locking.read(str(path)) == lock
    assert locking.lock(choice(), from_folder(folder, cache)).text == lock.text


@slow
def test_what_an_index_tells_is_kept_and_what_it_does_not_tell_is_asked_for(folder: Path, cache: Path) -> None:
    with Index(folder) as index:
        told_all = locking.lock(choice(), from_index(index, cache / "a")).packages
    with Index(folder, json=False, hashes=False, metadata=False) as index:
        told_none = locking.lock(choice(), from_index(index, cache / "b")).packages
    assert [(one.file, one.sha256, one.size, one.why) for one in told_all] == [
        (one.file, one.sha256, one.size, one.why) for one in told_none
    ]
    assert all(one.size for one in told_all)


@slow
def test_what_was_planned_once_is_planned_again_without_a_network(folder: Path, cache: Path) -> None:
    with Index(folder) as index:
        settings = from_index(index, cache)
        lock = locking.lock(choice(), settings)
    assert locking.lock(choice(), settings._replace(offline=True)) == lock


@slow
def test_an_index_of_plain_files_is_enough(folder: Path, cache: Path) -> None:
    url = tree(folder, folder.parent / "simple")
    lock = locking.lock(choice(), Settings(default_index=url, cache=str(cache)))
    assert [one.name for one in lock.packages] == ["beta-x", "tensorflow"]
    assert all(one.size for one in lock.packages)


@slow
def test_a_password_of_an_index_reaches_uv_and_nothing_else(folder: Path, cache: Path) -> None:
    with Index(folder, login=("joe", "s3cr3tw0rd")) as index:
        settings = from_index(index, cache)
        lock = locking.lock(choice(), settings)
        assert "s3cr3tw0rd" not in repr(lock)
        named = Settings(
            default_index=f"our-own={index.bare}",
            passed=(("UV_INDEX_OUR_OWN_USERNAME", "joe"), ("UV_INDEX_OUR_OWN_PASSWORD", "s3cr3tw0rd")),
            cache=str(cache / "named"),
        )
        assert locking.lock(choice(), named).packages == lock.packages
        assert lock.packages[0].url == f"{index.bare.removesuffix('simple/')}files/{lock.packages[0].file}"
        with pytest.raises(Refused, match="asks for a user and a password") as caught:
            locking.lock(choice(), settings._replace(default_index=index.bare))
        wrong = index.url.replace("s3cr3tw0rd", "wr0ngw0rd")
        with pytest.raises(Refused) as other:
            locking.lock(choice(), settings._replace(default_index=wrong, cache=str(cache / "other")))
    assert "s3cr3tw0rd" not in repr(caught.value.lines)
    assert "wr0ngw0rd" not in repr(other.value.lines)


@slow
def test_the_best_version_of_all_indexes_is_taken_as_pip_does_it(folder: Path, cache: Path, tmp_path: Path) -> None:
    make(tmp_path / "other", "beta-x", "2.0")
    with Index(folder) as index, Index(tmp_path / "other") as other:
        settings = from_index(index, cache)._replace(extra=(other.url,))
        lock = locking.lock(choice(), settings)
    assert [str(one.version) for one in lock.packages] == ["2.1", "9.9"]


def test_what_does_not_fit_together_is_told_in_uv_s_own_words(folder: Path, cache: Path) -> None:
    with pytest.raises(NoPlan, match="no set of packages fits") as caught:
        locking.lock(choice("tensorflow==9.9", "beta-x<2"), from_folder(folder, cache))
    assert caught.value.lines[0].startswith("Because ")
    assert "beta-x>=2" in caught.value.lines[0]
    assert caught.value.exit_code == 1


@slow
def test_an_index_that_cannot_be_asked_is_no_missing_plan(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")  # read by uv alone
    for settings, words in (
        (Settings(default_index="http://127.0.0.1:9/simple"), "nothing answers there"),
        (Settings(default_index="https://no.such.host.invalid/simple"), "its name is not known"),
        (Settings(default_index="https://h.invalid/s", proxies=(("https", "http://127.0.0.1:9"),)), "the proxy"),
        (Settings(offline=True), "offline"),
    ):
        with pytest.raises(Refused, match=words) as caught:
            locking.lock(choice(), settings._replace(cache=str(cache)))
        assert caught.value.exit_code == 2


@contextmanager
def encrypted(folder: Path, place: Path) -> Iterator[tuple[str, Path]]:
    """An index with a certificate that only its own authority knows: URL and that authority's file."""
    openssl: list[str | Path] = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=tests",
    ]
    key, authority = place / "ca.key", place / "ca.pem"
    subprocess.run([*openssl, "-keyout", key, "-out", authority], check=True, capture_output=True)
    own, request, pem, more = place / "own.key", place / "own.csr", place / "own.pem", place / "more"
    new: list[str | Path] = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*new, "-keyout", own, "-out", request], check=True, capture_output=True)
    more.write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    sign: list[str | Path] = ["openssl", "x509", "-req", "-days", "2", "-CAcreateserial", "-in", request, "-out", pem]
    subprocess.run([*sign, "-CA", authority, "-CAkey", key, "-extfile", more], check=True, capture_output=True)
    index = Index(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, own)
    index.server.socket = context.wrap_socket(index.server.socket, server_side=True)
    with index:
        yield index.bare.replace("http:", "https:"), authority


@slow
def test_a_certificate_of_a_company_is_trusted_once_it_is_named(folder: Path, cache: Path, tmp_path: Path) -> None:
    with encrypted(folder, tmp_path) as (url, authority):
        settings = Settings(default_index=url, cache=str(cache))
        with pytest.raises(Refused, match="its certificate is not trusted"):
            locking.lock(choice(), settings)
        named = locking.lock(choice(), settings._replace(certificate=str(authority)))
        unchecked = locking.lock(choice(), settings._replace(insecure=(url.split("/")[2],)))
    assert len(named.packages) == len(unchecked.packages) == 2


@slow
def test_a_source_is_built_only_for_packages_that_are_known_to_be_python_alone(
    cache: Path, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tensorflow(folder, "1.2", requires=("html5lib==0.9999999",))
    source = make_sdist(folder, "html5lib", "0.9999999")
    settings = from_folder(folder, cache)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    lock = locking.lock(choice("tensorflow==1.2"), settings)
    again = locking.lock(choice("tensorflow==1.2"), settings)
    built = lock.packages[0]
    assert built.file == "html5lib-0.9999999-py3-none-any.whl"
    assert "html5lib.py" in zipfile.ZipFile(built.url).namelist()
    assert (built.why, built.size) == ("tensorflow", os.path.getsize(built.url))
    assert built.url.startswith(str(tmp_path / "kept"))
    assert lock == again
    assert "html5lib: no wheel of the version that fits" in lock.notes[0]
    assert {entry.date_time[0] for entry in zipfile.ZipFile(built.url).infolist()} == {1980}  # the same hash each time
    made = Package("html5lib", built.version, source.name, "/gone", Path(built.url).parent.name, 7, "tensorflow")
    assert building.built(made, settings, sys.executable) == built  # not built twice
    source.unlink()
    make_sdist(folder, "somelib", "1.0")
    make_tensorflow(folder, "1.3", requires=("somelib",))
    with pytest.raises(NoPlan) as caught:
        locking.lock(choice("tensorflow==1.3"), settings)
    assert "no usable wheels" in caught.value.lines[0]


@slow
def test_a_date_bounds_what_is_considered_and_an_index_without_dates_is_told(folder: Path, cache: Path) -> None:
    make(folder, "beta-x", "3.0", uploaded="2026-09-01T00:00:00Z")
    dated = choice(newer="2026-02-01T00:00:00Z")
    with Index(folder) as index:
        assert [str(one.version) for one in locking.lock(dated, from_index(index, cache)).packages] == ["2.1", "9.9"]
    with Index(folder, uploaded=False) as index:
        lock = locking.lock(dated, from_index(index, cache / "other"))
    assert [str(one.version) for one in lock.packages] == ["3.0", "9.9"]
    assert lock.notes == (
        "the index does not tell when files were uploaded: dependencies may be newer than 2026-02-01, the time of this"
        " release",
    )


def test_a_wheelhouse_has_no_dates_and_needs_none(folder: Path, cache: Path) -> None:
    lock = locking.lock(choice(newer="2017-01-01T00:00:00Z"), from_folder(folder, cache))
    assert len(lock.packages) == 2
    assert lock.notes == ()


@slow
def test_a_wheel_for_a_newer_glibc_than_the_target_s_is_passed_over(folder: Path, cache: Path) -> None:
    """uv knows 2.17 and 2.28 and nothing between: its answer is checked, and it is asked again."""
    make(folder, "beta-x", "4.0", tag="py3-none-manylinux_2_28_x86_64")
    make(folder, "beta-x", "3.0", tag="py3-none-manylinux_2_27_x86_64")
    versions = {}
    for libc in ("2.28", "2.27", "2.17"):
        lock = locking.lock(choice(to=target(libc)), from_folder(folder, cache))
        versions[libc] = str(lock.packages[0].version)
    assert versions == {"2.28": "4.0", "2.27": "3.0", "2.17": "2.1"}


@slow
def test_windows_and_aarch64_are_planned_here_from_their_own_wheels(folder: Path, cache: Path) -> None:
    for tag in ("win_amd64", "manylinux_2_17_aarch64", "manylinux_2_17_x86_64"):
        make(folder, "beta-x", "5.0", tag=f"py3-none-{tag}")
    files = {}
    for to in (target(None, system="windows"), target(machine="aarch64"), target()):
        lock = locking.lock(choice("tensorflow[and-cuda]==9.9", to=to), from_folder(folder, cache))
        files[to.os, to.machine] = [one.file for one in lock.packages]
        system = ("win32", "AMD64") if to.os == "windows" else ("linux", to.machine)
        wanted = "sys_platform == '{}' and platform_machine == '{}'".format(*system)
        assert pylock.parse(lock.text).environments == (wanted,)
    assert files["windows", "x86_64"] == ["beta_x-5.0-py3-none-win_amd64.whl", "tensorflow-9.9-py3-none-any.whl"]
    assert files["linux", "aarch64"][0] == "beta_x-5.0-py3-none-manylinux_2_17_aarch64.whl"
    assert files["linux", "x86_64"][0] == "beta_x-5.0-py3-none-manylinux_2_17_x86_64.whl"
    assert len(files["linux", "x86_64"]) == 3


@slow
def test_pip_s_constraints_bound_a_plan(folder: Path, cache: Path, tmp_path: Path) -> None:
    bounds = tmp_path / "bounds of mine.txt"
    bounds.write_text("cu-lib<1\n")
    settings = from_folder(folder, cache)._replace(constraints=(str(bounds),))
    with pytest.raises(NoPlan, match="fits together"):
        locking.lock(choice("tensorflow[and-cuda]==9.9"), settings)


def test_without_a_release_or_a_known_target_there_is_nothing_to_lock(folder: Path, cache: Path) -> None:
    with pytest.raises(NoPlan):
        locking.lock(choice(release=None), from_folder(folder, cache))
    with pytest.raises(Refused, match="permission denied"):
        locking.lock(choice(to=Gap("permission denied")), from_folder(folder, cache))


# uv's platforms and a target's wheels


@pytest.mark.parametrize(
    ("to", "name"),
    [
        (target("2.12"), "x86_64-manylinux_2_17"),
        (target("2.17"), "x86_64-manylinux_2_17"),
        (target("2.27"), "x86_64-manylinux_2_28"),
        (target("2.31"), "x86_64-manylinux_2_31"),
        (target("2.36", machine="aarch64"), "aarch64-manylinux_2_36"),
        (target("2.99"), "x86_64-manylinux_2_40"),
        (target(None), "x86_64-unknown-linux-musl"),
        (target(Gap("denied")), "x86_64-unknown-linux-gnu"),
        (target(None, system="windows"), "x86_64-pc-windows-msvc"),
    ],
)
def test_a_target_has_a_name_that_uv_knows(to: Target, name: str) -> None:
    assert uv_platform(to) == name


@slow
def test_uv_accepts_each_of_these_names(folder: Path, cache: Path) -> None:
    for to in (target("2.17"), target("2.40", machine="aarch64"), target(None), target(None, system="windows")):
        assert locking.lock(choice("beta-x", to=to), from_folder(folder, cache)).packages


def test_the_wheel_that_a_target_s_pip_would_take_is_the_best_one() -> None:
    own = f"cp{HERE.replace('.', '')}"
    files = [
        "a-1-py3-none-any.whl",
        f"a-1-{own}-{own}-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        f"a-1-{own}-{own}-manylinux_2_28_x86_64.whl",
        f"a-1-1-{own}-{own}-manylinux_2_28_x86_64.whl",
        f"a-1-{own}-{own}-win_amd64.whl",
        "a-1-cp36-cp36m-manylinux1_x86_64.whl",
        "no wheel.txt",
    ]
    assert best(files, tags(target("2.36"))) == files[3]
    assert best(files, tags(target("2.17"))) == files[1]
    assert best(files, tags(target(None, system="windows"))) == files[4]
    assert best(files, tags(target("2.5", python="3.6.15"))) == files[5]
    assert best(files[3:5], tags(target(machine="aarch64"))) is None


def test_this_machine_s_own_tags_are_what_packaging_itself_says() -> None:
    from packaging.tags import sys_tags

    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("not Linux on x86_64")
    libc = os.confstr("CS_GNU_LIBC_VERSION").split()[1]  # type: ignore[union-attr]
    mine = [tag for tag in sys_tags() if not tag.interpreter.startswith("pp")]
    assert tags(target(libc)) == mine


# Locks by others, and locks that lie


def text_of(**changes: str) -> str:
    """A lock with one package. file, hashes, package, head: what to put in the place of what is right."""
    sha = f'hashes = {{ sha256 = "{"a" * 64}" }}'
    file = changes.get("file", '{ url = "https://h.example/beta_x-2.1-py3-none-any.whl", %s }')
    package = changes.get("package", 'name = "beta-x"\nversion = "2.1"')
    head = changes.get("head", 'lock-version = "1.0"\ncreated-by = "another"')
    return f"{head}\n[[packages]]\n{package}\nwheels = [{file.replace('%s', changes.get('hashes', sha))}]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("= broken", "not valid TOML"),
        (text_of(head='lock-version = "2.0"'), "not a pylock.toml of version 1"),
        (text_of(head=""), "not a pylock.toml"),
        ('lock-version = "1.0"\n', "names no packages"),
        (text_of(hashes='hashes = { md5 = "abc" }'), "no sha256 for a file of beta-x"),
        (text_of(hashes='hashes = { sha256 = "abc" }'), "no sha256"),
        (text_of(package='name = "beta-x"'), "which version of beta-x"),
        (text_of(package='name = "beta-x"\nversion = "2.1"\nvcs = { url = "x" }'), "from a vcs"),
        (text_of(package='name = "tensorflow"\nversion = "2.1"'), "but its file is beta_x-2.1-py3-none-any.whl"),
        (text_of(package='name = "beta-x"\nversion = "9"'), "but its file is"),
        (text_of(file='{ url = "https://h.example/beta_x-2.1-py3-none-win_amd64.whl", %s }'), "no file of beta-x for"),
        (text_of() + text_of(head=""), "names beta-x twice"),
        (text_of(head='lock-version = "1.0"\nrequires-python = "<3"'), "is for Python <3"),
        (text_of(head='lock-version = "1.0"\nenvironments = ["sys_platform == \'win32\'"]'), "is not for Python"),
        (text_of(package='name = "beta-x"\nversion = "2.1"\nmarker = "nonsense =="'), "cannot be read"),
        (text_of(head='lock-version = "1.0"\n[tool.gpucheck]\nchoice = "{}"'), "cannot be read"),
    ],
)
def test_a_lock_that_cannot_be_trusted_is_refused_with_the_reason(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    path.write_text(text)
    with pytest.raises(Refused, match=words):
        locking.read(str(path), target())


def test_a_lock_by_another_program_is_read_for_the_target_and_its_markers_count(tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    away = 'name = "gone"\nversion = "1"\nmarker = "sys_platform == \'win32\'"'
    path.write_text(text_of() + text_of(head="", package=away))
    lock = locking.read(str(path), target())
    assert [(one.name, one.size, one.why) for one in lock.packages] == [("beta-x", None, "")]
    assert lock.choice is None
    with pytest.raises(Refused, match="for which system and Python"):
        locking.read(str(path))


def test_paths_in_a_lock_are_relative_to_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    path.write_text(text_of(file='{ path = "wheels/beta_x-2.1-py3-none-any.whl", %s }'))
    assert locking.read(str(path), target()).packages[0].url == str(tmp_path / "wheels/beta_x-2.1-py3-none-any.whl")


@slow
def test_uv_and_pip_install_the_lock_and_refuse_it_elsewhere(folder: Path, cache: Path, tmp_path: Path) -> None:
    with Index(folder) as index:
        lock = locking.lock(choice("tensorflow[and-cuda]==9.9"), from_index(index, cache))
        path = tmp_path / "pylock.toml"
        path.write_text(lock.text)
        settings = Settings(cache=str(cache))
        for name, words in {"a": ["install", "-r"], "b": ["sync"]}.items():
            env = str(tmp_path / name)
            assert uv.run(["venv", "--quiet", "--python", sys.executable, env], settings=settings).code == 0
            done = uv.run(["pip", *words, str(path), "--python", env], settings=settings)
            assert done.code == 0, done.err
            assert installed(Path(env)) == {"beta_x", "cu_lib", "tensorflow"}
        other = tmp_path / "other.toml"
        other.write_text(lock.text.replace("'linux'", "'win32'"))
        assert uv.run(["pip", "install", "-r", str(other), "--python", env], settings=settings).code != 0
        wrong = tmp_path / "wrong.toml"
        wrong.write_text(lock.text.replace(lock.packages[0].sha256, "b" * 64))
        bare = str(tmp_path / "c")
        assert uv.run(["venv", "--quiet", "--python", sys.executable, bare], settings=settings).code == 0
        fresh = settings._replace(cache=str(cache / "fresh"))
        assert uv.run(["pip", "install", "-r", str(wrong), "--python", bare], settings=fresh).code != 0
        words = ["--python", f"{bare}/bin/python", "install", "-r", str(path), "--no-cache-dir"]
        pip = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True)
        if "No module named pip" in pip.stderr or "pylock" in pip.stderr.partition("WARNING")[0]:
            pytest.skip("this machine: no pip that reads pylock.toml beside this Python")
        assert pip.returncode == 0, pip.stderr
        assert installed(Path(bare)) == {"beta_x", "cu_lib", "tensorflow"}


def installed(env: Path) -> set[str]:
    return {one.name.partition("-")[0].lower() for one in env.glob("[lL]ib/**/*.dist-info")}


# By hand


def test_the_commands_by_hand_are_pip_s_and_hold_no_password() -> None:
    settings = Settings(default_index="https://joe:s3cret@m.example/simple", extra=("n=https://e.example",))
    make_it, install = locking.by_hand(choice("tensorflow[and-cuda]==9.9", "numpy<2"), settings, "my env")
    assert make_it == f"python{HERE} -m venv 'my env'"
    assert install == (
        "'my env/bin/python' -m pip install --index-url 'https://****@m.example/simple' --extra-index-url"
        " https://e.example --only-binary :all: 'tensorflow[and-cuda]==9.9' 'numpy<2'"
    )


def test_by_hand_a_date_needs_uv_and_windows_has_its_own_quotes() -> None:
    dated = choice("tensorflow==2.10.1", "numpy<2", newer="2022-12-15T00:00:00Z")
    assert locking.by_hand(dated, Settings())[1].startswith("uv pip install --python .venv --exclude-newer 2022-12-15")
    there = choice("tensorflow==2.10.1", "numpy<2", to=target(None, "3.10", system="windows"))
    assert locking.by_hand(there, Settings()) == (
        "py -3.10 -m venv .venv",
        r'.venv\Scripts\python -m pip install --only-binary :all: tensorflow==2.10.1 "numpy<2"',
    )
    assert locking.by_hand(choice(release=None), Settings()) == ()


# uv as a program


def test_uv_s_frame_is_taken_off_its_words() -> None:
    old = "  × No solution found when resolving:\n  ╰─▶ Because a is gone and\n      you need a\n\n    hint: try b"
    assert told(old) == (
        "No solution found when resolving:",
        "Because a is gone and",
        "you need a",
        "hint: try b",
    )
    assert isinstance(understood(old), NoPlan)
    assert isinstance(understood("error: something new"), NoPlan)
    assert str(understood("error: Failed to build `a==1`\n  cause: x")).startswith("a==1 has no wheel")
    assert (
        understood("error: HTTP status server error (500 Internal Server Error) for url (x)")
        .args[0]
        .endswith("it answers with 500 Internal Server Error")
    )


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes a question and gives no answer."""
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            over.wait(30)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/simple/"
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if one.name().startswith("uv")]


def test_a_uv_that_takes_too_long_is_ended(cache: Path) -> None:
    words = ["pip", "compile", "-", "--python", sys.executable]
    with silent_server() as url:
        settings = Settings(default_index=url, cache=str(cache))
        with pytest.raises(uv.TookTooLong, match="did not end within"):
            uv.run(words, settings=settings, deadline=0.3, stdin="tensorflow\n")
    assert not children()


@slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_uv_does_not_outlive_the_one_who_asked_it(cache: Path, number: signal.Signals) -> None:
    script = (
        "import sys; from gpucheck.install.indexes import uv; from gpucheck.install.indexes.settings import Settings\n"
        "from gpucheck.interruption import listen; listen()\n"
        "try:\n    uv.run(['pip', 'compile', '-', '--python', sys.executable], stdin='tensorflow\\n',"
        " settings=Settings(default_index=sys.argv[1], cache=sys.argv[2]))\n"
        # Ended by uv.run itself, not because its parent went.
        "except KeyboardInterrupt:\n    sys.stdin.read()"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with silent_server() as url:
        words = [sys.executable, "-c", script, url, str(cache)]
        asker = subprocess.Popen(words, env=environ, stdin=subprocess.PIPE)
        found: list[psutil.Process] = []
        end = time.monotonic() + 20
        while not found and time.monotonic() < end:
            found = [one for one in psutil.Process(asker.pid).children() if one.name().startswith("uv")]
        assert found
        asker.send_signal(number)
        alive = psutil.wait_procs(found, timeout=5)[1]
        goes_on = asker.poll() is None
        asker.communicate(timeout=20)
        assert not alive
        assert goes_on == (number == signal.SIGINT)


def test_a_signal_while_uv_is_being_started_is_heard_once_it_is_known() -> None:
    class Stop(BaseException):
        pass

    def stop(number: int, frame: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with held_back() as came:
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is stop
        with pytest.raises(Stop):
            hear(came)
    finally:
        signal.signal(signal.SIGTERM, before)


@slow
def test_uv_s_lines_are_masked(folder: Path, cache: Path) -> None:
    settings = from_folder(folder, cache)._replace(extra=("https://u:hiddenword@h.example/s",))
    words = ["pip", "compile", "-", "--python", sys.executable, *uv.options(settings)]
    done = uv.run(words, settings=settings, stdin="beta-x @ https://u:hiddenword@127.0.0.1:9/x\n")
    assert done.code != 0
    assert "beta-x" in done.err
    assert "hiddenword" not in done.err


# A newer release


def table(version: str, cuda: str = "12.5.1") -> tuple[Release, ...]:
    last = next(row for row in RELEASES if row.version == "2.21.0")
    return (last._replace(version=version, cuda=cuda), last._replace(version="99rc1"))


@slow
def test_a_release_newer_than_the_table_s_is_derived_from_its_lowest_bounds(folder: Path, cache: Path) -> None:
    for version in ("12.8.90", "12.9.79"):
        make(folder, "nvidia-cuda-runtime-cu12", version)
    for version in ("9.1.0.70", "9.8.0.87", "9.28.0.42"):
        make(folder, "nvidia-cudnn-cu12", version)
    wanted = ["nvidia-cuda-runtime-cu12>=12.8,<13", "nvidia-cudnn-cu12>=9.8,<10"]
    make_tensorflow(folder, "10.0", extras={"and-cuda": wanted}, tag="py3-none-manylinux_2_27_x86_64")
    make_tensorflow(folder, "10.1rc1", extras={"and-cuda": wanted})
    with Index(folder) as index:
        found = newest(from_index(index, cache), target(), table("9.9"))
        (row,) = found.rows
        assert (row.version, row.cuda, row.cudnn, row.cudnn_wheel) == ("10.0", "12.8", "9.8", ">=9.8.0.87")
        assert (row.pythons, row.glibc, row.uploaded, row.issues) == (HERE, "2.27", "2026-01-01", "K10")
        assert "not tested" in row.source
        assert newest(from_index(index, cache), target(), table("9.9", cuda="")).rows[0].cuda == ""
        assert newest(from_index(index, cache), target(None, system="windows"), table("9.8")).rows[0].version == "9.9"
        index.asked.clear()
        newest(from_index(index, cache / "first"), target(), table("9.9", cuda=""))
        assert all("/tensorflow" in path for _, path in index.asked)
        index.asked.clear()
        assert newest(from_index(index, cache / "new"), target(), table("10.0")) == ((), ())
        assert index.asked == [("GET", "/simple/tensorflow/")]


def test_offline_nobody_is_asked_for_a_newer_release_and_that_is_told(cache: Path) -> None:
    found = newest(Settings(offline=True, cache=str(cache)), target(), table("9.9"))
    assert found == ((), ("offline: not looked whether there is a newer TensorFlow",))


@slow
def test_an_index_that_is_away_costs_a_note_and_no_plan(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    found = newest(Settings(default_index="http://127.0.0.1:9/s", cache=str(cache)), target(), table("9.9"))
    assert found.rows == ()
    assert "not known whether there is a newer TensorFlow" in found.notes[0]


# The real index


@real
@slow
@pytest.mark.parametrize(
    ("name", "wanted", "names", "tag"),
    [
        ("cuda", choice("tensorflow[and-cuda]==2.21.0", to=target("2.36", "3.12.4")), "nvidia-cudnn-cu12", "cp312"),
        ("gtx", choice("tensorflow[and-cuda]==2.18.1", to=target("2.17", "3.11")), "nvidia-cudnn-cu12", "cp311"),
        (
            "windows",
            choice(
                *("tensorflow==2.10.1", "numpy<2"),
                to=target(None, "3.10", system="windows"),
                newer="2022-12-15T00:00:00Z",
            ),
            "numpy",
            "cp310-cp310-win_amd64",
        ),
        ("cpu", choice("tensorflow-cpu==2.21.0", to=target("2.31", "3.13")), "tensorflow-cpu", "cp313"),
        ("2017", choice("tensorflow-gpu==1.2.1", to=target("2.36", "3.6.15")), "html5lib", "cp36m-manylinux1"),
        ("aarch64", choice("tensorflow==2.21.0", to=target("2.36", "3.12", "aarch64")), "keras", "aarch64"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 8 else "",
)
def test_real_plans_have_every_file_with_hash_and_size(name: str, wanted: Choice, names: str, tag: str) -> None:
    from gpucheck.install.indexes.settings import read

    try:
        lock = locking.lock(wanted, read())
    except Refused as error:
        pytest.skip(f"no index here: {error}")
    except InstallError as error:
        pytest.fail("\n".join((str(error), *error.lines)))
    found = {one.name: one for one in lock.packages}
    assert names in found
    main = next(one for key, one in found.items() if key in ("tensorflow", "tensorflow-cpu", "tensorflow-gpu"))
    assert tag in main.file
    assert main.why == "asked for"
    assert all(one.size and one.file.endswith(".whl") and one.why for one in lock.packages)
    assert pylock.parse(lock.text).choice == wanted


@pytest.mark.parametrize(
    "text",
    [
        'tool = "abc"',
        'tool = {gpucheck = "x"}',
        '[[packages]]\nname = "a"\nversion = "1"\nwheels = ["abc"]',
        '[[packages]]\nname = "a"\nversion = "1"\nwheels = [{url = "x.whl", hashes = "x"}]',
        "a = " + "[" * 100_000,
    ],
)
def test_a_lock_of_the_wrong_shape_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        pylock.parse(f'lock-version = "1.0"\n{"" if "packages" in text else "packages = []"}\n{text}\n')
