//! The parts of a case: its elements, rows or samples, none of which has a say in the loss of another.

use std::collections::BTreeMap;

use losscheck_options::{AdaptiveResult, KLDivReduction, Output};

use super::Case;
use crate::loss::{Loss, LossKind};
use crate::tensor::{Data, Tensor};

/// How a case divides into parts.
#[derive(Debug)]
pub struct Parts<'a> {
    case: &'a Case,
    /// The dimensions of the batch: there is a part for each place in them.
    batch: Vec<usize>,
    /// For each tensor, and each of its dimensions, the dimension of the batch that it is.
    axes: BTreeMap<&'a str, Vec<Option<usize>>>,
    denominator: f64,
}

/// One part of a case.
#[derive(Clone, Debug)]
pub struct Part {
    /// The part as a case of its own, with a loss of its own: its reduction is `none`, if the loss has one, and its cotangent
    /// is all ones.
    pub case: Case,
    /// What the cotangent of the whole case hands to the part, before a mean divides it: a number for each of its losses.
    pub cotangents: Vec<f64>,
    /// By how much a mean divides the loss of the part; 1 if there is no mean. It is negative if the loss of the whole case is
    /// minus a mean, as that of adaptive log-softmax is.
    pub denominator: f64,
}

impl Part {
    /// Returns a case as its only part, which keeps its reduction.
    pub fn whole(case: &Case) -> Self {
        let cotangents = case.cotangent.as_ref().map_or_else(|| vec![1.0], Tensor::to_f64);
        let whole = Case::new(case.id.as_str(), case.loss.clone(), case.inputs.clone());
        Self { case: whole, cotangents, denominator: 1.0 }
    }

    /// Returns the size of the part's share of the cotangent: the largest, if it has several losses.
    pub fn cotangent(&self) -> f64 {
        let largest = self.cotangents.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        (largest / self.denominator).abs()
    }
}

impl<'a> Parts<'a> {
    /// Divides a case, or returns `None` if its tensors do not say how.
    pub fn new(case: &'a Case) -> Option<Self> {
        let axes = axes(case)?;
        let mut batch: Vec<usize> = Vec::new();
        for (name, axes) in &axes {
            let shape = case.input(name)?.shape();
            for (&length, axis) in shape.iter().zip(axes) {
                let Some(axis) = *axis else { continue };
                batch.resize(batch.len().max(axis + 1), 1);
                match (batch[axis], length) {
                    (_, 1) => {}
                    (1, _) => batch[axis] = length,
                    (known, _) if known == length => {}
                    _ => return None,
                }
            }
        }
        let is_mean = matches!(case.loss.reduction(), Some("mean" | "batchmean")) || is_adaptive_loss(&case.loss);
        let denominator = if is_mean { denominator(case, &batch) } else { 1.0 };
        Some(Self { case, batch, axes, denominator })
    }

    /// Returns the number of parts.
    pub fn len(&self) -> usize {
        self.batch.iter().product()
    }

    /// Returns whether there are no parts, because a dimension of the batch has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a part.
    pub fn part(&self, number: usize) -> Part {
        let place = place(&self.batch, number);
        let cut_input = |name: &str, tensor: &Tensor| match self.axes.get(name) {
            Some(axes) => cut(tensor, axes, &place),
            None => tensor.clone(),
        };
        let inputs = self.case.inputs.iter().map(|(name, tensor)| (name.clone(), cut_input(name, tensor))).collect();
        let cotangents = self.case.cotangent.as_ref().map_or_else(
            || vec![1.0],
            |cotangent| {
                let shape = cotangent.shape();
                let is_of_batch = shape.len() >= self.batch.len() && shape.starts_with(&self.batch);
                if is_of_batch {
                    cut(cotangent, &self.leading_axes(shape), &place).to_f64()
                } else {
                    cotangent.to_f64()
                }
            },
        );
        let case = Case::new(self.case.id.as_str(), self.case.loss.unreduced(), inputs);
        let denominator = self.denominator * self.own_denominator(&case);
        Part { case, cotangents, denominator }
    }

    /// Returns by how much a mean divides the loss of one part alone: a mean of CTC losses divides each by the length of its
    /// target.
    fn own_denominator(&self, part: &Case) -> f64 {
        let is_mean_of_ctc = part.loss.kind() == LossKind::CtcLoss && self.case.loss.reduction() == Some("mean");
        let lengths = part.input("target_lengths").filter(|_| is_mean_of_ctc).and_then(Tensor::to_indices);
        match lengths.as_deref() {
            Some([length]) => (*length).max(1) as f64,
            _ => 1.0,
        }
    }

