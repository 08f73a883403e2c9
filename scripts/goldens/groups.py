"""Groups of cases that a version refuses for one reason, each of which is a line of an overlay."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from .state import NO_GRADIENT, NO_KERNEL, NO_LOSS, NO_OPTION, Golden, State

# A group of fewer cases is not worth a line.
FEWEST = 3
# What a line of its own takes for a case, besides the id.
LINE = 100


def refused(answer: str, message: str, newer: State) -> State:
    """Returns the state of a case that is refused, from the next newer version's."""
    if answer != NO_GRADIENT or newer.is_rejection or not newer.expected:
        return State(answer, message=message)
    # Up to the value, all is as in the newer version.
    expected = {"value": json.loads(newer.expected)["value"], "gradients": {}}
    return State(answer, json.dumps(expected), newer.cotangent, message)


@dataclass(frozen=True)
class Group:
    answer: str
    message: str
    # Narrows the group to cases of this dtype, if it is not empty.
    dtype: str = ""
    # Narrows the group to cases that give this option or tensor, if it is not empty.
    has: str = ""
    exceptions: Sequence[str] = ()

    def covers(self, golden: Golden) -> bool:
        return (
            self.dtype in ("", golden.dtype)
            and (not self.has or self.has in golden.names)
            and golden.id not in self.exceptions
        )

    def state(self, newer: State) -> State:
        return refused(self.answer, self.message, newer)

    def fields(self) -> dict[str, object]:
        fields = {"answer": self.answer, "dtype": self.dtype, "has": self.has, "message": self.message}
        return {key: value for key, value in {**fields, "except": list(self.exceptions)}.items() if value}

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> "Group":
        return cls(
            fields["answer"],
            fields.get("message", ""),
            fields.get("dtype", ""),
            fields.get("has", ""),
            fields.get("except", ()),
        )


def find_groups(cases: Sequence[Golden], states: Mapping[str, State], newer: Mapping[str, State]) -> list[Group]:
    """Chooses groups one by one, each time the one that saves the most text."""
    groups: list[Group] = []
    for answer in (NO_LOSS, NO_OPTION, NO_KERNEL, NO_GRADIENT):
        while True:
            open_cases = [case for case in cases if not any(group.covers(case) for group in groups)]
            choices = (weigh(group, open_cases, states, newer) for group in candidates(answer, open_cases, states))
            saved, group = max(choices, key=lambda choice: choice[0], default=(0, None))
            if saved <= 0 or group is None:
                break
            groups.append(group)
    return groups


def candidates(answer: str, cases: Sequence[Golden], states: Mapping[str, State]) -> Iterator[Group]:
    refusals = [case for case in cases if states[case.id].answer == answer]
    names = sorted(set().union(*(case.names for case in refusals))) if refusals else []
    if answer == NO_LOSS:
        yield Group(answer, "")
    elif answer == NO_OPTION:
        messages = {states[case.id].message for case in refusals}
        missing = {found[1] for message in messages if (found := re.search(r"argument '(\w+)'", message))}
        yield from (Group(answer, "", has=name) for name in sorted(missing))
    else:
        dtypes = sorted({case.dtype for case in refusals})
        yield from (Group(answer, "", dtype, name) for dtype, name in product(["", *dtypes], ["", *names]))


def weigh(
    group: Group, cases: Sequence[Golden], states: Mapping[str, State], newer: Mapping[str, State]
) -> tuple[int, Group]:
    """Returns how many characters a group saves, and the group with its message and exceptions."""
    covered = [case for case in cases if group.covers(case)]
    right = [case for case in covered if states[case.id].same(group.state(newer[case.id]))]
    different = [case for case in right if not states[case.id].same(newer[case.id])]
    if len(different) < FEWEST:
        return 0, group
    members = {case.id for case in right}
    # Other answers that differ from the newer ones get lines of their own, which come before the group.
    exceptions = [
        case.id
        for case in covered
        if case.id not in members
        and (states[case.id].same(newer[case.id]) or states[case.id].answer in (NO_OPTION, NO_KERNEL, NO_GRADIENT))
    ]
    saved = sum(LINE + len(case.id) for case in different) - sum(len(case_id) + 4 for case_id in exceptions) - LINE
    ((message, _),) = Counter(states[case.id].message for case in different).most_common(1)
    return saved, Group(group.answer, message, group.dtype, group.has, exceptions)
