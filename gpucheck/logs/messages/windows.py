"""What Windows and its loader print: DLLs that do not load, exit codes, missing runtimes. English, and what is the same
in every language (numbers, file names).

Wording: CPython's Python/dynload_win.c and Modules/_ctypes; Windows' system messages; TensorFlow's self_check.py.
"""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.words import between, said, word_after

Values = Union[dict[str, str], None]

_CODES = {
    "3221225501": "illegal-instruction", "1073741795": "illegal-instruction", "C000001D": "illegal-instruction",
    "3221225781": "dll-not-found", "1073741515": "dll-not-found", "C0000135": "dll-not-found",
    "3221225785": "entry-not-found", "1073741511": "entry-not-found", "C0000139": "entry-not-found",
    "3221225477": "access-violation", "1073741819": "access-violation", "C0000005": "access-violation",
    "3221226505": "fast-fail", "1073740791": "fast-fail", "C0000409": "fast-fail",
}  # fmt: skip
_NUMBERS = {
    "126": "module-not-found",
    "127": "procedure-not-found",
    "182": "procedure-not-found",
    "193": "not-win32",
    "1114": "initialisation",
    "1455": "paging-file",
    "4551": "policy",
}
RUNTIME = ("msvcp140", "vcruntime140", "concrt140", "vcomp140", "msvcp_win")


def _dll_load(text: str) -> Values:
    """ImportError: DLL load failed while importing _pywrap_tensorflow_internal: The specified module …"""
    module = word_after(text, "while importing ")
    low = text.lower()
    why = "other"
    if "initialization routine" in low or "1114" in low:
        why = "initialisation"
    elif "specified module could not be found" in low or "error code 126" in low or "errore 126" in low:
        why = "module-not-found"
    elif "specified procedure could not be found" in low:
        why = "procedure-not-found"
    elif "not a valid win32" in low or "%1" in text:
        why = "not-win32"
    elif "paging file" in low or "insufficient system resources" in low:
        why = "paging-file"
    elif "application control" in low or "policy" in low:
        why = "policy"
    values = {"why": why}
    return {**values, "module": module.rstrip(":")} if module else values


def _winerror(text: str) -> Values:
    """OSError: [WinError 126] The specified module could not be found. Error loading "C:\\…\\torch\\lib\\c10.dll" …"""
    number = between(text, "[WinError ", "]")
    path = between(text, 'Error loading "', '"') or between(text, "Error loading '", "'")
    if number not in _NUMBERS:
        return None
    return {"code": number, "why": _NUMBERS[number], **({"path": path} if path else {})}


def _exit(text: str) -> Values:
    """A status where one stands, not the same digits in a sum or an address."""
    upper = text.upper()
    said = "0X" in upper or any(word in upper for word in ("EXIT", "CODE", "STATUS", "RETURNED"))
    found = next((what for code, what in _CODES.items() if code in upper), None)
    return {"why": found} if found and said else None


def _runtime(text: str) -> Values:
    low = text.lower()
    name = next((one for one in RUNTIME if one in low), None)
    if name is None or "successfully" in low:
        return None
    end = low.find(".dll", low.find(name))
    return {"soname": low[low.find(name) : end + 4] if end >= 0 else f"{name}.dll"}


def _redistributable(text: str) -> Values:
    return {}


def _zlib(text: str) -> Values:
    return {"soname": "zlibwapi.dll"}


MESSAGES = (
    Message(
        "dll-load-failed",
        ("DLL load failed",),
        _dll_load,
        "Windows could not load a library that this module needs; it does not say which.",
        look=("# Dependencies (lucasg/Dependencies) shows which file is missing", "where cudart64_110.dll"),
        source="CPython Python/dynload_win.c, 2.7 to 3.14",
    ),
    Message(
        "windows-error",
        ("[WinError ",),
        _winerror,
        "A call of Windows failed: 126 a file or one it needs was not found, 127 it lacks a function, 193 it is of "
        "another kind of processor, 1114 its start failed, 1455 the paging file is too small.",
        source="Windows system error codes",
    ),
    Message(
        "windows-exit-code",
        # A number has no word that the sieve could go by: what stands in front of it has.
        ("exit code", "Exit code", "xit Code", "xitcode", "exit status", "exited with", "returned", "eturn code",
         "xception code", "rror code", "died with", "terminated", "ERRORLEVEL", "LASTEXITCODE", "status"),
        _exit,
        "Windows ended the program with this status: C000001D an instruction that the processor lacks, C0000135 a "
        "DLL was not found, C0000139 a DLL lacks a function, C0000005 an access violation, C0000409 the program ended "
        "itself.",
        source="Windows ntstatus.h",
    ),
    Message(
        "msvc-runtime-missing",
        ("msvcp140", "MSVCP140", "vcruntime140", "VCRUNTIME140"),
        _runtime,
        "A file of Microsoft's C++ runtime is named; TensorFlow and PyTorch need it.",
        look=(r"dir C:\Windows\System32\msvcp140_1.dll C:\Windows\System32\vcruntime140_1.dll",),
        source="tensorflow/python/platform/self_check.py, 1.x to 2.21; Windows",
    ),
    Message(
        "msvc-redistributable",
        ("Visual C++ Redistributable", "Visual C++ redistributable", "Visual C++ 2015", "vc_redist.x64"),
        _redistributable,
        "Microsoft's C++ runtime is spoken of: whether it is installed.",
        look=(r"dir C:\Windows\System32\msvcp140_1.dll C:\Windows\System32\vcruntime140_1.dll",),
        source="tensorflow/python/platform/self_check.py; torch/__init__.py",
    ),
    Message(
        "zlibwapi-missing",
        ("ocate zlibwapi.dll", "zlibwapi.dll is missing", "zlibwapi.dll was not found", "zlibwapi.dll"),
        _zlib,
        "cuDNN 8.3 to 8.9 on Windows needs zlibwapi.dll, which does not come with it.",
        look=("where zlibwapi.dll",),
        source="cuDNN 8.3 to 8.9 for Windows",
    ),
    Message(
        "windows-long-path",
        ("Windows Long Path support enabled", "enable-long-paths"),
        said,
        "A file's path is longer than Windows allows by default; the installation is not whole.",
        look=("# an environment in a short folder, such as C:\\tf, or long paths switched on",),
        source="pypa/pip, 20.3 to 26",
    ),
    Message(
        "windows-32-bit-program",
        ("not a valid Win32 application", "Program Files (x86)\\Python", "-32\\python.exe", "-32\\lib",
         "32 bit (Intel)", "i686 GNU/Linux", "win32.whl", "-32/python"),
        said,
        "A 32-bit Python, or a file of the other kind than this Python.",
        look=("python -c \"import struct; print(struct.calcsize('P') * 8)\"",),
        source="CPython's banner and installer; Windows error 193",
    ),
)  # fmt: skip
