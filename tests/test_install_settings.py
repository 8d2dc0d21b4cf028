"""pip's and uv's configuration, from real files and given variables, as settings for uv: who wins, what is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gpucheck.install.indexes.masking import bare, login, masked, secrets_in
from gpucheck.install.indexes.settings import Settings, read
from gpucheck.install.indexes.uv import environment, options

slow = pytest.mark.slow
posix = pytest.mark.skipif(sys.platform == "win32", reason="files have other places on Windows")


class Home:
    """A user with files of configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # No file of this machine's own: /etc/pip.conf is told apart by _own below.
        self.environ = {"HOME": str(folder), "XDG_CONFIG_DIRS": str(folder / "xdg"), "USERPROFILE": str(folder)}
        self.environ["PIP_CONFIG_FILE"] = ""

    def write(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, python: str | None = None, *urls: str, **variables: str) -> Settings:
        return read(python, urls, environ={**self.environ, **variables})

    def with_files(self, python: str | None = None, *urls: str, **variables: str) -> Settings:
        found = self.read(python, *urls, **variables)
        return found._replace(taken_over=tuple(one for one in found.taken_over if "(/etc/" not in one))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@posix
def test_an_index_in_the_user_s_pip_conf_is_taken_over_and_told_without_its_password(home: Home) -> None:
    home.write(".config/pip/pip.conf", "[global]\nindex-url = https://joe:s3cret@mirror.example/simple\n")
    found = home.with_files()
    assert found.default_index == "https://joe:s3cret@mirror.example/simple"
    path = home.folder / ".config/pip/pip.conf"
    assert f"index-url https://****@mirror.example/simple ({path})" in found.taken_over
    assert "s3cret" not in repr(found.taken_over)


@posix
def test_pip_s_variables_win_over_the_environment_s_file_over_the_user_s_over_everybody_s(home: Home) -> None:
    places = ["xdg/pip/pip.conf", ".pip/pip.conf", ".config/pip/pip.conf", "env/pip.conf"]
    home.write("env/pyvenv.cfg", "")
    python = str(home.folder / "env/bin/python")
    for number, place in enumerate(places):
        home.write(place, f"[global]\nindex-url = https://{number}.example\n")
        assert home.read(python).default_index == f"https://{number}.example"
    named = str(home.write("named.conf", "[global]\nindex-url = https://named.example\n"))
    assert home.read(python, PIP_CONFIG_FILE=named).default_index == "https://named.example"
    assert home.read(python, PIP_CONFIG_FILE=named, PIP_INDEX_URL="https://v.example").default_index == (
        "https://v.example"
    )
    assert home.read(python, PIP_CONFIG_FILE=os.devnull).default_index is None


@posix
def test_pip_s_section_for_install_wins_over_its_global_one_and_an_empty_value_is_none(home: Home) -> None:
    home.write("xdg/pip/pip.conf", "[install]\nindex_url = https://install.example\n")
    home.write(".config/pip/pip.conf", "[global]\nindex-url = https://global.example\n")
    assert home.read(PIP_INDEX_URL="").default_index == "https://install.example"


@posix
def test_a_new_environment_has_no_file_of_its_own_yet_and_another_program_s_does_not_count(home: Home) -> None:
    home.write("env/pip.conf", "[global]\nindex-url = https://env.example\n")
    home.write("env/pyvenv.cfg", "")
    assert home.read().default_index is None
    assert home.read(str(home.folder / "env/bin/python")).default_index == "https://env.example"


def test_lists_are_split_and_joined_and_places_that_are_not_there_are_told(home: Home) -> None:
    there = home.folder / "wheels of mine"
    there.mkdir()
    found = home.read(
        PIP_EXTRA_INDEX_URL="https://a.example https://b.example",
        UV_EXTRA_INDEX_URL="https://c.example",
        UV_FIND_LINKS=f"{there},/nowhere/at/all",
        PIP_TRUSTED_HOST="a.example b.example:8443",
    )
    assert found.extra == ("https://c.example", "https://a.example", "https://b.example")
    assert found.find_links[0] == str(there)
    assert "not used, it is not there: find-links /nowhere/at/all" in found.notes or sys.platform == "win32"
    assert found.insecure == ("a.example", "b.example:8443")


