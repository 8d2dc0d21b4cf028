"""What RECORD says against what is there, on made-up folders and on real environments."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Union

import local_index
import pytest
from install_trees import tree
from real_environments import environment as real_environment

from gpucheck.install.changing import place, records, repair, transaction
from gpucheck.install.changing.records import Damage
from gpucheck.install.errors import Failed
from gpucheck.install.indexes.settings import Settings
from gpucheck.install.progress import Silent


def distribution(site: Path, name: str, version: str, files: Mapping[str, bytes], more: str = "") -> None:
    info = f"{name}-{version}.dist-info"
    lines = []
    for path, data in {**files, f"{info}/METADATA": f"Name: {name}\n".encode()}.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        quoted = '"' + path.replace('"', '""') + '"' if set(path) & set(',"\n') else path
        lines.append(f"{quoted},sha256={digest},{len(data)}\n")
    (site / info / "RECORD").write_text("".join(lines) + more + f"{info}/RECORD,,\n")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    site = tmp_path / "lib" / "python3.12" / "site-packages"
    files = {
        "alpha/__init__.py": b"x = 1\n",
        "alpha/lib.so": b"\x7fELF",
        'alpha/odd,na"me.txt': b"odd",
        "alpha/ü.txt": b"u",
    }
    distribution(site, "alpha", "1.0", files, "../../../bin/alpha,,\nalpha/__pycache__/__init__.cpython-312.pyc,,\n")
    distribution(site, "beta_two", "2", {"beta.py": b""})
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "alpha").write_text("#!python\n")
    return site


def test_a_whole_environment_has_no_damage_in_either_way(site: Path) -> None:
    assert records.damaged(str(site)) == ()
    assert records.damaged(str(site), thorough=True) == ()


def test_missing_files_and_files_of_another_size_are_told(site: Path) -> None:
    (site / "alpha" / "lib.so").unlink()
    (site.parents[2] / "bin" / "alpha").unlink()
    (site / 'alpha/odd,na"me.txt').write_bytes(b"cut")
    (site / "alpha" / "__init__.py").write_bytes(b"")
    (damage,) = records.damaged(str(site))
    assert damage == Damage(
        "alpha", "1.0", "alpha-1.0.dist-info", ("alpha/lib.so", "../../../bin/alpha"), ("alpha/__init__.py",)
    )
    assert not damage.whole


def test_a_file_of_the_same_size_takes_a_thorough_look(site: Path) -> None:
    (site / "alpha" / "lib.so").write_bytes(b"\x7fELG")
    assert records.damaged(str(site)) == ()
    (damage,) = records.damaged(str(site), thorough=True)
    assert damage.changed == ("alpha/lib.so",)


def test_what_is_no_file_is_missing(site: Path) -> None:
    (site / "alpha" / "lib.so").unlink()
    (site / "alpha" / "lib.so").symlink_to("nowhere")
    (site / "alpha" / "ü.txt").unlink()
    (site / "alpha" / "ü.txt").mkdir()
    (damage,) = records.damaged(str(site))
    assert set(damage.missing) == {"alpha/lib.so", "alpha/ü.txt"}


def test_two_distributions_with_one_file_are_told_apart(site: Path) -> None:
    distribution(site, "nvidia_cudnn_cu12", "9", {"nvidia/cudnn.h": b"12", "nvidia/same": b""})
    distribution(site, "nvidia_cudnn_cu13", "9", {"nvidia/cudnn.h": b"thirteen", "nvidia/same": b""})
    (damage,) = records.damaged(str(site))
    assert damage.name == "nvidia-cudnn-cu12"
    assert damage.overwritten == (("nvidia/cudnn.h", "nvidia-cudnn-cu13"),)
    assert damage.whole
    (site / "nvidia" / "cudnn.h").write_bytes(b"neither")
    assert [one.changed for one in records.damaged(str(site))] == [("nvidia/cudnn.h",)] * 2


@pytest.mark.parametrize("text", [None, "", "nonsense\n", "\x00,,\n", "a,b\n" * 3])
def test_a_distribution_without_a_record_is_not_called_whole(site: Path, text: Union[str, None]) -> None:
    record = site / "alpha-1.0.dist-info" / "RECORD"
    record.unlink()
    if text is not None:
        record.write_text(text)
    (damage,) = records.damaged(str(site))
    assert not damage.recorded
    assert not damage.whole


def test_rests_of_killed_upgrades_are_found(site: Path) -> None:
    (site / "~lpha").mkdir()
    assert records.leftovers(str(site)) == ("~lpha",)


def test_a_record_in_any_encoding_is_read(site: Path) -> None:
    with open(site / "beta_two-2.dist-info" / "RECORD", "ab") as file:
        file.write(b"caf\xe9.py,,\n" + os.fsencode("x" * 300) + b",,\nsize.py,,9999999999999999999999999\n")
    (damage,) = records.damaged(str(site))
    assert len(damage.missing) == 3


@pytest.mark.real
@pytest.mark.slow
def test_tensorflow_with_cuda_is_whole_and_a_lost_library_is_found(tmp_path: Path) -> None:
    (site,) = (real_environment("tf221") / "lib").glob("python*/site-packages")
    assert records.damaged(str(site)) == ()
    copy = tmp_path / "site"
    copy.mkdir()
    for name in os.listdir(site):
        if name != "nvidia" and not name.startswith("nvidia_cublas"):
            (copy / name).symlink_to(site / name)
    (copy / "nvidia").mkdir()
    for name in os.listdir(site / "nvidia"):
        if name != "cublas":
            (copy / "nvidia" / name).symlink_to(site / "nvidia" / name)
    (info,) = site.glob("nvidia_cublas_cu12-*.dist-info")
    (copy / info.name).symlink_to(info)
    wrong = {one.name: one for one in records.damaged(str(copy))}
    assert any(path.endswith("libcublas.so.12") for path in wrong["nvidia-cublas-cu12"].missing)


# Repair


class Kit:
    """A real environment of tiny packages, and where they come from."""

    def __init__(self, folder: Path) -> None:
        from uv import find_uv_bin

        self.env, self.wheels = folder / ".venv", folder / "wheels"
        files = {f"alpha/part{number}.py": b"x = 1\n" * number for number in range(10)}
        local_index.make(self.wheels, "alpha", "1", files=files, scripts={"alpha": "alpha.part1:x"})
        local_index.make(self.wheels, "beta", "1", requires=["alpha"])
        self.settings = Settings(
            find_links=(str(self.wheels),), no_index=True, offline=True, cache=str(folder / "cache")
        )
        environ = {**os.environ, "UV_CACHE_DIR": str(folder / "cache")}
        for words in (
            ["venv", "--python", sys.executable, str(self.env)],
            ["pip", "install", "--offline", "--no-index", "-f", str(self.wheels), "-p", str(self.env), "beta"],
        ):
            subprocess.run([find_uv_bin(), "--quiet", *words], check=True, env=environ)
        (self.site,) = (self.env / "lib").glob("python*/site-packages")

    def repair(self) -> repair.State:
        state = repair.examine(str(self.env), thorough=True)
        assert not state.whole
        return repair.repair(place.real(str(self.env)), self.settings, Silent(), state)


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path)


@pytest.mark.slow
def test_repair_brings_back_what_is_missing_or_changed_and_touches_nothing_else(kit: Kit) -> None:
    whole, other = tree(kit.env), (kit.site / "beta" / "__init__.py").stat().st_ino
    assert repair.examine(str(kit.env)).whole
    (kit.site / "alpha" / "part3.py").unlink()
    (kit.site / "alpha" / "part4.py").unlink()
    (kit.site / "alpha" / "part4.py").write_text("y = 1\n" * 4)
    (kit.site / "~lpha").mkdir()
    (kit.site / "~lpha" / "old.py").write_text("")
    broken = tree(kit.env)
    after = kit.repair()
    assert after.whole
    assert repair.examine(str(kit.env), thorough=True).whole
    repaired = tree(kit.env) or {}
    assert {name for name in repaired if repaired[name] != (whole or {}).get(name)} <= {
        *("", ".gpucheck", ".gpucheck/transaction", ".lock", "bin/alpha"),
        *(name for name in repaired if name.endswith(("uv_cache.json", "REQUESTED", "RECORD"))),
    }
    assert (kit.site / "beta" / "__init__.py").stat().st_ino == other
    transaction.undo(place.real(str(kit.env)))
    assert tree(kit.env) == broken


@pytest.mark.slow
def test_a_file_that_uvs_cache_shares_is_repaired_too(kit: Kit) -> None:
    """Written in place, so that the cache's copy is damaged as well."""
    with open(kit.site / "alpha" / "part5.py", "a") as file:
        file.write("damage\n")
    assert kit.repair().whole
    assert (kit.site / "alpha" / "part5.py").read_bytes() == b"x = 1\n" * 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["METADATA", "RECORD", "both"])
