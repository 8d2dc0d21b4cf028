"""Error codes of NVIDIA's libraries: what each says, usual causes, what to check. One module per header. Look-up only.

Names and numbers are the headers'; tests compare them with the real ones. None of this is loaded by a plain `doctor`,
which needs no more than the names of compat.cuda_errors and compat.errors.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, Union

TABLES = ("cuda", "cudart", "cudnn", "cublas", "nccl", "nvml", "xids")


class Advice(NamedTuple):
    """What codes of one kind share. causes: the usual ones, a clause. check: commands, or remarks after "# "."""

    causes: str
    check: tuple[str, ...]


class Code(NamedTuple):
    """number: as printed. name: as printed. meaning: a clause, without its subject's name."""

    number: int
    name: str
    meaning: str
    advice: Advice


@cache
def table(name: str) -> tuple[Code, ...]:
    """One of `TABLES`."""
    from importlib import import_module

    codes: tuple[Code, ...] = import_module(f"{__name__}.{name}").CODES
    return codes


@cache
def _by_name() -> dict[str, Code]:
    return {code.name: code for name in reversed(TABLES) for code in table(name)}


def find(name: str) -> Union[Code, None]:
    """The code of that name (``CUDA_ERROR_NO_DEVICE``, ``cudaErrorNoDevice``, ``ncclSystemError``), of any library."""
    return _by_name().get(name)


def numbered(name: str, number: int) -> Union[Code, None]:
    """The code of that number in one table; None: a newer library has more of them."""
    return next((code for code in table(name) if code.number == number), None)
