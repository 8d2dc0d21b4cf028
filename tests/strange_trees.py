"""File trees beyond imagination, made by hypothesis and laid down for real."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from typing import Any

from examples import few_or
from hypothesis import strategies as st

# Where probes look; a random tree puts its oddities here, otherwise hardly any probe would ever meet one.
PLACES = (
    "proc/driver/nvidia/version", "proc/driver/nvidia", "proc/driver/nvidia-nvswitch/devices", "proc/modules",
    "proc/version", "proc/meminfo", "proc/cpuinfo", "proc/1/cgroup", "proc/self/cgroup", "proc/sys/kernel/osrelease",
    "sys/module/nvidia/version", "sys/module/nvidia", "sys/bus/pci/devices", "sys/bus/pci/devices/0000:01:00.0",
    "sys/bus/pci/devices/0000:01:00.0/vendor", "sys/bus/pci/devices/0000:01:00.0/class",
    "sys/bus/pci/devices/0000:01:00.0/config", "sys/bus/pci/devices/0000:01:00.0/driver", "sys/fs/selinux/enforce",
    "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "sys/power/suspend_stats/success",
    "dev/nvidia0", "dev/nvidiactl", "dev/nvidia-uvm", "dev/dxg", "dev", "etc/os-release", "usr/lib/os-release",
    "etc/ld.so.conf", "etc/ld.so.conf.d", "etc/ld.so.cache", "etc/prime-discrete", "proc/acpi/bbswitch",
    "var/lib/dkms", "var/lib/dkms/nvidia", "var/lib/dkms/nvidia/580.1/source", "var/lib/dpkg/status",
    "var/lib/dpkg/info", "lib/modules", "usr/lib/x86_64-linux-gnu/libcuda.so.1",
    "usr/lib/x86_64-linux-gnu/libcuda.so.580.126.09", "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    "usr/lib/x86_64-linux-gnu/libcudnn.so.9", "usr/lib/x86_64-linux-gnu", "usr/lib/wsl/lib/libcuda.so.1", "usr/local",
    "usr/local/cuda", "usr/local/cuda/version.json", "usr/local/cuda/version.txt", "usr/local/cuda/include/cuda.h",
    "usr/local/cuda/bin/nvcc", "usr/local/cuda/lib64", "usr/local/cuda/lib64/libcudart.so.12",
    "usr/local/cuda-12.4/version.json", "opt", "opt/cuda/version.json", "usr/bin/nvidia-smi", "usr/bin/python3",
    "venv", "venv/pyvenv.cfg", "venv/bin", "venv/bin/python", "venv/lib", "venv/lib/python3.12",
    "venv/lib/python3.12/site-packages", "venv/lib/python3.12/EXTERNALLY-MANAGED", "venv/conda-meta",
    "venv/lib/python3.12/site-packages/tensorflow", "venv/lib/python3.12/site-packages/tensorflow/__init__.py",
    "venv/lib/python3.12/site-packages/tensorflow/python/platform/build_info.py",
    "venv/lib/python3.12/site-packages/tensorflow/libtensorflow_cc.so.2",
    "venv/lib/python3.12/site-packages/tensorflow/libtensorflow_framework.so.2",
    "venv/lib/python3.12/site-packages/tensorflow-2.20.0.dist-info",
    "venv/lib/python3.12/site-packages/tensorflow-2.20.0.dist-info/METADATA",
    "venv/lib/python3.12/site-packages/tensorflow-2.20.0.dist-info/RECORD",
    "venv/lib/python3.12/site-packages/numpy-x.dist-info/METADATA",
    "venv/lib/python3.12/site-packages/torch/version.py", "venv/lib/python3.12/site-packages/jaxlib/version.py",
    "venv/lib/python3.12/site-packages/nvidia/cudnn/lib/libcudnn.so.9",
    "venv/lib/python3.12/site-packages/nvidia_cudnn_cu12-9.3.0.dist-info/METADATA",
    "venv/conda-meta/tensorflow-2.16.1-cuda.json", "home/u/.keras/keras.json", "home/u/.local/lib", "home/u/.local",
    "usr/share/jupyter/kernels/x/kernel.json", "home/u/.local/share/jupyter/kernels/y/kernel.json", "tmp",
)  # fmt: skip

_TEXTS = (
    b"NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.126.09  Tue\n", b"nvidia 1 0 - Live 0x0\nnvidia_uvm",
    b'{"cuda": {"version": "12.4.1"}}', b'{"cuda": []}', b"[" * 5000, b'{"a":' * 3000, b"CUDA Version 11.8.89\n",
    b"#define CUDA_VERSION 13000\n", b"home = /usr/bin\nversion = 3.12.4\n", b"version = \xff\xfe\n", b"0x10de\n",
    b"0x030000\n", b'build_info = {"cuda_version": "12.5.1", "is_cuda_build": True}', b"build_info = " + b"(" * 3000,
    b"Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.20.0\n", b"Version: 99999999999999999999.\xff", b"\x7fELF",
    b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x03\0\x3e\0\x01\0\0\0" + b"\xff" * 64, b"include /etc/ld.so.conf.d/*\n/\n",
    b"include /etc/ld.so.conf\n", b"glibc-ld.so.cache1.1" + b"\xff" * 40, b'{"backend": "torch"}', b"a\0b",
    b"\n" * 9000,
    b"MemTotal: 99999999999999999999999 kB\n", b"model name\t: \xff\nflags\t: avx avx2\n", b"-1", b"nan", b"9" * 6000,
    b"Package: libcuda1\nStatus: install ok installed\nVersion: 580.126.09-1\n\n", b'{"argv": ["/venv/bin/python"]}',
    b'{"argv": 7}', b'{"name": null, "version": {}, "build": 3}',
)  # fmt: skip

contents = st.one_of(st.sampled_from(_TEXTS), st.binary(max_size=300), st.just(b""))
names = st.binary(min_size=1, max_size=12).map(lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"_")).filter(
    lambda raw: raw not in (b".", b"..")
)  # fmt: skip
targets = st.sampled_from(
    [b".", b"..", b"/", b"self", b"../../..", b"/nowhere", b"/proc/self/root", b"\xff\xfe", b"/dev/nvidia0", b"a" * 300]
) | st.sampled_from([b"/" + place.encode() for place in PLACES])
nodes = st.one_of(
    st.tuples(st.just("file"), contents),
    st.tuples(st.just("link"), targets),
    st.tuples(st.just("folder"), st.lists(names, max_size=6)),
    st.tuples(st.just("crowd"), st.just(few_or(100, 400))),
    st.tuples(st.just("fifo"), st.none()),
    st.tuples(st.just("socket"), st.none()),
    st.tuples(st.just("device"), st.none()),
    st.tuples(st.just("huge"), st.sampled_from([b"", b"\x7fELF\x02\x01\x01", b"x"])),
)
trees = st.dictionaries(
    st.sampled_from(PLACES),
    st.tuples(nodes, st.sampled_from([0o755, 0o755, 0o755, 0o000, 0o111, 0o444])),
    min_size=4,
    max_size=40,
)

_folders = st.sampled_from(
    ["/usr/local/cuda/bin", "/usr/local/cuda/lib64", "/usr/bin", "/venv/bin", "/nowhere", "", ".", "/dev", "relative",
     "/usr/local/cuda/lib64/stubs", "/a\udcff", "//", "/" + "d" * 400, "~", "$ORIGIN", "/proc/self/fd"]
)  # fmt: skip
_lists = st.lists(_folders, max_size=8).map(":".join) | st.just(
    ":".join(f"/deep/{i}/lib" for i in range(few_or(200, 4000)))
)
_values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["", "-1", "0,1", "GPU-\udcff", "7" * 500, "\x1b[31m", "all", "/usr/local/cuda"]
)
_NAMES = (
    *("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "CUDA_PATH", "LD_PRELOAD", "XLA_FLAGS", "LOADEDMODULES", "VIRTUAL_ENV"),
    *("CONDA_PREFIX", "KERAS_BACKEND", "TMPDIR", "NVIDIA_VISIBLE_DEVICES", "container"),
)
environments = st.fixed_dictionaries(
    {"HOME": st.sampled_from(["/home/u", "", "/nowhere", "\udcff"])},
    optional={
        **dict.fromkeys(("PATH", "LD_LIBRARY_PATH", "PYTHONPATH"), _lists),
        **dict.fromkeys(_NAMES, _values),
    },
)


def lay_down(root: str, tree: dict[str, Any]) -> None:
    """Make the tree under `root`, as far as the file system lets us."""
    modes: list[tuple[bytes, int]] = []
    for place, ((kind, given), mode) in tree.items():
        path = os.fsencode(os.path.join(root, place))
        with contextlib.suppress(OSError):  # a parent that is a file by now, a name too long: the tree stays odd enough
            # A link that an earlier place laid must not lead out of the tree.
            if not os.path.realpath(os.path.dirname(path)).startswith(os.fsencode(root)):
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _make(path, kind, given)
            modes.append((path, mode))
    for path, mode in reversed(modes):
        if not os.path.islink(path):
            with contextlib.suppress(OSError):
                os.chmod(path, mode)


def _make(path: bytes, kind: str, given: Any) -> None:
    if kind == "file":
        with open(path, "xb") as file:
            file.write(given)
    elif kind == "huge":
        with open(path, "xb") as file:
            file.write(given)
            file.truncate(1 << 40)  # sparse
    elif kind == "link":
        os.symlink(given, path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # zero: never ends
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path)
    else:
        os.makedirs(path, exist_ok=True)
        for name in given if kind == "folder" else (b"libcudnn.so.%d" % at for at in range(given)):
            with open(os.path.join(path, name), "xb"):
                pass


def remove(root: str) -> None:
    """Remove a tree with unreadable folders in it."""
    for folder, below, _files in os.walk(os.fsencode(root)):
        for name in below:
            with contextlib.suppress(OSError):
                os.chmod(os.path.join(folder, name), 0o700, follow_symlinks=True)
    shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def without_root_powers() -> Iterator[None]:
    """Let file permissions count for root, too, by laying down CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (1 and 2).

    For this thread and those that it starts. Does nothing for anybody but root.
    """
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread (linux/capability.h)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    assert libc.capget(head, sets) == 0
    kept = sets[0]
    sets[0] = kept & ~0b110
    assert libc.capset(head, sets) == 0
    try:
        yield
    finally:
        sets[0] = kept
        assert libc.capset(head, sets) == 0