    /// Returns the parts that have a say in a number of an output: one, if the output is not reduced. The output has that
    /// shape.
    pub fn of(&self, output: Output, shape: &[usize], index: usize) -> Vec<usize> {
        let axes = self.axes_of(output, shape);
        let mut fixed: Vec<Option<usize>> = vec![None; self.batch.len()];
        for ((place, &length), axis) in place(shape, index).into_iter().zip(shape).zip(axes) {
            if let Some(axis) = axis.filter(|&axis| length == self.batch[axis]) {
                fixed[axis] = Some(place);
            }
        }
        let mut numbers = vec![0];
        for (&length, fixed) in self.batch.iter().zip(fixed) {
            let places = |number: usize| match fixed {
                Some(place) => number * length + place..number * length + place + 1,
                None => number * length..(number + 1) * length,
            };
            numbers = numbers.into_iter().flat_map(places).collect();
        }
        numbers
    }

    /// Returns for each dimension of an output the dimension of the batch that it is; none if the output is reduced.
    fn axes_of(&self, output: Output, shape: &[usize]) -> Vec<Option<usize>> {
        match output {
            Output::Value if shape.starts_with(&self.batch) => self.leading_axes(shape),
            Output::Value => Vec::new(),
            Output::Gradient(name) => self.axes.get(name).cloned().unwrap_or_default(),
        }
    }

    /// Returns the dimensions of the batch that the dimensions of an unreduced output are: the first ones.
    fn leading_axes(&self, shape: &[usize]) -> Vec<Option<usize>> {
        (0..shape.len()).map(|axis| Some(axis).filter(|&axis| axis < self.batch.len())).collect()
    }

    /// Returns the place, in the same output of a part, of a number of an output.
    pub fn index_in_part(&self, output: Output, shape: &[usize], index: usize) -> usize {
        let axes = self.axes_of(output, shape);
        let of_part = |axis: usize| axes.get(axis).copied().flatten().is_none();
        let places = place(shape, index).into_iter().zip(shape).enumerate();
        places.filter(|&(axis, _)| of_part(axis)).fold(0, |at, (_, (place, &length))| at * length + place)
    }
}

/// Returns the place of an element in row-major order.
fn place(shape: &[usize], index: usize) -> Vec<usize> {
    let mut place = vec![0; shape.len()];
    let mut left = index;
    for (place, &length) in place.iter_mut().zip(shape).rev() {
        *place = left % length.max(1);
        left /= length.max(1);
    }
    place
}

/// Returns the slice of a tensor that belongs to a place in the batch. Dimensions of the batch have a length of 1 in it.
fn cut(tensor: &Tensor, axes: &[Option<usize>], at: &[usize]) -> Tensor {
    let shape = tensor.shape();
    let mut indices = vec![0];
    let mut cut = Vec::with_capacity(shape.len());
    for (&length, axis) in shape.iter().zip(axes) {
        let places = match axis {
            Some(axis) => {
                let place = at[*axis].min(length.saturating_sub(1));
                place..place + 1
            }
            None => 0..length,
        };
        cut.push(places.len());
        indices =
            indices.into_iter().flat_map(|index| places.clone().map(move |place| index * length + place)).collect();
    }
    let data = match tensor.data() {
        Data::F16(data) => Data::F16(indices.into_iter().map(|index| data[index]).collect()),
        Data::BF16(data) => Data::BF16(indices.into_iter().map(|index| data[index]).collect()),
        Data::F32(data) => Data::F32(indices.into_iter().map(|index| data[index]).collect()),
        Data::F64(data) => Data::F64(indices.into_iter().map(|index| data[index]).collect()),
        Data::I64(data) => Data::I64(indices.into_iter().map(|index| data[index]).collect()),
        Data::U8(data) => Data::U8(indices.into_iter().map(|index| data[index]).collect()),
    };
    Tensor::new(cut, data).expect("as many elements as the slice has")
}

