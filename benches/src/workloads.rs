//! What is measured: a case for each loss, size and dtype.

use std::fmt;
use std::ops::Range;

use fastrand::Rng;
use losscheck::case::{Case, Tensors};
use losscheck::generate;
use losscheck::loss::{Loss, LossKind};
use losscheck::tensor::{DType, Data, Tensor};

/// Every input is drawn from a generator that starts here.
const SEED: u64 = 2013;

/// How much data a call works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So little that the overhead of a call shows.
    Small,
    /// About 32 thousand elements: input, target and gradient fit a second-level cache of 1 MiB, in f64 too.
    Cache,
    /// About 16 million elements, 64 MiB for each tensor in f32: far beyond the caches.
    Large,
}

/// One loss, in one size and dtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The loss.
    pub loss: LossKind,
    /// How much data.
    pub size: Size,
    /// The dtype of the computation.
    pub dtype: DType,
}

/// Every workload: f32 in all sizes, f64 in the cache's.
pub fn all() -> impl Iterator<Item = Workload> {
    let sizes =
        [(Size::Small, DType::F32), (Size::Cache, DType::F32), (Size::Large, DType::F32), (Size::Cache, DType::F64)];
    LossKind::ALL.iter().flat_map(move |&loss| sizes.map(|(size, dtype)| Workload { loss, size, dtype }))
}

/// The benchmark of a loss: the one place to add to for a new one.
fn plan(loss: LossKind) -> Plan {
    let pair = |loss, input, target| Plan { loss, shape: elements, tensors: vec![input, target] };
    let classes = |loss, input| Plan { loss, shape: rows, tensors: vec![input, ("target", Draw::Class)] };
    let (logits, probabilities) = (Draw::Float(-4.0..4.0), Draw::Float(0.01..0.99));
    match loss {
        LossKind::BinaryCrossEntropy => {
            let loss = Loss::BinaryCrossEntropy(Default::default());
            pair(loss, ("input", probabilities.clone()), ("target", probabilities))
        }
        LossKind::BinaryCrossEntropyWithLogits => {
            let loss = Loss::BinaryCrossEntropyWithLogits(Default::default());
            pair(loss, ("input", logits), ("target", probabilities))
        }
        LossKind::CrossEntropy => classes(Loss::CrossEntropy(Default::default()), ("input", logits)),
        LossKind::HuberLoss => pair(Loss::HuberLoss(Default::default()), ("input", logits.clone()), ("target", logits)),
        LossKind::L1Loss => pair(Loss::L1Loss(Default::default()), ("input", logits.clone()), ("target", logits)),
        LossKind::MseLoss => pair(Loss::MseLoss(Default::default()), ("input", logits.clone()), ("target", logits)),
        LossKind::NllLoss => classes(Loss::NllLoss(Default::default()), ("input", Draw::Float(-8.0..-0.01))),
        LossKind::SmoothL1Loss => {
            pair(Loss::SmoothL1Loss(Default::default()), ("input", logits.clone()), ("target", logits))
        }
    }
}

struct Plan {
    /// With PyTorch's defaults unless there is a reason.
    loss: Loss,
    /// The shape of the input.
    shape: fn(Size) -> Vec<usize>,
    /// The tensors by name, in the order in which they are drawn.
    tensors: Vec<(&'static str, Draw)>,
}

/// How a tensor is filled.
#[derive(Clone)]
enum Draw {
    /// In the shape of the input, evenly from a range.
    Float(Range<f64>),
    /// A class for each row of the input.
    Class,
}

fn elements(size: Size) -> Vec<usize> {
    match size {
        Size::Small => vec![128],
        Size::Cache => vec![1 << 15],
        Size::Large => vec![1 << 24],
    }
}

fn rows(size: Size) -> Vec<usize> {
    match size {
        Size::Small => vec![8, 10],
        Size::Cache => vec![32, 1000],
        Size::Large => vec![1 << 14, 1000],
    }
}

impl Draw {
    fn tensor(&self, rng: &mut Rng, dtype: DType, shape: &[usize]) -> Tensor {
        match (self, shape) {
            (Draw::Float(range), _) => {
                let width = range.end - range.start;
                let drawn = (0..shape.iter().product()).map(|_| range.start + width * rng.f64()).collect();
                generate::floats(dtype, shape.to_vec(), drawn)
            }
            (Draw::Class, &[rows, classes]) => {
                let drawn = (0..rows).map(|_| rng.i64(0..classes as i64)).collect();
                Tensor::new(vec![rows], Data::I64(drawn)).expect("as many classes as rows")
            }
            (Draw::Class, _) => unreachable!("losses over classes have inputs of rows and classes"),
        }
    }
}

impl Workload {
    /// The shape of the input.
    pub fn shape(self) -> Vec<usize> {
        (plan(self.loss).shape)(self.size)
    }

    /// The number of elements of the input: what times are divided by.
    pub fn elements(self) -> usize {
        self.shape().iter().product()
    }

    /// The shape for people: `32x1000`.
    pub fn shape_name(self) -> String {
        self.shape().iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
    }

    /// The same loss and distribution in another size.
    pub fn resized(self, size: Size) -> Self {
        Self { size, ..self }
    }

    /// The case, the same each time.
    pub fn case(self) -> Case {
        let (plan, shape) = (plan(self.loss), self.shape());
        let mut rng = Rng::with_seed(SEED);
        let tensor = |(name, draw): &(&str, Draw)| ((*name).to_owned(), draw.tensor(&mut rng, self.dtype, &shape));
        let inputs: Tensors = plan.tensors.iter().map(tensor).collect();
        let id = format!("{}/{}/benchmark-{}", self.loss.name(), self.dtype.name(), self.shape_name());
        Case { id, loss: plan.loss, flags: Vec::new(), inputs, cotangent: None, expected: None, printed: None }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.loss.name(), self.shape_name(), self.dtype.name())
    }
}

#[cfg(test)]
mod tests {
    use losscheck::definition::{Arrays, Wanted};

    use super::*;

    #[test]
    fn every_loss_has_finite_results_in_every_size_but_the_large() {
        for workload in all().filter(|workload| workload.size != Size::Large) {
            let case = workload.case();
            let evaluation = case.loss.evaluate::<f64>(&Arrays::new(&case), Wanted::FirstGradient).unwrap();
            assert!(case.loss.kind() == workload.loss && evaluation.gradients[0].1.len() == workload.elements());
            for (output, numbers) in evaluation.outputs() {
                assert!(numbers.iter().all(|x| x.is_finite()), "{workload}: {output}");
                assert!(numbers.iter().any(|&x| x != 0.0), "{workload}: {output}");
            }
        }
    }
}