def test_uv_s_own_wish_for_the_index_wins_over_pip_s_and_the_command_line_over_both(home: Home) -> None:
    variables = {"PIP_INDEX_URL": "https://pip.example", "UV_DEFAULT_INDEX": "https://uv.example"}
    assert home.read(**variables).default_index == "https://uv.example"
    named = home.read(None, "https://one.example", "https://two.example", **variables)
    assert (named.default_index, named.extra, named.find_links) == ("https://one.example", ("https://two.example",), ())
    assert "not used, since --index-url was given: UV_DEFAULT_INDEX https://uv.example (a variable)" in named.notes


@posix
def test_the_user_s_uv_toml_says_where_packages_come_from_and_nothing_else(home: Home) -> None:
    text = """
    prerelease = "allow"
    exclude-newer = "2020-01-01"
    index-strategy = "first-index"
    allow-insecure-host = ["inside.example"]
    [[index]]
    url = "https://default.example"
    default = true
    [[index]]
    name = "named"
    url = "https://extra.example"
    [[index]]
    name = "only-when-asked"
    url = "https://explicit.example"
    explicit = true
    """
    home.write(".config/uv/uv.toml", text)
    found = home.read()
    assert found.default_index == "https://default.example"
    assert found.extra[0] == "named=https://extra.example"
    assert not any("explicit" in one for one in found.extra)
    assert "inside.example" in found.insecure
    seen = environment(found, home.environ)
    assert seen["UV_NO_CONFIG"] == "1"
    assert not {"UV_PRERELEASE", "UV_EXCLUDE_NEWER"} & set(seen)