/// Returns for each dimension of each tensor the dimension of the batch that it is, or `None` if the loss does not say.
fn axes(case: &Case) -> Option<BTreeMap<&str, Vec<Option<usize>>>> {
    use LossKind as Kind;
    let rank = |name: &str| case.input(name).map(|tensor| tensor.shape().len());
    let most = || case.inputs.values().map(|tensor| tensor.shape().len()).max().unwrap_or(0);
    let axes_of = |name: &str, own: usize| -> Option<Vec<Option<usize>>> {
        // Dimensions that broadcast are lined up at their ends.
        let from_the_end = |batch: usize| (0..own).map(|axis| (axis + batch).checked_sub(own)).collect();
        let vectors = |batch: usize| {
            (0..own).map(|axis| (axis + 1 < own).then(|| (axis + batch).checked_sub(own)).flatten()).collect()
        };
        let scores = || {
            (0..own)
                .map(|axis| if own == 1 { None } else { axis.checked_sub(usize::from(axis > 0)).filter(|_| axis != 1) })
        };
        let first = || (0..own).map(|axis| (axis == 0).then_some(0)).collect();
        Some(match (case.loss.kind(), name) {
            (Kind::CrossEntropy | Kind::NllLoss | Kind::NllLoss2d, "input") => scores().collect(),
            (Kind::CrossEntropy | Kind::NllLoss | Kind::NllLoss2d, "target") if Some(own) == rank("input") => {
                scores().collect()
            }
            (Kind::CrossEntropy | Kind::NllLoss | Kind::NllLoss2d, "target") => (0..own).map(Some).collect(),
            // A layer may make scores of more dimensions: its weight is (C, d1, ..., K).
            (Kind::LinearCrossEntropy, "target") if !case.input("target")?.dtype().is_float() => {
                (0..own).map(Some).collect()
            }
            (Kind::LinearCrossEntropy, "target") => scores().collect(),
            (Kind::LinearCrossEntropy, "linear_weight" | "linear_bias") => {
                let end = if name == "linear_weight" { own.saturating_sub(1) } else { own };
                (0..own).map(|axis| (1..end).contains(&axis).then_some(axis)).collect()
            }
            (
                Kind::LinearCrossEntropy
                | Kind::AdaptiveLogSoftmaxWithLoss
                | Kind::MultiMarginLoss
                | Kind::MultilabelMarginLoss,
                "input" | "target",
            ) => {
                if rank("input")? > 1 {
                    first()
                } else {
                    vec![None; own]
                }
            }
            (
                Kind::CrossEntropy
                | Kind::NllLoss
                | Kind::NllLoss2d
                | Kind::LinearCrossEntropy
                | Kind::AdaptiveLogSoftmaxWithLoss
                | Kind::MultiMarginLoss
                | Kind::MultilabelMarginLoss,
                _,
            ) => vec![None; own],
            (Kind::CtcLoss, "log_probs") => (0..own).map(|axis| (own == 3 && axis == 1).then_some(0)).collect(),
            // Labels one after the other do not say whose they are.
            (Kind::CtcLoss, "targets") if rank("log_probs") == Some(3) => (own == 2).then(first)?,
            (Kind::CtcLoss, _) if rank("log_probs") == Some(3) => first(),
            (Kind::CtcLoss, _) => vec![None; own],
            (Kind::CosineEmbeddingLoss, "target") => first(),
            (Kind::CosineEmbeddingLoss, _) => vectors(rank("input1")?.max(rank("input2")?)),
            // PyTorch also takes the shape of the input without its last dimension.
            (Kind::GaussianNllLoss, "var")
                if case.input("input").is_some_and(|input| {
                    case.input("var")
                        .is_some_and(|var| input.shape().split_last().is_some_and(|(_, rest)| rest == var.shape()))
                }) =>
            {
                let skipped = most() - 1 - own;
                (0..own).map(|axis| Some(axis + skipped)).collect()
            }
            (Kind::MultilabelSoftMarginLoss | Kind::TripletMarginLoss | Kind::TripletMarginWithDistanceLoss, _) => {
                vectors(most())
            }
            _ => from_the_end(most()),
        })
    };
    case.inputs.iter().map(|(name, tensor)| Some((name.as_str(), axes_of(name, tensor.shape().len())?))).collect()
}

/// Returns whether a loss is minus the mean of what its parts give, though it has no reduction to choose.
fn is_adaptive_loss(loss: &Loss) -> bool {
    matches!(loss, Loss::AdaptiveLogSoftmaxWithLoss(options) if options.result == AdaptiveResult::Loss)
}

/// Returns by how much the mean divides the sum of the losses of all parts.
fn denominator(case: &Case, batch: &[usize]) -> f64 {
    let parts = batch.iter().product::<usize>() as f64;
    let weight = case.input("weight").map(Tensor::to_f64);
    match (&case.loss, weight) {
        (Loss::L1Loss(_) | Loss::MseLoss(_), Some(weight)) => weight.into_iter().sum(),
        (Loss::CrossEntropy(_) | Loss::LinearCrossEntropy(_) | Loss::NllLoss(_) | Loss::NllLoss2d(_), weight) => {
            let Some(classes) = case.input("target").and_then(Tensor::to_indices) else { return parts };
            let of_class = |class: &i64| match &weight {
                Some(weight) => {
                    usize::try_from(*class).ok().and_then(|class| weight.get(class)).copied().unwrap_or(0.0)
                }
                None => 1.0,
            };
            classes.iter().filter(|&&class| Some(class) != case.loss.ignore_index()).map(of_class).sum()
        }
        (Loss::KlDiv(options), _) if options.reduction == KLDivReduction::BatchMean => {
            // The length of the input itself, even if it broadcasts.
            case.input("input").and_then(|input| input.shape().first()).map_or(1.0, |&length| length as f64)
        }
        (loss, _) if is_adaptive_loss(loss) => -parts,
        _ => parts,
    }
}
