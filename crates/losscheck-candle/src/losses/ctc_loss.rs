use candle_core::{DType, Result, Tensor, bail};
use losscheck_options::{CTCLoss, Reduction};

use super::check::float;
use super::custom_gradient::with_custom_gradient;
use super::reduction::reduced;

/// Computes [`CTCLoss`].
///
/// Targets and lengths are u8, u32 or i64.
///
/// # Errors
///
/// Returns an error if an option or an input is out of range, or a shape or a dtype does not fit.
pub fn ctc_loss(
    log_probs: &Tensor,
    targets: &Tensor,
    input_lengths: &Tensor,
    target_lengths: &Tensor,
    options: CTCLoss,
) -> Result<Tensor> {
    float("log_probs", log_probs)?;
    let is_batched = log_probs.rank() == 3;
    let scores = if log_probs.rank() == 2 { log_probs.unsqueeze(1)? } else { log_probs.clone() };
    let [steps, samples, classes] = match *scores.dims() {
        [steps, samples, classes] if !scores.dims().contains(&0) => [steps, samples, classes],
        _ => bail!("log_probs has shape {:?}, expected (T, N, C) or (T, C), none of these 0", log_probs.dims()),
    };
    let blank = match usize::try_from(options.blank) {
        Ok(blank) if blank < classes => blank,
        _ => bail!("blank is {}, which is no class: there are {classes}", options.blank),
    };
    let input_lengths = lengths("input_lengths", input_lengths, samples, steps)?;
    let labels = labels(targets, target_lengths, samples, classes)?;

    let trellis = Trellis::new(&scores.detach().contiguous()?, &labels, &input_lengths, blank)?;
    let sums = trellis.forward()?;
    let exact = trellis.likelihoods(&sums)?.neg()?;
    let is_infinite = exact.eq(f64::INFINITY)?;
    let is_zeroed = if options.zero_infinity { is_infinite } else { is_infinite.zeros_like()? };
    let value = is_zeroed.where_cond(&exact.zeros_like()?, &exact)?;
    let mut losses =
        with_custom_gradient(value, &scores, move |gradient| trellis.gradient(&sums, &exact, &is_zeroed, gradient))?;
    if options.reduction == Reduction::Mean {
        let counts: Vec<f64> = labels.iter().map(|labels| labels.len().max(1) as f64).collect();
        losses = (&losses / Tensor::new(counts, losses.device())?.to_dtype(losses.dtype())?)?;
    }
    reduced(&if is_batched { losses } else { losses.squeeze(0)? }, options.reduction)
}

fn integers(name: &str, tensor: &Tensor) -> Result<Vec<i64>> {
    if !matches!(tensor.dtype(), DType::U8 | DType::U32 | DType::I64) {
        bail!("{name} has dtype {:?}, expected integers: u8, u32 or i64", tensor.dtype());
    }
    tensor.flatten_all()?.to_dtype(DType::I64)?.to_vec1()
}

/// One for each sample.
fn lengths(name: &str, lengths: &Tensor, samples: usize, longest: usize) -> Result<Vec<usize>> {
    if lengths.elem_count() != samples {
        bail!("{name} has shape {:?}, expected ({samples}), one length for each sample", lengths.dims());
    }
    let in_range = |length| match usize::try_from(length) {
        Ok(length) if length <= longest => Ok(length),
        _ => bail!("{name} holds {length}, expected 0 to {longest}"),
    };
    integers(name, lengths)?.into_iter().map(in_range).collect()
}

/// Those of each sample.
fn labels(targets: &Tensor, target_lengths: &Tensor, samples: usize, classes: usize) -> Result<Vec<Vec<usize>>> {
    let columns = match *targets.dims() {
        [labels] => labels,
        [rows, columns] if rows == samples => columns,
        _ => bail!("targets has shape {:?}, expected ({samples}, S) or the sum of the lengths", targets.dims()),
    };
    let lengths = lengths("target_lengths", target_lengths, samples, columns)?;
    let total: usize = lengths.iter().sum();
    let is_padded = targets.rank() == 2;
    if !is_padded && total != columns {
        bail!("targets has shape {:?}, expected ({total}), the sum of the lengths", targets.dims());
    }
    let all = integers("targets", targets)?;
    let mut start = 0;
    let of_sample = |length: usize| {
        let labels = &all[start..start + length];
        start += if is_padded { columns } else { length };
        let class = |&label: &i64| match usize::try_from(label) {
            Ok(class) if class < classes => Ok(class),
            _ => bail!("target {label} is out of bounds, there are {classes} classes"),
        };
        labels.iter().map(class).collect()
    };
    lengths.into_iter().map(of_sample).collect()
}

