use std::ops::Range;

use candle_core::{DType, Result, Tensor, bail};
use losscheck_options::{AdaptiveLogSoftmaxWithLoss, Reduction};

use super::check::float;
use super::custom_gradient::with_custom_gradient;
use super::linear::linear;
use super::log_softmax::log_softmax;
use super::reduction::{reduced, sum_rows};

/// The module that [`AdaptiveLogSoftmaxWithLoss`] describes, with its parameters.
#[derive(Clone, Debug)]
pub struct AdaptiveLogSoftmax {
    shortlist: usize,
    n_classes: usize,
    /// The classes of each tail.
    tails: Vec<Range<usize>>,
    head_weight: Tensor,
    head_bias: Option<Tensor>,
    tail: Vec<[Tensor; 2]>,
}

/// The results of [`AdaptiveLogSoftmax::forward`].
#[derive(Clone, Debug)]
pub struct AdaptiveOutput {
    /// For each sample the log-probability of its target.
    pub output: Tensor,
    /// The mean of their negatives.
    pub loss: Tensor,
}

impl AdaptiveLogSoftmax {
    /// Makes the module of these parameters: PyTorch's `head.weight` and `head.bias`, and for each tail i its
    /// `tail.i.0.weight` and `tail.i.1.weight`. The option `result` says nothing here, because each result has a method.
    ///
    /// # Errors
    ///
    /// Returns an error if an option is out of range, or a parameter does not have the shape that the options give it.
    pub fn new(
        options: &AdaptiveLogSoftmaxWithLoss,
        head_weight: Tensor,
        head_bias: Option<Tensor>,
        tail: Vec<[Tensor; 2]>,
    ) -> Result<Self> {
        let AdaptiveLogSoftmaxWithLoss { in_features, n_classes, ref cutoffs, div_value, .. } = *options;
        let is_biased = options.head_bias;
        let ends = cutoffs.iter().skip(1).chain([&n_classes]);
        let tails: Vec<Range<usize>> = cutoffs.iter().zip(ends).map(|(&start, &end)| start..end).collect();
        let shortlist = match cutoffs.first() {
            Some(&first) if first > 0 && tails.iter().all(|classes| !classes.is_empty()) => first,
            _ => bail!("cutoffs are {cutoffs:?}, expected increasing numbers from 1 to {n_classes} - 1"),
        };
        // PyTorch lets it be negative where there is nothing to divide.
        if div_value.is_nan() || div_value == 0. || div_value < 0. && in_features > 0 {
            bail!("div_value is {div_value}, expected a positive number");
        }
        let scores = shortlist + tails.len();
        has_shape("head.weight", &head_weight, &[scores, in_features])?;
        match &head_bias {
            Some(bias) if is_biased => has_shape("head.bias", bias, &[scores])?,
            bias if bias.is_some() != is_biased => {
                bail!("head.bias is given: {}, expected {is_biased}", bias.is_some())
            }
            _ => {}
        }
        if tail.len() != tails.len() {
            bail!("there are {} tails, expected {}, one for each cutoff", tail.len(), tails.len());
        }
        for (i, ([projection, output], classes)) in tail.iter().zip(&tails).enumerate() {
            // As Python divides: without the remainder.
            let (features, divisor) = (in_features as f64, div_value.powf((i + 1) as f64));
            let width = ((features - features % divisor) / divisor).round() as usize;
            has_shape(&format!("tail.{i}.0.weight"), projection, &[width, in_features])?;
            has_shape(&format!("tail.{i}.1.weight"), output, &[classes.len(), width])?;
        }
        Ok(Self { shortlist, n_classes, tails, head_weight, head_bias, tail })
    }

    /// Computes the log-probabilities of the targets, and the loss.
    ///
    /// The target has the dtype u32 or i64. A tail that no target falls into has no gradient.
    ///
    /// # Errors
    ///
    /// Returns an error if a target is no class, or a shape or a dtype does not fit.
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Result<AdaptiveOutput> {
        if !matches!(target.dtype(), DType::U32 | DType::I64) {
            bail!("target has dtype {:?}, expected classes as u32 or i64", target.dtype());
        }
        match (input.rank(), target.dims()) {
            (2, [samples]) if input.dim(0)? == *samples => {}
            (1, []) => {
                let AdaptiveOutput { output, loss } = self.forward(&input.unsqueeze(0)?, &target.unsqueeze(0)?)?;
                return Ok(AdaptiveOutput { output: output.squeeze(0)?, loss });
            }
            _ => bail!("input and target have shapes {:?} and {:?}", input.dims(), target.dims()),
        }
        self.check_width(input)?;
        let classes = target.to_dtype(DType::I64)?.to_vec1::<i64>()?;
        let mut places = Vec::new();
        let mut samples = vec![(Vec::new(), Vec::new()); self.tails.len()];
        for (sample, class) in classes.into_iter().enumerate() {
            let class = usize::try_from(class).ok().filter(|&class| class < self.n_classes);
            let Some(class) = class else {
                bail!("target {target} is out of bounds, there are {} classes", self.n_classes)
            };
            match self.tails.iter().position(|classes| classes.contains(&class)) {
                None => places.push(class as i64),
                Some(tail) => {
                    places.push((self.shortlist + tail) as i64);
                    samples[tail].0.push(sample as i64);
                    samples[tail].1.push((class - self.tails[tail].start) as i64);
                }
            }
        }
        let mut output = pick(&log_softmax(&self.head(input)?)?, places)?;
        for (tail, (samples, places)) in samples.into_iter().enumerate().filter(|(_, (samples, _))| !samples.is_empty())
        {
            let samples = Tensor::new(samples, input.device())?;
            let scores = self.tail(tail, &input.contiguous()?.index_select(&samples, 0)?)?;
            output = output.index_add(&samples, &pick(&log_softmax(&scores)?, places)?, 0)?;
        }
        let loss = reduced(&output, Reduction::Mean)?.neg()?;
        Ok(AdaptiveOutput { output, loss })
    }

