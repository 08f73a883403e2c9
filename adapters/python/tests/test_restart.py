"""An adapter whose library ends the process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ADAPTER = """
import os, signal, time
import numpy as np
from losscheck import Adapter

adapter = Adapter("dies")

@adapter.loss("mse_loss", gradients=[])
def mse_loss(case):
    if case["input"][0] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if case["input"][0] == 2:
        time.sleep(600)
    return case["input"][0]
"""


def case(n: int) -> dict[str, object]:
    inputs = {"input": {"dtype": "f32", "shape": [1], "data": [n]}}
    return {"case": {"n": n, "id": f"mse_loss/f32/{n}", "loss": "mse_loss", "options": {}, "inputs": inputs, "want": []}}


def run(*command: str, lines: list[Any]) -> "subprocess.CompletedProcess[str]":
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    whole = [sys.executable, "-m", "losscheck", "restart", *command]
    return subprocess.run(whole, input=text, capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_case_that_kills_the_process_has_failed_and_the_others_are_answered(tmp_path: Path) -> None:
    file = tmp_path / "dies.py"
    file.write_text(ADAPTER, encoding="utf-8")
    lines = [{"hello": {"protocol": 1, "losscheck": "0.1.0"}}, case(0), case(1), case(2), case(3), {"bye": {}}]
    done = run("--limit", "5", sys.executable, "-m", "losscheck", "serve", str(file), lines=lines)
    hello, before, failed, late, after = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 0
    assert hello["hello"]["name"] == "dies"
    assert before["answer"]["n"] == 0
    assert failed == {"failed": {"n": 1, "message": "the signal SIGKILL ended the process"}}
    assert late == {"failed": {"n": 2, "message": "there was no answer within 5 s"}}
    assert after["answer"]["n"] == 3


def test_an_adapter_that_never_greets_is_an_error() -> None:
    done = run(sys.executable, "-c", "exit(5)", lines=[{"hello": {"protocol": 1, "losscheck": "0.1.0"}}])
    assert done.returncode == 2
    assert "expected the adapter's `hello`, but the process ended with 5" in done.stderr
