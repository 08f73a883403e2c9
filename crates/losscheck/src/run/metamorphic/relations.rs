//! The relations.

use losscheck_options::{BCELoss, CrossEntropyLoss, HuberLoss, KLDivLoss, NLLLoss, Reduction};
use ndarray::{ArrayD, Axis, Slice};

use super::{Numbers, Pair, Relation};
use crate::case::{Answer, Case, batch_axes};
use crate::loss::{Inputs, Loss, LossExt, LossKind, Outputs};
use crate::tensor::{DType, Tensor, TensorExt};

/// Every relation.
pub const RELATIONS: &[Relation] = &[
    Relation { name: "a batch in reverse gives the same in reverse", relate: reversed_batch },
    Relation { name: "classes in reverse give the same in reverse", relate: reversed_classes },
    Relation { name: "the mean is the sum over the number", relate: mean_of_sum },
    Relation { name: "the sum is that of each", relate: sum_of_each },
    Relation { name: "an ignored row is a row less", relate: without_ignored },
    Relation { name: "a weight of 2 is 2 copies", relate: copies },
    Relation { name: "logits may be shifted", relate: shifted },
    Relation { name: "a one-hot target is an index", relate: one_hot },
    Relation { name: "cross-entropy is NLL after log-softmax", relate: after_log_softmax },
    Relation { name: "linear cross-entropy is cross-entropy after linear", relate: after_linear },
    Relation { name: "BCE with logits is BCE after sigmoid", relate: after_sigmoid },
    Relation { name: "smooth L1 is Huber over delta", relate: huber_over_delta },
    Relation { name: "a log-target is the logarithm of a target", relate: exp_of_log_target },
];

fn with_tensor(case: &Case, name: &str, array: &ArrayD<f64>) -> Case {
    let dtype = case.input(name).map_or(case.dtype(), Tensor::dtype);
    case.with_input(name, Tensor::from_array(dtype, array))
}

fn float(case: &Case, name: &str) -> Option<ArrayD<f64>> {
    case.input(name).map(TensorExt::to_array)
}

fn reversed(array: &ArrayD<f64>, axis: usize) -> ArrayD<f64> {
    array.slice_axis(Axis(axis), Slice::new(0, None, -1)).to_owned()
}

fn selected(array: &ArrayD<f64>, rows: &[usize]) -> ArrayD<f64> {
    array.select(Axis(0), rows)
}

/// The finite numbers rounded to multiples of 1/4, and clamped.
fn quarters(array: &ArrayD<f64>, most: f64) -> ArrayD<f64> {
    array.mapv(|x| if x.is_finite() { ((x * 4.0).round() / 4.0).clamp(-most, most) } else { x })
}

/// The class of each row of a matrix of scores, where the target has those.
fn classes(case: &Case) -> Option<Vec<i64>> {
    let rows = case.input("input")?;
    let target = case.input("target")?.to_index_array()?;
    (rows.shape().len() == 2 && target.ndim() == 1).then(|| target.into_iter().collect())
}

fn reversed_batch(case: &Case) -> Option<Pair> {
    let axes = batch_axes(case)?;
    let mut other = case.clone();
    for &(name, axis) in &axes {
        other = with_tensor(&other, name, &reversed(&float(case, name)?, axis));
    }
    let flip = |array: ArrayD<f64>| if array.ndim() == 0 { array } else { reversed(&array, 0) };
    other.cotangent =
        other.cotangent.map(|cotangent| Tensor::from_array(cotangent.dtype(), &flip(cotangent.to_array())));
    let carry = move |answer: &Answer| {
        let Numbers { value, mut gradients } = Numbers::of(answer);
        for (name, axis) in &axes {
            if let Some(gradient) = gradients.get_mut(*name) {
                *gradient = reversed(gradient, *axis);
            }
        }
        Numbers { value: flip(value), gradients }
    };
    Some(Pair { case: case.clone(), other, carry: Box::new(carry) })
}