    /// Computes the log-probabilities of all classes, (N, n_classes), of an input of shape (N, in_features).
    ///
    /// # Errors
    ///
    /// Returns an error if the input has another shape or does not hold floats.
    pub fn log_prob(&self, input: &Tensor) -> Result<Tensor> {
        self.check_batch(input)?;
        let head = log_softmax(&self.head(input)?)?;
        if head.elem_count() == 0 {
            return Tensor::zeros((0, self.n_classes), input.dtype(), input.device());
        }
        let mut log_probs = vec![head.narrow(1, 0, self.shortlist)?];
        for tail in 0..self.tails.len() {
            let of_tail = head.narrow(1, self.shortlist + tail, 1)?;
            let in_tail = log_softmax(&self.tail(tail, input)?)?;
            log_probs.push(with_custom_gradient(in_tail.broadcast_add(&of_tail.detach())?, &of_tail, sum_rows)?);
        }
        Tensor::cat(&log_probs, 1)
    }

    /// Finds the class with the largest log-probability, as u32, for each sample of an input of shape (N, in_features): the
    /// first of several. NaN counts as the largest.
    ///
    /// A sample whose largest score in the head is that of a class of the shortlist is not taken to the tails.
    ///
    /// # Errors
    ///
    /// Returns an error if the input has another shape or does not hold floats.
    pub fn predict(&self, input: &Tensor) -> Result<Tensor> {
        self.check_batch(input)?;
        let input = input.detach();
        let mut classes = largest(&self.head(&input)?)?;
        let beyond =
            (0..).zip(&classes).filter(|&(_, &class)| class as usize >= self.shortlist).map(|(sample, _)| sample);
        let beyond: Vec<u32> = beyond.collect();
        if !beyond.is_empty() {
            let rows = Tensor::new(beyond.as_slice(), input.device())?;
            let found = largest(&self.log_prob(&input.contiguous()?.index_select(&rows, 0)?)?)?;
            for (sample, class) in beyond.into_iter().zip(found) {
                classes[sample as usize] = class;
            }
        }
        let count = classes.len();
        Tensor::from_vec(classes, count, input.device())
    }

    fn head(&self, rows: &Tensor) -> Result<Tensor> {
        linear(rows, &self.head_weight, self.head_bias.as_ref())
    }

    fn tail(&self, tail: usize, rows: &Tensor) -> Result<Tensor> {
        let [projection, output] = &self.tail[tail];
        linear(&linear(rows, projection, None)?, output, None)
    }

    fn check_batch(&self, input: &Tensor) -> Result<()> {
        if input.rank() != 2 {
            bail!("input has shape {:?}, expected (N, {})", input.dims(), self.head_weight.dim(1)?);
        }
        self.check_width(input)
    }

    fn check_width(&self, rows: &Tensor) -> Result<()> {
        float("input", rows)?;
        let (own, expected) = (rows.dim(1)?, self.head_weight.dim(1)?);
        if own != expected {
            bail!("input has shape {:?}, expected {expected} elements in each row", rows.dims());
        }
        Ok(())
    }
}

fn has_shape(name: &str, parameter: &Tensor, expected: &[usize]) -> Result<()> {
    if parameter.dims() != expected {
        bail!("{name} has shape {:?}, expected {expected:?}", parameter.dims());
    }
    Ok(())
}

/// Of each row the element at its place.
fn pick(rows: &Tensor, places: Vec<i64>) -> Result<Tensor> {
    let places = Tensor::new(places, rows.device())?;
    rows.contiguous()?.gather(&places.unsqueeze(1)?, 1)?.squeeze(1)
}

/// Where the largest element of each row first stands, NaN before any other.
fn largest(rows: &Tensor) -> Result<Vec<u32>> {
    if rows.elem_count() == 0 {
        return Ok(Vec::new());
    }
    // For candle's own argmax NaN is neither larger nor smaller.
    let is_nan = rows.ne(rows)?.to_dtype(DType::F32)?;
    let (nan, any_nan) = (is_nan.argmax(1)?, is_nan.max(1)?.gt(0.)?);
    any_nan.where_cond(&nan, &rows.argmax(1)?)?.to_vec1()
}
