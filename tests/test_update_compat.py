"""The script that holds gpucheck's tables beside the index: it must see each kind of difference, and no other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from local_index import Index, make, make_tensorflow

pytest.importorskip("pypi_simple")
pytest.importorskip("remotezip")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
import update_compat

from gpucheck.compat.releases import releases

pytestmark = pytest.mark.slow
ROW = next(row for row in releases("linux", "x86_64") if row.version == "2.21.0")
UPLOADED = f"{ROW.uploaded}T12:00:00Z"


def lay_out(folder: Path, *, cudnn: str = ROW.cudnn_wheel, numpy: str = ROW.numpy, **more: str) -> None:
    """2.21.0's wheels for Linux x86_64 as they are, weighing nothing."""
    bounds = {
        "requires": [f"numpy{numpy}", f"protobuf{ROW.protobuf}"],
        "extras": {"and-cuda": [f"nvidia-cudnn-cu12{cudnn}"]},
    }
    for python in more.pop("pythons", ROW.pythons).split():
        short = f"cp{python.replace('.', '')}"
        tag = f"{short}-{short}-manylinux_{more.get('glibc', ROW.glibc).replace('.', '_')}_x86_64"
        wheel = {"cuda": more.get("cuda", ROW.cuda), "cudnn": more.get("cudnn_built", "9")}
        make_tensorflow(folder, "2.21.0", tag=tag, uploaded=more.get("uploaded", UPLOADED), **wheel, **bounds)


def told(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    with Index(folder) as index:
        code = update_compat.main([*words, "--index-url", index.url])
    return code, [line for line in capsys.readouterr().out.splitlines() if "linux-x86_64" in line]


def test_wheels_that_are_as_the_table_says_differ_in_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path)
    assert told(tmp_path, capsys, "2.21.0")[1] == []


@pytest.mark.parametrize(
    ("more", "field", "index"),
    [
        ({"pythons": "3.10 3.11"}, "pythons", "3.10 3.11"),
        ({"glibc": "2.28"}, "glibc", "2.28"),
        ({"uploaded": "2026-08-08T00:00:00Z"}, "uploaded", "2026-08-08 2026-08-08"),
        ({"numpy": ">=2"}, "numpy", ">=2"),
        ({"cudnn": "<11,>=10"}, "cudnn_wheel", "<11,>=10"),
        ({"cuda": "13.0"}, "cuda", "13.0"),
        ({"cudnn_built": "10"}, "cudnn", "10"),
        ({"cuda": ""}, "is_cuda_build", "False"),
    ],
)
def test_each_field_that_differs_is_told_with_both_values(
    more: dict[str, str], field: str, index: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path, **more)
    code, (line, *others) = told(tmp_path, capsys, "2.21.0")
    assert line.split()[:3] == ["2.21.0", "linux-x86_64", field]
    assert line.endswith(f"index: {index}")
    assert (code, others) == (1, [])


def test_a_release_that_the_table_does_not_know_is_a_difference_and_a_candidate_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path)
    wheel = {"cuda": "13.1", "cudnn": "9", "requires": ("numpy>=2.2",)}
    make_tensorflow(tmp_path, "3.0.0", tag="cp313-cp313-manylinux_2_28_x86_64", **wheel)
    make_tensorflow(tmp_path, "3.1.0rc1", tag="cp313-cp313-manylinux_2_28_x86_64")
    make(tmp_path, "tensorflow-gpu", "2.12.0")
    code, lines = told(tmp_path, capsys)
    assert code == 1
    assert [line.split()[0] for line in lines if " row " in line] == ["3.0.0"]
    assert any(line.split()[:3] == ["2.20.0", "linux-x86_64", "wheels"] for line in lines)
    inside = {line.split()[2]: line.partition("index: ")[2] for line in lines if line.startswith("3.0.0")}
    told_inside = {"pythons": "3.13", "glibc": "2.28", "numpy": ">=2.2", "cuda": "13.1", "cudnn": "9"}
    assert told_inside.items() <= inside.items()


def test_a_wheel_that_is_a_shim_counts_only_with_the_wheel_behind_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = next(row for row in releases("windows", "x86_64") if row.version == "2.17.0")
    shorts = [f"cp{python.replace('.', '')}" for python in row.pythons.split()]
    for short in shorts:
        uploaded = f"{row.uploaded}T00:00:00Z"
        make_tensorflow(tmp_path, "2.17.0", cuda="", tag=f"{short}-{short}-win_amd64", uploaded=uploaded)
    for short in shorts[1:]:
        make(tmp_path, "tensorflow-intel", "2.17.0", tag=f"{short}-{short}-win_amd64")
    with Index(tmp_path) as index:
        update_compat.main(["2.17.0", "--index-url", index.url])
    lines = [line for line in capsys.readouterr().out.splitlines() if "windows" in line]
    assert [line.split()[2] for line in lines] == ["pythons"]
    assert lines[0].endswith(f"index: {' '.join(row.pythons.split()[1:])}")


def test_without_an_index_it_says_so_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert update_compat.main(["--index-url", "http://127.0.0.1:9/simple/"]) == 2
    assert "could not be asked" in capsys.readouterr().err


@pytest.mark.real
def test_the_newest_releases_in_the_table_are_what_the_index_holds(capsys: pytest.CaptureFixture[str]) -> None:
    code = update_compat.main([])
    answer = capsys.readouterr()
    if code == 2:
        pytest.skip("no index here")
    assert code == 0, answer.out
