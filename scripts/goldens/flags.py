"""What each flag means: what its cases test, why, and the upstream issues behind them."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    tests: str
    why: str
    issues: tuple[int, ...] = ()

    def json(self) -> str:
        upstream = [f"https://github.com/pytorch/pytorch/issues/{number}" for number in self.issues]
        return json.dumps({"tests": self.tests, "why": self.why, "upstream": upstream})


FLAGS = {
    # Ordinary values.
    "options": Flag(
        "every combination of options, shapes and reductions, on ordinary values",
        "PyTorch's own samples rarely combine options",
    ),
    "weight_smoothing_ignore": Flag(
        "class weights, label smoothing and an ignored row at once",
        "each changes what the mean divides by, and their combination was wrong more than once",
        (69339, 72056, 73205, 91383, 104776),
    ),
    "chunks": Flag(
        "a batch that PyTorch works on in chunks",
        "chunks have a kernel of their own, and change no result",
    ),
    "constant_target": Flag(
        "target probabilities that need no gradient, so that none is expected",
        "since version 2.14, PyTorch works in chunks on probabilities, too, but only on these",
        (187053, 188296),
    ),
    "unbatched": Flag("one sample without a batch", "PyTorch makes a batch of it, and undoes that for the output"),
    "unused_tail": Flag(
        "a tail that no target falls into",
        "it is not looked at, whatever it holds; its gradient is 0, or none at all",
    ),
    "div_value": Flag(
        "projections of other widths than the default's",
        "the width of each is a power of div_value, rounded down; below 1 it grows",
    ),
    "ignore_index_out_of_range": Flag("an ignore_index far from any class", "rows with that target are ignored as any"),
    "ignore_index_in_range": Flag(
        "ignore_index names one of the classes",
        "rows with that target are ignored, yet the class stays in every other row's softmax",
        (63004,),
    ),
    "negative_weight": Flag(
        "a negative weight",
        "PyTorch accepts it, also where the mean divides by the sum of the weights",
        (31295,),
    ),
    "u8_target": Flag(
        "class indices as u8",
        "the other index type that PyTorch takes",
    ),
    "broadcast": Flag(
        "input and target of different shapes that broadcast",
        "gradients must be summed back to the shape of their input",
    ),
    "weight_broadcast": Flag(
        "weights of a smaller shape than the input's, or of fewer dimensions",
        "they must meet the right elements",
        (65702,),
    ),
    "near": Flag(
        "a target very close to the input",
        "the difference has few digits, and its square fewer",
    ),
    "wide": Flag(
        "magnitudes over twelve decades in one tensor",
        "a sum must not lose the small terms that matter, nor overflow",
    ),
    "small_difference": Flag(
        "f64 only: differences around 1e-12",
        "they vanish in a backend that computes in f32 on the way",
    ),
    "many_pairs": Flag(
        "thousands of pairs of a label and another class, a few with a large hinge, summed first",
        "what is small is lost in a running sum"
    ),
    "large": Flag(
        "tens of thousands of elements, by seed; value only",
        "naive summation loses digits, and a mean was once wrong at this size",
        (55657,),
    ),
    "many_samples": Flag(
        "the mean or the sum over 20001 samples, by seed, which are alike where that makes sense; value only",
        "summed up one by one, the losses lose digits, those that are alike the most; in 16 bits the sum stops growing",
        (61523,),
    ),
    "unnormalised_target": Flag(
        "target probabilities that do not add up to 1",
        "nothing checks that they do",
    ),
    "target_outside_unit_interval": Flag(
        "binary targets below 0 or above 1, with logits",
        "nothing rejects them",
    ),
    "negative_probability": Flag(
        "negative target probabilities",
        "nothing rejects them",
        (69230, 80488, 152437),
    ),
    "negative_count": Flag("negative counts", "nothing rejects them"),
    "negative_rate": Flag(
        "negative rates",
        "nothing rejects them, and their logarithm is NaN",
        (184030,),
    ),
    "rate_of_minus_eps": Flag(
        "rates that eps brings next to 0",
        "in 16 bits eps itself is rounded, and the sum may be 0",
    ),
    "zero_rate": Flag("rates of 0 or next to it", "eps is what keeps their logarithm finite"),
    "odd_label": Flag(
        "labels other than 1 and -1",
        "nothing rejects them; what they mean is PyTorch's choice",
        (49917,),
    ),
    "element_weight": Flag(
        "a weight for each element, as torch.nn.functional has it",
        "the mean divides by the sum of the weights in l1_loss and mse_loss, and by the number of elements in huber_loss",
        (149841, 193003),
    ),
    "scalar_variance": Flag(
        "one variance in a tensor of no dimensions",
        "accepted for one element or a vector, refused for more dimensions",
        (147521, 149131, 176244),
    ),
    # Special values.
    "edge_nan": Flag("a NaN among ordinary values", "it must show, and only where it should"),
    "nan_sample": Flag(
        "a batch of which one sample holds a NaN",
        "no other sample's results may show it; products of matrices in bf16 once read a number beyond each row",
    ),
    "edge_infinite": Flag(
        "an infinity among ordinary values", "inf - inf and 0 * inf are NaN: where they arise is PyTorch's choice"
    ),
    "edge_zero": Flag("a zero of either sign", "the sign decides 1/x, and the sign of gradients"),
    "edge_subnormal": Flag(
        "the smallest subnormal of either sign", "it must neither be flushed nor blow up a quotient"
    ),
    "edge_largest": Flag("the largest finite number of either sign", "squares and sums overflow, or must not"),
    "target_logit_negative_infinity": Flag(
        "the target's logit is -inf",
        "the class is masked out: the loss is inf, the gradient is finite",
    ),
    "ignored_nonfinite_row": Flag(
        "an ignored row that holds NaN or infinities",
        "a masked row of all -inf is what attention produces; the softmax of the row still reaches the gradient",
        (11551,),
    ),
    "soft_target_zero_times_infinity": Flag(
        "a target probability of 0 where the logit is -inf",
        "0 * inf is NaN, where one may expect 0",
    ),
    "soft_bce_infinite_logit": Flag(
        "an infinite logit with a soft or hard target",
        "the value is NaN where its limit is infinite or 0",
        (135359,),
    ),
    # Alignments.
    "impossible_alignment": Flag(
        "fewer steps than any alignment needs, or a step that none has",
        "the loss is infinite and its gradient NaN, on purpose; with zero_infinity both are 0",
        (14335, 16093),
    ),
    "zero_probability": Flag(
        "log-probabilities of -inf",
        "a masked class: PyTorch subtracts -inf from -inf, so the gradient is NaN where it should be 0",
        (14335, 25057),
    ),
    "beyond_length": Flag(
        "NaN and infinities in steps beyond the input's length",
        "they are padding: neither the loss nor a gradient may show them",
    ),
    "off_alignment": Flag(
        "NaN and infinities where no alignment passes: a label too early or too late for the others to fit in",
        "the loss does not depend on them, but PyTorch adds them to -inf, and NaN spreads",
    ),
    "just_long_enough": Flag("as many steps as the labels and the blanks between repeats need", "one alignment is left"),
    "zero_length": Flag(
        "inputs of no steps",
        "0 without labels and infinite with them; a value from uninitialised memory before",
        (84827, 86596, 88047, 89208),
    ),
    "empty_target": Flag(
        "targets without labels",
        "the loss is that of all blanks, and the mean divides by 1 instead of 0; the gradient was wrong once",
        (18215,),
    ),
    "unnormalised_log_probs": Flag(
        "logits in the place of log-probabilities",
        "the gradient is e^x less the posterior, on purpose: by the logits, if log-softmax had come before",
        (52241, 82545, 127608, 181534),
    ),
    "absorbing_score": Flag(
        "a log-probability so large that sums with it lose all others",
        "where these are subtracted again, their exponentials come out as almost anything",
    ),
    "blank_label": Flag(
        "labels that are the blank",
        "PyTorch documents that there are none, but computes; where it is the last label, it loses a part of the gradient",
    ),
    "padding": Flag("rows of labels filled up with what is no class", "beyond the target's length nothing counts"),
    "length_shape": Flag("lengths in tensors of other shapes", "their number is all that matters"),
    # Precision.
    "confident": Flag(
        "predictions that are nearly certain, right or wrong",
        "1 - sigmoid(x) and log(sum(exp)) cancel: a loss may lose every digit long before it overflows",
    ),
    "pos_weight_of_one": Flag("a pos_weight of 1 beside confident logits", "the gradient was NaN once", (13773,)),
    "exponential_overflow": Flag(
        "predictions so confident, right or wrong, that an exponential of them leaves the range",
        "the loss of a wrong one is as large as the logit, not infinite",
        (77529,),
    ),
    "one_small_logit": Flag(
        "a thousand classes with smoothing, of which one is so unlikely that its loss drowns those of the others",
        "added up one by one they are rounded a thousand times",
    ),
    "large_score": Flag(
        "an ignored row with a score that is out of range, from numbers that are not",
        "the row counts for nothing, but 0 times infinity is NaN",
    ),
    "huge_logits": Flag(
        "logits near the end of the range",
        "differences and products of them overflow, though the loss is in the range",
        (51906,),
    ),
    "zero_logit": Flag(
        "a logit of exactly 0, of either sign",
        "max(x, 0) has a kink there that the loss has not; its gradient was wrong once",
        (2298,),
    ),
    "certain_probability": Flag(
        "probabilities of exactly 0 or 1",
        "PyTorch clamps the logarithms at -100 in the value, and the denominator at 1e-12 in the gradient",
        (24933, 103316, 171327),
    ),
    "extreme_probability": Flag(
        "probabilities next to 0 or 1",
        "the clamps of value and gradient begin at different places",
        (103316, 171327),
    ),
    "cancelling_scores": Flag(
        "scores that are small sums of large products",
        "their roundings show, and only those may",
    ),
    "offset": Flag(
        "logits that share a large offset",
        "softmax does not depend on it, so a backend must subtract the maximum first",
    ),
    # Kinks.
    "zero_difference": Flag(
        "input and target equal",
        "a kink of L1: PyTorch's gradient is 0 there",
    ),
    "smooth_l1_beta_zero": Flag(
        "smooth L1 with beta = 0",
        "it is L1, but only PyTorch's Python layer says so: the kernel below has a gradient of -1 at 0",
        (96813,),
    ),
    "threshold": Flag(
        "a difference exactly at, just below or just above delta or beta",
        "the two pieces meet there; in f32 the threshold is the rounded one",
    ),
    "ties": Flag(
        "equal logits",
        "the largest one is not unique",
    ),
    "hinge_kink": Flag(
        "scores or distances exactly at the margin",
        "PyTorch's clamp has gradient 0 at equality since version 2.14; before, it let the gradient pass",
        (184572, 191142),
    ),
    "strict_hinge_kink": Flag(
        "scores exactly at the margin, in the losses whose kernels compare by themselves",
        "they count a hinge above 0 alone, so its gradient there is 0",
    ),
    "ranked_columns": Flag(
        "scores (N, 1) against (N, D)",
        "each score is ranked against D others: the broadcast was refused once, and then wrong",
        (9526, 42864),
    ),
    "zero_target": Flag(
        "target probabilities of 0",
        "t ln t is 0 there, but its derivative is minus infinity: PyTorch's gradient of the target is NaN",
        (89558, 115588),
    ),
    "stirling": Flag(
        "counts of 0, at 1 and around it, with and without Stirling's approximation",
        "the approximation counts for targets above 1 alone, and was once left out or taken at 1",
        (28575,),
    ),
    "clamped_variance": Flag(
        "variances below eps, at it and above",
        "the value takes eps instead, while the gradient passes the clamp",
    ),
    "zero_eps": Flag("an eps that is not positive", "nothing keeps a variance of 0 from a division by 0"),
    "stationary_variance": Flag(
        "a squared error equal to the variance",
        "the gradient of the variance vanishes there: 1 / v and d^2 / v^2 cancel",
    ),
    "no_label": Flag("rows without any label", "their loss is 0, whatever stands after the -1"),
    "every_label": Flag("rows with every label", "no class is left for them to exceed"),
    "repeated_label": Flag("a label that stands twice", "it counts twice"),
    "after_end": Flag("labels after the first -1", "they count for nothing"),
    "zero_vector": Flag(
        "vectors of zeros",
        "eps alone keeps the cosine finite; the gradient is about 1e6",
    ),
    "tiny_vector": Flag(
        "vectors so short that eps counts",
        "some frameworks clamp the norm instead, which is another cosine",
    ),
    "long_vector": Flag("vectors whose squares overflow", "the cosine does not depend on their length"),
    "all_but_orthogonal": Flag(
        "long vectors with a tiny cosine", "the cosine over the product of their squared lengths is subnormal, the gradient is not"
    ),
    "empty_norm": Flag("the largest element of nothing", "every other norm of nothing is 0; PyTorch refuses this one"),
    "power_out_of_range": Flag("differences whose powers leave the range", "the norm itself is in it"),
    "parallel": Flag("vectors of the same or of opposite directions", "1 - cos loses its digits"),
    "zero_distance": Flag(
        "an anchor that is the positive or the negative",
        "the root has no derivative at 0; eps, where there is one, keeps the distance above",
    ),
    "counted_differences": Flag(
        "a norm of degree 0 beside equal elements, and beside NaN", "it counts the differences that are not 0"
    ),
    "small_exponent": Flag(
        "a norm whose p is near 0",
        "the sum of N numbers is raised to the power 1 / p, which overflows",
        (187178,),
    ),
    "margin_not_positive": Flag("a triplet margin of 0 or less", "accepted silently once", (83241,)),
    "square_out_of_range": Flag(
        "differences whose square is out of range, but not its quotient by beta or the variance",
        "a square that is divided afterwards overflows on the way",
    ),
    "smoothing_out_of_range": Flag(
        "an unlikely class of a large weight, in a mean over small ones with little smoothing",
        "the losses of all classes are out of range in f16 before the share of one multiplies them",
    ),
    "subnormal_cotangent": Flag(
        "a cotangent that is subnormal, and a derivative so large that the gradient is not",
        "a product of the cotangent with a number below 1 loses its digits, if it comes first",
    ),
    "subnormal_count": Flag(
        "counts so small that the cotangent's product with them is subnormal, and rates as small",
        "the quotient of both is not as small, and has lost its digits",
    ),
    "subnormal_product": Flag(
        "differences that are subnormal once the cotangent multiplies them, but not the quotient that is the gradient",
        "a product that is divided afterwards has lost its digits",
    ),
    "subnormal_share": Flag(
        "a cotangent so small that its product with a weight, a probability or a slope, or a class's share of it, is subnormal",
        "the gradient is not as small, and has lost its digits",
    ),
    "subnormal_slope": Flag(
        "a cosine so small that a slope of it, times a small cotangent, is subnormal",
        "the gradient is not as small where the rounded slope is then multiplied by a squared length",
    ),
    "weighted_mean": Flag(
        "weights that do not add up to their number, and a mean",
        "binary cross-entropy divides by the number of elements, cross-entropy by the sum of the weights",
        (54843, 72047),
    ),
    "many_ignored_rows": Flag(
        "a long batch of which most rows are ignored, without reduction",
        "the ignored rows were NaN or uninitialised once",
        (20406,),
    ),
    "inactive": Flag("a negative so far away that the loss is 0", "no gradient may flow"),
    "unlikely_classes": Flag(
        "a tail that is the likeliest cluster, and has none of the likeliest classes",
        "the largest score of the head says only whether to look into the tails",
    ),
    # Degenerate shapes and sums.
    "scalar": Flag("0-d tensors", "no dimension to reduce over"),
    "integer_numbers": Flag(
        "integers in a tensor of numbers, such as labels of 1 and -1, counts or weights",
        "PyTorch takes them as numbers of the other tensors' dtype; other libraries ask for one dtype",
    ),
    "integers_alone": Flag(
        "integers in every tensor of numbers",
        "PyTorch computes in f32, its default, unless it refuses them or answers with integers",
    ),
    "integers_in_f32": Flag(
        "integers beside floats of another dtype than f32",
        "PyTorch computes what depends on the integers alone in f32, and its result is less exact, or wider, than the floats",
    ),
    "wrapped_bytes": Flag(
        "numbers as u8 that PyTorch subtracts, negates or squares before it converts them",
        "the result wraps around at 256",
    ),
    "refused_integers": Flag(
        "integers in a tensor of numbers that PyTorch takes only as floats",
        "a silent conversion",
    ),
    "empty": Flag("no elements", "the mean is NaN and the sum 0", (51906,)),
    "empty_broadcast": Flag(
        "one element broadcast to none, where its derivative is infinite or NaN",
        "its gradient is the sum of nothing, 0, and not 0 times that",
    ),
    "empty_batch": Flag("a batch of no rows", "the mean is NaN and the sum 0"),
    "empty_positions": Flag("a batch of rows without positions", "the mean is NaN and the sum 0"),
    "no_projection": Flag("a tail whose projection has no outputs", "all of its classes are equally likely"),
    "one_feature": Flag("samples of one number", "the narrowest layer"),
    "outermost_cutoffs": Flag(
        "a shortlist of one class, and a tail of one",
        "cutoffs of 1 and n_classes - 1 are the outermost, and were once refused",
        (16658,),
    ),
    "zero_classes": Flag("no classes at all", "PyTorch accepts it where no index is needed"),
    "no_features": Flag("a layer without inputs", "its scores are the bias alone"),
    "one_class": Flag("a single class", "its probability is 1: the loss is 0"),
    "one_row": Flag("a batch of one row", "the smallest batch"),
    "many_positions": Flag("three dimensions after the classes", "beyond what the 2-d kernel takes"),
    "all_ignored": Flag(
        "every row ignored",
        "the mean is 0 / 0, NaN on purpose, while its gradient is 0",
        (70348, 75181, 116349),
    ),
    "small_weighted_score": Flag(
        "a weight times a score that is subnormal",
        "the mean divides by the weight again, and the digits are gone"
    ),
    "subnormal_weighted_loss": Flag(
        "a weight times a loss that is subnormal",
        "the mean divides by the weight again, and the digits are gone",
    ),
    "zero_weight_sum": Flag(
        "weights of the targets that add up to 0",
        "where the mean divides by that sum it is infinite or NaN",
        (31295,),
    ),
    "rounded_weight_sum": Flag(
        "weights of the targets that add up to almost 0, and in bf16 to 0",
        "a mean that divides by a sum of sums, each of them rounded, is infinite or NaN",
        (31295,),
    ),
    "sentinel_class": Flag(
        "class 255 of 256, as u8 and as i64",
        "a valid class, which is the largest u8: some frameworks take that as a mask",
    ),
    "sentinel_ignore_index": Flag(
        "ignore_index = 255 with u8 targets",
        "the usual void label of segmentation data",
    ),
    "enlarging": Flag(
        "a target or weight of more dimensions than the input, or a weight that adds rows",
        "PyTorch accepts both, and with more dimensions sums over another than that of the classes",
    ),
    "uninitialised_result": Flag(
        "an empty batch that is reduced",
        "PyTorch returns whatever is in the memory of the result, so it is not asked; the mean is NaN and the sum 0",
    ),
    "stretched_vector": Flag(
        "vectors of length 1 beside longer ones",
        "PyTorch broadcasts them after their norms, or in one distance and not in the other",
    ),
    "scalar_vector": Flag("tensors of no dimensions in the place of vectors", "PyTorch takes them for vectors of length 1"),
    "flattened_weight": Flag(
        "a weight of two dimensions with as many elements as there are classes",
        "the 2-d kernel counts the elements alone; with no or one position PyTorch rejects it",
    ),
    "stray_dimension": Flag(
        "a batch of one dimension too many that PyTorch makes something of",
        "it takes the largest along another dimension than that of the classes, and its other results are errors",
    ),
    "vector_target": Flag(
        "one unbatched row, its target in a vector of one element",
        "accepted, and the value has no dimensions",
    ),
    "backward_fails": Flag(
        "PyTorch gives a value, and an error in the backward pass",
        "its own checks of shapes or dtypes disagree; the gradients are left out",
    ),
    "negative_label_smoothing": Flag(
        "a negative label_smoothing",
        "silently taken as 0",
        (134767,),
    ),
    "negative_ignore_index_with_probabilities": Flag(
        "a negative ignore_index with target probabilities",
        "silently ignored, while one from 0 on is rejected",
    ),
    # Rejections.
    "invalid": Flag(
        "a call that PyTorch rejects",
        "a backend that computes something instead hides a mistake",
        (5296, 32049),
    ),
    "index_out_of_range": Flag(
        "a target that is no class",
        "reading or writing out of bounds, or a silent 0; on GPUs not every kernel checks",
        (84202, 89408, 99410, 146790, 194802),
    ),
    "unchecked_label": Flag(
        "a label that is no class",
        "PyTorch does not look: it reads and writes beyond its memory, which may end the process, so it is not asked",
        (193794,),
    ),
    "length_out_of_range": Flag(
        "a negative length, or one that exceeds the tensor",
        "reading out of bounds, as PyTorch once did",
        (51732, 84827, 86596, 88047, 89208),
    ),
    "sentinel_index": Flag(
        "a target out of range that is the largest of an integer type",
        "some frameworks take it as a mask, silently",
    ),
    "garbled_message": Flag(
        "an out-of-range u8 target, without reduction",
        "PyTorch puts the byte itself into its IndexError, and from 128 on Python cannot decode that",
    ),
    "u8_unsupported": Flag(
        "u8 class indices where PyTorch wants i64 after all",
        "NLL takes them, but not with positions after the classes, nor does the weighted mean with label smoothing",
    ),
    "ignore_index_wraps": Flag(
        "the u8 target that ignore_index = -100 would be",
        "156 is -100 modulo 256, and not ignored",
    ),
    "shape_mismatch": Flag("input and target of shapes that do not belong together", "silent broadcasting"),
    "weight_mismatch": Flag("a weight of a wrong shape", "silent broadcasting, or reading out of bounds", (104852,)),
    "column_target": Flag("labels (N, 1) beside vectors (N, D)", "they broadcast to (N, N) once", (53030,)),
    "enlarging_weight": Flag(
        "a weight whose broadcast would enlarge the output",
        "rejected, even where it only adds a dimension of 1",
        (65702,),
    ),
    "outside_unit_interval": Flag("a probability or target below 0, above 1 or NaN", "the logarithm's domain"),
    "negative_variance": Flag("a variance below 0", "the logarithm's domain"),
    "invalid_option": Flag("an option outside its range", "a silent NaN"),
    "invalid_cutoffs": Flag(
        "cutoffs that are none, not increasing or out of range",
        "classes without a cluster, or clusters without a class",
        (16658, 106698),
    ),
    "invalid_div_value": Flag("a div_value that is not positive", "a division by 0", (114334,)),
    "parameter_mismatch": Flag(
        "parameters that are not those of the options",
        "a layer too wide computes another distribution, silently",
    ),
    "wrong_dtype": Flag("a target of a dtype that the loss does not take", "a silent conversion"),
    # The tutorial.
    "tutorial": Flag(
        "the worked examples of a widely read tutorial",
        "the results that it prints are wrong",
    ),
}
