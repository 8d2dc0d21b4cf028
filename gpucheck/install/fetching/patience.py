"""When a file is given up, and how long is waited between two tries. No network, no files."""

from __future__ import annotations

import random
from time import monotonic
from typing import NamedTuple

from gpucheck.install.errors import Failed
from gpucheck.install.fetching.trouble import Trouble

_ENOUGH = 64 << 10  # bytes that make a try a success: a server that gives single bytes is given up, too
_FIRST_TRIES = 4


class Patience(NamedTuple):
    """When a file is given up. Seconds.

    silence: without a new byte. tries: in a row that brought nothing. first, most: pauses between tries, doubled each
    time; a server's Retry-After makes them longer.
    """

    silence: float = 120.0
    tries: int = 10
    first: float = 0.5
    most: float = 20.0


USUAL = Patience()


class Tries:
    """Those for one file."""

    def __init__(self, patience: Patience, name: str) -> None:
        self._patience, self._name = patience, name
        self._tries, self._since = 0, monotonic()

    def failed(self, trouble: Trouble, have: int, gained: int, answered: bool) -> float:
        """One try ended so. Gives the seconds to wait before the next.

        Parameters
        ----------
        have, gained: bytes of the file, in all and by this try. answered: some server has answered something, ever.

        Raises
        ------
        Failed: given up.
        """
        if not trouble.again:
            raise Failed(f"cannot download {self._name}: {trouble}")
        if gained >= _ENOUGH:
            self._tries, self._since = 0, monotonic()
        self._tries += 1
        patience = self._patience
        pause: float = min(patience.most, patience.first * 2 ** min(self._tries - 1, 20)) * random.uniform(0.75, 1.0)
        pause = max(pause, trouble.wait or 0.0)
        # Where no server has ever answered, the network is not there, and that is worth knowing soon.
        most = patience.tries if answered else min(patience.tries, _FIRST_TRIES)
        if self._tries > most or monotonic() - self._since + pause > patience.silence:
            asked = f", and asks to wait {trouble.wait:.0f} s" if trouble.wait and trouble.wait > patience.most else ""
            kept = f"; {have} bytes are kept, the next run goes on with them" if have else ""
            raise Failed(f"cannot download {self._name}: {trouble}{asked} (given up after {self._tries} tries{kept})")
        return pause
