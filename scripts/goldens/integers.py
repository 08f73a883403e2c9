"""Integers in tensors of numbers: labels of 1 and -1, counts, weights, vectors. They become numbers of the other tensors' dtype.

The first tensor of each loss holds floats. Left out is what PyTorch computes in integers or in another dtype than that of
the first tensor:

- in u8 a label is negated and 1 is subtracted from a `pos_weight`, and both wrap around;
- in f32, also beside floats of another dtype, are the norm of a vector of integers in the cosine embedding loss, the
  logarithm of a count with `full` in the Poisson loss, and the distance of two vectors of integers with `swap`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from .case import FLOATS, REDUCTIONS, Case, Options, label, name, options_name
from .draw import Draw
from .tensors import Shape, Stored, Tensor

FLAG = "integer_numbers"
SIGNED = ("i64",)
BOTH = ("i64", "u8")


@dataclass(frozen=True)
class Numbers:
    """The tensors of a loss: for each its shape, and the range that floats are drawn from."""

    tensors: Mapping[str, tuple[Shape, float, float]]
    # For each choice of tensors: the integers that they hold, row-major, and the dtypes that these may have.
    integers: Sequence[tuple[Mapping[str, Sequence[int]], Sequence[str]]]
    settings: Sequence[Options] = ({},)
    dtypes: Sequence[str] = FLOATS
    # Tensors that hold class indices.
    classes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    flags: Sequence[str] = ()
    variant: str = ""


VECTOR = ((4,), -3.0, 3.0)
MATRIX = ((2, 3), -2.0, 2.0)
WEIGHT = ((4,), 0.25, 3.0)
PAIR = {"input": VECTOR, "target": VECTOR}
WEIGHTED = {**PAIR, "weight": WEIGHT}
PROBABILITIES = {"input": ((4,), 0.05, 0.95), "target": ((4,), 0.0, 1.0), "weight": WEIGHT}
LOGITS = {"input": VECTOR, "target": ((4,), 0.0, 1.0), "weight": WEIGHT, "pos_weight": WEIGHT}
VECTORS = {"anchor": MATRIX, "positive": MATRIX, "negative": MATRIX}

TARGET, WEIGHTS = {"target": [2, 0, 1, 3]}, {"weight": [1, 2, 0, 3]}
SIGNS, ALIKE = {"target": [1, -1, -1, 1]}, {"target": [1, 1, 1, 1]}
ZEROS_AND_ONES = {"target": [1, 0, 1, 1, 1, 0]}
POSITIVE, NEGATIVE = {"positive": [1, 0, 2, 1, 1, 0]}, {"negative": [2, 1, 0, 0, 1, 3]}

OF_PAIR = ((TARGET, BOTH), (WEIGHTS, BOTH), ({**TARGET, **WEIGHTS}, BOTH), ({"target": [-2, 0, 1, 40]}, SIGNED))
OF_TRIPLET = ((POSITIVE, BOTH), (NEGATIVE, BOTH))
BOTH_OF_TRIPLET = (({**POSITIVE, **NEGATIVE}, SIGNED),)

NUMBERS: Mapping[str, Sequence[Numbers]] = {
    "adaptive_log_softmax_with_loss": (),
    "binary_cross_entropy": (Numbers(PROBABILITIES, ((WEIGHTS, BOTH),)),),
    "binary_cross_entropy_with_logits": (
        Numbers(
            LOGITS,
            (
                (WEIGHTS, BOTH),
                ({"pos_weight": [2, 1, 1, 3]}, BOTH),
                ({"pos_weight": [2, 1, 0, 3]}, SIGNED),
                ({**WEIGHTS, "pos_weight": [2, 1, 1, 3]}, BOTH),
            ),
        ),
    ),
    "cosine_embedding_loss": (
        Numbers(
            {"input1": MATRIX, "input2": MATRIX, "target": ((2,), 1.0, 1.0)},
            (({"target": [1, -1]}, SIGNED), ({"target": [1, 1]}, BOTH)),
            ({}, {"margin": 0.25}),
        ),
        Numbers(
            {"input1": MATRIX, "input2": MATRIX, "target": ((2,), 1.0, 1.0)},
            (({"input2": [1, 0, 2, 1, 1, 0]}, BOTH), ({"input2": [1, 0, 2, -1, 1, 0], "target": [1, -1]}, SIGNED)),
            dtypes=("f32",),
        ),
    ),
    "cross_entropy": (
        Numbers(
            {"input": MATRIX, "target": ((2, 3), 0.0, 1.0), "weight": ((3,), 0.25, 3.0)},
            (({"weight": [1, 0, 2]}, BOTH),),
            ({}, {"label_smoothing": 0.25}),
            variant="probabilities",
        ),
        Numbers(
            {"input": MATRIX, "weight": ((3,), 0.25, 3.0)},
            (({"weight": [1, 0, 2]}, BOTH),),
            classes={"target": [2, 0]},
            flags=("invalid",),
            variant="classes",
        ),
    ),
    "ctc_loss": (),
    "gaussian_nll_loss": (
        Numbers({**PAIR, "var": ((4,), 0.25, 3.0)}, ((TARGET, BOTH), (SIGNS, SIGNED)), ({}, {"full": True})),
    ),
    "hinge_embedding_loss": (Numbers(PAIR, ((SIGNS, SIGNED), (ALIKE, BOTH)), ({}, {"margin": 0.5})),),
    # An integer target gives a value, but an error in the backward pass.
    "huber_loss": (Numbers(WEIGHTED, ((WEIGHTS, BOTH),), ({}, {"delta": 0.5})),),
    # Integers are refused in every tensor: see the flag `wrong_dtype`.
    "kl_div": (),
    "l1_loss": (Numbers(WEIGHTED, OF_PAIR), Numbers(PAIR, ((TARGET, BOTH),), variant="plain")),
    "linear_cross_entropy": (),
    "margin_ranking_loss": (
        Numbers(
            {"input1": VECTOR, "input2": VECTOR, "target": ((4,), 1.0, 1.0)},
            ((SIGNS, SIGNED), ({"input2": [2, 0, 1, 3]}, BOTH), ({"input2": [-2, 0, 1, 3], **SIGNS}, SIGNED)),
            ({}, {"margin": 0.5}),
        ),
    ),
    "mse_loss": (Numbers(WEIGHTED, OF_PAIR), Numbers(PAIR, ((TARGET, BOTH),), variant="plain")),
    "multi_margin_loss": (),
    "multilabel_margin_loss": (),
    "multilabel_soft_margin_loss": (
        Numbers(
            {"input": MATRIX, "target": ((2, 3), 0.0, 1.0), "weight": ((3,), 0.25, 3.0)},
            (
                (ZEROS_AND_ONES, BOTH),
                ({"weight": [1, 0, 2]}, BOTH),
                ({**ZEROS_AND_ONES, "weight": [1, 0, 2]}, BOTH),
                ({"target": [2, -1, 0, 1, 1, 0]}, SIGNED),
            ),
        ),
    ),
    "nll_loss": (),
    "nll_loss2d": (),
    "poisson_nll_loss": (
        Numbers(PAIR, ((TARGET, BOTH), ({"target": [-2, 0, 1, 3]}, SIGNED))),
        Numbers({"input": ((4,), 0.25, 3.0), "target": VECTOR}, ((TARGET, BOTH),), ({"log_input": False},)),
        Numbers(PAIR, ((TARGET, BOTH),), ({"full": True},), ("f32", "f16", "bf16")),
    ),
    "smooth_l1_loss": (Numbers(PAIR, ((TARGET, BOTH), (SIGNS, SIGNED)), ({}, {"beta": 0.5}, {"beta": 0.0})),),
    "soft_margin_loss": (Numbers(PAIR, ((SIGNS, SIGNED),)),),
    "triplet_margin_loss": (
        Numbers(VECTORS, OF_TRIPLET, ({}, {"p": 1.0}, {"swap": True})),
        Numbers(VECTORS, BOTH_OF_TRIPLET),
        Numbers(VECTORS, BOTH_OF_TRIPLET, ({"swap": True},), ("f32",)),
    ),
    "triplet_margin_with_distance_loss": (
        Numbers(VECTORS, OF_TRIPLET, ({}, {"swap": True})),
        Numbers(VECTORS, BOTH_OF_TRIPLET),
        Numbers(VECTORS, BOTH_OF_TRIPLET, ({"swap": True},), ("f32",)),
    ),
}


def cases(loss: str) -> Iterator[Case]:
    for numbers in NUMBERS[loss]:
        for dtype, (integers, kinds), settings in product(numbers.dtypes, numbers.integers, numbers.settings):
            for kind, reduction in product(kinds, REDUCTIONS):
                yield case(loss, numbers, dtype, integers, kind, settings, reduction)


def case(
    loss: str,
    numbers: Numbers,
    dtype: str,
    integers: Mapping[str, Sequence[int]],
    kind: str,
    settings: Options,
    reduction: str,
) -> Case:
    texts = (f"{key}={'.'.join(map(str, data))}" for key, data in integers.items())
    parts = (kind, numbers.variant, label(*texts), options_name(settings), reduction)
    case_id = name(loss, dtype, "integers", *parts)
    draw = Draw(case_id)
    inputs: dict[str, Tensor] = {
        key: Stored(kind, shape, integers[key]) if key in integers else draw.uniform(key, dtype, shape, low, high)
        for key, (shape, low, high) in numbers.tensors.items()
    }
    for key, data in numbers.classes.items():
        inputs[key] = Stored("i64", (len(data),), data)
    return Case(case_id, (FLAG, *numbers.flags), {**settings, "reduction": reduction}, inputs)
