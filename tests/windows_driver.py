"""A driver for Windows at the level of its ABI: tests/native/*.c compiled by mingw into nvml.dll and nvcuda.dll.

The same sources and faults as Linux's fake_driver.py: faults are chosen by environment variables
(tests/native/profiles.h) or by the file that lies in the driver's place.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Union

from windows_lab import give_up

SOURCES = Path(__file__).parent / "native"
LIBRARIES = {"nvml.dll": "fake_nvml.c", "nvcuda.dll": "fake_cuda.c"}
DRIVER = "552.22"
FILE_VERSION = "31.0.15.5222"  # how Windows writes the same: the last five digits are NVIDIA's
_RESOURCE = """
1 VERSIONINFO FILEVERSION {numbers} PRODUCTVERSION {numbers}
BEGIN
  BLOCK "StringFileInfo" BEGIN BLOCK "040904b0" BEGIN
    VALUE "CompanyName", "NVIDIA Corporation"
    VALUE "ProductVersion", "{text}"
  END END
  BLOCK "VarFileInfo" BEGIN VALUE "Translation", 0x409, 1200 END
END
"""


class WindowsDriver:
    """Folders with both libraries, below `root`: driver, and one for each way in which a file can be broken."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, kind: str = "driver") -> Path:
        return self.root / kind

    def put(self, system32: Path, kind: str = "driver", *names: str) -> None:
        """Install it into a Windows of the laboratory; `remove` takes it away again."""
        self.remove(system32)
        for name in names or LIBRARIES:
            shutil.copy(self.folder(kind) / name, system32 / name)

    @staticmethod
    def remove(system32: Path) -> None:
        for name in LIBRARIES:
            (system32 / name).unlink(missing_ok=True)


def build(root: Path) -> WindowsDriver:
    """Compile everything into `root`. Without mingw the tests that need it are skipped, in CI they fail."""
    compiler, resources = _tool("gcc"), _tool("windres")
    if compiler is None or resources is None:
        give_up("no mingw (x86_64-w64-mingw32-gcc) to build the fake driver with")
    driver = root / "driver"
    driver.mkdir(parents=True)
    version = root / "version.o"
    (root / "version.rc").write_text(_RESOURCE.format(numbers=FILE_VERSION.replace(".", ","), text=FILE_VERSION))
    subprocess.run([resources, str(root / "version.rc"), "-O", "coff", "-o", str(version)], check=True)
    for name, source in LIBRARIES.items():
        flags = ["-shared", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-s"]
        subprocess.run([compiler, *flags, str(SOURCES / source), str(version), "-o", str(driver / name)], check=True)
        whole = (driver / name).read_bytes()
        for kind, content in {
            "empty": b"",
            "truncated": whole[: len(whole) // 4],
            "text": b"<html>404 Not Found</html>\r\n" * 40,
            "foreign": _of_another_machine(whole),
        }.items():
            (root / kind).mkdir(exist_ok=True)
            (root / kind / name).write_bytes(content)
    _needing_another(compiler, root)
    return WindowsDriver(root)


def compiler() -> Union[str, None]:
    """mingw's gcc; None: it is not here."""
    return _tool("gcc")


def _tool(name: str) -> Union[str, None]:
    return shutil.which(f"x86_64-w64-mingw32-{name}") or shutil.which(f"{name}.exe")


def _needing_another(compiler: str, root: Path) -> None:
    """Libraries that need a DLL that is nowhere."""
    folder = root / "needy"
    folder.mkdir()
    (folder / "gone.c").write_text("__declspec(dllexport) int gone(void) { return 0; }\n")
    gone = folder / "gone.dll"
    subprocess.run([compiler, "-shared", str(folder / "gone.c"), "-o", str(gone)], check=True)
    for name in LIBRARIES:
        (folder / "needs.c").write_text("int gone(void);\n__declspec(dllexport) int needs(void) { return gone(); }\n")
        subprocess.run([compiler, "-shared", str(folder / "needs.c"), str(gone), "-o", str(folder / name)], check=True)
    gone.unlink()


def _of_another_machine(library: bytes) -> bytes:
    """The same file for ARM64 (PE format: the machine stands 4 bytes behind e_lfanew)."""
    at = int.from_bytes(library[0x3C:0x40], "little") + 4
    return library[:at] + (0xAA64).to_bytes(2, "little") + library[at + 2 :]
