"""The search of the dynamic loader: on machine files, and against the real glibc of this machine."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpucheck.facts.gap import Gap
from gpucheck.host.local import LocalHost
from gpucheck.host.recorded import RecordedHost
from gpucheck.probes.cache import LibraryCache, read_cache
from gpucheck.probes.loader import Asker, Hit, Loader, copies, search_dirs
from gpucheck.probes.search_paths import origin, split_path

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's loader is Linux'")


def machine(paths: dict[str, Any], complete: bool = True, **env: str) -> RecordedHost:
    return RecordedHost({"schema": "gpucheck.machine/1", "complete": complete, "env": env, "paths": paths})


def elf(**facts: Any) -> dict[str, Any]:
    return {"elf": {"machine": "x86_64", **facts}, "size": 1000}


def test_library_path_comes_before_runpath_and_the_default_folders_last() -> None:
    host = machine({"/a/lib.so.1": elf(), "/b/lib.so.1": elf(), "/usr/lib/lib.so.1": elf()}, LD_LIBRARY_PATH="/a")
    hits = Loader(host).hits("lib.so.1", Asker("asker.so", runpath=("/b",)))
    assert [(hit.path, hit.via) for hit in hits if isinstance(hit, Hit)] == [
        ("/a/lib.so.1", "LD_LIBRARY_PATH"),
        ("/b/lib.so.1", "RUNPATH of asker.so"),
        ("/usr/lib/lib.so.1", "default folder"),
    ]


def test_rpath_comes_before_library_path_and_counts_only_without_a_runpath() -> None:
    host = machine({"/a/lib.so.1": elf(), "/r/lib.so.1": elf()}, LD_LIBRARY_PATH="/a")
    old = Loader(host).resolve("lib.so.1", Asker("asker.so", rpath=("/r",)))
    assert isinstance(old, Hit)
    assert old.path == "/r/lib.so.1"
    new = Loader(host).resolve("lib.so.1", Asker("asker.so", runpath=("/nothing",), rpath=("/r",)))
    assert isinstance(new, Hit)
    assert new.path == "/a/lib.so.1"


def test_a_file_of_another_architecture_is_passed_over_and_a_broken_one_stops_the_search() -> None:
    paths = {"/a/lib.so.1": elf(machine="aarch64"), "/b/lib.so.1": {"text": ""}, "/c/lib.so.1": elf()}
    first = Loader(machine(paths, LD_LIBRARY_PATH="/a:/b:/c")).resolve("lib.so.1")
    assert first == Hit("/b/lib.so.1", "LD_LIBRARY_PATH", "empty")


def test_a_dangling_link_is_passed_over() -> None:
    host = machine({"/a/lib.so.1": {"link": "gone.so"}, "/b/lib.so.1": elf()}, LD_LIBRARY_PATH="/a:/b")
    assert copies(host, "lib.so.1") == (("/b/lib.so.1", "LD_LIBRARY_PATH"),)


def test_a_folder_that_may_not_be_listed_is_searched_by_name() -> None:
    host = machine(
        {"/a": {"gap": "permission denied: /a", "gap_kind": "denied"}, "/b/lib.so.1": elf()}, LD_LIBRARY_PATH="/a:/b"
    )
    assert copies(host, "lib.so.1") == (("/b/lib.so.1", "LD_LIBRARY_PATH"),)


def test_what_was_not_recorded_is_unknown_and_never_absent() -> None:
    first = Loader(machine({}, complete=False, LD_LIBRARY_PATH="/a")).resolve("lib.so.1")
    assert isinstance(first, Gap)


def test_a_preloaded_library_is_taken_for_its_soname() -> None:
    host = machine(
        {"/x/mine.so": elf(soname="libcudart.so.12"), "/usr/lib/libcudart.so.12": elf()},
        LD_PRELOAD="/x/mine.so other.so",
    )
    assert copies(host, "libcudart.so.12")[0] == ("/x/mine.so", "LD_PRELOAD")


def test_an_empty_entry_is_the_current_folder_and_both_separators_divide() -> None:
    assert split_path("/a;/b/::/a") == ("/a", "/b", ".")
    assert split_path("") == ()


def test_one_file_behind_a_linked_folder_is_told_once() -> None:
    host = machine({"/lib": {"link": "usr/lib"}, "/usr/lib/lib.so.1": elf()})
    assert len(copies(host, "lib.so.1")) == 1


def test_hardware_subfolders_are_named() -> None:
    host = machine({"/a/glibc-hwcaps/x86-64-v3/lib.so.1": elf(), "/a/lib.so.1": elf()}, LD_LIBRARY_PATH="/a")
    assert copies(host, "lib.so.1")[0][1] == "LD_LIBRARY_PATH (glibc-hwcaps x86-64-v3)"


def test_musl_has_its_own_default_folders() -> None:
    host = machine({"/lib/ld-musl-x86_64.so.1": elf(), "/usr/local/lib/lib.so.1": elf()})
    assert [one.path for one in search_dirs(host)][-3:] == ["/lib", "/usr/local/lib", "/usr/lib"]
    assert copies(host, "lib.so.1") == (("/usr/local/lib/lib.so.1", "default folder"),)


def test_origin_is_the_folder_of_the_object_and_doubles_count_once() -> None:
    raw = "$ORIGIN/../nvidia/cublas/lib:${ORIGIN}/:$ORIGIN/../nvidia/cublas/lib"
    assert origin(raw, "/s/tensorflow/f.so.2") == ("/s/nvidia/cublas/lib", "/s/tensorflow")


def test_four_thousand_folders_are_each_listed_once() -> None:
    asked: list[str] = []

    class Counting(RecordedHost):
        def names(self, path: str) -> Any:
            asked.append(path)
            return super().names(path)

    host = Counting(
        {
            "schema": "gpucheck.machine/1",
            "complete": True,
            "env": {"LD_LIBRARY_PATH": ":".join(f"/d{number}" for number in range(4000))},
            "paths": {"/d3999/lib.so.1": elf()},
        }
    )
    loader = Loader(host)
    assert all(isinstance(loader.resolve("lib.so.1"), Hit) for _ in range(3))
    assert len(asked) == len(set(asked)) == 4000


@LINUX
@pytest.mark.skipif(shutil.which("ldconfig", path="/sbin:/usr/sbin") is None, reason="no ldconfig here")
@pytest.mark.parametrize("form", ["new", "old", "compat"])
def test_the_cache_that_ldconfig_writes_is_read_as_ldconfig_reads_it(tmp_path: Path, form: str) -> None:
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin")
    assert ldconfig
    (tmp_path / "etc").mkdir()
    (tmp_path / "conf").write_text("")
    file = str(tmp_path / "etc" / "ld.so.cache")
    made = subprocess.run(
        [ldconfig, "-X", "-c", form, "-C", file, "-f", str(tmp_path / "conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode or not Path(file).exists():
        pytest.skip(f"ldconfig cannot write the {form} format here: {made.stderr.strip()}")
    told = subprocess.run([ldconfig, "-p", "-C", file], capture_output=True, text=True, check=True).stdout
    cache = read_cache(LocalHost(root=str(tmp_path)), os.uname().machine)
    assert isinstance(cache, LibraryCache)
    wide = {"x86_64": "x86-64", "aarch64": "AArch64"}.get(os.uname().machine, "")
    lines = [line.split() for line in told.splitlines()[1:] if "=>" in line]
    mine = [(words[0], words[-1]) for words in lines if form == "old" or wide in " ".join(words)]
    assert mine
    assert all(path in cache.find(soname) for soname, path in mine)
    assert cache.find("libno-such-thing.so.1") == ()


ASKER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
const char *ask(const char *name) {
  void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  struct link_map *map = 0;
  if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map)) return dlerror();
  return map->l_name;
}
"""


