"""The framework and the adapter of PyTorch."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from losscheck import Adapter, Case, Tensor
from losscheck.answer import Answer, Failed, Missing, Rejected
from losscheck.case import Question
from losscheck.tensor import STORAGE

torch = pytest.importorskip("torch")


def question(loss: str, inputs: dict[str, Tensor], **options: Any) -> Question:
    want = tuple(name for name in ("input",) if inputs[name].is_float)
    return Question(1, f"{loss}/f32/x", loss, options, inputs, Tensor.of(np.float32(2.0)), want)


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    from losscheck.adapters.torch import adapter

    return adapter()


@pytest.mark.parametrize("dtype", STORAGE)
@pytest.mark.parametrize("shape", [(), (0, 2), (2, 3)])
def test_tensors_reach_pytorch_and_come_back_bit_for_bit(adapter: Adapter, dtype: str, shape: tuple[int, ...]) -> None:
    count, size = int(np.prod(shape)), STORAGE[dtype].itemsize
    tensor = Tensor.from_bytes(dtype, shape, bytes(range(251, 251 - count * size, -1)))
    there = adapter.framework.array(tensor)
    assert tuple(there.shape) == shape
    assert adapter.framework.tensor(there).same_bits(tensor)
    if len(shape) == 2:
        back = adapter.framework.tensor(there.t())
        assert np.array_equal(back.array, tensor.array.T, equal_nan=tensor.is_float and dtype != "bf16")


def test_a_loss_gets_its_value_and_its_gradient(adapter: Adapter) -> None:
    inputs = {"input": Tensor.of([1.0, 3.0], "f32"), "target": Tensor.of([0.0, 1.0], "f32")}
    answered = adapter.answer(question("mse_loss", inputs, reduction="mean"))
    assert isinstance(answered, Answer)
    assert answered.value.array.tolist() == 2.5
    assert answered.gradients["input"].array.tolist() == [2.0, 4.0], "with the cotangent 2"


def test_what_pytorch_refuses_is_rejected(adapter: Adapter) -> None:
    inputs = {"input": Tensor.of([1.0, 3.0], "f32"), "target": Tensor.of(np.array([5]))}
    answered = adapter.answer(question("nll_loss", inputs, ignore_index=-100, reduction="mean"))
    assert isinstance(answered, Rejected)


def test_an_argument_that_pytorch_does_not_have_is_unsupported(adapter: Adapter) -> None:
    inputs = {"input": Tensor.of([1.0], "f32"), "target": Tensor.of([1.0], "f32")}
    answered = adapter.answer(question("mse_loss", inputs, reduction="mean", softcap=1.0))
    assert isinstance(answered, Missing)
    assert "no argument `softcap`" in answered.why


def test_an_input_that_is_written_to_is_reported() -> None:
    made = Adapter("test", framework="torch")

    @made.loss("mse_loss")
    def mse_loss(case: Case) -> Any:
        with torch.no_grad():
            case["input"].mul_(2)
        return (case["input"] - case["target"]).square().sum()

    inputs = {"input": Tensor.of([1.0], "bf16"), "target": Tensor.of([1.0], "bf16")}
    asked = Question(1, "mse_loss/bf16/x", "mse_loss", {}, inputs, None, ("input",))
    answered = made.answer(asked)
    assert isinstance(answered, Answer)
    assert answered.changed == ("input",)


def test_a_cuda_error_poisons_the_process() -> None:
    made = Adapter("test", framework="torch")

    @made.loss("mse_loss")
    def mse_loss(case: Case) -> Any:
        def kernel() -> None:
            raise RuntimeError("CUDA error: device-side assert triggered")

        case.call(kernel)

    inputs = {"input": Tensor.of([1.0], "f32"), "target": Tensor.of([1.0], "f32")}
    answered = made.answer(question("mse_loss", inputs))
    assert isinstance(answered, Failed)
    assert answered.poisoned


def test_the_portable_adapter_starts_again_and_ends_in_order() -> None:
    inputs = {"input": Tensor.of([0.5], "f32").to_json(), "target": Tensor.of([1.0], "f32").to_json()}
    case = {"n": 0, "id": "l1_loss/f32/1", "loss": "l1_loss", "options": {"reduction": "mean"}, "inputs": inputs, "want": []}
    lines = [{"hello": {"protocol": 1, "losscheck": "0.1.0"}}, {"case": case}]
    command = [sys.executable, "-m", "losscheck.adapters.torch", "--portable"]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    hello, answer = map(json.loads, done.stdout.splitlines())
    assert hello["hello"]["device"] == "cpu"
    assert Tensor.from_json(answer["answer"]["value"], "value").array.tolist() == 0.5
