"""A plan, a receipt or an explanation for programs: one document, which only ever grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from gpucheck.facts.codec import encode
from gpucheck.facts.plan import (
    EXPLANATION_SCHEMA,
    FAILURE_SCHEMA,
    REFUSAL_SCHEMA,
    Candidate,
    Choice,
    Plan,
    Proof,
    Receipt,
    Route,
)
from gpucheck.render.json import text


def plan(plan: Plan, exit_code: int = 0) -> str:
    """A plan, with the choice behind it."""
    return text({**encode(plan), "exit_code": exit_code})


def receipt(receipt: Receipt, exit_code: int = 0) -> str:
    """What was installed and proven."""
    return text({**encode(receipt), "exit_code": exit_code})


def refused(choice: Choice, version: str, exit_code: int) -> str:
    """No plan: the choice with every objection."""
    return text({"schema": REFUSAL_SCHEMA, "version": version, "choice": encode(choice), "exit_code": exit_code})


def explained(candidate: Candidate, choice: Choice, routes: Sequence[Route], version: str, exit_code: int) -> str:
    """One release: whether it fits, every objection, what is taken instead, and other ways."""
    document = {
        "schema": EXPLANATION_SCHEMA,
        "version": version,
        "target": encode(choice.target),
        "release": encode(candidate.version),
        "fits": not candidate.objections,
        "chosen": choice.release == candidate.version,
        "objections": encode(candidate.objections),
        "instead": encode(choice.release) if candidate.objections else None,
        "routes": encode(tuple(routes)),
        "exit_code": exit_code,
    }
    return text(document)


def failed(message: str, lines: tuple[str, ...], proof: Union[Proof, None], version: str, exit_code: int) -> str:
    """Why nothing was installed. lines: what a program said. proof: what was not proven, if it came as far as that."""
    document = {"schema": FAILURE_SCHEMA, "version": version, "message": message, "lines": lines, "proof": proof}
    return text({**{name: encode(value) for name, value in document.items()}, "exit_code": exit_code})