fn reversed_classes(case: &Case) -> Option<Pair> {
    let is_of_classes = matches!(
        case.loss.kind(),
        LossKind::CrossEntropy | LossKind::NllLoss | LossKind::NllLoss2d | LossKind::MultiMarginLoss
    );
    let input = float(case, "input").filter(|input| is_of_classes && input.ndim() > 0)?;
    let axis = usize::from(input.ndim() > 1);
    let last = input.shape()[axis] as i64 - 1;
    let mut other = with_tensor(case, "input", &reversed(&input, axis));
    let target = case.input("target")?;
    let ignore_index = case.loss.ignore_index();
    if target.dtype().is_float() {
        other = with_tensor(&other, "target", &reversed(&target.to_array(), axis));
    } else {
        // An index that is ignored has no class to become.
        if ignore_index.is_some_and(|index| index >= 0) {
            return None;
        }
        let flip = |class: f64| if Some(class as i64) == ignore_index { class } else { last as f64 - class };
        other = with_tensor(&other, "target", &target.to_array::<f64>().mapv(flip));
    }
    if let Some(weight) = float(case, "weight") {
        other = with_tensor(&other, "weight", &reversed(&weight, 0));
    }
    let carry = move |answer: &Answer| {
        let mut numbers = Numbers::of(answer);
        numbers.gradients.values_mut().for_each(|gradient| *gradient = reversed(gradient, axis));
        numbers
    };
    Some(Pair { case: case.clone(), other, carry: Box::new(carry) })
}

/// How many losses there are before the reduction, where a mean divides by that.
fn number(case: &Case) -> Option<f64> {
    let counts_rows = matches!(
        case.loss.kind(),
        LossKind::CrossEntropy
            | LossKind::NllLoss
            | LossKind::NllLoss2d
            | LossKind::LinearCrossEntropy
            | LossKind::CtcLoss
            | LossKind::AdaptiveLogSoftmaxWithLoss
    );
    let has_mean_of_weights = matches!(case.loss.kind(), LossKind::L1Loss | LossKind::MseLoss | LossKind::HuberLoss)
        && case.input("weight").is_some();
    if counts_rows || has_mean_of_weights {
        return None;
    }
    let each = case.unreduced();
    let losses = each.loss.evaluate::<f64>(&Inputs::from(&each), Outputs::Value).ok()?.value;
    Some(losses.len() as f64).filter(|&number| number > 0.0)
}

fn mean_of_sum(case: &Case) -> Option<Pair> {
    // The sum may leave the range of 16 bits, and a share of it be subnormal.
    let is_wide = matches!(case.dtype(), DType::F32 | DType::F64);
    let number = if is_wide && case.loss.reduction()? == "mean" { number(case)? } else { return None };
    let other = Case { loss: case.loss.with_reduction(Reduction::Sum)?, ..case.clone() };
    let carry = move |answer: &Answer| Numbers::of(answer).map(|x| x / number);
    Some(Pair { case: case.clone(), other, carry: Box::new(carry) })
}

fn sum_of_each(case: &Case) -> Option<Pair> {
    if case.loss.reduction()? != "sum" {
        return None;
    }
    let each = case.unreduced();
    let shape = each.loss.evaluate::<f64>(&Inputs::from(&each), Outputs::Value).ok()?.value.raw_dim();
    let start = case.cotangent.as_ref().map(|cotangent| {
        let of_all = cotangent.to_f64().first().copied().unwrap_or(1.0);
        Tensor::from_array(cotangent.dtype(), &ArrayD::from_elem(shape, of_all))
    });
    let carry = |answer: &Answer| {
        let Numbers { value, gradients } = Numbers::of(answer);
        Numbers { value: ndarray::arr0(value.sum()).into_dyn(), gradients }
    };
    Some(Pair { case: case.clone(), other: Case { cotangent: start, ..each }, carry: Box::new(carry) })
}

fn without_ignored(case: &Case) -> Option<Pair> {
    let ignore_index = case.loss.ignore_index()?;
    let (classes, input) = (classes(case)?, float(case, "input")?);
    let kept: Vec<usize> = (0..classes.len()).filter(|&row| classes[row] != ignore_index).collect();
    if kept.len() == classes.len() {
        return None;
    }
    let mut other = with_tensor(case, "input", &selected(&input, &kept));
    other = with_tensor(&other, "target", &selected(&float(case, "target")?, &kept));
    let is_reduced = case.loss.reduction()? != "none";
    if let Some(cotangent) = case.cotangent.as_ref().filter(|_| !is_reduced) {
        other.cotangent = Some(Tensor::from_array(cotangent.dtype(), &selected(&cotangent.to_array(), &kept)));
    }
    let rows = classes.len();
    let carry = move |answer: &Answer| {
        let spread = |array: &ArrayD<f64>| {
            let mut shape = array.shape().to_vec();
            shape[0] = rows;
            let mut all = ArrayD::zeros(shape);
            for (from, &to) in kept.iter().enumerate() {
                all.index_axis_mut(Axis(0), to).assign(&array.index_axis(Axis(0), from));
            }
            all
        };
        let Numbers { value, mut gradients } = Numbers::of(answer);
        if let Some(gradient) = gradients.get_mut("input") {
            *gradient = spread(gradient);
        }
        Numbers { value: if is_reduced { value } else { spread(&value) }, gradients }
    };
    Some(Pair { case: case.clone(), other, carry: Box::new(carry) })
}

