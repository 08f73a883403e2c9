"""What an adapter answers, exceptions included."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from losscheck import Adapter, Case, Tensor, Unsupported
from losscheck.answer import Answer, Failed, Missing, Rejected, Reply
from losscheck.case import Question


def question(dtype: str = "f32", loss: str = "mse_loss", **options: Any) -> Question:
    inputs = {name: Tensor.of([1.0, 2.5], dtype) for name in ("input", "target")}
    return Question(7, f"{loss}/{dtype}/2", loss, {"reduction": "sum", **options}, inputs, None, ("input", "target"))


def reply(function: Callable[[Case], Any], asked: Question | None = None, **provided: Any) -> Reply:
    adapter = Adapter("test")
    adapter.loss("mse_loss", **provided)(function)
    return adapter.answer(asked or question())


def zero(case: Case) -> Any:
    return np.float32(0), {name: np.zeros_like(case[name]) for name in case.want}


def raises(error: BaseException) -> Callable[..., Any]:
    def function(*arguments: Any) -> Any:
        raise error

    return function


def test_a_value_and_gradients_are_an_answer() -> None:
    answered = reply(zero)
    assert isinstance(answered, Answer)
    assert set(answered.gradients) == {"input", "target"}
    assert "inputs_intact" not in answered.to_json(7)["answer"]  # type: ignore[operator]


@pytest.mark.parametrize(
    "error", [RuntimeError("no"), ValueError("no"), TypeError("no"), IndexError("no"), AssertionError("no")]
)
def test_an_exception_out_of_the_call_is_a_rejection(error: Exception) -> None:
    assert reply(lambda case: case.call(raises(error))) == Rejected(type(error).__name__, "no")


@pytest.mark.parametrize("error", [RuntimeError("no"), ValueError("no"), KeyError("no"), SystemExit(1)])
def test_the_same_exception_out_of_the_adapter_is_a_failure(error: BaseException) -> None:
    answered = reply(raises(error))
    assert isinstance(answered, Failed)
    assert type(error).__name__ in answered.message
    assert "Traceback" in answered.traceback


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory"), AttributeError("no"), RecursionError(), KeyError("no")]
)
def test_what_is_no_refusal_is_a_failure_even_out_of_the_call(error: Exception) -> None:
    assert isinstance(reply(lambda case: case.call(raises(error))), Failed)


@pytest.mark.parametrize(
    "error", [NotImplementedError("no such thing"), RuntimeError("\"mse_cpu\" not implemented for 'Half'"), Unsupported("no")]
)
def test_a_gap_is_unsupported(error: Exception) -> None:
    assert isinstance(reply(lambda case: case.call(raises(error))), Missing)


def test_refused_integers_are_a_rejection() -> None:
    assert isinstance(reply(lambda case: case.call(raises(RuntimeError("not implemented for 'Long'")))), Rejected)


def test_a_changed_input_is_reported() -> None:
    def in_place(case: Case) -> Any:
        case["input"][1] = -0.0
        return zero(case)

    answered = reply(in_place)
    assert isinstance(answered, Answer)
    assert answered.changed == ("input",)
    assert answered.to_json(7)["answer"]["inputs_intact"] is False  # type: ignore[index]


def test_what_is_not_declared_is_unsupported() -> None:
    assert reply(zero, question("f64"), dtypes=["f32", "bf16"]) == Missing("no f64")
    assert reply(zero, options={"reduction": ["mean"]}) == Missing("no reduction=sum")
    assert reply(zero, question(loss="huber_loss")) == Missing("no huber_loss")


def test_only_declared_gradients_are_wanted() -> None:
    answered = reply(zero, gradients=["input"])
    assert isinstance(answered, Answer)
    assert set(answered.gradients) == {"input"}


def test_a_value_without_gradients_is_a_failure_that_says_what_to_do() -> None:
    answered = reply(lambda case: np.float32(0))
    assert isinstance(answered, Failed)
    assert "expected (value, {name: gradient})" in answered.message


def test_a_result_of_another_type_is_a_failure_that_names_it() -> None:
    answered = reply(lambda case: (0.5, {}))
    assert isinstance(answered, Failed)
    assert answered.message == "the value: expected an array of NumPy or a losscheck.Tensor, found float"


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: Adapter("a", framework="pytorch"), "expected a framework of numpy, torch, jax, mlx, found 'pytorch'"),
        (
            lambda: Adapter("a").loss("l1_loss", dtypes=["float32"]),
            "expected a dtype of l1_loss: f16, bf16, f32, f64; found 'float32'",
        ),
        (lambda: Adapter("a", encoding="hex"), "expected an encoding of bits, data"),  # type: ignore[arg-type]
    ],
)
def test_a_mistake_in_an_adapter_is_refused_with_what_was_expected(mistake: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mistake()
