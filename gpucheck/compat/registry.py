"""The keys of Windows' registry that gpucheck may read. Whatever is not named here never gets into a snapshot.

Of a key that holds environment variables only those of compat.variables are kept: others may be secrets.
"""

from __future__ import annotations

from gpucheck.compat.variables import NAMES

_CONTROL = r"HKLM\SYSTEM\CurrentControlSet\Control"

# Display adapters: one numbered key each, with the driver's version (Microsoft, "System-Defined Device Setup Classes").
DISPLAY = _CONTROL + r"\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
# Every PCI device that Windows has seen, with a driver or without one.
PCI = r"HKLM\SYSTEM\CurrentControlSet\Enum\PCI"
# The drivers' services; their subkey Enum lists the devices that they serve now.
SERVICES = {
    "NVIDIA": r"HKLM\SYSTEM\CurrentControlSet\Services\nvlddmkm",
    "Microsoft": r"HKLM\SYSTEM\CurrentControlSet\Services\BasicDisplay",
}
USER_VARIABLES = r"HKCU\Environment"
MACHINE_VARIABLES = _CONTROL + r"\Session Manager\Environment"
FILE_SYSTEM = _CONTROL + r"\FileSystem"
SECURE_BOOT = _CONTROL + r"\SecureBoot\State"
# One subkey for each toolkit of NVIDIA's installer, "v11.2", with its folder in InstallDir (as CMake reads it).
TOOLKITS = r"HKLM\SOFTWARE\NVIDIA Corporation\GPU Computing Toolkit\CUDA"
WINDOWS = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
CPU = r"HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor\0"

PREFIXES: tuple[str, ...] = (
    DISPLAY,
    PCI,
    *SERVICES.values(),
    USER_VARIABLES,
    MACHINE_VARIABLES,
    FILE_SYSTEM,
    SECURE_BOOT,
    TOOLKITS,
    WINDOWS,
    CPU,
)

# Of these keys only some values are anybody's business.
_KEPT: dict[str, tuple[str, ...]] = {
    FILE_SYSTEM: ("LongPathsEnabled",),
    WINDOWS: ("ProductName", "DisplayVersion", "ReleaseId", "CurrentBuildNumber", "CurrentMajorVersionNumber", "UBR"),
    CPU: ("ProcessorNameString", "Identifier"),
}


def allowed(key: str) -> bool:
    """May this key be read? Itself or a key below one of PREFIXES."""
    text = key.lower()
    return any(text == one.lower() or text.startswith(one.lower() + "\\") for one in PREFIXES)


def kept(key: str, value: str) -> bool:
    """May this value of an allowed key be read?"""
    if key.lower() in (USER_VARIABLES.lower(), MACHINE_VARIABLES.lower()):
        return value.upper() in NAMES
    names = next((names for one, names in _KEPT.items() if one.lower() == key.lower()), None)
    return names is None or value.lower() in {name.lower() for name in names}