def test_a_distribution_that_does_not_know_itself_is_repaired(kit: Kit, name: str) -> None:
    for one in ("METADATA", "RECORD") if name == "both" else (name,):
        (kit.site / "alpha-1.dist-info" / one).unlink()
    assert kit.repair().whole


@pytest.mark.slow
def test_what_cannot_be_had_again_changes_nothing(kit: Kit) -> None:
    (kit.site / "alpha" / "part3.py").unlink()
    broken = tree(kit.env)
    for path in kit.wheels.iterdir():
        path.unlink()
    shutil.rmtree(kit.settings.cache or "")
    with pytest.raises(Failed, match="Nothing was changed") as caught:
        kit.repair()
    assert any("alpha" in line for line in caught.value.lines)
    assert tree(kit.env) == broken


def test_what_was_installed_from_a_folder_of_ones_own_is_told(site: Path) -> None:
    env = site.parents[2]
    (site / "alpha-1.0.dist-info" / "direct_url.json").write_text(
        '{"url": "file:///src", "dir_info": {"editable": true}}'
    )
    (site / "alpha" / "lib.so").unlink()
    (site / "old.egg-info").mkdir()
    state = repair.examine(str(env))
    assert state.requirements == ()
    assert len(state.cannot) == 1
    assert "file:///src" in state.cannot[0]
    assert not state.whole


def test_the_hash_of_the_receipt_and_the_newer_of_two_versions_are_asked_for(site: Path) -> None:
    env = site.parents[2]
    (env / ".gpucheck").mkdir()
    (env / ".gpucheck" / "receipt.json").write_text(
        '{"plan": {"packages": [{"name": "alpha", "version": "1.10", "sha256": "ab12"}, 3, {"sha256": "x y"}]}}'
    )
    shutil.copytree(site / "alpha-1.0.dist-info", site / "alpha-1.10.dist-info")
    (site / "beta.py").unlink()
    (site / "beta_two-2.dist-info" / "direct_url.json").write_text('{"url": "https://x/b.whl", "archive_info": {}}')
    (site / "alpha" / "lib.so").unlink()
    assert repair.examine(str(env)).requirements == ("alpha==1.10 --hash=sha256:ab12", "beta-two @ https://x/b.whl")
