"""A plan, a receipt or an explanation for programs: one document, which only ever grows."""

from __future__ import annotations

from gpucheck.facts.codec import encode
from gpucheck.facts.plan import EXPLANATION_SCHEMA, REFUSAL_SCHEMA, Candidate, Choice, Plan, Receipt
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


def explained(candidate: Candidate, choice: Choice, version: str, exit_code: int) -> str:
    """One release: whether it fits, and every objection."""
    document = {
        "schema": EXPLANATION_SCHEMA,
        "version": version,
        "target": encode(choice.target),
        "release": encode(candidate.version),
        "fits": not candidate.objections,
        "chosen": choice.release == candidate.version,
        "objections": encode(candidate.objections),
        "exit_code": exit_code,
    }
    return text(document)
