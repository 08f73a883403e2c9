"""The golden files: a header, then one case per line, so that a diff shows the cases that changed."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from .case import Answer, Case, Rejection
from .flags import FLAGS
from .tensors import to_json

FORMAT = "losscheck-goldens/2"
GENERATOR = "scripts/regenerate-goldens"

Answered = tuple[Case, Answer | Rejection | None]


def write(path: Path, pytorch: str, answered: Sequence[Answered]) -> None:
    used = {flag for case, _ in answered for flag in case.flags}
    if unknown := used - FLAGS.keys():
        raise AssertionError(f"{path.name}: nothing explains the flags {', '.join(sorted(unknown))}")
    flags = ",\n".join(f"{json.dumps(flag)}: {FLAGS[flag].json()}" for flag in FLAGS if flag in used)
    cases = ",\n".join(case_json(case, answer) for case, answer in answered)
    header = {"format": FORMAT, "generator": GENERATOR, "pytorch": pytorch, "count": len(answered)}
    lines = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in header.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f'{{\n{lines}"flags": {{\n{flags}\n}},\n"cases": [\n{cases}\n]\n}}\n'
    path.write_text(text, encoding="utf-8", newline="\n")


def number(option: object) -> object:
    """JSON has no infinite numbers."""
    if isinstance(option, float) and math.isinf(option):
        return "Infinity" if option > 0 else "-Infinity"
    return option


def case_json(case: Case, answer: Answer | Rejection | None) -> str:
    fields = {
        "id": json.dumps(case.id),
        "loss": json.dumps(case.loss),
        "flags": json.dumps(case.flags),
        "options": json.dumps(
            {key: number(value) for key, value in case.options.items()},
            sort_keys=True,
            allow_nan=False,
        ),
        "inputs": obj({key: tensor.json() for key, tensor in case.inputs.items()}),
    }
    expected = None
    match answer:
        case Rejection():
            expected = {"error": json.dumps(answer.error), "message": json.dumps(answer.message)}
        case Answer():
            if answer.cotangent:
                fields["cotangent"] = answer.cotangent.json()
            gradients = obj({key: to_json(gradient) for key, gradient in answer.gradients.items()})
            expected = {"value": to_json(answer.value), "gradients": gradients}
    if expected:
        fields["expected"] = obj(expected)
    if case.printed is not None:
        fields["printed"] = json.dumps(case.printed)
    return obj(fields)


def obj(fields: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'"{key}": {text}' for key, text in fields.items()) + "}"
