"""The JSON text of a case and of PyTorch's answer."""

import json
import math

from .case import Answer, Case, Rejection, Reply
from .tensors import to_json
from .write import obj


def case_json(case: Case, reply: Reply) -> str:
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
        **answer_json(reply),
    }
    if case.printed is not None:
        fields["printed"] = json.dumps(case.printed)
    return obj(fields)


def answer_json(reply: Reply) -> dict[str, str]:
    """Returns the fields `cotangent` and `expected`, as far as the answer has them."""
    match reply:
        case Rejection():
            return {"expected": obj({"error": json.dumps(reply.error), "message": json.dumps(reply.message)})}
        case Answer():
            gradients = obj({key: to_json(gradient) for key, gradient in reply.gradients.items()})
            expected = {"expected": obj({"value": to_json(reply.value), "gradients": gradients})}
            return {"cotangent": reply.cotangent.json(), **expected} if reply.cotangent else expected
        case _:
            return {}


def number(option: object) -> object:
    """JSON has no infinite numbers."""
    if isinstance(option, float) and math.isinf(option):
        return "Infinity" if option > 0 else "-Infinity"
    return option
