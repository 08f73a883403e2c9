"""The loop, in a process of its own, as losscheck runs it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ADAPTER = """
import os
print("printed while imported")
os.system("echo written by a child process")
import numpy as np
from losscheck import Adapter

adapter = Adapter("doubles", libraries=["numpy"], encoding="data")

@adapter.loss("mse_loss", gradients=[])
def mse_loss(case):
    print("printed by the library")
    os.write(1, b"written to file descriptor 1")
    case.busy()
    x = case["input"]
    return np.square(x - case["target"]).sum(dtype=x.dtype)
"""
HELLO = {"hello": {"protocol": 1, "losscheck": "0.1.0", "cases": "abc"}}


def tensor(*data: float | str) -> dict[str, object]:
    return {"dtype": "f64", "shape": [len(data)], "data": data}


def case(**changes: object) -> dict[str, object]:
    inputs = {"input": tensor(1.0, -2.0), "target": tensor(0.5, 1.0)}
    fields = {"n": 5, "id": "mse_loss/f64/2", "loss": "mse_loss", "options": {}, "inputs": inputs, "want": ["input"]}
    return {"case": {**fields, **changes}}


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    file = tmp_path / "doubles.py"
    file.write_text(ADAPTER, encoding="utf-8")
    return file


def run(adapter: Path, *lines: object) -> tuple[int, list[Any], str]:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    command = [sys.executable, "-m", "losscheck", "serve", str(adapter)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_each_case_is_answered_and_nothing_else_is_written(adapter: Path) -> None:
    code, replies, errors = run(adapter, HELLO, case(), case(n=2, loss="huber_loss"), {"bye": {}})
    hello, busy, answer, unsupported = replies
    assert code == 0
    assert hello["hello"]["name"] == "doubles"
    assert hello["hello"]["cases"] == "abc"
    assert hello["hello"]["losses"] == {"mse_loss": {"coverage": "native", "gradients": []}}
    assert busy == {"busy": {"n": 5, "stage": "compile"}}
    assert answer == {"answer": {"n": 5, "value": {"dtype": "f64", "shape": [], "data": [9.25]}, "gradients": {}}}
    assert unsupported == {"unsupported": {"n": 2, "why": "no huber_loss"}}
    for text in ("printed while imported", "written by a child", "printed by the library", "written to file descriptor"):
        assert text in errors


def test_the_end_of_the_input_is_a_goodbye(adapter: Path) -> None:
    code, replies, _ = run(adapter, {"hello": {"protocol": 1, "losscheck": "0.1.0"}})
    assert (code, len(replies)) == (0, 1)
    assert "cases" not in replies[0]["hello"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: expected a line of JSON"),
        ("\udcff", "line 2: expected a line of JSON"),
        ("[1]", "line 2: expected an object with one key"),
        ('{"hello": 1}', "line 2: expected an object in `hello`"),
        ({"hello": {"protocol": 2}}, "line 2: expected version 1 of the protocol, found 2"),
        ({"case": {"id": "a"}}, "line 2: expected the number of the case"),
        (case(want=["weight"]), "line 2: case mse_loss/f64/2: expected names of inputs in `want`"),
        (case(inputs={"input": 1}, want=[]), "line 2: case mse_loss/f64/2: input: expected a tensor"),
        ({"cases": {}}, "line 2: expected a message `hello`, `case` or `bye`, found `cases`"),
    ],
)
def test_a_bad_line_ends_it_with_a_reason(adapter: Path, line: object, message: str) -> None:
    code, replies, errors = run(adapter, HELLO, line if line != "\udcff" else '"\\ud8"', case())
    assert code == 2
    assert len(replies) == 1
    assert message in errors
    assert "Traceback" not in errors


def test_a_case_before_the_greeting_ends_it(adapter: Path) -> None:
    code, replies, errors = run(adapter, case())
    assert (code, replies) == (2, [])
    assert "line 1: expected the message `hello`" in errors


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "expected one losscheck.Adapter in"), ("import no_such_module", "cannot be imported")],
)
def test_a_file_without_an_adapter_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "empty.py"
    file.write_text(text, encoding="utf-8")
    code, replies, errors = run(file, HELLO)
    assert (code, replies) == (2, [])
    assert message in errors


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    code, _, errors = run(tmp_path / "none.py", HELLO)
    assert code == 2
    assert "expected a Python file, found nothing at" in errors
