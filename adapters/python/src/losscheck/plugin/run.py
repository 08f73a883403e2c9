"""One export, the answers of all marked functions, and one judgement, for a session of pytest."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from losscheck.adapter import PROTOCOL, version
from losscheck.answer import Answer, Failed, Missing, Reply, answer, restrict
from losscheck.case import Question
from losscheck.frameworks import Framework, framework
from losscheck.frameworks.base import REFUSALS
from losscheck.plugin.program import Program, ProgramError
from losscheck.plugin.selection import Group, Selection, read_marker
from losscheck.serve import read

# For cases that no selected test is about.
NOT_SELECTED = Missing("not selected")


@dataclass(frozen=True)
class Verdict:
    """What losscheck says of an answer that differs."""

    case: str
    message: str
    ulps: float


@dataclass
class Column:
    """A marked function, and what became of its cases."""

    name: str
    selection: Selection
    replies: dict[str, Reply] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    verdicts: dict[str, list[Verdict]] = field(default_factory=lambda: defaultdict(list))

    def cases(self, group: Group) -> list[str]:
        """Returns the cases of a group that the function was called with."""
        return [case for case in self.replies if self.groups[case] == group]


class Run:
    """The cases and columns of a session."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        # By the node id of the function.
        self.columns: dict[str, Column] = {}
        self.program_error: str | None = None
        self._frameworks: dict[tuple[str, str | None], Framework] = {}
        self._exported: dict[str, None] = {}
        self._finished = False

    @cached_property
    def folder(self) -> Path:
        """A folder for the cases and the answers, which goes with the session."""
        self._temporary = tempfile.TemporaryDirectory(prefix="losscheck-")
        return Path(self._temporary.name)

    @cached_property
    def program(self) -> Program:
        """The program losscheck."""
        return Program.find(self.config.getoption("losscheck_program"))

    def export(self, losses: Iterable[str]) -> None:
        """Exports the cases of the losses, once in a session."""
        if not self._exported:
            self._exported = dict.fromkeys(losses)
            self.program.export(list(self._exported), self.folder / "cases.jsonl")

    def questions(self) -> Iterator[Question]:
        """Yields the exported cases that `--losscheck-case` lets through."""
        patterns = [re.compile(fnmatch.translate(pattern)) for pattern in self.config.getoption("losscheck_case")]
        with (self.folder / "cases.jsonl").open("rb") as file:
            for line in file:
                kind, fields = read(line)
                if kind == "case" and (not patterns or any(pattern.match(fields["id"]) for pattern in patterns)):
                    yield Question.from_json(fields)

    def finish(self, items: Sequence[pytest.Item]) -> None:
        """Lets the functions of all selected tests answer their cases, and judges them, once in a session."""
        if self._finished:
            if self.program_error:
                pytest.fail(self.program_error, pytrace=False)
            return
        self._finished = True
        try:
            self._answer(items)
            self._judge()
        except ProgramError as error:
            self.program_error = str(error)
        # Outside of the handler, or else pytest shows the error twice.
        if self.program_error:
            pytest.fail(self.program_error, pytrace=False)

    def column(self, item: pytest.Item) -> Column | None:
        """Returns the column of a test's function, or `None` if the test is of another kind."""
        from losscheck.plugin.tests import function_of

        function = function_of(item)
        marker = None if function is None else function.get_closest_marker("losscheck")
        if function is None or marker is None:
            return None
        key = f"{function.parent.nodeid if function.parent else ''}::{function.originalname}"
        if key not in self.columns:
            name = function.originalname.removeprefix("test_")
            names = {column.name for column in self.columns.values()}
            unique = next(name + suffix for suffix in ("", *(f"-{i}" for i in range(2, 10_000))) if name + suffix not in names)
            self.columns[key] = Column(unique, read_marker(marker, function.obj, ["case"]))
        return self.columns[key]

    def framework(self, selection: Selection) -> Framework:
        """Returns the framework of a selection, which this imports."""
        key = (selection.framework, selection.device)
        if key not in self._frameworks:
            self._frameworks[key] = framework(*key)
        return self._frameworks[key]

    def _answer(self, items: Sequence[pytest.Item]) -> None:
        from losscheck.plugin.tests import wants

        selected: dict[str, list[Any]] = defaultdict(list)
        for item in items:
            column = self.column(item)
            if column is not None and item.get_closest_marker("skip") is None:
                selected[column.name].append(wants(item))
        columns = [column for column in self.columns.values() if column.name in selected]
        self.export(column.selection.loss for column in columns)
        poisoned: Failed | None = None
        for question in self.questions():
            group = Group.of(question)
            for column in columns:
                wanted = selected[column.name]
                if not column.selection.has(question) or not (group in wanted or question.id in wanted):
                    continue
                column.groups[question.id] = group
                reply = poisoned or self._ask(column.selection, question)
                if isinstance(reply, Failed) and reply.poisoned and not poisoned:
                    poisoned = Failed(f"not called: {question.id} broke the process: {reply.message}")
                column.replies[question.id] = reply

    def _ask(self, selection: Selection, question: Question) -> Reply:
        provided = selection.provided
        reply = answer(self.framework(selection), provided.function, restrict(question, provided.gradients))
        if isinstance(reply, Failed) and reply.message.split(":", 1)[0] in {error.__name__ for error in REFUSALS}:
            hint = "if the library refuses the case, `case.call(function, ...)` says so"
            return dataclasses.replace(reply, message=f"{reply.message} ({hint})")
        return reply

    def _judge(self) -> None:
        losses = list(self._exported)
        answered = [column for column in self.columns.values() if column.replies]
        if not answered:
            return
        judged = self.program.judge(losses, [self._write(column) for column in answered])
        for column in answered:
            self._read(column, judged)

    def _write(self, column: Column) -> Path:
        file = self.folder / f"{column.name}.jsonl"
        made = self.framework(column.selection)
        with (self.folder / "cases.jsonl").open("rb") as cases, file.open("w", encoding="utf-8") as out:
            for line in cases:
                kind, fields = read(line)
                if kind == "hello":
                    hello = {
                        "protocol": PROTOCOL,
                        "name": column.name,
                        "libraries": {made.package: version(made.package)},
                        "device": made.device,
                        "losses": {column.selection.loss: column.selection.provided.to_json()},
                        "cases": fields["cases"],
                    }
                    out.write(json.dumps({"hello": hello}) + "\n")
                elif kind == "case" and fields["loss"] == column.selection.loss:
                    reply = column.replies.get(fields["id"], NOT_SELECTED)
                    out.write(json.dumps(reply.to_json(fields["n"])) + "\n")
        return file

    def _read(self, column: Column, judged: Mapping[str, Any]) -> None:
        for difference in judged["differences"]:
            if difference["backend"] != column.name:
                continue
            for failing in difference["failing"]:
                ulps = failing["ulps"]
                verdict = Verdict(failing["case"], failing["message"], float("inf") if ulps is None else float(ulps))
                column.verdicts[failing["case"]].append(verdict)
        for case, reply in column.replies.items():
            if isinstance(reply, Answer) and reply.changed and case not in column.verdicts:
                raise ProgramError(f"losscheck did not report that {column.name} changes its inputs in {case}")

    def summary(self) -> list[str]:
        """Returns a line for each function: how many of its cases were answered, and what it does not support."""
        lines = []
        for column in self.columns.values():
            missing = Counter(reply.why for reply in column.replies.values() if isinstance(reply, Missing))
            count = len(column.replies)
            if not count:
                continue
            text = f"{column.name}: {count} cases of {column.selection.loss}, {len(column.verdicts)} differ"
            if missing:
                reasons = "; ".join(f"{why}: {number}" for why, number in missing.most_common(4))
                text += f", {missing.total()} are not supported ({reasons})"
            lines.append(text)
        return lines
