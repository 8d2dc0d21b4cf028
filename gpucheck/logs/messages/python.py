"""What Python itself, and the packages that every framework hangs on, say: tracebacks, signals, NumPy, protobuf.

Wording: CPython 2.7 to 3.14; numpy 1.x and 2.x (numpy/_core/src/multiarray); protobuf 3 to 7 (python/google/protobuf).
"""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.words import between, said, version_after, word_after

Values = Union[dict[str, str], None]
_NUMPY = "numpy 1.20 to 2.4"
_PROTOBUF = "protocolbuffers/protobuf, Python 3.6 to 7"


def _module(text: str) -> Values:
    """No module named 'tensorflow.keras'; Python 2: No module named tensorflow"""
    name = word_after(text, "No module named ")
    if name is None:
        return None
    values = {"module": name, "package": name.partition(".")[0]}
    path = text.partition(": No module named")[0]
    if "Error" not in path and "python" not in path:
        values["optional"] = "yes"  # said by a program that goes on without it
    # /usr/bin/python3: No module named tensorflow
    return {**values, "path": path} if "python" in path.rpartition("/")[2] and "Error" not in path else values


def _import(text: str) -> Values:
    name, place = between(text, "cannot import name '", "'"), between(text, " from '", "'")
    name = name or word_after(text, "cannot import name ")
    return {"name": name, **({"module": place} if place else {})} if name else None


def _banner(text: str) -> Values:
    """Python 3.6.5 |Anaconda, Inc.| (default, …) [GCC 7.2.0] on linux; a line that is `python --version`'s answer."""
    word = version_after(text, "Python ")
    if word is None or "." not in word or not word.replace(".", "").isdigit() or word.count(".") > 2:
        return None
    values = {"python": word}
    if "32 bit" in text:
        values["bits"] = "32"
    elif "64 bit" in text:
        values["bits"] = "64"
    if "on win32" in text or "MSC v." in text:
        values["os"] = "windows"
    elif "on linux" in text:
        values["os"] = "linux"
    return values if int(word.split(".")[0]) in (2, 3) else None


def _site(text: str) -> Values:
    """The Python that a path tells: …/lib/python3.8/site-packages/…, …/Python36/lib/site-packages/…"""
    end = text.find("-packages")
    start = max(text.rfind(sign, 0, end) for sign in "\"' ") + 1
    path = text[start : end + len("-packages")]
    values = {"path": path, "os": "windows" if "\\" in path or path[1:2] == ":" else "linux"}
    for part in path.replace("/", "\\").lower().split("\\"):
        digits = part.removeprefix("python").removesuffix("-32").removesuffix("_32")
        if part.startswith("python3.") and digits.replace(".", "").isdigit() and len(digits) < 5:
            return {**values, "python": digits}
        if part.startswith("python3") and digits.isdigit() and len(digits) < 4:
            bits = {"bits": "32"} if part.endswith("32") and part[-3] in "-_" else {}
            return {**values, "python": f"3.{int(digits[1:] or 0)}", **bits}
        if part.startswith("pythonsoftwarefoundation.python.3."):
            return {**values, "python": "3." + part.split(".")[3].partition("_")[0], "store": "yes"}
    return values if path[:1] in "/~" or path[1:2] == ":" else None


def _executable(text: str) -> Values:
    path = text.partition("sys.executable")[2].strip(" :=>'\"")
    path = path.split("'")[0].split('"')[0].strip()
    return {"path": path} if path[:1] in "/~" or path[1:3] == ":\\" else None


def _illegal(text: str) -> Values:
    return {} if "was encountered" not in text and "CUDA" not in text else None


def _instructions(text: str) -> Values:
    names = between(text, "compiled to use ", " instructions") or between(text, "This TensorFlow binary requires ", ".")
    names = names or word_after(text, "CPU does not support ") or ""
    return {"instructions": names.rstrip(",")} if "AVX512" not in names else None


def _flags(text: str) -> Values:
    """/proc/cpuinfo's flags: has this processor AVX?"""
    words = text.partition(":")[2].split()
    return {"avx": str("avx" in words).lower()} if text.startswith(("flags", "Flags")) and "fpu" in words else None


