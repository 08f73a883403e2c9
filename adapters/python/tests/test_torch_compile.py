"""The adapter of torch.compile."""

from collections.abc import Callable
from typing import Any

import pytest

from losscheck import Adapter, Tensor
from losscheck.answer import Answer, Failed, Missing, Reply
from losscheck.case import Question

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def ask() -> Callable[..., Reply]:
    from losscheck.adapters.torch_compile import adapter

    made: Adapter = adapter()

    def asks(busy: Callable[[str], None], *numbers: float) -> Reply:
        inputs = {"input": Tensor.of(numbers, "f32"), "target": Tensor.of([0.0] * len(numbers), "f32")}
        return made.answer(Question(1, "l1_loss/f32/x", "l1_loss", {"reduction": "sum"}, inputs, None, ("input",)), busy)

    return asks


def test_cases_of_a_signature_share_one_compilation(ask: Callable[..., Reply]) -> None:
    stages: list[str] = []
    first, second, longer = ask(stages.append, 1.0, -2.0), ask(stages.append, -3.0, 0.0), ask(stages.append, 1.0)
    assert isinstance(first, Answer)
    assert first.value.array.tolist() == 3.0
    assert isinstance(second, Answer)
    assert second.gradients["input"].array.tolist() == [-1.0, 0.0]
    assert isinstance(longer, Answer)
    assert stages == ["compile", "compile"]


def test_a_loss_that_ran_uncompiled_is_a_failure(ask: Callable[..., Reply]) -> None:
    with torch.compiler.set_stance("force_eager"):
        answered: Any = ask(lambda stage: None, 1.0)
    assert isinstance(answered, Failed)
    assert "expected one compiled graph for l1_loss/f32/x, found 0" in answered.message


def test_a_loss_that_cannot_be_compiled_is_unsupported() -> None:
    from losscheck.adapters.torch_compile import Compiler
    from losscheck.frameworks.compiled import CompiledFramework

    made = Adapter("test", framework=CompiledFramework("cpu"))
    compiler = Compiler()

    def breaks(input: Any, target: Any, reduction: str) -> Any:
        torch._dynamo.graph_break()
        return input.sum()

    made.loss("l1_loss")(lambda case: compiler.call(breaks, case))
    inputs = {"input": Tensor.of([1.0], "f32"), "target": Tensor.of([0.0], "f32")}
    answered = made.answer(Question(1, "l1_loss/f32/x", "l1_loss", {"reduction": "sum"}, inputs, None, ("input",)))
    assert isinstance(answered, Missing)