fn copies(case: &Case) -> Option<Pair> {
    let is_weighted = matches!(case.loss.kind(), LossKind::CrossEntropy | LossKind::NllLoss);
    let is_smoothed = case.loss.label_smoothing().is_some_and(|smoothing| smoothing != 0.0);
    if !is_weighted || is_smoothed || case.loss.reduction()? == "none" {
        return None;
    }
    let (of_row, input) = (classes(case)?, float(case, "input")?);
    // Classes with an odd number weigh twice as much.
    let twice = |class: i64| class.rem_euclid(2) == 1;
    let weight = ArrayD::from_shape_fn(vec![input.shape()[1]], |class| if twice(class[0] as i64) { 2.0 } else { 1.0 });
    let mut weighted = case.clone();
    weighted.inputs.remove("weight");
    let rows: Vec<usize> = (0..of_row.len()).flat_map(|row| vec![row; 1 + usize::from(twice(of_row[row]))]).collect();
    let mut other = with_tensor(&weighted, "input", &selected(&input, &rows));
    other = with_tensor(&other, "target", &selected(&float(case, "target")?, &rows));
    weighted = weighted.with_input("weight", Tensor::from_array(case.dtype(), &weight));
    let shape = input.raw_dim();
    let carry = move |answer: &Answer| {
        let Numbers { value, mut gradients } = Numbers::of(answer);
        if let Some(gradient) = gradients.get_mut("input") {
            let mut all = ArrayD::<f64>::zeros(shape.clone());
            for (from, &to) in rows.iter().enumerate() {
                let mut row = all.index_axis_mut(Axis(0), to);
                row += &gradient.index_axis(Axis(0), from);
            }
            *gradient = all;
        }
        Numbers { value, gradients }
    };
    Some(Pair { case: weighted, other, carry: Box::new(carry) })
}

fn shifted(case: &Case) -> Option<Pair> {
    let input = float(case, "input").filter(|_| case.loss.kind() == LossKind::CrossEntropy)?;
    // Multiples of 1/4 up to 8 keep all their bits when 16 is added, in 16 bits too.
    let rounded = quarters(&input, 8.0);
    let other = with_tensor(case, "input", &rounded.mapv(|x| x + 16.0));
    Some(Pair { case: with_tensor(case, "input", &rounded), other, carry: Box::new(Numbers::of) })
}

fn one_hot(case: &Case) -> Option<Pair> {
    let Loss::CrossEntropy(options) = &case.loss else { return None };
    if options.reduction == Reduction::Mean && case.input("weight").is_some() {
        return None;
    }
    let (classes, input) = (classes(case)?, float(case, "input")?);
    let count = input.shape()[1] as i64;
    if classes.iter().any(|class| !(0..count).contains(class) || Some(*class) == case.loss.ignore_index()) {
        return None;
    }
    let hot = ArrayD::from_shape_fn(input.raw_dim(), |at| f64::from(u8::from(classes[at[0]] == at[1] as i64)));
    let loss = Loss::CrossEntropy(CrossEntropyLoss { ignore_index: -100, ..*options });
    let other = Case { loss, ..case.clone() };
    let other = other.with_input("target", Tensor::from_array(case.dtype(), &hot));
    // Of infinite scores 0 times the logarithm is NaN.
    let is_finite = input.iter().all(|x| x.is_finite());
    let carry = |answer: &Answer| {
        let mut numbers = Numbers::of(answer);
        numbers.gradients.remove("target");
        numbers
    };
    is_finite.then(|| Pair { case: case.clone(), other, carry: Box::new(carry) })
}

fn after_log_softmax(case: &Case) -> Option<Pair> {
    let Loss::CrossEntropy(options) = &case.loss else { return None };
    let input = float(case, "input").filter(|_| options.label_smoothing == 0.0 && classes(case).is_some())?;
    let log_softmax = ArrayD::from_shape_fn(input.raw_dim(), |at| {
        let row = input.index_axis(Axis(0), at[0]);
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
        (row[at[1]] - largest) - sum.ln()
    });
    let (ignore_index, reduction) = (options.ignore_index, options.reduction);
    let loss = Loss::NllLoss(NLLLoss { ignore_index, reduction });
    let other = with_tensor(&Case { loss, ..case.clone() }, "input", &log_softmax);
    let is_finite = log_softmax.iter().all(|x| x.is_finite());
    let carry = |answer: &Answer| Numbers::of(answer).without_gradients();
    is_finite.then(|| Pair { case: case.clone(), other, carry: Box::new(carry) })
}

