"""What `gpucheck diff` found out. Only types.

"Before" is the older side (when it worked), "now" the other one, whatever their dates say.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Union

from gpucheck.findings import Finding, Severity, Skipped, Verdict

SCHEMA = "gpucheck.diff/1"

# fmt: off
Subject = Literal[
    "driver", "system", "GPUs", "device files", "Python", "packages", "variables", "libraries", "toolkits", "Windows",
    "answers",
]
# fmt: on
# cause: something that somebody or something did. answer: what was seen in consequence (what NVML answered, which copy
# of a library is found). minor: seldom matters. volatile: moves by itself, with the load and the time.
Weight = Literal["cause", "answer", "minor", "volatile"]

# new, gone, same: as it says. worse, better: there on both sides, more or less severe now. changed: there on both
# sides with another message or evidence.
State = Literal["new", "worse", "gone", "better", "changed", "same"]

# explained: putting any one of these changes back takes the finding away. together: only putting all of them back
# does. unseen: no known change does; it may have been there before, for a fact or rule that decides was not known
# then (or, of a finding that is gone, is not known now). open: the search was given up.
How = Literal["explained", "together", "unseen", "open"]


class Side(NamedTuple):
    """One of the two snapshots."""

    name: str  # the file; "this machine" where it was looked at now
    taken: str  # ISO 8601, UTC
    version: str  # gpucheck's, that took it
    machine: str  # what it has, in a few words
    verdict: Verdict
    exit_code: int  # as doctor's


class Change(NamedTuple):
    """Something that differs, as a user would name it.

    before, now: in a word or a few, None: not there. details: what is in it, line by line. places: of the facts.
    """

    name: str  # unique: "driver", "package keras", "variable LD_LIBRARY_PATH"
    subject: Subject
    weight: Weight
    before: Union[str, None]
    now: Union[str, None]
    details: tuple[str, ...]
    places: tuple[str, ...]
    explains: tuple[str, ...] = ()  # names of findings that it accounts for, alone, with others or through a Link
    may_explain: tuple[str, ...] = ()  # those that it may account for: nothing tells that it does not, nor that it does
    same: bool = False  # before and now say nothing: read details


class Unknown(NamedTuple):
    """Facts that one side does not know: no change, and no sign of sameness either."""

    side: Literal["before", "now"]
    places: tuple[str, ...]
    reason: str
    collected: bool  # False: that gpucheck, or that question, did not ask for it


class Link(NamedTuple):
    """A change that was seen in consequence of another one. Known from how they hang together, not by the rules.

    sort: seen: a probe noted how it came. named: the finding's own evidence names it. possible: nothing speaks against.
    """

    change: str
    follows: str
    sort: Literal["seen", "named", "possible"]
    why: str


class Explanation(NamedTuple):
    """Which changes account for a finding, and how that was found."""

    how: How
    changes: tuple[str, ...]  # their names, the likeliest first
    links: tuple[Link, ...]
    evidence: tuple[str, ...]  # of these changes, those that the finding's evidence names
    still: tuple[str, ...]  # of the evidence, what did not change: "driver.module_version: 550.54.14"
    proof: str  # in a sentence


class Case(NamedTuple):
    """A finding on either side.

    finding: now's, of one that is gone before's. before: the other one, where both sides have it.
    """

    state: State
    finding: Finding
    before: Union[Finding, None]
    follows: Union[str, None]  # name of another new (or gone) finding that accounts for it
    not_judged: Union[str, None]  # why the other side could not judge its rule
    explanation: Union[Explanation, None]


class Judging(NamedTuple):
    """A rule that could be judged on one side alone."""

    side: Literal["before", "now"]  # where it could not
    skipped: Skipped


class Difference(NamedTuple):
    """Everything that `gpucheck diff` has to say."""

    version: str
    before: Side
    now: Side
    remarks: tuple[str, ...]  # what a reader must know first: other machines, other versions of gpucheck
    cases: tuple[Case, ...]  # new ones first, worst first
    changes: tuple[Change, ...]  # those that explain first
    unknown: tuple[Unknown, ...]
    judging: tuple[Judging, ...]

    def of(self, *states: State) -> tuple[Case, ...]:
        """The cases in these states."""
        return tuple(case for case in self.cases if case.state in states)

    def change(self, name: str) -> Change:
        """The change of that name."""
        return next(change for change in self.changes if change.name == name)

    @property
    def differs(self) -> bool:
        """Is there anything but what moves by itself?"""
        moved = any(case.state != "same" for case in self.cases)
        return moved or any(change.weight != "volatile" for change in self.changes)

    def exit_code(self, strict: bool = False, any_change: bool = False) -> int:
        """0 no new error, 1 a new one, 3 could not tell whether there is one.

        Parameters
        ----------
        strict: a new warning counts, too.
        any_change: so does any difference at all, but for what moves by itself.
        """
        bad = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
        worse = [case for case in self.of("new", "worse") if case.finding.severity in bad]
        if any(not _doubtful(case) for case in worse) or (any_change and self.differs):
            return 1
        lost = any(one.side == "now" and one.skipped.decisive for one in self.judging)
        return 3 if worse or lost else 0


def _doubtful(case: Case) -> bool:
    """It may have been there before: nobody could see it then."""
    how = case.explanation.how if case.explanation is not None else None
    return how == "unseen" or (case.not_judged is not None and how in (None, "open"))
