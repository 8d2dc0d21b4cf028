"""`--simulate`: a second CPU worker poses as the GPU, with what was planted, so that a gate can be shown to go red.

    speedup=9.2,noise=0.02,wrong=0.05,fault=hang|crash|memory|exit,at=open|load|build|learn|check|time,on=gpu|cpu

speedup: the GPU is so many times faster (below 1: slower); noise: relative, on both; wrong: relative error of the GPU's
losses; fault: what happens to one device, and at which command of the worker.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Union

_NUMBERS = {"speedup": (1e-3, 1e3), "noise": (0.0, 10.0), "wrong": (-10.0, 10.0)}
_CHOICES = {
    "fault": ("hang", "crash", "memory", "exit"),
    "at": ("open", "load", "build", "learn", "check", "time", "product"),
    "on": ("gpu", "cpu"),
}


class BadSimulation(ValueError):
    """--simulate is not understood; the message says what is."""


class Simulation(NamedTuple):
    """What was planted."""

    text: str
    speedup: float = 1.0
    noise: float = 0.0
    wrong: float = 0.0
    fault: Union[str, None] = None
    at: str = "time"
    on: str = "gpu"

    def of(self, kind: str) -> dict[str, object]:
        """What the worker of one device is told."""
        slower = self.speedup if kind == "cpu" else 1 / self.speedup
        told: dict[str, object] = {"slower": max(1.0, slower)}
        if self.noise:
            told["noise"] = self.noise
        if self.wrong and kind == "gpu":
            told["wrong"] = self.wrong
        if self.fault and kind == self.on:
            told.update(fault=self.fault, at=self.at)
        return told


def parse(text: str) -> Simulation:
    """Raises `BadSimulation`."""
    found: dict[str, object] = {}
    for word in filter(None, (one.strip() for one in text.split(","))):
        key, _equals, value = word.partition("=")
        if key in found:
            raise BadSimulation(f"{key} is given twice")
        if key in _NUMBERS:
            found[key] = _number(key, value)
        elif key in _CHOICES:
            if value not in _CHOICES[key]:
                raise BadSimulation(f"{key} is one of {', '.join(_CHOICES[key])}, not {value!r}")
            found[key] = value
        else:
            raise BadSimulation(f"{key!r} is not one of {', '.join([*_NUMBERS, *_CHOICES])}")
    if ("at" in found or "on" in found) and "fault" not in found:
        raise BadSimulation("at and on say where a fault is planted; fault=crash would be one")
    if not found:
        raise BadSimulation("nothing is planted; speedup=9.2 would be an example")
    return Simulation(text, **found)  # type: ignore[arg-type]


def _number(key: str, value: str) -> float:
    low, high = _NUMBERS[key]
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise BadSimulation(f"{key} takes a number from {low:g} to {high:g}, not {value!r}")
    return number
