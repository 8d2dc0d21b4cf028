"""--data is understood, or refused in one line that names what is wrong; the sample is what its NOTICE says."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from gpucheck.bench import data
from gpucheck.bench.data import FULL, SAMPLE, SAMPLE_FILE, BadData, choose, idx_spellings, keras_file, known, named

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import build_sample  # noqa: E402

IDX = tuple(build_sample.FILES)


def refused(asked, environ=None):
    with pytest.raises(BadData) as caught:
        choose(str(asked), environ)
    words = str(caught.value)
    assert "\n" not in words
    return words


def test_the_sample_is_there_and_holds_what_the_code_says():
    made = choose("sample")
    assert (made.kind, made.path, made.sha256, made.label, made.download) == (
        "sample",
        SAMPLE_FILE,
        SAMPLE,
        "sample",
        False,
    )
    assert build_sample.flaw(Path(SAMPLE_FILE)) is None
    assert os.path.getsize(SAMPLE_FILE) < 512 * 1024


def test_the_sample_holds_no_pickle_and_no_label_beyond_9():
    with zipfile.ZipFile(SAMPLE_FILE) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert b"'descr': '|u1', 'fortran_order': False" in content[:128]
        assert set(archive.read("y_train.npy")[128:]) == set(archive.read("y_test.npy")[128:]) == set(range(10))


def test_the_samples_licence_lies_beside_it_and_in_the_packages():
    words = (Path(SAMPLE_FILE).parent / "NOTICE").read_text()
    for each in ("Yann LeCun", "Corinna Cortes", "Attribution-Share Alike 3.0", "unmodified", "5000 to 7559"):
        assert each in words
    project = (ROOT / "pyproject.toml").read_text()
    assert 'license = "Apache-2.0 AND CC-BY-SA-3.0"' in project
    assert '"gpucheck/bench/sample/NOTICE"' in project


def test_an_archive_is_the_same_whenever_it_is_built():
    few = {name: bytes([at]) * 99 for at, name in enumerate(SAMPLE)}
    assert build_sample.archive(few) == build_sample.archive(dict(few))


@pytest.mark.slow
def test_the_committed_archive_is_what_the_script_builds(tmp_path):
    with zipfile.ZipFile(SAMPLE_FILE) as archive:
        arrays = {name: archive.read(name + ".npy")[len(build_sample.header(name)) :] for name in SAMPLE}
    made = tmp_path / "made.npz"
    build_sample.write(made, build_sample.archive(arrays))
    assert build_sample.flaw(made) is None
    assert os.listdir(tmp_path) == ["made.npz"]


def test_a_sample_with_other_arrays_is_not_taken_for_right(tmp_path):
    made = tmp_path / "made.npz"
    assert build_sample.flaw(made) == "not there"
    made.write_bytes(build_sample.archive(dict.fromkeys(SAMPLE, b"")))
    assert build_sample.flaw(made) == "x_train is not what it should be"
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr("more.npy", b"")
    assert build_sample.flaw(made) == "holds other members"
    made.write_bytes(b"PK")
    assert "cannot be read" in (build_sample.flaw(made) or "")


@pytest.mark.parametrize("content", [None, b"", b"not the original"])
def test_from_other_files_nothing_is_built(tmp_path, capsys, content):
    if content is not None:
        for name in IDX:
            (tmp_path / name).write_bytes(content)
    made = tmp_path / "out" / "made.npz"
    assert build_sample.main(["--from", str(tmp_path), "--output", str(made)]) == 1
    assert IDX[0] in capsys.readouterr().err
    assert not made.parent.exists()


def test_a_package_that_is_none_or_is_not_there_is_told(tmp_path, capsys):
    (tmp_path / "package.tgz").write_bytes(b"\x1f\x8bnothing")
    for name in ("package.tgz", "absent.tgz"):
        assert build_sample.main(["--from", str(tmp_path / name), "--output", str(tmp_path / "made.npz")]) == 1
        assert capsys.readouterr().err.startswith("build_sample: ")


def test_the_built_sample_is_left_alone_and_can_be_asked_about(capsys):
    before = os.stat(SAMPLE_FILE)
    assert build_sample.main(["--check"]) == 0
    assert "as it should be" in capsys.readouterr().out
    assert os.stat(SAMPLE_FILE).st_mtime_ns == before.st_mtime_ns


def test_the_full_set_is_kerass_own_file(tmp_path, monkeypatch):
    cached = tmp_path / "datasets" / "mnist.npz"
    cached.parent.mkdir()
    cached.write_bytes(b"for a test")
    monkeypatch.setattr(data, "FULL_FILE_SUM", hashlib.sha256(b"for a test").hexdigest())
    made = choose("full", {"KERAS_HOME": str(tmp_path)})
    assert made == ("full", str(cached), FULL, "full", False)


def test_a_full_set_that_is_not_there_is_to_be_downloaded_to_where_keras_keeps_it(tmp_path):
    made = choose("full", {"HOME": str(tmp_path)})
    assert made == ("full", str(tmp_path / ".keras" / "datasets" / "mnist.npz"), FULL, "full", True)
    assert keras_file({"KERAS_HOME": "/k", "HOME": "/h"}) == os.path.join("/k", "datasets", "mnist.npz")
    assert keras_file({"KERAS_HOME": "", "HOME": "/h"}) == os.path.join("/h", ".keras", "datasets", "mnist.npz")


def test_a_damaged_cache_is_named_with_its_cure(tmp_path):
    cached = tmp_path / "datasets" / "mnist.npz"
    cached.parent.mkdir()
    cached.write_bytes(b"half a downl")
    words = refused("full", {"KERAS_HOME": str(tmp_path)})
    assert str(cached) in words
    assert "delete it" in words
    cached.unlink()
    cached.mkdir()
    assert "move it away" in refused("full", {"KERAS_HOME": str(tmp_path)})


def test_synthetic_images_come_from_no_file():
    assert choose("synthetic") == ("synthetic", None, None, "synthetic", False)


def test_an_npz_is_taken_by_what_it_is_and_named_without_its_folders(tmp_path):
    mine = tmp_path / "mine.data"
    shutil.copyfile(SAMPLE_FILE, mine)
    assert choose(str(mine)) == ("npz", str(mine), None, "mine.data", False)


def test_a_relative_path_and_a_home_become_absolute(tmp_path, monkeypatch):
    shutil.copyfile(SAMPLE_FILE, tmp_path / "mine.npz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert choose("mine.npz").path == choose("~/mine.npz").path == str(tmp_path / "mine.npz")


@pytest.mark.parametrize("spelling", range(4))
def test_a_folder_of_idx_files_is_taken_in_every_spelling(tmp_path, spelling):
    for name in IDX:
        (tmp_path / idx_spellings(name)[spelling]).write_bytes(gzip.compress(b"") if spelling > 1 else b"")
    assert choose(str(tmp_path) + "/") == ("idx", str(tmp_path), None, tmp_path.name, False)
    (tmp_path / idx_spellings(IDX[1])[spelling]).unlink()
    assert IDX[1] in refused(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an .npz"),
        (b"\x80\x04K\x01.", "not an .npz"),
        (b"\x93NUMPY\x01\x00", "not an .npz"),
        (b"label,pixel0\n", "not an .npz"),
        (b"\x1f\x8b\x08\x00", "name the folder"),
        (b"\x00\x00\x08\x03\x00\x00", "name the folder"),
    ],
)
def test_another_file_is_refused_by_name(tmp_path, content, words):
    (tmp_path / "mine").write_bytes(content)
    told = refused(tmp_path / "mine")
    assert words in told
    assert "mine" in told


def test_what_is_not_there_or_cannot_hold_images_is_told_and_does_not_hang(tmp_path):
    assert "no file or folder 'ful'" in refused("ful")
    assert "no file or folder ''" in refused("")
    assert "no file or folder" in refused(SAMPLE_FILE + "/within")
    assert "neither a file nor a folder" in refused("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in refused(tmp_path / "pipe")
    (tmp_path / "round").symlink_to("round")
    assert "cannot look at" in refused(tmp_path / "round")
    assert "cannot look at" in refused("a\0b")
    assert "cannot look at" in refused("x" * 5000)
    assert "lacks train-images" in refused(tmp_path)
    assert "no file" in refused("two\nlines")


def test_a_pipe_among_the_idx_files_is_told(tmp_path):
    for name in IDX[1:]:
        (tmp_path / name).write_bytes(b"")
    os.mkfifo(tmp_path / IDX[0])
    assert "is not a file" in refused(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="this machine: root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path):
    shutil.copyfile(SAMPLE_FILE, tmp_path / "mine.npz")
    (tmp_path / "mine.npz").chmod(0)
    assert "cannot read" in refused(tmp_path / "mine.npz")


def test_arrays_are_known_by_their_sums_alone():
    assert (known(FULL), known(dict(SAMPLE)), known({}), known({**FULL, "y_test": "0"})) == (
        "full",
        "sample",
        None,
        None,
    )


def test_the_report_says_of_a_users_own_files_what_they_hold(tmp_path):
    mine = data.Data("npz", "/somewhere/mine.npz", None, "mine.npz")
    assert named(mine, FULL) == "mine.npz (the full MNIST)"
    assert named(mine, SAMPLE) == "mine.npz (gpucheck's sample)"
    assert named(mine, {}) == "mine.npz (not MNIST as published)"
    assert named(choose("sample"), SAMPLE) == "sample"


def test_a_name_with_any_bytes_gives_a_label_that_can_be_written(tmp_path):
    name = os.fsdecode(b"caf\xe9.npz")
    shutil.copyfile(SAMPLE_FILE, tmp_path / name)
    assert choose(str(tmp_path / name)).label.encode() == b"caf?.npz"
