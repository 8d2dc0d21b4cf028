"""A fixed piece of CPU work, timed next to every block: a change of it is the machine's."""

from __future__ import annotations

import gc
import hashlib
import time

# The canary: sha256 over 64 KiB, 4 ms of it, the least of twenty.
# Which work: measured for a minute on two AMD cores whose other halves belong to strangers, standard deviation of the
# least of five: sha256 1.5 %, a float32 product in numpy 3 %, blake2b 15 %, sha3 19 %, crc32 26 %, a Python loop 31 %.
# What keeps all ports of a core busy halves its speed when a neighbour uses the other half, a product hardly does: such
# a canary throws out blocks that nothing ails. sha256 has a unit of its own (AMD since 2017, Intel since 2019; without
# it the canary moves like blake2b) and follows the clock and stolen time.
# How long: beside other processes the least of twenty times 4 ms stayed where it was when five times 16 ms rose by
# 70 %, because no piece of that length went uninterrupted; those processes are the load's business. On a quiet machine
# it spread by 0.4 %.
_BUFFER = bytes(range(256)) * 256
_HASHES = 107
_TIMES = 20


def canary() -> float:
    """Seconds of a fixed piece of CPU work: the least of twenty, 80 ms in all. It rises when the clock falls."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return min(_piece() for _ in range(_TIMES))
    finally:
        if collecting:
            gc.enable()


def _piece() -> float:
    work, buffer = hashlib.sha256, _BUFFER
    begin = time.perf_counter()
    for _ in range(_HASHES):
        work(buffer).digest()
    return time.perf_counter() - begin
