"""The worker reads image files: whatever they hold, it answers with arrays or with one line that says why not."""

from __future__ import annotations

import gzip
import hashlib
import random
import struct
import zipfile
import zlib
from contextlib import suppress

import pytest

from gpucheck.bench import worker
from gpucheck.bench.data import SAMPLE, SAMPLE_FILE, idx_spellings
from gpucheck.bench.worker import BadData, read_images

pytestmark = pytest.mark.slow  # its processes, or its many rounds
IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
TRAIN, TEST = worker.LEAST_TRAIN, worker.LEAST_TEST
PIXELS = bytes(worker.PIXELS)


def npy(values, shape, descr="|u1", fortran=False, version=1):
    words = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(words))
    return b"\x93NUMPY" + bytes([version, 0]) + length + words + values


def arrays(**changes):
    made = {
        "x_train": npy(PIXELS * TRAIN, (TRAIN, 28, 28)),
        "y_train": npy(bytes(TRAIN), (TRAIN,)),
        "x_test": npy(PIXELS * TEST, (TEST, 28, 28)),
        "y_test": npy(bytes(TEST), (TEST,)),
    }
    return {**made, **changes}


@pytest.fixture
def read(tmp_path):
    def reading(members):
        with zipfile.ZipFile(tmp_path / "mine.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                if content is not None:
                    archive.writestr(name + ".npy", content)
        return read_images({"kind": "npz", "path": str(tmp_path / "mine.npz")})

    return reading


def refused(reading, *words):
    with pytest.raises(BadData) as caught:
        reading(*words)
    told = str(caught.value)
    assert "\n" not in told
    assert len(told) < 700
    return told


def idx(folder, spelling=0, **changes):
    """The four files. changes: name of an array -> content."""
    contents = {
        "x_train": struct.pack(">4I", 0x803, TRAIN, 28, 28) + PIXELS * TRAIN,
        "y_train": struct.pack(">2I", 0x801, TRAIN) + bytes(TRAIN),
        "x_test": struct.pack(">4I", 0x803, TEST, 28, 28) + PIXELS * TEST,
        "y_test": struct.pack(">2I", 0x801, TEST) + bytes(TEST),
        **changes,
    }
    for name, content in zip(IDX, contents.values(), strict=True):
        (folder / idx_spellings(name)[spelling]).write_bytes(gzip.compress(content) if spelling > 1 else content)
    return {"kind": "idx", "path": str(folder)}


def test_the_sample_is_read():
    raw = read_images({"kind": "sample", "path": SAMPLE_FILE})
    assert {name: len(values) for name, values in raw.items()} == {
        "x_train": 2560 * 784,
        "y_train": 2560,
        "x_test": 512 * 784,
        "y_test": 512,
    }
    assert {name: hashlib.sha256(values).hexdigest() for name, values in raw.items()} == SAMPLE


@pytest.mark.parametrize("shape", [(TRAIN, 28, 28), (TRAIN, 784), (TRAIN, 28, 28, 1)])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_images_of_every_usual_shape_are_read(read, shape, version):
    pixels = bytes(range(256)) * (TRAIN * 784 // 256)
    assert read(arrays(x_train=npy(pixels, shape, version=version)))["x_train"] == pixels


@pytest.mark.parametrize(
    ("descr", "code"),
    [("|u1", "B"), ("|i1", "b"), ("<i4", "<i"), (">i4", ">i"), ("<i8", "<q"), (">u2", ">H"), ("<u8", "<Q")],
)
@pytest.mark.parametrize("shape", [(TRAIN,), (TRAIN, 1)])
def test_labels_of_every_whole_type_are_read_as_bytes(read, descr, code, shape):
    labels = bytes(at % 10 for at in range(TRAIN))
    values = b"".join(struct.pack(code, one) for one in labels)
    assert read(arrays(y_train=npy(values, shape, descr)))["y_train"] == labels


@pytest.mark.parametrize("spelling", range(4))
def test_idx_files_are_read_in_every_spelling(tmp_path, spelling):
    labels = bytes(at % 10 for at in range(TRAIN))
    spec = idx(tmp_path, spelling, y_train=struct.pack(">2I", 0x801, TRAIN) + labels)
    raw = read_images(spec)
    assert raw["y_train"] == labels
    assert len(raw["x_test"]) == TEST * 784


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_test": None}, "lacks the array x_test"),
        ({"x_train": npy(PIXELS * TRAIN, (TRAIN, 28, 28), "<f4")}, "not of uint8"),
        ({"x_train": npy(PIXELS * TRAIN, (TRAIN, 28, 28), "|O")}, "has type '|O'"),
        ({"x_train": npy(PIXELS * TRAIN, (TRAIN, 14, 56))}, "(n, 28, 28) is expected"),
        ({"x_train": npy(PIXELS * TRAIN, (TRAIN, 28, 28), fortran=True)}, "Fortran"),
        ({"x_train": npy(PIXELS * TRAIN, ())}, "shape ()"),
        ({"x_train": npy(PIXELS, (-1, 28, 28))}, "shape (-1, 28, 28)"),
        ({"x_train": npy(PIXELS, (True, 28, 28))}, "shape (True"),
        ({"x_train": npy(PIXELS * TRAIN, (TRAIN + 1, 28, 28))}, "cut off"),
        ({"x_train": npy(PIXELS * TRAIN + b"\0", (TRAIN, 28, 28))}, "longer than"),
        ({"x_train": npy(PIXELS, (10**9, 28, 28))}, "promises 1000000000 images"),
        ({"x_train": npy(PIXELS, (300_000, 28, 28))}, "cut off"),
        ({"x_train": npy(PIXELS * 639, (639, 28, 28)), "y_train": npy(bytes(639), (639,))}, "at least 640"),
        ({"x_test": npy(b"", (0, 28, 28)), "y_test": npy(b"", (0,))}, "at least 100"),
        ({"y_train": npy(bytes(TRAIN - 1), (TRAIN - 1,))}, "640 train images, but 639 labels"),
        ({"y_train": npy(b"\x0a" * TRAIN, (TRAIN,))}, "the label 10"),
        ({"y_train": npy(b"\xff" * TRAIN, (TRAIN,), "|i1")}, "the label 255"),
        ({"y_train": npy(struct.pack("<i", 256) * TRAIN, (TRAIN,), "<i4")}, "beyond 0 to 255"),
        ({"y_train": npy(struct.pack("<q", -1) * TRAIN, (TRAIN,), "<i8")}, "beyond 0 to 255"),
        ({"y_train": npy(bytes(TRAIN * 4), (TRAIN,), "<f4")}, "not one whole number"),
        ({"y_train": npy(bytes(TRAIN * 10), (TRAIN, 10))}, "not one whole number"),
        ({"y_train": npy(bytes(TRAIN), (TRAIN,), [("a", "|u1")])}, "cannot be understood"),
        ({"y_train": b"\x80\x04K\x01."}, "not an array"),
        ({"y_train": b""}, "not an array"),
        ({"y_train": b"\x93NUMPY\x01\x00\xff\xff{"}, "header of 65535 bytes"),
        ({"y_train": b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16}, "cannot be understood"),
        ({"y_train": b"\x93NUMPY\x01\x00\x04\x00[1] "}, "cannot be understood"),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_refused_by_name(read, changes, words):
    told = refused(read, arrays(**changes))
    assert words in told
    assert "mine.npz" in told


@pytest.mark.parametrize(
    ("key", "content", "words"),
    [
        ("x_train", b"", "does not begin"),
        ("x_train", struct.pack(">4I", 0x801, TRAIN, 28, 28), "does not begin as an IDX file of images"),
        ("y_train", struct.pack(">4I", 0x803, TRAIN, 28, 28), "does not begin as an IDX file of labels"),
        ("x_train", struct.pack(">4I", 0xD03, TRAIN, 28, 28), "does not begin"),
        ("x_train", struct.pack(">3I", 0x803, TRAIN, 28), "not of 28x28"),
        ("x_train", struct.pack(">4I", 0x803, TRAIN, 32, 32), "images of 32x32"),
        ("x_train", struct.pack(">4I", 0x803, 10**9, 28, 28) + bytes(1000), "promises 1000000000"),
        ("x_train", struct.pack(">4I", 0x803, 299_999, 28, 28) + bytes(1000), "cut off"),
        ("y_test", struct.pack(">2I", 0x801, TEST) + bytes(TEST + 1), "longer than"),
        ("y_test", struct.pack(">2I", 0x801, TEST) + b"\x0b" * TEST, "the label 11"),
    ],
)
@pytest.mark.parametrize("spelling", [0, 2])
def test_idx_files_that_cannot_be_trained_on_are_refused_by_name(tmp_path, key, content, words, spelling):
    spec = idx(tmp_path, spelling, **{key: content})
    assert words in refused(read_images, spec)


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    spec = idx(tmp_path, 2)
    squeezed = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [squeezed.compress(struct.pack(">2I", 0x801, TEST))]
    parts += [squeezed.compress(bytes(1 << 20)) for _ in range(64)]
    (tmp_path / (IDX[3] + ".gz")).write_bytes(b"".join(parts) + squeezed.flush())
    assert "longer than the 100 bytes" in refused(read_images, spec)


def test_a_zip_bomb_is_not_unpacked(read):
    assert "longer than" in refused(read, arrays(y_test=npy(bytes(1 << 24), (TEST,))))


def test_files_that_are_not_there_are_told(tmp_path):
    assert "there is no file" in refused(read_images, {"kind": "npz", "path": str(tmp_path / "none.npz")})
    assert "lacks train-images" in refused(read_images, {"kind": "idx", "path": str(tmp_path)})


def test_whatever_bytes_a_file_holds_the_answer_is_arrays_or_one_line(tmp_path):
    """Cut off, and with bytes changed: zipfile and gzip raise a dozen kinds of errors for such files."""
    chance = random.Random(5)
    spec = idx(tmp_path, 2)
    packed = tmp_path / "mine.npz"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in arrays().items():
            archive.writestr(name + ".npy", content)
    for path, asked in ((packed, {"kind": "npz", "path": str(packed)}), (tmp_path / (IDX[1] + ".gz"), spec)):
        whole = path.read_bytes()
        for _ in range(60):
            changed = bytearray(whole)
            for _ in range(chance.choice((1, 1, 3, 20))):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            path.write_bytes(changed[: chance.choice((len(changed), chance.randrange(len(changed))))])
            with suppress(BadData):  # anything else fails
                assert len(read_images(asked)) == 4
        path.write_bytes(whole)