/// The states that the alignments of each sample go through: blanks, with a label between any two. Samples with fewer
/// have states after their last that lead nowhere.
struct Trellis {
    /// (T, N, C).
    scores: Tensor,
    /// (T, N, states).
    emitted: Tensor,
    /// (N, states, C): 1 at the class of each state.
    classes: Tensor,
    /// (N, states): whether a state may follow the second before it, which is another label.
    skips: Tensor,
    /// (N, states): whether an alignment may begin, and end, in that state.
    first: Tensor,
    last: Tensor,
    /// For each step (N, states): whether it is one of the sample's, and whether the sample has none after it.
    is_within: Vec<Tensor>,
    is_last: Vec<Tensor>,
    /// (N, states).
    zeros: Tensor,
    nothing: Tensor,
}

impl Trellis {
    fn new(scores: &Tensor, labels: &[Vec<usize>], input_lengths: &[usize], blank: usize) -> Result<Self> {
        let ((steps, samples, class_count), device) = (scores.dims3()?, scores.device());
        // At least three, so that there always is a second one before the last.
        let states = 2 * labels.iter().map(Vec::len).max().unwrap_or(0).max(1) + 1;
        let label = |labels: &[usize], state: usize| if state % 2 == 1 { labels.get(state / 2).copied() } else { None };
        let mask = |holds: &dyn Fn(&[usize], usize) -> bool| {
            let of_sample = |labels| (0..states).map(move |state| u8::from(holds(labels, state)));
            let mask: Vec<u8> = labels.iter().flat_map(|labels| of_sample(labels.as_slice())).collect();
            Tensor::from_vec(mask, (samples, states), device)
        };
        let at_each_step = |holds: &dyn Fn(usize, usize) -> bool| {
            let of_step = |step| input_lengths.iter().map(|&length| u8::from(holds(step, length))).collect::<Vec<_>>();
            let of_step = |step| Tensor::from_vec(of_step(step), (samples, 1), device)?.broadcast_as((samples, states));
            (0..steps).map(of_step).collect::<Result<_>>()
        };

        let indices: Vec<i64> = labels
            .iter()
            .flat_map(|labels| (0..states).map(|state| label(labels, state).unwrap_or(blank) as i64))
            .collect();
        let mut classes = vec![0u8; indices.len() * class_count];
        for (row, &class) in classes.chunks_mut(class_count).zip(&indices) {
            row[class as usize] = 1;
        }
        let classes = Tensor::from_vec(classes, (samples, states, class_count), device)?;
        let indices = Tensor::from_vec(indices, (1, samples, states), device)?;
        let emitted = scores.gather(&indices.broadcast_as((steps, samples, states))?.contiguous()?, 2)?;
        let zeros = Tensor::zeros((samples, states), scores.dtype(), device)?;
        Ok(Self {
            scores: scores.clone(),
            emitted,
            classes: classes.to_dtype(scores.dtype())?,
            skips: mask(&|labels, state| {
                state > 1 && label(labels, state).is_some() && label(labels, state) != label(labels, state - 2)
            })?,
            first: mask(&|_, state| state < 2)?,
            last: mask(&|labels, state| state == 2 * labels.len() || state + 1 == 2 * labels.len())?,
            is_within: at_each_step(&|step, length| step < length)?,
            is_last: at_each_step(&|step, length| step + 1 >= length)?,
            nothing: (&zeros + f64::NEG_INFINITY)?,
            zeros,
        })
    }

    fn steps(&self) -> usize {
        self.is_within.len()
    }

    /// Before all steps and after each, (N, states): the logarithm of the sum over the ways that lead there. After its last
    /// step a sample's stays.
    fn forward(&self) -> Result<Vec<Tensor>> {
        let (samples, states) = self.zeros.dims2()?;
        let others = self.nothing.narrow(1, 1, states - 1)?;
        let mut sums = vec![Tensor::cat(&[&self.zeros.narrow(1, 0, 1)?, &others], 1)?];
        let mut is_reached = self.first.clone();
        for step in 0..self.steps() {
            let before = &sums[step];
            let ways = if step == 0 {
                self.first.where_cond(&self.zeros, &self.nothing)?
            } else {
                is_reached = self.leading_to(&is_reached, &self.first.zeros_like()?)?.max(0)?;
                ln_sum_exp(&self.leading_to(before, &self.nothing)?, 0)?.reshape((samples, states))?
            };
            sums.push(self.is_within[step].where_cond(&self.emit(step, &ways, &is_reached)?, before)?);
        }
        Ok(sums)
    }

