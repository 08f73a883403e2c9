from collections.abc import Iterator

from ..case import Case, Loss
from ..regression import Regression
from ..tensors import Stored

NAME = "huber_loss"


def cases() -> Iterator[Case]:
    # In f32, 0.1 is not the option's value but its rounding.
    regression = Regression(NAME, settings=[{}, {"delta": 0.1}, {"delta": 0.5}, {"delta": 10.0}], weighted=True)
    yield from regression.cases()
    yield from regression.threshold("delta")
    yield regression.subnormal_share({"delta": 1000.0})
    inputs = {"input": Stored("f16", (25,), [float(i) for i in range(25)]), "target": Stored("f16", (), [55.0])}
    case_id = f"{NAME}/f16/25+target=scalar/subnormal_share/delta=0.001/mean"
    options = {"delta": 0.001, "reduction": "mean"}
    yield Case(case_id, ("subnormal_share",), options, inputs, cotangent=Stored("f16", (), [0.0485]))
    for delta in (0.0, -1.0):
        yield from regression.invalid_option("delta", delta)


LOSS = Loss(NAME, ("input", "target"), cases)
