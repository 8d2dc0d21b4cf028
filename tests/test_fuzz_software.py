"""The parsers of software's files take any bytes: a value, None or a defect, and never an exception."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import PackageVersion
from gpucheck.host.elf import read_elf
from gpucheck.host.recorded import RecordedHost
from gpucheck.probes import libraries, python, toolkits
from gpucheck.probes.cache import LibraryCache
from gpucheck.probes.distributions import normal_name, split_folder
from gpucheck.probes.environments import read_config
from gpucheck.probes.frameworks import read_torch_version
from gpucheck.probes.kernels import read_object
from gpucheck.probes.layout import Layout
from gpucheck.probes.library_versions import read_cudnn_header
from gpucheck.probes.loader import Loader
from gpucheck.probes.search_paths import origin, split_path
from gpucheck.probes.tensorflow import decode_number, read_build_info
from gpucheck.probes.tensorflow import read_config as read_cuda_config

FEW = examples(40, suppress_health_check=list(HealthCheck))
MAGIC = b"glibc-ld.so.cache1.1"


def mutated(*seeds: bytes) -> st.SearchStrategy[bytes]:
    """A seed cut, with bytes overwritten and something appended: it gets past the first checks."""

    def change(parts: tuple[bytes, int, list[tuple[int, int]], bytes]) -> bytes:
        seed, cut, changes, tail = parts
        data = bytearray(seed[: len(seed) - cut % (len(seed) + 1)] if cut else seed)
        for at, value in changes:
            if data:
                data[at % len(data)] = value
        return bytes(data) + tail

    numbers = st.integers(0, 1 << 16)
    changes = st.lists(st.tuples(numbers, st.integers(0, 255)), max_size=12)
    return st.one_of(
        st.binary(max_size=200),
        st.tuples(st.sampled_from(seeds), st.one_of(st.just(0), numbers), changes, st.binary(max_size=8)).map(change),
    )


def small_cache() -> bytes:
    strings = b"libcudnn.so.9\0/usr/lib/libcudnn.so.9\0"
    base = 48 + 24
    entry = struct.pack("<iIIIQ", 0x0303, base, base + 14, 0, 0)
    return MAGIC + struct.pack("<IIBBBBIIII", 1, len(strings), 2, 0, 0, 0, 0, 0, 0, 0) + entry + strings


@FEW
@given(mutated(small_cache(), b"ld.so-1.7.0\0" + struct.pack("<I", 9) + small_cache()))
def test_ld_so_cache(data: bytes) -> None:
    cache = LibraryCache(data, "x86_64")
    assert isinstance(cache.find("libcudnn.so.9"), tuple)
    assert isinstance(cache.paths("libcudnn"), tuple)


def test_the_cache_that_is_mutated_is_right_when_whole() -> None:
    cache = LibraryCache(small_cache(), "x86_64")
    assert cache.find("libcudnn.so.9") == cache.paths("libcudnn") == ("/usr/lib/libcudnn.so.9",)
    assert LibraryCache(small_cache(), "aarch64").find("libcudnn.so.9") == ()


HEADER = (
    Path(sys.executable).resolve().read_bytes()[:8192] if sys.platform.startswith("linux") else b"\x7fELF" + b"\0" * 60
)


@FEW
@given(mutated(HEADER), st.integers(0, 1 << 40))
def test_elf(data: bytes, size: int) -> None:
    elf = read_elf(lambda offset, length: data[offset : offset + length], size or len(data))
    assert elf.defect in (None, "empty", "truncated", "not-elf")
    assert isinstance(origin(elf.runpath, "/a/b.so"), tuple)


BUILD = (
    b"import collections\nbuild_info = collections.OrderedDict([('cuda_version', '12.5.1'), ('is_cuda_build', True)])\n"
)


@FEW
@pytest.mark.filterwarnings("ignore")
@given(mutated(BUILD, b"build_info = {'a': [(((1,),),)]}\nis_cuda_build = True\n", b"build_info = " + b"[" * 300))
def test_build_info(data: bytes) -> None:
    info = read_build_info(data)
    assert info is None or isinstance(info, dict)
    for value in (info or {}).values():
        decode_number(value)


@FEW
@given(
    mutated(
        b'{"cuda": {"version": "12.4.1"}}',
        b"CUDA Version 10.1.243",
        b"#define CUDA_VERSION 12040",
        b"home = /usr\nversion_info = 3.11.7\n",
        b'#define TF_CUDA_VERSION "12.5.1"',
        b"#define CUDNN_MAJOR 9\n#define CUDNN_MINOR 1\n#define CUDNN_PATCHLEVEL 0",
        b"__version__ = '2.6.0'\ncuda: Optional[str] = '12.4'",
        b'{"backend": "jax", "argv": ["python"]}',
        b"[" * 5000,
    )
)
def test_small_texts(data: bytes) -> None:
    for reader in (toolkits.read_json, toolkits.read_text, toolkits.read_header, read_cudnn_header):
        version = reader(data)
        assert version is None or version.parts
    for read in (read_config, read_cuda_config, read_torch_version):
        assert isinstance(read(data), dict)
    assert isinstance(read_object(data), (dict, type(None)))


@FEW
@given(st.text(max_size=60))
def test_names(text: str) -> None:
    normal_name(text)
    pair = split_folder(text + ".dist-info")
    assert pair is None or PackageVersion(pair[1]).parts
    assert isinstance(split_path(text), tuple)
    assert isinstance(origin(text, "/a/b.so"), tuple)


CONTENT = mutated(HEADER, BUILD, small_cache(), b"version_info = 3.11.7\nhome = /usr/bin", b'{"argv": ["/x"]}', b"")
SITE = "env/lib/python3.11/site-packages"
FILES = (
    "env/pyvenv.cfg", "env/bin/python3", f"{SITE}/tensorflow/python/platform/build_info.py", f"{SITE}/a.pth",
    f"{SITE}/tensorflow/libtensorflow_framework.so.2", f"{SITE}/tensorflow-2.21.0.dist-info/RECORD",
    f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9", f"{SITE}/torch/version.py", "etc/ld.so.cache",
    "usr/local/cuda/version.json",
    "usr/local/cuda/lib64/libcudart.so.12", "home/user/.keras/keras.json", "usr/bin/nvcc",
    "usr/share/jupyter/kernels/k/kernel.json", "env/conda-meta/python-3.11.7-0.json",
)  # fmt: skip


@FEW
@pytest.mark.filterwarnings("ignore")
@given(
    st.dictionaries(
        st.sampled_from(FILES),
        st.one_of(
            CONTENT.map(lambda data: {"text": data.decode("latin-1"), "mode": 493}),
            st.sampled_from(["/env", "..", "/usr/bin/nvcc", "a"]).map(lambda target: {"link": target}),
            st.just({"gap": "permission denied", "gap_kind": "denied"}),
            st.just({"kind": "dir"}),
            st.just({"elf": {"soname": "libcudnn.so.9", "needed": ["libcublas.so.12"], "runpath": "$ORIGIN"}}),
        ),
    ),
    st.dictionaries(
        st.sampled_from(["PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "CUDA_HOME", "PYTHONPATH"]), st.text(max_size=20)
    ),
    st.booleans(),
)
def test_the_software_probes_answer_on_any_machine(files: dict[str, Any], env: dict[str, str], complete: bool) -> None:
    paths = {f"/{name}": node for name, node in files.items()}
    host = RecordedHost({"schema": "gpucheck.machine/1", "complete": complete, "env": env, "paths": paths})
    examined = python.probe(host, "/env")
    kits = toolkits.probe(host)
    found = libraries.probe(host, examined, kits)
    assert isinstance(found.preload, tuple)
    assert isinstance(Loader(host).hits("libcudnn.so.9"), tuple)


def test_a_layout_of_gaps_is_no_crash() -> None:
    gap = Gap("hung", "deadline")
    assert Layout(gap, None, gap, gap, gap, gap, gap, gap).program is None
