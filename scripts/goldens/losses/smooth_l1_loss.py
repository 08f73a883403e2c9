from collections.abc import Iterator

from ..case import Case, Loss
from ..regression import Regression

NAME = "smooth_l1_loss"


def cases() -> Iterator[Case]:
    settings = [{}, {"beta": 0.0}, {"beta": 0.1}, {"beta": 2.5}]
    # In f32, 0.1 is not the option's value but its rounding.
    regression = Regression(NAME, settings, flags={"beta=0.0": "smooth_l1_beta_zero"})
    yield from regression.cases()
    yield from regression.threshold("beta")
    yield from regression.invalid_option("beta", -0.5)


LOSS = Loss(NAME, ("input", "target"), cases)
