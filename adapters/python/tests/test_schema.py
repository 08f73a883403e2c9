"""The replies, against the schema of the protocol."""

import functools
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from losscheck import Adapter, Case, Unsupported
from losscheck.frameworks.base import Failure
from losscheck.frameworks.numpy import NumpyFramework
from losscheck.serve import POISONED, serve

SCHEMA = Path(__file__).parents[3] / "docs" / "protocol.schema.json"

jsonschema = pytest.importorskip("jsonschema")
pytestmark = pytest.mark.skipif(not SCHEMA.is_file(), reason="the schema is in the repository of losscheck")

HELLO = {"hello": {"protocol": 1, "losscheck": "0.1.0", "cases": "abc"}}


class Poisoning(NumpyFramework):
    """NumPy, on a device that a FloatingPointError breaks."""

    def classify(self, error: Exception) -> Failure:
        """Returns what an exception means."""
        return Failure("failed", poisoned=True) if isinstance(error, FloatingPointError) else super().classify(error)


@functools.cache
def schema() -> Any:
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def check(side: str, message: Any) -> None:
    """Checks a line, and that the schema knows each of its fields: it allows others, and losscheck ignores them."""
    jsonschema.Draft202012Validator({"$ref": f"#/$defs/{side}", "$defs": schema()["$defs"]}).validate(message)
    [(kind, fields)] = message.items()
    [known] = [x["properties"][kind] for x in schema()["$defs"][side]["oneOf"] if kind in x["properties"]]
    definition = schema()["$defs"][known["$ref"].rsplit("/", 1)[-1]]
    assert fields.keys() - definition.get("properties", {}).keys() == set()


def ask(function: Callable[[Case], Any], **fields: object) -> Iterator[Any]:
    """Yields the replies of an adapter to a greeting and a case."""
    adapter = Adapter(
        "numbers",
        framework=Poisoning(),
        libraries=["numpy"],
        limits={"first": 300, "case": 60},
        window=1,
        profile="compiled",
        changes_inputs=True,
    )
    adapter.loss("huber_loss", coverage="composed", dtypes=["f32"], options={"delta": [1.0]}, gradients=["input"])(function)
    options = {"reduction": "none", "delta": 1.0}
    inputs = {
        "input": {"dtype": "f32", "shape": [2], "data": [1.0, "NaN"]},
        "target": {"dtype": "f32", "shape": [2], "data": [0.5, 1.0]},
    }
    question = {"n": 7, "id": "huber_loss/f32/2", "loss": "huber_loss", "options": options, "inputs": inputs, "want": ["input"]}
    requests = [HELLO, {"case": {**question, **fields}}, {"bye": {}}]
    for request in requests:
        check("Request", request)
    replies = io.BytesIO()
    assert serve(adapter, io.BytesIO(b"".join(json.dumps(x).encode() + b"\n" for x in requests)), replies) in (0, POISONED)
    for line in replies.getvalue().splitlines():
        reply = json.loads(line)
        check("Reply", reply)
        yield reply


def answers(case: Case) -> Any:
    case.busy("compile")
    case["input"][0] = 3
    return np.float32(1), {"input": case["input"]}


def refuses(case: Case) -> Any:
    def library() -> Any:
        raise ValueError("expected another shape")

    return case.call(library)


def lacks(case: Case) -> Any:
    raise Unsupported("no weights")


def fails(case: Case) -> Any:
    raise KeyError("an error of the adapter")


def poisons(case: Case) -> Any:
    raise FloatingPointError("device-side assertion")


@pytest.mark.parametrize(
    ("function", "kind", "fields"),
    [
        (answers, "answer", {"n", "value", "gradients", "inputs_intact"}),
        (refuses, "rejected", {"n", "type", "message"}),
        (lacks, "unsupported", {"n", "why"}),
        (fails, "failed", {"n", "message", "traceback"}),
        (poisons, "failed", {"n", "message", "traceback", "poisoned"}),
    ],
)
def test_each_reply_keeps_to_the_schema(function: Callable[[Case], Any], kind: str, fields: set[str]) -> None:
    replies = list(ask(function))
    assert replies[-1].keys() == {kind}
    assert replies[-1][kind].keys() == fields


def test_a_greeting_with_every_field_keeps_to_the_schema() -> None:
    [hello, *_] = ask(lacks)
    assert hello["hello"].keys() >= {"libraries", "device", "losses", "cases", "changes_inputs", "limits", "window", "profile"}
    assert hello["hello"]["losses"]["huber_loss"].keys() == {"coverage", "dtypes", "options", "gradients"}


def test_busy_keeps_to_the_schema() -> None:
    assert {"busy": {"n": 7, "stage": "compile"}} in list(ask(answers))


def test_what_an_adapter_does_not_provide_is_unsupported_by_the_schema() -> None:
    assert list(ask(lacks, loss="l1_loss"))[-1] == {"unsupported": {"n": 7, "why": "no l1_loss"}}


@pytest.mark.parametrize("reply", [{"answer": {"n": 1}}, {"rejected": {"message": "no"}}, {"hello": {"name": "a"}}, {}])
def test_the_schema_refuses_what_is_incomplete(reply: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator({"$ref": "#/$defs/Reply", "$defs": schema()["$defs"]}).validate(reply)
