"""The overlays: what a version answers differently from the next newer one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .ask import DATA, LOSSES
from .groups import Group, find_groups, refused
from .state import EXPECTED, NO_GRADIENT, Golden, State, given, goldens
from .versions import VERSIONS, newer
from .write import GENERATOR, header

FORMAT = "losscheck-version/1"

States = dict[str, State]


@dataclass(frozen=True)
class Overlay:
    """The differences of one loss."""

    groups: Sequence[Group] = ()
    # By the case's id; these come before the groups. Of a refusal, only the reason is given.
    answers: Mapping[str, State] = field(default_factory=dict)

    def apply(self, golden: Golden, newer: State) -> State:
        """Returns the answer to a case, from the next newer version's."""
        if golden.id in self.answers:
            state = self.answers[golden.id]
            return state if state.answer == EXPECTED else refused(state.answer, state.message, newer)
        for group in self.groups:
            if group.covers(golden):
                return group.state(newer)
        return newer


def folder(version: str) -> Path:
    return DATA / "versions" / version


def differences(cases: Mapping[str, Golden], states: States, newer: States) -> Overlay | None:
    """Returns what sets the answers apart from the newer ones, or None if nothing does."""
    different = {case_id: state for case_id, state in states.items() if not state.same(newer[case_id])}
    if not different:
        return None
    groups = find_groups(list(cases.values()), states, newer)
    by_groups = Overlay(groups)
    answers = {
        case_id: line_state(state, newer[case_id])
        for case_id, state in different.items()
        if not state.same(by_groups.apply(cases[case_id], newer[case_id]))
    }
    overlay = Overlay(groups, answers)
    for case_id, state in states.items():
        if not state.same(overlay.apply(cases[case_id], newer[case_id])):
            raise AssertionError(f"{case_id}: the overlay does not say what PyTorch answers")
    return overlay


def line_state(state: State, newer: State) -> State:
    """Returns what a line of its own says of an answer."""
    if state.answer == NO_GRADIENT and not state.same(refused(NO_GRADIENT, "", newer)):
        # The value is another one, too.
        return State(EXPECTED, state.expected, state.cotangent)
    return state


def overlay_file(version: str, loss: str, cases: Mapping[str, Golden], overlay: Overlay) -> str:
    """Returns the text of a loss's file."""
    fields = {"format": FORMAT, "generator": GENERATOR, "pytorch": version, "newer": newer(version), "loss": loss}
    groups = ",\n".join(json.dumps(group.fields()) for group in overlay.groups)
    answers = ",\n".join(
        json.dumps({"id": case_id, **answer_fields(state, cases[case_id])}) for case_id, state in overlay.answers.items()
    )
    lists = ",\n".join(f'"{key}": [\n{text}\n]' for key, text in (("groups", groups), ("answers", answers)) if text)
    return f"{{\n{header(fields)}{lists}\n}}\n"


def version_file(version: str, losses: Sequence[str]) -> str:
    """Returns the text of the file that lists the losses with differences."""
    fields = {"format": FORMAT, "generator": GENERATOR, "pytorch": version, "newer": newer(version)}
    return f'{{\n{header(fields)}"losses": {json.dumps(losses)}\n}}\n'


def answer_fields(state: State, golden: Golden) -> dict[str, object]:
    if state.answer != EXPECTED:
        return {"answer": state.answer, **({"message": state.message} if state.message else {})}
    fields: dict[str, object] = {"expected": json.loads(state.expected)}
    if state.cotangent and state.cotangent != golden.state.cotangent:
        fields = {"cotangent": json.loads(state.cotangent), **fields}
    return fields


def states_of(version: str) -> dict[str, States]:
    """Returns a version's answers to the goldens of each loss, from the committed files."""
    result = {}
    for loss in LOSSES:
        cases = goldens(loss)
        states = {case_id: golden.state for case_id, golden in cases.items()}
        for older in VERSIONS[1 : VERSIONS.index(version) + 1]:
            overlay = read(older, loss, cases)
            states = {case_id: overlay.apply(cases[case_id], state) for case_id, state in states.items()}
        result[loss] = states
    return result


def read(version: str, loss: str, cases: Mapping[str, Golden]) -> Overlay:
    if not (folder(version) / "version.json").exists():
        raise FileNotFoundError(f"{folder(version)} is missing: write the newer versions first")
    path = folder(version) / f"{loss}.json"
    if not path.exists():
        return Overlay()
    fields = json.loads(path.read_text(encoding="utf-8"))
    answers = {}
    for line in fields.get("answers", []):
        if "answer" in line:
            answers[line["id"]] = State(line["answer"], message=line.get("message", ""))
        else:
            answers[line["id"]] = given(line, cases[line["id"]].state.cotangent)
    return Overlay([Group.read(group) for group in fields.get("groups", [])], answers)