@LINUX
@pytest.mark.native
@pytest.mark.parametrize("tags", ["--enable-new-dtags", "--disable-new-dtags"])
@pytest.mark.parametrize("library_path", ["", "other", "broken:other", "none:foreign:other"])
def test_the_real_loader_takes_the_file_that_is_told(tmp_path: Path, tags: str, library_path: str) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    for folder in ("own", "other", "broken", "foreign"):
        (tmp_path / folder).mkdir()
    (tmp_path / "empty.c").write_text("int here;")
    (tmp_path / "ask.c").write_text(ASKER)
    build = [compiler, "-shared", "-fPIC"]
    for folder in ("own", "other"):
        target = str(tmp_path / folder / "libwant.so.1")
        subprocess.run([*build, "-Wl,-soname,libwant.so.1", "-o", target, str(tmp_path / "empty.c")], check=True)
    (tmp_path / "broken" / "libwant.so.1").write_bytes(b"")
    foreign = bytearray((tmp_path / "own" / "libwant.so.1").read_bytes())
    foreign[18] = 183 if foreign[18] != 183 else 62  # e_machine
    (tmp_path / "foreign" / "libwant.so.1").write_bytes(bytes(foreign))
    asker = str(tmp_path / "ask.so")
    subprocess.run([*build, f"-Wl,{tags},-rpath,$ORIGIN/own", "-o", asker, str(tmp_path / "ask.c")], check=True)
    environ = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "LD_PRELOAD")}
    if library_path:
        environ["LD_LIBRARY_PATH"] = ":".join(str(tmp_path / folder) for folder in library_path.split(":"))
    code = (
        "import ctypes, sys; asker = ctypes.CDLL(sys.argv[1]); asker.ask.restype = ctypes.c_char_p;"
        "print(asker.ask(b'libwant.so.1').decode())"
    )
    truth = subprocess.run(
        [sys.executable, "-c", code, asker], env=environ, capture_output=True, text=True, check=True
    ).stdout.strip()
    loader = Loader(LocalHost(environ=environ))
    header = loader.elf(asker)
    assert header is not None
    assert not isinstance(header, Gap)
    told = loader.resolve("libwant.so.1", Asker("ask.so", origin(header.runpath, asker), origin(header.rpath, asker)))
    assert isinstance(told, Hit)
    if told.defect:
        assert told.path in truth
        assert "too short" in truth
    else:
        assert os.path.realpath(truth) == os.path.realpath(told.path)


@LINUX
def test_the_c_library_of_this_machine_is_found_where_it_is_loaded_from() -> None:
    if ctypes.util.find_library("c") is None or not os.path.exists("/etc/ld.so.cache"):
        pytest.skip("no glibc with a cache here")
    loaded = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libc.so.6" in line}
    first = Loader(LocalHost()).resolve("libc.so.6")
    assert isinstance(first, Hit)
    assert os.path.realpath(first.path) in {os.path.realpath(path) for path in loaded}
