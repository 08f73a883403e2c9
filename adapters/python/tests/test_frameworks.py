"""The frameworks that are installed agree on tensors, and on a derivative."""

from typing import Any

import numpy as np
import pytest

from losscheck import Adapter, Case, Tensor
from losscheck.answer import Answer, Rejected
from losscheck.case import Question
from losscheck.frameworks import Framework, framework
from losscheck.tensor import FLOATS, STORAGE

MODULES = {"torch": "torch", "jax": "jax", "mlx": "mlx.core"}

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(params=MODULES)
def made(request: pytest.FixtureRequest) -> Framework:
    pytest.importorskip(MODULES[request.param])
    return framework(request.param, "cpu")


@pytest.mark.parametrize("dtype", STORAGE)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_tensors_come_back_bit_for_bit(made: Framework, dtype: str, shape: tuple[int, ...]) -> None:
    count, size = int(np.prod(shape)), STORAGE[dtype].itemsize
    tensor = Tensor.from_bytes(dtype, shape, bytes(range(251, 251 - count * size, -1)))
    assert made.tensor(made.array(tensor)).same_bits(tensor)


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_product_has_its_value_and_gradients(made: Framework, dtype: str) -> None:
    adapter = Adapter("test", framework=made)
    adapter.loss("l1_loss")(lambda case: case["input"] * case["target"])
    inputs = {"input": Tensor.of([2.0, -3.0], dtype), "target": Tensor.of([0.5, 4.0], dtype)}
    asked = Question(1, "l1_loss/x", "l1_loss", {}, inputs, Tensor.of([1.0, 2.0], dtype), ("input", "target"))
    answered = adapter.answer(asked)
    assert isinstance(answered, Answer), answered
    assert answered.value.dtype == dtype
    assert answered.value.numbers().tolist() == [1.0, -12.0]
    assert answered.gradients["input"].numbers().tolist() == [0.5, 8.0]
    assert answered.gradients["target"].numbers().tolist() == [2.0, -6.0]
    assert answered.changed == ()


def test_gradients_by_hand_are_taken_as_they_are(made: Framework) -> None:
    adapter = Adapter("test", framework=made)

    @adapter.loss("l1_loss")
    def l1_loss(case: Case) -> Any:
        return case["input"], {"input": case["input"] * 7}

    inputs = {"input": Tensor.of([2.0], "f32"), "target": Tensor.of([0.5], "f32")}
    answered = adapter.answer(Question(1, "l1_loss/x", "l1_loss", {}, inputs, None, ("input",)))
    assert isinstance(answered, Answer), answered
    assert answered.gradients["input"].array.tolist() == [14.0]


def test_shapes_that_the_framework_refuses_are_a_rejection(made: Framework) -> None:
    adapter = Adapter("test", framework=made)
    adapter.loss("l1_loss")(lambda case: case.call(lambda x, y: x * y, case["input"], case["target"]))
    inputs = {"input": Tensor.of([2.0, 1.0], "f32"), "target": Tensor.of([0.5, 1.0, 2.0], "f32")}
    answered = adapter.answer(Question(1, "l1_loss/x", "l1_loss", {}, inputs, None, ("input",)))
    assert isinstance(answered, Rejected), answered
