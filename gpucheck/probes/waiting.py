"""Waiting no longer than one wants for what reads files: a dead network disk holds a thread for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, Union

from gpucheck.facts.gap import Gap

T = TypeVar("T")


def at_most(seconds: float, doing: str, work: Callable[..., T], *given: Any) -> Union[T, Gap]:
    """The work's result, or a gap; the thread is left behind."""
    import threading

    results: list[Union[T, Gap]] = []

    def run() -> None:
        try:
            results.append(work(*given))
        except Exception as error:  # one part's bug must not take the others with it
            results.append(Gap(f"{doing} failed: {type(error).__name__}: {error}", "crashed"))

    thread = threading.Thread(target=run, name=doing, daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else Gap(f"{doing}: no answer within {seconds:g} s", "deadline")