fn after_linear(case: &Case) -> Option<Pair> {
    let Loss::LinearCrossEntropy(options) = &case.loss else { return None };
    let (input, layer) = (float(case, "input")?, float(case, "linear_weight")?);
    if input.ndim() != 2 || layer.ndim() != 2 || input.shape()[1] != layer.shape()[1] || case.dtype() != DType::F32 {
        return None;
    }
    let bias = float(case, "linear_bias");
    let scores = ArrayD::from_shape_fn(vec![input.shape()[0], layer.shape()[0]], |at| {
        let products = input
            .index_axis(Axis(0), at[0])
            .iter()
            .zip(layer.index_axis(Axis(0), at[1]))
            .map(|(x, w)| x * w)
            .sum::<f64>();
        products + bias.as_ref().map_or(0.0, |bias| bias[[at[1]].as_slice()])
    });
    let loss = Loss::CrossEntropy(CrossEntropyLoss {
        ignore_index: options.ignore_index.unwrap_or(-100),
        label_smoothing: options.label_smoothing,
        reduction: options.reduction,
    });
    let mut other = Case { loss, ..case.clone() };
    for name in ["linear_weight", "linear_bias"] {
        other.inputs.remove(name);
    }
    let is_finite = scores.iter().all(|x| x.is_finite());
    let carry = |answer: &Answer| Numbers::of(answer).without_gradients();
    is_finite.then(|| Pair { case: case.clone(), other: with_tensor(&other, "input", &scores), carry: Box::new(carry) })
}

fn after_sigmoid(case: &Case) -> Option<Pair> {
    let Loss::BinaryCrossEntropyWithLogits(options) = &case.loss else { return None };
    let input = float(case, "input").filter(|_| case.input("pos_weight").is_none())?;
    // Nearer to 1 the probability has lost the digits of 1 - p.
    let near = input.mapv(|x| if x.is_finite() { x.clamp(-1.0, 1.0) } else { x });
    let target = float(case, "target")?;
    let loss = Loss::BinaryCrossEntropy(BCELoss { reduction: options.reduction });
    let other = with_tensor(&Case { loss, ..case.clone() }, "input", &near.mapv(|x| 1.0 / (1.0 + (-x).exp())));
    let carry = |answer: &Answer| Numbers::of(answer).without_gradients();
    let is_finite = near.iter().chain(&target).all(|x| x.is_finite());
    is_finite.then(|| Pair { case: with_tensor(case, "input", &near), other, carry: Box::new(carry) })
}

fn huber_over_delta(case: &Case) -> Option<Pair> {
    let Loss::SmoothL1Loss(options) = &case.loss else { return None };
    let beta = options.beta;
    let delta = if case.dtype() == DType::F64 { beta } else { f64::from(beta as f32) };
    let is_wide = matches!(case.dtype(), DType::F32 | DType::F64);
    let loss = Loss::HuberLoss(HuberLoss { delta: beta, reduction: options.reduction });
    let carry = move |answer: &Answer| Numbers::of(answer).map(|x| x / delta);
    // Where delta is tiny, its product with the cotangent is subnormal.
    (is_wide && beta > 1e-3).then(|| Pair {
        case: case.clone(),
        other: Case { loss, ..case.clone() },
        carry: Box::new(carry),
    })
}

fn exp_of_log_target(case: &Case) -> Option<Pair> {
    let Loss::KlDiv(options) = &case.loss else { return None };
    let target = float(case, "target")?;
    // Where a logarithm is near 0 but not 0, the target is so near 1 that it has lost the digits of that.
    let near = quarters(&target, 4.0);
    let with_target = |log_target: bool, target: &ArrayD<f64>| {
        let loss = Loss::KlDiv(KLDivLoss { log_target, ..*options });
        with_tensor(&Case { loss, ..case.clone() }, "target", target)
    };
    let (of_logarithms, other) = (with_target(true, &near), with_target(false, &near.mapv(f64::exp)));
    let carry = |answer: &Answer| {
        let mut numbers = Numbers::of(answer);
        numbers.gradients.remove("target");
        numbers
    };
    let is_finite = near.iter().all(|x| x.is_finite()) && case.dtype() != DType::F16;
    is_finite.then(|| Pair { case: of_logarithms, other, carry: Box::new(carry) })
}
