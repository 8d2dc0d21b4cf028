"""Run by the examined Python: serves one step of this folder over JSON lines, as gpucheck's own worker does.

    python serve.py

Commands (gpucheck.bench.process.Worker speaks this): names, open, build, check, time. What a library prints goes to
standard error. The steps are in on_tensorflow.py, on_jax.py, on_torch.py and on_keras.py: HAND holds loops written for
speed, OTHERS what they are compared with.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any

from network import PARAMETERS, network


class Session:
    """One variant in this process."""

    def do_names(self, module: str) -> dict[str, Any]:
        found = importlib.import_module(module)
        return {"hand": list(found.HAND), "others": list(found.OTHERS)}

    def do_open(self, module: str, variant: str, sample: str, device: str) -> dict[str, Any]:
        begin = time.perf_counter()
        found = importlib.import_module(module)
        self.make = {**found.HAND, **found.OTHERS}[variant]
        self.sample, self.device = sample, device
        return {"seconds": time.perf_counter() - begin}

    def do_build(self) -> dict[str, Any]:
        """Ready to be timed, the first step done."""
        begin = time.perf_counter()
        self.made = self.make(network(self.sample, 0.5, self.device))
        self.made.run(1)
        parameters = int(self.made.parameters)
        if parameters != PARAMETERS:
            raise ValueError(f"{parameters} parameters")
        return {"parameters": parameters, "seconds": time.perf_counter() - begin}

    def do_check(self, steps: int) -> dict[str, Any]:
        """Cross-entropy of the first steps from the common weights, without dropout."""
        return {"losses": self.make(network(self.sample, 0.0, self.device)).losses(steps)}

    def do_time(self, steps: int) -> dict[str, Any]:
        """Seconds of so many steps with one wait at their end. timed: where a step has its own way to tell."""
        self.made.run(1)
        if hasattr(self.made, "timed"):
            return {"steps": steps, "seconds": self.made.timed(steps)}
        begin = time.perf_counter()
        self.made.run(steps)
        return {"steps": steps, "seconds": time.perf_counter() - begin}


def main() -> None:
    commands = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    session = Session()
    for line in commands:
        asked = json.loads(line)
        number, name = asked.pop("number"), asked.pop("do")
        try:
            reply = {**getattr(session, "do_" + name)(**asked), "ok": True}
        except Exception as error:
            reply = {"ok": False, "error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        answers.write(json.dumps({"number": number, **reply}) + "\n")
        answers.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
