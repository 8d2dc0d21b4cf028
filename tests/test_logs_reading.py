"""From bytes to clues: whatever the encoding, the size and what others put around a line."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpucheck.facts.log import Clue, Log
from gpucheck.logs.gathering import Gathering
from gpucheck.logs.messages import Message, by_name, messages
from gpucheck.logs.reading import REACH, encoding_of, text_of
from gpucheck.logs.sieve import LEAST, Sieve, key_of
from gpucheck.logs.words import between, number_after, said, version_after, word_after


def _error(text: str) -> dict[str, str] | None:
    error = word_after(text, "failed call to cuInit:")
    return {"error": error} if error else None


SPEECH = (
    Message("cuinit", ("failed call to cuInit",), _error, "cuInit failed."),
    Message("warned", ("Warning: no TensorRT", "TensorRT is absent"), said, "No TensorRT."),
)
LINE = "failed call to cuInit: CUDA_ERROR_NO_DEVICE: no device"


def gathered(data: bytes, size: int = 1 << 18, speech: tuple[Message, ...] = SPEECH) -> Log:
    """The log of bytes that come in pieces of a size."""
    gathering = Gathering(speech)
    gathering.read("a.log", (data[at : at + size] for at in range(0, len(data), size)))
    return gathering.log


def only(log: Log) -> Clue:
    (clue,) = log.clues
    return clue


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 18])
def test_the_size_of_the_pieces_changes_nothing(size: int) -> None:
    data = f"one\r\ntwo\r\n{LINE}\r\nfour\r\n\r\n{LINE}\r\nWarning: no TensorRT".encode()
    log = gathered(data, size)
    assert [(clue.message, clue.line, clue.times) for clue in log.clues] == [("cuinit", 3, 2), ("warned", 7, 1)]
    assert (log.files[0].bytes, log.files[0].lines) == (len(data), 7)


ENCODED = [
    ("utf-8", LINE.encode()),
    ("utf-8", b"\xef\xbb\xbf" + LINE.encode()),
    ("utf-8", f"é ✓ {LINE}".encode()),
    ("latin-1", f"\xe9t\xe9 {LINE}".encode("latin-1")),
    ("utf-16-le", b"\xff\xfe" + LINE.encode("utf-16-le")),
    ("utf-16-be", b"\xfe\xff" + LINE.encode("utf-16-be")),
    ("utf-16-le", LINE.encode("utf-16-le")),
    ("utf-16-be", LINE.encode("utf-16-be")),
]


@pytest.mark.parametrize("size", [1, 5, 1 << 18])
@pytest.mark.parametrize(("encoding", "data"), ENCODED)
def test_every_encoding_of_a_redirect_is_read(encoding: str, data: bytes, size: int) -> None:
    first = "log\n".encode(encoding) if not data.startswith((b"\xef\xbb", b"\xff\xfe", b"\xfe\xff")) else b""
    log = gathered(first + data, size)
    clue = only(log)
    assert (clue.get("error"), clue.line) == ("CUDA_ERROR_NO_DEVICE", 2 if first else 1)
    assert LINE in clue.text
    assert size <= 5 or log.files[0].encoding == encoding  # told by the first piece


def test_what_powershell_appends_to_a_plain_file_is_read() -> None:
    log = gathered(f"{LINE}\r\n".encode() + "TensorRT is absent\r\n".encode("utf-16-le"))
    assert [clue.message for clue in log.clues] == ["cuinit", "warned"]
    assert log.files[0].notes == ("binary",)


def test_the_encoding_is_told_by_the_first_bytes_alone() -> None:
    assert encoding_of(b"") == ("utf-8", 0)
    assert encoding_of("é".encode()[:1]) == ("utf-8", 0)  # cut in the middle of a character
    assert encoding_of(bytes(64)) == ("utf-8", 0)  # zeros alone are no UTF-16
    assert encoding_of("中文 日志".encode("utf-16-le")) in (("utf-16-le", 0), ("latin-1", 0), ("utf-8", 0))


def test_a_progress_bar_is_not_part_of_the_line() -> None:
    bar = "".join(f"\r{step}/60 [===>...] - loss: 0.{step}" + "\b" * 30 for step in range(60))
    log = gathered(f"Epoch 1\n{bar}\r{LINE}\b\b\r{bar}\n".encode())
    assert (only(log).text, only(log).line) == (LINE, 2)


def test_a_bar_that_never_ends_its_line_is_read_as_it_goes() -> None:
    gathering = Gathering(SPEECH)
    gathering.begin("-")
    gathering.feed(b"1/60 [=>...]\r2/60")
    gathering.feed(f"\r{LINE}\r3/60".encode())
    assert only(gathering.log).text == LINE


COLORED = [
    "\x1b[31mfailed call \x1b[1;4mto cuInit\x1b[0m: CUDA_ERROR_NO_DEVICE: no device",
    "\x1b]8;;https://example.org\x1b\\failed call\x1b]8;;\x1b\\ to cuInit: CUDA_ERROR_NO_DEVICE: no device",
    "\x1b]0;a title\x07\x1b[2K\x1b[38:2::255:0:0mfailed call to cuInit: CUDA_ERROR_NO_DEVICE: no device\x1b(B",
]


@pytest.mark.parametrize("line", COLORED)
def test_colours_and_links_within_a_line_are_taken_out(line: str) -> None:
    assert only(gathered(f"{line}\n".encode())).text == LINE


FRONTS = [
    "[rank0]:",
    "[rank3]: [rank3]: ",
    "[default7]:",
    "[1,0]<stderr>:",
    "(train_loop pid=4711, ip=10.0.0.3) ",
    "(RayTrainWorker pid=4711) ",
    "[pod/trainer-0/main] ",
    "trainer-1  | ",
    "2024-05-10T11:33:19.738123456Z stderr F ",
    "Aug 26 14:08:07 gpu-box python3[4711]: ",
    "2024-05-10T11:33:19+0200 gpu-box python3[4711]: ",
    "  \t",
]


@pytest.mark.parametrize("front", FRONTS)
def test_what_launchers_and_containers_put_in_front_is_cut(front: str) -> None:
    clue = only(gathered(f"{front}{LINE}\n".encode()))
    assert (clue.text, clue.get("error")) == (LINE, "CUDA_ERROR_NO_DEVICE")


def test_a_time_stamp_of_the_program_itself_stays() -> None:
    line = f"2024-05-10 11:33:19.738123: E tensorflow/cuda_driver.cc:268] {LINE}"
    assert text_of(line.encode()) == line
    assert text_of(b"Error: Something is | not a front") == "Error: Something is | not a front"


def test_ranks_that_write_into_one_another_are_both_heard() -> None:
    log = gathered(f"[rank0]: {LINE}[rank1]: Warning: no TensorRT\n".encode())
    assert [clue.message for clue in log.clues] == ["cuinit", "warned"]


def test_quotes_that_a_word_processor_curled_are_straight() -> None:
    assert text_of("“Could not load ‘libcuda.so.1’”\u00a0now".encode()) == "\"Could not load 'libcuda.so.1'\" now"


def test_a_very_long_line_is_cut_around_what_it_says_and_says_it_once() -> None:
    cut = 1_200_000  # the first piece after which there are more than a megabyte
    for at in (0, cut - REACH - 10, cut - REACH // 2, cut - 10, cut, 2 << 20):
        data = b"x " * (at // 2) + LINE.encode() + b" y" * (1 << 19)
        log = gathered(data, 200_000)
        assert (only(log).times, only(log).line) == (1, 1)
        assert (len(only(log).text) <= 400, LINE in only(log).text) == (True, True)
        assert log.files[0].notes == ("cut lines",)


def test_a_cut_within_a_character_leaves_the_others_whole() -> None:
    for shift in range(3):
        clue = only(gathered(b"x" * shift + "é✓".encode() * 2000 + LINE.encode() + "✓é".encode() * 2000))
        assert (clue.get("error"), "é✓" in clue.text) == ("CUDA_ERROR_NO_DEVICE", True)


def test_a_page_that_is_cut_counts_its_lines_once() -> None:
    data = b"z" * (3 << 20) + b"\n" + b"second\n" + LINE.encode()
    log = gathered(data, 100_000)
    assert (only(log).line, log.files[0].lines) == (3, 3)


def test_garbage_is_read_to_its_end() -> None:
    data = random.Random(6).randbytes(300_000)
    log = gathered(data + b"\n" + LINE.encode() + b"\n" + data, 65_536)
    assert only(log).get("error") == "CUDA_ERROR_NO_DEVICE"
    assert log.files[0].bytes == 2 * len(data) + len(LINE) + 2


def test_a_compressed_log_is_said_to_be_one() -> None:
    assert "zcat" in gathered(b"\x1f\x8b\x08\x00rest").files[0].notes[0]


def test_an_empty_log_has_no_lines() -> None:
    log = gathered(b"")
    assert (log.clues, log.files[0].bytes, log.files[0].lines, log.files[0].encoding) == ((), 0, 0, "utf-8")
    assert gathered(b"a").files[0].lines == gathered(b"a\n").files[0].lines == 1


def test_what_differs_is_kept_up_to_a_number_and_what_repeats_is_counted() -> None:
    lines = [f"failed call to cuInit: ERROR_{number}" for number in range(30)] * 2
    log = gathered("\n".join(lines).encode())
    assert [clue.get("error") for clue in log.clues] == [f"ERROR_{number}" for number in range(20)]
    assert {clue.times for clue in log.clues} == {2}


def test_each_clue_stands_at_the_line_where_it_is_first_said() -> None:
    lines = [
        "TensorRT is absent",
        "",
        *(f"failed call to cuInit: E{number}" for number in range(5)),
        "",
        "cuInit",
        LINE,
    ]
    log = gathered("\n".join(lines).encode())
    assert [clue.line for clue in log.clues] == [1, 3, 4, 5, 6, 7, 10]


def test_several_logs_are_one_log_of_several_files() -> None:
    gathering = Gathering(SPEECH)
    gathering.read("a", [LINE.encode()])
    gathering.read("b", [b"\n\nTensorRT is absent", LINE.encode()])
    log = gathering.log
    assert [(clue.file, clue.line) for clue in log.clues] == [("a", 1), ("b", 3)]
    assert [file.path for file in log.files] == ["a", "b"]


WORDS = st.sampled_from(
    ["failed", "call", "to", "cuInit", "cu", "Init", "12", "12.0", "loss:", "=>", "Épo", "capability"]
)
NEEDLES = ("failed call to cuInit", "capability 12.0", "cuInit", "loss: 12", "0xC0")


@given(st.lists(st.lists(st.lists(WORDS, max_size=6), max_size=5), max_size=5))
def test_the_sieve_misses_no_needle_whatever_it_saw_before(pages: list[list[list[str]]]) -> None:
    sieve = Sieve(NEEDLES)
    for page in pages:
        data = "\n".join(" ".join(line) for line in page).encode()
        assert set(sieve.needles_in(data)) == {one.encode() for one in NEEDLES if one.encode() in data}


def test_the_sieve_forgets_rather_than_grows() -> None:
    sieve = Sieve(NEEDLES)
    letters = "abcdefghijklmnop"
    for front in itertools.product(letters, repeat=2):
        lines = ("".join((*front, *rest)) for rest in itertools.product(letters, repeat=2))
        assert sieve.needles_in("\n".join(lines).encode()) == ()
    assert len(sieve._lines) <= 50_000
    assert sieve.needles_in(b"failed call to cuInit") != ()


def test_words_are_taken_out_of_a_line() -> None:
    assert between("a 'b c' d", "'", "'") == "b c"
    assert between("a 'b", "'", "'") is None
    assert word_after("library: 'libcuda.so.1'; x", "library:") == "libcuda.so.1"
    assert word_after("no such", "library:") is None
    assert version_after("runtime CuDNN library: 8.0.4 but", "library:") == "8.0.4"
    assert version_after("library: unknown", "library:") is None
    assert number_after("free: 123bytes", "free:") == "123"
    assert number_after("free: none", "free:") is None


# What every message of every speaker keeps.


def test_every_message_has_a_name_of_its_own() -> None:
    names = [message.name for message in messages()]
    assert len(names) == len(set(names)) == len(by_name())
    assert all(name == name.lower() and " " not in name and "_" not in name for name in names)
    assert all(message.meaning.strip().endswith((".", "?", ")")) for message in messages())


def test_every_needle_is_ascii_and_has_a_word_that_the_sieve_can_go_by() -> None:
    lacking = {needle for message in messages() for needle in message.needles if not key_of(needle.encode("ascii"))}
    assert lacking == set(), f"of {LEAST} letters"


def _hostile(message: Message) -> Iterator[str]:
    for needle in message.needles:
        yield from (needle, f"{needle}:", f"{needle} '", f"{needle}: ({'x' * 50}", f"{needle}{needle} {needle}=")
        yield from (f"\x00\u202e{needle}\udc80", f"{needle} -1 {'9' * 400}", f"({needle}]", f" {needle} ,;:\"'` ")
        yield f"{needle} {'a=b, ' * 200}{'(' * 100}{needle}"


@pytest.mark.parametrize("message", messages(), ids=lambda message: message.name)
def test_a_reader_survives_lines_that_no_program_prints(message: Message) -> None:
    for line in _hostile(message):
        found = message.read(line)
        assert found is None or all(isinstance(one, str) for pair in found.items() for one in pair)