    /// What stands at the states from which ways lead to each state, (3, N, states), and `nothing` where there are fewer.
    fn leading_to(&self, before: &Tensor, nothing: &Tensor) -> Result<Tensor> {
        let states = before.dim(1)?;
        let previous = Tensor::cat(&[&nothing.narrow(1, 0, 1)?, &before.narrow(1, 0, states - 1)?], 1)?;
        let second = Tensor::cat(&[&nothing.narrow(1, 0, 2)?, &before.narrow(1, 0, states - 2)?], 1)?;
        Tensor::stack(&[before, &previous, &self.skips.where_cond(&second, nothing)?], 0)
    }

    /// What stands at the states to which ways lead from each state, likewise.
    fn leading_from(&self, after: &Tensor, nothing: &Tensor) -> Result<Tensor> {
        let states = after.dim(1)?;
        let next = Tensor::cat(&[&after.narrow(1, 1, states - 1)?, &nothing.narrow(1, 0, 1)?], 1)?;
        let second = self.skips.where_cond(after, nothing)?;
        let second = Tensor::cat(&[&second.narrow(1, 2, states - 2)?, &nothing.narrow(1, 0, 2)?], 1)?;
        Tensor::stack(&[after, &next, &second], 0)
    }

    /// The logarithms with the scores of a step, which count for nothing where no way leads. Where a logarithm is minus
    /// infinity a way may lead all the same, whose next score may be infinite.
    fn emit(&self, step: usize, ways: &Tensor, is_reached: &Tensor) -> Result<Tensor> {
        is_reached.where_cond(&(ways + self.emitted.get(step)?)?, &self.nothing)
    }

    /// (N): the logarithm of the sum over all alignments.
    fn likelihoods(&self, sums: &[Tensor]) -> Result<Tensor> {
        ln_sum_exp(&self.last.where_cond(&sums[self.steps()], &self.nothing)?, 1)?.squeeze(1)
    }

    /// The gradient times that of the losses; 0 where these are zeroed.
    fn gradient(&self, sums: &[Tensor], losses: &Tensor, is_zeroed: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let (samples, states) = self.zeros.dims2()?;
        let shape = (samples, self.scores.dim(2)?);
        let (losses, gradient) = (losses.unsqueeze(1)?, gradient.unsqueeze(1)?);
        // 0, but NaN where there is no alignment.
        let undefined = losses.affine(0., 0.)?;
        let is_zeroed = is_zeroed.unsqueeze(1)?.broadcast_as(shape)?;
        let end = self.last.where_cond(&self.zeros, &self.nothing)?;
        let (mut rest, mut is_reached) = (end.clone(), self.last.clone());
        let mut slopes = Vec::with_capacity(self.steps());
        for step in (0..self.steps()).rev() {
            if step + 1 < self.steps() {
                let ways = self.leading_from(&self.emit(step + 1, &rest, &is_reached)?, &self.nothing)?;
                let ways = ln_sum_exp(&ways, 0)?.reshape((samples, states))?;
                rest = self.is_last[step].where_cond(&end, &ways)?;
                let starts = self.leading_from(&is_reached, &self.last.zeros_like()?)?.max(0)?;
                is_reached = self.is_last[step].where_cond(&self.last, &starts)?;
            }
            let before = &sums[step + 1];
            let shares = (before + &rest)?.broadcast_add(&losses)?.exp()?;
            let is_apart = before.eq(f64::NEG_INFINITY)?.maximum(&rest.eq(f64::NEG_INFINITY)?)?;
            let shares = is_apart.where_cond(&self.zeros, &shares)?;
            let shares = shares.unsqueeze(1)?.matmul(&self.classes)?.squeeze(1)?;
            let slope = (self.scores.get(step)?.exp()? - shares)?.broadcast_add(&undefined)?;
            let slope = slope.broadcast_mul(&gradient)?;
            let counts = self.is_within[step].narrow(1, 0, 1)?.broadcast_as(shape)?;
            let zeros = slope.zeros_like()?;
            slopes.push(is_zeroed.where_cond(&zeros, &counts.where_cond(&slope, &zeros)?)?);
        }
        slopes.reverse();
        Tensor::stack(&slopes, 0)
    }
}

/// The logarithm of the sum of the exponentials along a dimension, which is kept; minus infinity of nothing else.
fn ln_sum_exp(terms: &Tensor, dim: usize) -> Result<Tensor> {
    let largest = terms.max_keepdim(dim)?;
    let base = largest.eq(f64::NEG_INFINITY)?.where_cond(&largest.zeros_like()?, &largest)?;
    terms.broadcast_sub(&base)?.exp()?.sum_keepdim(dim)?.log()? + base
}
