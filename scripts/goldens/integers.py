"""Integers in tensors of numbers: labels of 1 and -1, counts, weights, vectors, and what PyTorch refuses.

Where PyTorch takes them, they become numbers of the other tensors' dtype, or of f32 if all tensors hold integers. Flags tell
apart what it computes in integers first, where differences of u8 wrap around, and in another dtype than that of the floats.

Left out is what PyTorch answers with integers, which have no ULPs:

- `l1_loss`, weighted `mse_loss`, and `smooth_l1_loss` with `beta` 0, of integers alone, unless the mean divides them;
- `hinge_embedding_loss` of an integer input, unless the mean is taken, which PyTorch refuses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from .case import FLOATS, REDUCTIONS, SINGLE_AND_DOUBLE, Case, Options, label, name, options_name
from .draw import Draw
from .tensors import Shape, Stored, Tensor

FLAG = "integer_numbers"
ALONE = (FLAG, "integers_alone")
WRAPS = (FLAG, "wrapped_bytes")
# Intermediates in another dtype than that of the floats.
IN_F32 = (FLAG, "integers_in_f32")
NO_BACKWARD = (FLAG, "backward_fails")
REFUSED = ("invalid", "refused_integers")
SIGNED = ("i64",)
UNSIGNED = ("u8",)
BOTH = ("i64", "u8")
NOT_F32 = ("f64", "f16", "bf16")

Integers = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Numbers:
    """The tensors of a loss: for each its shape, and the range that floats are drawn from."""

    tensors: Mapping[str, tuple[Shape, float, float]]
    # For each choice of tensors: the integers that they hold, row-major, and the dtypes that these may have.
    integers: Sequence[tuple[Integers, Sequence[str]]]
    settings: Sequence[Options] = ({},)
    dtypes: Sequence[str] = FLOATS
    # Tensors that hold class indices, lengths and the like.
    classes: Mapping[str, Stored] = field(default_factory=dict)
    flags: Sequence[str] = (FLAG,)
    variant: str = ""
    # An option that is None is left out.
    reductions: Sequence[str | None] = REDUCTIONS
    # Options that do not show in the id.
    fixed: Options = field(default_factory=dict)


def refused(
    tensors: Mapping[str, tuple[Shape, float, float]],
    *integers: Integers,
    settings: Sequence[Options] = ({},),
    classes: Mapping[str, Stored] | None = None,
    variant: str = "",
    reductions: Sequence[str | None] = ("none", "mean"),
    fixed: Options | None = None,
    kinds: Sequence[str] = BOTH,
) -> Numbers:
    """Integers that PyTorch refuses, each choice of them in both dtypes."""
    choices = tuple((choice, kinds) for choice in integers)
    return Numbers(
        tensors, choices, settings, SINGLE_AND_DOUBLE, classes or {}, REFUSED, variant, reductions, fixed or {}
    )


VECTOR = ((4,), -3.0, 3.0)
MATRIX = ((2, 3), -2.0, 2.0)
WEIGHT = ((4,), 0.25, 3.0)
CLASS_WEIGHT = ((3,), 0.25, 3.0)
PAIR = {"input": VECTOR, "target": VECTOR}
WEIGHTED = {**PAIR, "weight": WEIGHT}
COUNTED = {"input": VECTOR, "target": ((4,), 0.25, 3.0)}
POSITIVE_INPUT = {"input": ((4,), 0.25, 3.0), "target": VECTOR}
PROBABILITIES = {"input": ((4,), 0.05, 0.95), "target": ((4,), 0.0, 1.0), "weight": WEIGHT}
LOGITS = {"input": VECTOR, "target": ((4,), 0.0, 1.0), "weight": WEIGHT, "pos_weight": WEIGHT}
GAUSSIAN = {**PAIR, "var": ((4,), 0.25, 3.0)}
RANKING = {"input1": VECTOR, "input2": VECTOR, "target": ((4,), 1.0, 1.0)}
COSINE = {"input1": MATRIX, "input2": MATRIX, "target": ((2,), 1.0, 1.0)}
VECTORS = {"anchor": MATRIX, "positive": MATRIX, "negative": MATRIX}
MULTILABEL = {"input": MATRIX, "target": ((2, 3), 0.0, 1.0), "weight": CLASS_WEIGHT}
SCORES = {"input": MATRIX, "weight": CLASS_WEIGHT}
IMAGE = {"input": ((1, 3, 1, 2), -2.0, 0.0), "weight": CLASS_WEIGHT}
LINEAR = {"input": ((2, 2), -2.0, 2.0), "linear_weight": ((3, 2), -2.0, 2.0), "linear_bias": ((3,), -2.0, 2.0)}
LINEAR_WEIGHTED = {**LINEAR, "weight": CLASS_WEIGHT}
LINEAR_PROBABILITIES = {**LINEAR_WEIGHTED, "target": ((2, 3), 0.0, 1.0)}
ADAPTIVE = {
    "input": ((2, 4), -2.0, 2.0),
    "head.weight": ((3, 4), -2.0, 2.0),
    "head.bias": ((3,), -2.0, 2.0),
    "tail.0.0.weight": ((2, 4), -2.0, 2.0),
    "tail.0.1.weight": ((3, 2), -2.0, 2.0),
}
ADAPTIVE_LAYOUT = {"in_features": 4, "n_classes": 5, "cutoffs": [2], "div_value": 2.0, "head_bias": True}
SEQUENCE = {"log_probs": ((3, 1, 3), -2.0, -0.5)}
LABELS = {
    "targets": Stored("i64", (1, 2), [1, 2]),
    "input_lengths": Stored("i64", (1,), [3]),
    "target_lengths": Stored("i64", (1,), [2]),
}
CLASSES = {"target": Stored("i64", (2,), [2, 0])}
PIXELS = {"target": Stored("i64", (1, 1, 2), [2, 0])}
LISTS = {"target": Stored("i64", (2, 3), [2, 0, -1, 1, -1, 0])}
BOTH_LAYERS = {"target": Stored("i64", (2,), [4, 0])}

COUNTS = [2, 0, 1, 3]
MIXED = [-2, 0, 1, 40]
ROWS = [1, 0, 2, 1, 1, 0]
INPUT, TARGET, WEIGHTS = {"input": COUNTS}, {"target": COUNTS}, {"weight": [1, 2, 0, 3]}
SCORE_ROWS = {"input": ROWS}
CLASS_WEIGHTS = {"weight": [1, 0, 2]}
SIGNS, ALIKE = {"target": [1, -1, -1, 1]}, {"target": [1, 1, 1, 1]}
ZEROS_AND_ONES = {"target": [1, 0, 1, 1, 1, 0]}
BITS, TARGET_BITS = {"input": [1, 0, 0, 1]}, {"target": [1, 0, 1, 1]}
FIRST, SECOND = {"input1": [3, 0, 1, 2]}, {"input2": [2, 0, 1, 1]}
FIRST_ROWS, SECOND_ROWS = {"input1": [2, 0, 1, 0, 1, 3]}, {"input2": ROWS}
# Elements of the anchor are not below those of the positive, nor these below those of the negative: no difference wraps.
ANCHOR, POSITIVE, NEGATIVE = {"anchor": [3, 1, 2, 1, 2, 5]}, {"positive": ROWS}, {"negative": [0, 0, 1, 0, 1, 0]}
FAR = {"negative": [2, 1, 0, 0, 1, 3]}

# The first is not below the second.
ORDERED = {**INPUT, "target": [1, 0, 1, 0]}
OF_PAIR = ((TARGET, BOTH), (WEIGHTS, BOTH), ({**TARGET, **WEIGHTS}, BOTH), ({"target": MIXED}, SIGNED))
OF_INPUT = ((INPUT, BOTH), ({"input": MIXED}, SIGNED))
OF_WEIGHTED_INPUT = (
    *OF_INPUT,
    ({**INPUT, **WEIGHTS}, BOTH),
    (ORDERED, BOTH),
    ({**INPUT, "target": [0, 3, 1, -7]}, SIGNED),
)
OF_TRIPLET = ((POSITIVE, BOTH), (FAR, BOTH), (ANCHOR, BOTH))
WITH_ANCHOR = (({**ANCHOR, **POSITIVE}, BOTH), ({**ANCHOR, **NEGATIVE}, BOTH))
SWAPPED = (({**POSITIVE, **NEGATIVE}, BOTH), ({**POSITIVE, **FAR}, SIGNED))
TRIPLET_ALONE = (({**ANCHOR, **POSITIVE, **NEGATIVE}, BOTH), ({**ANCHOR, **POSITIVE, **FAR}, SIGNED))
TRIPLETS = (
    Numbers(VECTORS, (({**POSITIVE, **FAR}, SIGNED),)),
    Numbers(VECTORS, WITH_ANCHOR, ({},), ("f32",)),
    Numbers(VECTORS, SWAPPED, ({"swap": True},), ("f32",)),
    # The distance of two tensors of integers is in f32, also if the third is of another dtype.
    Numbers(VECTORS, WITH_ANCHOR, ({},), NOT_F32, {}, IN_F32),
    Numbers(VECTORS, SWAPPED, ({"swap": True},), NOT_F32, {}, IN_F32),
    Numbers(VECTORS, (({**POSITIVE, **FAR}, UNSIGNED),), ({"swap": True},), ("f32",), {}, WRAPS),
    Numbers(VECTORS, (({"anchor": ROWS, "positive": [2, 1, 0, 0, 1, 3]}, UNSIGNED),), ({},), ("f32",), {}, WRAPS),
    Numbers(VECTORS, TRIPLET_ALONE, ({}, {"swap": True}), ("f32",), {}, ALONE),
)
WRAPPED_PAIR = ({**INPUT, "target": [3, 0, 2, 1]}, UNSIGNED)
WRAPPED_SQUARE = ({"input": [20, 0, 1, 2], "target": [3, 0, 1, 1]}, UNSIGNED)

NUMBERS: Mapping[str, Sequence[Numbers]] = {
    "adaptive_log_softmax_with_loss": (
        refused(
            ADAPTIVE,
            {"input": [1, 0, 2, 1, 1, 0, -1, 3]},
            {"head.weight": [1, 0, 2, 1, 1, 0, -1, 3, 2, 1, 0, 0]},
            {"head.bias": [1, 0, 2]},
            {"tail.0.0.weight": [1, 0, 2, 1, 1, 0, -1, 3]},
            {"tail.0.1.weight": [1, 0, 2, 1, 1, 0]},
            settings=({"result": "loss"}, {"result": "output"}),
            classes=BOTH_LAYERS,
            reductions=(None,),
            fixed=ADAPTIVE_LAYOUT,
            kinds=SIGNED,
        ),
    ),
    "binary_cross_entropy": (
        Numbers(PROBABILITIES, ((WEIGHTS, BOTH),)),
        refused(PROBABILITIES, BITS, {**BITS, **WEIGHTS}, {**BITS, **TARGET_BITS}),
    ),
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
        # 1 is subtracted from it.
        Numbers(LOGITS, (({"pos_weight": [2, 1, 0, 3]}, UNSIGNED),), flags=WRAPS),
        refused(LOGITS, INPUT, {**INPUT, **TARGET_BITS}),
    ),
    "cosine_embedding_loss": (
        Numbers(
            COSINE, (({"target": [1, -1]}, SIGNED), ({"target": [1, 1]}, BOTH)), ({}, {"margin": 0.25})
        ),
        Numbers(
            COSINE,
            (
                (SECOND_ROWS, BOTH),
                ({"input2": [1, 0, 2, -1, 1, 0], "target": [1, -1]}, SIGNED),
                (FIRST_ROWS, BOTH),
                ({"input1": [1, 0, 2, -1, 1, 0], "target": [1, -1]}, SIGNED),
            ),
            dtypes=("f32",),
        ),
        # The norm of integers is in f32, and so is the loss beside 16 bits.
        Numbers(COSINE, ((SECOND_ROWS, BOTH), (FIRST_ROWS, BOTH)), dtypes=NOT_F32, flags=IN_F32),
        Numbers(
            COSINE,
            (
                ({**FIRST_ROWS, **SECOND_ROWS}, BOTH),
                ({**FIRST_ROWS, **SECOND_ROWS, "target": [1, 1]}, BOTH),
                ({**FIRST_ROWS, "input2": [1, 0, 2, -1, 1, 0], "target": [1, -1]}, SIGNED),
            ),
            dtypes=("f32",),
            flags=ALONE,
        ),
    ),
    "cross_entropy": (
        Numbers(
            MULTILABEL,
            ((CLASS_WEIGHTS, BOTH),),
            ({}, {"label_smoothing": 0.25}),
            variant="probabilities",
        ),
        Numbers(
            SCORES,
            ((CLASS_WEIGHTS, BOTH),),
            classes=CLASSES,
            flags=(FLAG, "invalid"),
            variant="classes",
        ),
        refused(SCORES, SCORE_ROWS, {**SCORE_ROWS, **CLASS_WEIGHTS}, classes=CLASSES, variant="classes"),
        refused(MULTILABEL, SCORE_ROWS, ZEROS_AND_ONES, variant="probabilities"),
    ),
    "ctc_loss": (refused(SEQUENCE, {"log_probs": [-1, -2, -1, -2, -1, -3, -1, -1, -2]}, classes=LABELS, kinds=SIGNED),),
    "gaussian_nll_loss": (
        Numbers(GAUSSIAN, ((TARGET, BOTH), (SIGNS, SIGNED)), ({}, {"full": True})),
        Numbers(GAUSSIAN, (*OF_INPUT, (ORDERED, BOTH)), ({}, {"full": True})),
        # The square wraps.
        Numbers(GAUSSIAN, (WRAPPED_SQUARE,), flags=WRAPS),
        refused(GAUSSIAN, {"var": [1, 2, 1, 3]}, {**INPUT, "var": [1, 2, 1, 3]}, {**ORDERED, "var": [1, 2, 1, 3]}),
    ),
    "hinge_embedding_loss": (
        Numbers(PAIR, ((SIGNS, SIGNED), (ALIKE, BOTH)), ({}, {"margin": 0.5})),
        refused(PAIR, INPUT, {**INPUT, **ALIKE}, reductions=("mean",)),
    ),
    "huber_loss": (
        Numbers(WEIGHTED, ((WEIGHTS, BOTH),), ({}, {"delta": 0.5})),
        Numbers(WEIGHTED, ((TARGET, BOTH), ({"target": MIXED}, SIGNED)), ({}, {"delta": 0.5}), flags=NO_BACKWARD),
        refused(WEIGHTED, INPUT, {**INPUT, **TARGET}, {**INPUT, **WEIGHTS}),
    ),
    "kl_div": (
        refused(PAIR, INPUT, TARGET, {**INPUT, **TARGET}, settings=({"log_target": False}, {"log_target": True})),
    ),
    "l1_loss": (
        Numbers(WEIGHTED, (*OF_PAIR, *OF_WEIGHTED_INPUT)),
        Numbers(PAIR, ((TARGET, BOTH), *OF_INPUT), variant="plain"),
        Numbers(WEIGHTED, (({**ORDERED, **WEIGHTS}, BOTH),), dtypes=("f32",), flags=ALONE, reductions=("mean",)),
        Numbers(WEIGHTED, (WRAPPED_PAIR,), flags=WRAPS),
        refused(PAIR, ORDERED, variant="plain", reductions=("mean",)),
    ),
    "linear_cross_entropy": (
        refused(
            LINEAR_WEIGHTED,
            {"input": [1, 0, 2, 1]},
            {"linear_weight": ROWS},
            {"linear_bias": [1, 0, 2]},
            {"input": [1, 0, 2, 1], "linear_weight": ROWS, "linear_bias": [1, 0, 2]},
            CLASS_WEIGHTS,
            classes=CLASSES,
            variant="classes",
        ),
        refused(LINEAR_PROBABILITIES, {"input": [1, 0, 2, 1]}, ZEROS_AND_ONES, variant="probabilities"),
        Numbers(LINEAR_PROBABILITIES, ((CLASS_WEIGHTS, BOTH),), ({}, {"label_smoothing": 0.25}), variant="probabilities"),
    ),
    "margin_ranking_loss": (
        Numbers(
            RANKING,
            ((SIGNS, SIGNED), ({"input2": COUNTS}, BOTH), ({"input2": [-2, 0, 1, 3], **SIGNS}, SIGNED)),
            ({}, {"margin": 0.5}),
        ),
        Numbers(
            RANKING,
            (
                (FIRST, BOTH),
                ({**FIRST, **SIGNS}, SIGNED),
                ({**FIRST, **SECOND}, BOTH),
                ({"input1": [-2, 0, 1, 3], **SECOND}, SIGNED),
            ),
            ({}, {"margin": 0.5}),
        ),
        Numbers(RANKING, (({**FIRST, **SECOND, **SIGNS}, SIGNED),), ({}, {"margin": 0.5}), ("f32",), {}, ALONE),
        # The label is negated.
        Numbers(RANKING, ((ALIKE, UNSIGNED), ({"input1": COUNTS, "input2": [3, 0, 2, 1]}, UNSIGNED)), flags=WRAPS),
    ),
    "mse_loss": (
        Numbers(WEIGHTED, (*OF_PAIR, *OF_WEIGHTED_INPUT)),
        Numbers(PAIR, ((TARGET, BOTH), *OF_INPUT), variant="plain"),
        Numbers(WEIGHTED, (({**ORDERED, **WEIGHTS}, BOTH),), dtypes=("f32",), flags=ALONE, reductions=("mean",)),
        # The square wraps.
        Numbers(WEIGHTED, (WRAPPED_SQUARE,), flags=WRAPS),
        refused(PAIR, ORDERED, variant="plain"),
    ),
    "multi_margin_loss": (
        refused(
            SCORES, SCORE_ROWS, CLASS_WEIGHTS, {**SCORE_ROWS, **CLASS_WEIGHTS}, settings=({}, {"p": 2}), classes=CLASSES
        ),
    ),
    "multilabel_margin_loss": (refused({"input": MATRIX}, SCORE_ROWS, classes=LISTS),),
    "multilabel_soft_margin_loss": (
        Numbers(
            MULTILABEL,
            (
                (ZEROS_AND_ONES, BOTH),
                (CLASS_WEIGHTS, BOTH),
                ({**ZEROS_AND_ONES, **CLASS_WEIGHTS}, BOTH),
                ({"target": [2, -1, 0, 1, 1, 0]}, SIGNED),
            ),
        ),
        refused(MULTILABEL, SCORE_ROWS, {**SCORE_ROWS, **ZEROS_AND_ONES}),
    ),
    "nll_loss": (refused(SCORES, SCORE_ROWS, CLASS_WEIGHTS, {**SCORE_ROWS, **CLASS_WEIGHTS}, classes=CLASSES),),
    "nll_loss2d": (refused(IMAGE, SCORE_ROWS, CLASS_WEIGHTS, {**SCORE_ROWS, **CLASS_WEIGHTS}, classes=PIXELS),),
    "poisson_nll_loss": (
        Numbers(PAIR, ((TARGET, BOTH), ({"target": [-2, 0, 1, 3]}, SIGNED))),
        Numbers(POSITIVE_INPUT, ((TARGET, BOTH),), ({"log_input": False},)),
        Numbers(PAIR, ((TARGET, BOTH),), ({"full": True},), ("f32", "f16", "bf16")),
        Numbers(COUNTED, (OF_INPUT[0], ({"input": [-2, 0, 1, 4]}, SIGNED)), ({}, {"full": True}), ("f32",)),
        Numbers(POSITIVE_INPUT, (({"input": [2, 4, 1, 3]}, BOTH),), ({"log_input": False},), ("f32",)),
        # exp and log of integers are in f32, and so is the loss beside 16 bits.
        Numbers(COUNTED, (OF_INPUT[0], ({"input": [-2, 0, 1, 4]}, SIGNED)), ({}, {"full": True}), NOT_F32, {}, IN_F32),
        Numbers(POSITIVE_INPUT, (({"input": [2, 4, 1, 3]}, BOTH),), ({"log_input": False},), NOT_F32, {}, IN_F32),
        Numbers(PAIR, ((TARGET, BOTH),), ({"full": True},), ("f64",), {}, IN_F32),
        Numbers(PAIR, (({**INPUT, "target": [1, 0, 3, 2]}, BOTH),), ({}, {"full": True}), ("f32",), {}, ALONE),
        Numbers(PAIR, (({"input": [2, 4, 1, 3], **TARGET}, BOTH),), ({"log_input": False},), ("f32",), {}, ALONE),
    ),
    "smooth_l1_loss": (
        Numbers(PAIR, ((TARGET, BOTH), (SIGNS, SIGNED)), ({}, {"beta": 0.5}, {"beta": 0.0})),
        Numbers(PAIR, OF_INPUT, ({}, {"beta": 0.5}, {"beta": 0.0})),
        refused(PAIR, ORDERED),
        refused(PAIR, ORDERED, settings=({"beta": 0.0},), reductions=("mean",)),
    ),
    "soft_margin_loss": (
        Numbers(PAIR, ((SIGNS, SIGNED),)),
        # The label is negated.
        Numbers(PAIR, ((ALIKE, UNSIGNED),), flags=WRAPS),
        refused(PAIR, INPUT, {**INPUT, **ALIKE}),
    ),
    "triplet_margin_loss": (Numbers(VECTORS, OF_TRIPLET, ({}, {"p": 1.0}, {"swap": True})), *TRIPLETS),
    "triplet_margin_with_distance_loss": (Numbers(VECTORS, OF_TRIPLET, ({}, {"swap": True})), *TRIPLETS),
}


def cases(loss: str) -> Iterator[Case]:
    for numbers in NUMBERS[loss]:
        for dtype, (integers, kinds), settings in product(numbers.dtypes, numbers.integers, numbers.settings):
            # Integers alone are computed in f32.
            if dtype != "f32" and integers.keys() == numbers.tensors.keys():
                continue
            for kind, reduction in product(kinds, numbers.reductions):
                yield case(loss, numbers, dtype, integers, kind, settings, reduction)


def case(
    loss: str,
    numbers: Numbers,
    dtype: str,
    integers: Integers,
    kind: str,
    settings: Options,
    reduction: str | None,
) -> Case:
    texts = (f"{key}={'.'.join(map(str, data))}" for key, data in integers.items())
    parts = (kind, numbers.variant, label(*texts), options_name(settings), reduction or "")
    case_id = name(loss, dtype, "integers", *parts)
    draw = Draw(case_id)
    inputs: dict[str, Tensor] = {
        key: Stored(kind, shape, integers[key]) if key in integers else draw.uniform(key, dtype, shape, low, high)
        for key, (shape, low, high) in numbers.tensors.items()
    }
    inputs |= numbers.classes
    options = {**numbers.fixed, **settings}
    if reduction:
        options["reduction"] = reduction
    return Case(case_id, tuple(numbers.flags), options, inputs)