@posix
def test_a_project_s_configuration_in_the_current_folder_does_not_count(home: Home) -> None:
    home.write("project/uv.toml", 'index-url = "https://project.example"\n')
    script = "from gpucheck.install.indexes.settings import read; print(read().default_index)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=home.folder / "project",
        env={**home.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "project.example" not in done.stdout


def test_variables_that_would_change_a_plan_are_dropped_and_told(home: Home) -> None:
    variables = {"UV_EXCLUDE_NEWER": "2020-01-01", "UV_PRERELEASE": "allow", "UV_SYSTEM_PYTHON": "1", "PIP_PRE": "1"}
    found = home.read(**variables)
    for name in ("UV_EXCLUDE_NEWER", "UV_PRERELEASE", "UV_SYSTEM_PYTHON"):
        assert f"not used: {name}" in found.notes
    assert "not used: pip's pre (PIP_PRE)" in found.notes
    seen = environment(found, {**home.environ, **variables, "PYTHONPATH": "/x", "VIRTUAL_ENV": "/y", "PATH": "/bin"})
    assert seen["PATH"] == "/bin"
    assert not {*variables, "PYTHONPATH", "VIRTUAL_ENV"} & set(seen)


def test_what_only_makes_uv_faster_or_finds_its_logins_is_kept(home: Home) -> None:
    kept = {"UV_CONCURRENT_DOWNLOADS": "9", "NETRC": "/n", "UV_INDEX_NAMED_PASSWORD": "pw", "UV_CACHE_DIR": "/c"}
    found = home.read(**kept)
    seen = environment(found, {**home.environ, **kept})
    assert {name: seen[name] for name in kept} == kept
    assert "pw" not in repr(found.taken_over)


@posix
def test_a_login_that_uv_finds_by_an_index_s_name_is_found_for_downloads_too(home: Home) -> None:
    home.write(".config/uv/uv.toml", '[[index]]\nname = "our-own"\nurl = "https://o.example/simple"\ndefault = true\n')
    found = home.read(UV_INDEX_OUR_OWN_USERNAME="joe", UV_INDEX_OUR_OWN_PASSWORD="p@ss")
    assert found.default_index == "our-own=https://o.example/simple"
    assert found.login("https://o.example/files/a.whl") == ("joe", "p@ss")
    assert found.login("https://other.example/files/a.whl") is None
    assert found.without_secrets("p@ss and p%40ss") == "**** and ****"


def test_no_index_at_all_may_be_configured_and_taken_back(home: Home) -> None:
    assert options(home.read(PIP_NO_INDEX="yes", PIP_CONFIG_FILE=os.devnull)) == ["--no-index"]
    named = str(home.write("named.conf", "[global]\nno-index = true\n"))
    assert home.read(PIP_CONFIG_FILE=named).no_index
    assert not home.read(PIP_CONFIG_FILE=named, PIP_NO_INDEX="0").no_index


def test_passwords_go_to_uv_in_variables_never_as_arguments(home: Home) -> None:
    places = ("https://u:hidden@links.example/x", "/a/folder, with a comma")
    found = Settings(
        default_index="https://u:hidden@i.example", extra=("https://u:hidden@e.example",), find_links=places
    )
    assert options(found) == ["--find-links", "/a/folder, with a comma"]
    seen = environment(found, {})
    assert seen["UV_DEFAULT_INDEX"] == "https://u:hidden@i.example"
    assert seen["UV_FIND_LINKS"] == "https://u:hidden@links.example/x"
    # As pip: the best version of all indexes, not the first index that knows the name.
    assert seen["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert "UV_INDEX_STRATEGY" not in environment(Settings(default_index="https://i.example"), {})


def test_a_company_s_certificates_are_found_in_pip_s_setting_or_where_requests_and_curl_look(home: Home) -> None:
    bundle = home.write("company.pem", "")
    folder = home.write("certs/one.pem", "").parent
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        found = home.read(PIP_CONFIG_FILE=os.devnull, **{name: str(bundle)})
        assert environment(found, {})["SSL_CERT_FILE"] == str(bundle)
        assert any(str(bundle) in one for one in found.taken_over)
    found = home.read(PIP_CONFIG_FILE=os.devnull, SSL_CERT_DIR=str(folder))
    assert environment(found, {})["SSL_CERT_DIR"] == str(folder)
    lost = home.read(PIP_CONFIG_FILE=os.devnull, PIP_CERT="/no/such.pem", SSL_CERT_FILE=str(bundle))
    assert lost.certificate == str(bundle)
    assert any("/no/such.pem" in one for one in lost.notes)


def test_a_proxy_of_pip_s_counts_for_everything_and_the_usual_variables_else(home: Home) -> None:
    around = {"https_proxy": "http://a:1", "HTTP_PROXY": "http://b:2", "NO_PROXY": "inside"}
    assert dict(home.read(**around).proxies) == {"https": "http://a:1", "http": "http://b:2", "no": "inside"}
    found = home.read(PIP_PROXY="joe:s3cret@p.example:3128", **around)
    assert dict(found.proxies) == {
        "http": "http://joe:s3cret@p.example:3128",
        "https": "http://joe:s3cret@p.example:3128",
        "no": "inside",
    }
    assert "s3cret" not in repr(found.taken_over)
    assert environment(found, around)["HTTPS_PROXY"] == "http://joe:s3cret@p.example:3128"
    assert "https_proxy" not in environment(found, around)


def test_without_a_network_a_wheelhouse_is_all_there_is(home: Home) -> None:
    found = read(None, (), True, str(home.folder), environ={**home.environ, "PIP_INDEX_URL": "https://x.example"})
    assert found.find_links == (str(home.folder),)
    assert options(found) == ["--no-index", "--find-links", str(home.folder)]
    assert environment(found, {})["UV_OFFLINE"] == "1"
    assert "UV_DEFAULT_INDEX" not in environment(found, {})


@posix
def test_a_file_that_cannot_be_read_is_told_and_stops_nothing(home: Home) -> None:
    home.write(".config/pip/pip.conf", "no section here")
    home.write(".config/uv/uv.toml", "= broken")
    found = home.read()
    assert found.default_index is None
    assert sum("could not be read" in one for one in found.notes) == 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://joe:pw@h.example/simple/", "https://****@h.example/simple/"),
        ("https://token@h.example:8443/simple", "https://****@h.example:8443/simple"),
        ("named=https://joe:pw@h.example/s", "named=https://****@h.example/s"),
        ("https://h.example/s?sig=abc", "https://h.example/s?****"),
        ("https://dl.example/aB3dE5fG7hI9jK1l/simple", "https://dl.example/****/simple"),
        ("https://h.example/repository/pypi-proxy/simple", "https://h.example/repository/pypi-proxy/simple"),
        ("/opt/wheels", "/opt/wheels"),
        ("http://[bad/simple", "http://[bad/simple"),
    ],
)
def test_what_is_shown_of_a_url_holds_no_secret(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_what_uv_says_is_cleared_of_every_secret_written_or_encoded() -> None:
    found = Settings(default_index="https://joe:p%40ss@h.example/s", proxies=(("https", "http://u:proxypw@p:1"),))
    text = found.without_secrets("failed: https://joe:p%40ss@h.example/s via proxypw, p@ss")
    assert text == "failed: https://joe:****@h.example/s via ****, ****"


def test_a_login_belongs_to_its_own_scheme_host_and_port_alone() -> None:
    addresses = ("https://joe:p%40ss@h.example/simple",)
    assert login("https://h.example:443/files/a.whl", addresses) == ("joe", "p@ss")
    assert login("https://other.example/a.whl", addresses) is None
    assert login("http://h.example/a.whl", addresses) is None
    assert login("https://h.example:8443/a.whl", addresses) is None
    assert login("https://x:y@h.example/a.whl", addresses) == ("x", "y")
    assert bare("https://x:y@h.example/a.whl?sig=1#sha256=2") == "https://h.example/a.whl"
    assert secrets_in("https://h.example/simple") == ()


@slow
@posix
@pytest.mark.parametrize("number", range(4))
def test_pip_itself_looks_in_the_same_places(home: Home, number: int) -> None:
    """The oracle: a real pip, with the same files and variables, says where it looks."""
    links = home.folder / "links"
    links.mkdir()
    home.write(
        "xdg/pip/pip.conf", "[global]\nindex-url = http://127.0.0.1:9/all\nextra-index-url = http://127.0.0.1:9/e1\n"
    )
    if number > 0:
        home.write(
            ".config/pip/pip.conf",
            f"[global]\nfind-links = {links}\nextra-index-url =\n  http://127.0.0.1:9/e2\n  http://127.0.0.1:9/e3\n",
        )
    if number > 1:
        home.write(".pip/pip.conf", "[install]\nindex-url = http://127.0.0.1:9/legacy\n")
    variables = {"PIP_EXTRA_INDEX_URL": "http://127.0.0.1:9/v"} if number > 2 else {}
    words = ["install", "--dry-run", "--no-input", "--retries", "0", "--timeout", "1", "no-such-package-here"]
    environ = {**home.environ, **variables, "PATH": "/usr/bin:/bin", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], env=environ, capture_output=True, text=True, cwd=home.folder
    )
    if "No module named pip" in done.stderr:
        pytest.skip("no pip beside this Python")
    told = re.search(r"Looking in indexes: (.+)", done.stdout)
    assert told, done.stderr
    found = home.read(sys.executable, **variables)
    assert told.group(1).split(", ") == [found.default_index, *found.extra]
    places = re.search(r"Looking in links: (.+)", done.stdout)
    assert (places.group(1).split(", ") if places else []) == list(found.find_links)
