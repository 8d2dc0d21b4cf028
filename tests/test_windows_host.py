"""What a recorded Windows machine answers, by Windows' own rules of names; and what a DLL says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from gpucheck.compat import registry
from gpucheck.facts.gap import Gap
from gpucheck.host import Key, Pe
from gpucheck.host.recorded import RecordedHost
from gpucheck.host.recording import RecordingHost

DLL = r"C:\Windows\System32\nvml.dll"


def host(**parts: Any) -> RecordedHost:
    return RecordedHost({"schema": "gpucheck.machine/1", "flavour": "windows", "complete": True, **parts})


def test_a_file_is_found_under_any_case_and_either_slash() -> None:
    one = host(paths={DLL: {"pe": {"file_version": "31.0.15.5222"}}})
    for spelling in (DLL, DLL.lower(), DLL.replace("\\", "/"), r"c:\WINDOWS\x\..\system32\.\NVML.DLL"):
        assert one.pe(spelling) == Pe(None, "x86_64", 64, "31.0.15.5222", "31.0.15.5222", ()), spelling
        assert one.real(spelling) == DLL
    assert one.names("c:/windows") == ("System32",)
    assert one.names("C:\\") == ("Windows",)
    assert one.pe(r"D:\Windows\System32\nvml.dll") is None


def test_a_link_leads_to_another_drive_and_beside_itself() -> None:
    links = {r"C:\cuda": {"link": r"D:\toolkits\v11.2"}, r"D:\toolkits\v11.2": {"link": "v11.2.2"}}
    one = host(paths={**links, r"D:\toolkits\v11.2.2\version.json": {"text": "{}"}, r"C:\round": {"link": "ROUND"}})
    assert one.read(r"c:\CUDA\version.json") == b"{}"
    assert one.real(r"C:\cuda\version.json") == r"D:\toolkits\v11.2.2\version.json"
    assert one.is_link(r"C:\CUDA")
    assert not one.is_link("D:\\toolkits")
    assert one.real(r"C:\round\x") is None


def test_a_share_of_the_network_and_a_path_of_no_drive_are_answered() -> None:
    one = host(paths={r"\\server\share\cuda\bin\x.dll": {"size": 0}})
    assert one.names(r"\\SERVER\share\cuda") == ("bin",)
    assert one.pe(r"\\server\share\cuda\bin\x.dll") == Pe("empty", "", 0, None, None, ())
    for path in ("", "bin", r"C:bin", "\\", "\\\\", r"\\?\C:\x", "con", "a\0b"):
        assert one.stat(path) is None
        assert one.room(path) is not None


def test_a_variable_is_found_under_any_case() -> None:
    assert host(env={"Path": r"C:\x"}).env("PATH") == r"C:\x"


def test_a_registry_key_is_found_under_any_case_with_what_lies_below() -> None:
    keys = {registry.TOOLKITS + r"\v11.2": {"values": {"InstallDir": r"C:\x"}}}
    one = host(registry={**keys, registry.SECURE_BOOT: {"gap": "denied", "gap_kind": "denied"}})
    assert one.registry(registry.TOOLKITS.upper()) == Key(("v11.2",), ())
    assert one.registry(registry.TOOLKITS + r"\V11.2") == Key((), (("InstallDir", r"C:\x"),))
    assert one.registry(registry.TOOLKITS + r"\v12.0") is None
    assert isinstance(one.registry(registry.SECURE_BOOT), Gap)


def test_of_the_environment_in_the_registry_no_token_is_told() -> None:
    values = {"Path": r"%USERPROFILE%\bin", "GITHUB_TOKEN": "secret"}
    one = host(registry={registry.USER_VARIABLES: {"values": values, "expandable": ["Path"]}})
    assert one.registry(registry.USER_VARIABLES) == Key((), (("Path", r"%USERPROFILE%\bin"),), ("Path",))


def test_a_key_that_is_not_on_the_list_is_an_error_on_every_machine() -> None:
    for one in (host(), RecordedHost({"schema": "gpucheck.machine/1"})):
        with pytest.raises(LookupError):
            one.registry(r"HKCU\Software\Secrets")
    assert RecordedHost({"schema": "gpucheck.machine/1"}).registry(registry.TOOLKITS) is None


def test_what_was_recorded_of_windows_is_told_again() -> None:
    first = host(
        paths={DLL: {"pe": {"file_version": "1.2.3.4", "imports": ["KERNEL32.dll"]}}},
        registry={registry.USER_VARIABLES: {"values": {"Path": "x"}}, registry.TOOLKITS: {"keys": ["v11.2"]}},
    )
    recording = RecordingHost(first)
    asked = [registry.USER_VARIABLES, registry.TOOLKITS, registry.SECURE_BOOT]
    told = [recording.pe(DLL), recording.pe("C:\\none.dll"), *map(recording.registry, asked)]
    again = RecordedHost(recording.machine())
    assert [again.pe(DLL.upper()), again.pe("C:\\none.dll"), *map(again.registry, asked)] == told
    assert isinstance(again.pe(r"C:\never-asked.dll"), Gap)
    assert isinstance(again.registry(registry.WINDOWS), Gap)
