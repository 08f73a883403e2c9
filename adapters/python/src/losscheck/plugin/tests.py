"""Tests of groups of cases, and of single cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from losscheck.answer import Failed, Missing
from losscheck.plugin.program import ProgramError
from losscheck.plugin.run import Column, Run
from losscheck.plugin.selection import Group

# How many of the cases that differ a test of a group shows.
SHOWN = 3


class CaseTest(pytest.Item):
    """The test of a single case."""

    def __init__(self, *, function: pytest.Function, case: str, run: Run, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.function = function
        self.case = case
        self.run = run
        self.own_markers.extend(function.own_markers)

    def runtest(self) -> None:
        """Reports the verdict on the case."""
        self.run.finish(self.session.items)
        column = self.run.column(self)
        if column is not None:
            report(column, [self.case])

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Returns the place of the function."""
        path, line, _ = self.function.reportinfo()
        return path, line, self.name


def function_of(item: pytest.Item) -> pytest.Function | None:
    """Returns the test function behind a test."""
    if isinstance(item, CaseTest):
        return item.function
    return item if isinstance(item, pytest.Function) else None


def wants(item: pytest.Item) -> Group | str:
    """Returns the group that a test is about, or the id of the one case."""
    if isinstance(item, CaseTest):
        return item.case
    assert isinstance(item, pytest.Function)  # noqa: S101 (only these are marked)
    group = item.callspec.params["case"]
    assert isinstance(group, Group)  # noqa: S101
    return group


def expand(items: Sequence[pytest.Item], run: Run) -> list[pytest.Item]:
    """Replaces the tests of groups by tests of their cases."""
    columns = [column for item in items if (column := run.column(item))]
    if not columns:
        return list(items)
    try:
        run.export(column.selection.loss for column in columns)
    except ProgramError as error:
        raise pytest.UsageError(str(error)) from error
    cases: dict[Group, list[str]] = {}
    selections = {id(column): column.selection for column in columns}.values()
    chosen: dict[int, set[str]] = {id(selection): set() for selection in selections}
    for question in run.questions():
        cases.setdefault(Group.of(question), []).append(question.id)
        for selection in selections:
            if selection.has(question):
                chosen[id(selection)].add(question.id)
    expanded: list[pytest.Item] = []
    for item in items:
        column = run.column(item)
        if column is None or not isinstance(item, pytest.Function):
            expanded.append(item)
            continue
        group = wants(item)
        assert item.parent is not None  # noqa: S101 (a function is in a module)
        for case in cases.get(group, []) if isinstance(group, Group) else []:
            if case in chosen[id(column.selection)]:
                name = f"{item.originalname}[{case}]"
                made = CaseTest.from_parent(item.parent, name=name, function=item, case=case, run=run)
                expanded.append(made)
    return expanded


def judge_group(run: Run, item: pytest.Function, group: Group) -> None:
    """Fails, or skips, the test of a group according to its verdicts."""
    column = run.column(item)
    if column is not None:
        report(column, column.cases(group))


def report(column: Column, cases: Sequence[str]) -> None:
    """Fails if an answer to one of the cases differs, and skips if none of them is supported."""
    if not cases:
        pytest.skip("losscheck has no such case")
    failing = [case for case in cases if case in column.verdicts]
    if failing:
        pytest.fail(message(column, cases, failing), pytrace=False)
    missing = [reply for case in cases if isinstance(reply := column.replies[case], Missing)]
    if len(missing) == len(cases):
        pytest.skip(f"not supported: {missing[0].why}")


def message(column: Column, cases: Sequence[str], failing: Sequence[str]) -> str:
    """Returns what a failed test shows: the worst cases first."""
    ordered = sorted(failing, key=lambda case: -max(verdict.ulps for verdict in column.verdicts[case]))
    lines = [f"{len(failing)} of {len(cases)} cases of {column.selection.loss} differ."]
    for case in ordered[:SHOWN]:
        lines += ["", case, *(f"    {verdict.message}" for verdict in column.verdicts[case])]
        reply = column.replies[case]
        if isinstance(reply, Failed) and reply.traceback:
            lines += [f"    {line}" for line in reply.traceback.rstrip().splitlines()[-7:]]
        lines.append(f"    to see the case: losscheck show {case}")
    lines.append(f"    to run it alone: pytest --losscheck-case {ordered[0]}")
    if (rest := len(failing) - SHOWN) > 0:
        lines += ["", f"{rest} more differ; --losscheck-each makes a test of each case."]
    return "\n".join(lines)