def _numpy(text: str) -> Values:
    version = version_after(text, "NumPy ")
    return {"numpy": version} if version and "as it may crash" in text else {}


def _abi(text: str) -> Values:
    """module compiled against ABI version 0x1000009 but this version of numpy is 0x2000000"""
    built, has = word_after(text, "version 0x"), word_after(text, "numpy is 0x")
    if not built or not has:
        return None
    kind = "numpy2" if len(has) >= 7 and has.startswith("2") and not built.startswith("2") else "older-numpy"
    return {"built": built, "has": has, "kind": kind}


def _size(text: str) -> Values:
    """numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject"""
    expected, got = word_after(text, "Expected "), word_after(text, "got ")
    if not expected or not got or "RuntimeWarning" in text:
        return None
    kind = "numpy2" if {expected, got} == {"88", "96"} and "dtype" in text else "older-numpy"
    return {"expected": expected, "got": got, "kind": kind}


def _gencode(text: str) -> Values:
    if "one major version older" in text:
        return None  # protobuf-version-remark
    values = {"protobuf_compiled": version_after(text, "gencode "), "protobuf": version_after(text, "runtime ")}
    return {name: value for name, value in values.items() if value}


MESSAGES = (
    Message(
        "module-not-found",
        ("No module named ",),
        _module,
        "This Python has no such module: it is not installed in the environment of this Python.",
        look=("python -c 'import sys; print(sys.executable)'", "python -m pip show tensorflow"),
        source="CPython 2.7 to 3.14",
    ),
    Message(
        "cannot-import-name",
        ("cannot import name ",),
        _import,
        "The module is there and lacks this name: another version of it than the program was written for.",
        look=("python -m pip list", "python -m pip check"),
        source="CPython 2.7 to 3.14",
    ),
    Message(
        "python-banner",
        ("Python 2.", "Python 3."),
        _banner,
        "The Python that ran.",
        source="CPython's banner, python --version",
    ),
    Message(
        "traceback-file",
        ("/site-packages", "/dist-packages", "\\site-packages", "\\Lib\\site-packages"),
        _site,
        "A file of an installed package: its path tells the Python and the environment.",
        source="paths in tracebacks",
    ),
    Message(
        "sys-executable",
        ("sys.executable",),
        _executable,
        "The Python that runs this program.",
        source="CPython",
    ),
    Message(
        "illegal-instruction",
        (
            "Illegal instruction",
            "illegal instruction",
            "SIGILL",
            "illegal hardware instruction",
            "exit code 132",
            "exit code: 132",
            "signal 4)",
            "signal 4:",
        ),
        _illegal,
        "The program met an instruction that this processor does not have: wheels of TensorFlow from 1.6 on need AVX.",
        look=("grep -o -m1 -w avx /proc/cpuinfo",),
        source="shells, Linux, macOS; faulthandler",
    ),
    Message(
        "cpu-instructions-missing",
        ("library was compiled to use ", "This TensorFlow binary requires "),
        _instructions,
        "This build was made for processors with these instructions, and this one has not got them.",
        look=("grep -o -m1 -w avx /proc/cpuinfo",),
        source="tensorflow/core/platform/cpu_feature_guard.cc, 1.6 to 2.21",
    ),
    Message(
        "cpu-flags",
        ("flags\t\t: ", "flags : ", "Flags: ", "flags: ", "Flags:  "),
        _flags,
        "What the processor can do.",
        source="/proc/cpuinfo, lscpu",
    ),
    Message(
        "numpy-1-module",
        ("A module that was compiled using NumPy 1.x", "as it may crash. To support both", "_ARRAY_API not found"),
        _numpy,
        "A package that was built for NumPy 1 was imported with NumPy 2.",
        look=("python -m pip show numpy", "python -m pip install 'numpy<2'"),
        source=f"{_NUMPY}: numpy/_core/src/multiarray/multiarraymodule.c",
    ),
    Message(
        "numpy-abi",
        ("module compiled against ABI version", "module compiled against API version"),
        _abi,
        "A package was built for another version of NumPy than the one that is there.",
        look=("python -m pip show numpy",),
        source=_NUMPY,
    ),
    Message(
        "numpy-size-changed",
        ("numpy.dtype size changed", "numpy.ndarray size changed"),
        _size,
        "A package was built for another version of NumPy than the one that is there.",
        look=("python -m pip show numpy",),
        source="Cython's check of NumPy's structures",
    ),
    Message(
        "numpy-size-remark",
        ("numpy.ufunc size changed", "numpy.dtype size changed", "numpy.ndarray size changed"),
        lambda text: {} if "RuntimeWarning" in text or "ufunc" in text else None,
        "A package was built for an older NumPy than the one that is there.",
        harmless="As a RuntimeWarning it is a remark: the newer NumPy serves packages built for an older one.",
        source="Cython's check of NumPy's structures",
    ),
    Message(
        "numpy-removed-name",
        ("was removed in the NumPy 2.0 release", "np.bool8`", "np.complex_` was"),
        said,
        "The program uses a name that NumPy 2 no longer has.",
        look=("python -m pip install 'numpy<2'",),
        source="numpy/__init__.py, 2.0 to 2.4",
    ),
    Message(
        "numpy-import-failed",
        ("numpy.core.multiarray failed to import", "numpy.core.umath failed to import",
         "numpy.core._multiarray_umath failed to import", "numpy._core.multiarray failed to import",
         "numpy._core.umath failed to import"),
        said,
        "A package could not use this NumPy: it was built for another.",
        look=("python -m pip show numpy",),
        source=_NUMPY,
    ),
    Message(
        "numpy-old-synonym",
        ("as a synonym of type is deprecated",),
        said,
        "NumPy 1.17 and later remark on how TensorFlow 1 writes types.",
        harmless="It is a remark for TensorFlow's developers.",
        source="numpy 1.17 to 1.23 with TensorFlow 1.x and 2.0",
    ),
    Message(
        "protobuf-descriptors",
        ("Descriptors cannot not be created directly", "Descriptors cannot be created directly",
         "Descriptors should not be created directly, but only retrieved", "_internal_create_key",
         "find descriptor pool", "build proto file into descriptor pool", "with protoc >= 3.19.0"),
        said,
        "protobuf is newer than the code that TensorFlow carries allows.",
        look=("python -m pip show protobuf", "python -m pip check"),
        source=_PROTOBUF,
    ),
    Message(
        "protobuf-versions",
        ("Protobuf Gencode/Runtime", "Protobuf gencode version"),
        _gencode,
        "protobuf is older than the code that TensorFlow carries.",
        look=("python -m pip show protobuf",),
        source="google/protobuf/runtime_version.py, 5.26 to 7",
    ),
    Message(
        "protobuf-version-remark",
        ("is exactly one major version older than the", "is one major version older than the"),
        said,
        "protobuf is a version ahead of the code that TensorFlow carries, which still works.",
        harmless="It is a UserWarning: protobuf still reads code generated for the version before it.",
        source="google/protobuf/runtime_version.py, 5.27 to 7",
    ),
    Message(
        "protobuf-linked-versions",
        ("of the Protocol Buffer runtime library", "version of the Protocol Buffer headers"),
        said,
        "Two versions of protobuf's C++ library met in one process.",
        look=("python -m pip check", "conda list protobuf", "python -m pip show protobuf"),
        source="google/protobuf/stubs/common.cc, 2.6 to 3.21",
    ),
    Message(
        "protobuf-name-gone",
        ("GetPrototype",),
        said,
        "TensorFlow calls a function that protobuf 6 no longer has.",
        look=("python -m pip show protobuf",),
        source="protobuf 6 with TensorFlow up to 2.18",
    ),
    Message(
        "process-killed",
        ("Segmentation fault", "SIGSEGV", "Fatal Python error"),
        lambda text: {"signal": "SIGSEGV"} if "egmentation" in text or "SIGSEGV" in text else None,
        "The program crashed.",
        look=("python -X faulthandler your_script.py",),
        source="shells; faulthandler",
    ),
)  # fmt: skip
