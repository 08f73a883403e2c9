//! What is measured: a case for each loss, set of shapes and dtype.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use fastrand::Rng;
use losscheck::backend::Pass;
use losscheck::case::Case;
use losscheck::loss::{Loss, LossKind, generate};
use losscheck::tensor::{DType, Data, Tensor, Tensors};
use losscheck_options::AdaptiveLogSoftmaxWithLoss;
use losscheck_reference::AdaptiveParameters;

use crate::size::Size;

/// Every input is drawn from a generator that starts here.
const SEED: u64 = 2013;

/// The shapes of a workload's tensors; each loss has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shapes {
    /// A batch of 8 rows, or 128 elements.
    Small,
    /// 16 thousand elements: input, target and gradient fit a second-level cache of half a MiB, in f64 too.
    L2,
    /// A quarter of a million elements, which fit a third-level cache of 8 MiB.
    L3,
    /// A quarter of a million elements, in classes of 10 or vectors of that length.
    FewClasses,
    /// Eight million elements, 32 MiB for each tensor in f32: far beyond the caches.
    Memory,
    /// Two million elements, in classes of 32000: the vocabulary of a language model.
    ManyClasses,
}

impl Shapes {
    const ALL: [Self; 6] = [Self::Small, Self::L2, Self::L3, Self::FewClasses, Self::Memory, Self::ManyClasses];

    /// Returns how much data the shapes hold.
    pub const fn size(self) -> Size {
        match self {
            Self::Small => Size::Small,
            Self::L2 => Size::L2,
            Self::L3 | Self::FewClasses => Size::L3,
            Self::ManyClasses | Self::Memory => Size::Memory,
        }
    }

    /// Returns true if a loss is measured in these shapes and this dtype. The same shape is not measured twice, and inputs far
    /// beyond the caches are measured in f32 alone, because half as many numbers to the cache line say nothing new.
    fn is_for(self, loss: LossKind, dtype: DType) -> bool {
        let shape = |shapes| Workload { loss, shapes, dtype }.shape();
        let first = Self::ALL.into_iter().find(|&shapes| shape(shapes) == shape(self));
        first == Some(self) && (self != Self::Memory || dtype == DType::F32)
    }
}

/// One loss, in one set of shapes and one dtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The loss.
    pub loss: LossKind,
    /// The shapes of the tensors.
    pub shapes: Shapes,
    /// The dtype of the computation.
    pub dtype: DType,
}

/// Returns every workload.
pub fn all() -> impl Iterator<Item = Workload> {
    LossKind::ALL.iter().flat_map(|&loss| {
        [DType::F32, DType::F64].into_iter().flat_map(move |dtype| {
            let all = Shapes::ALL.into_iter().filter(move |shapes| shapes.is_for(loss, dtype));
            all.map(move |shapes| Workload { loss, shapes, dtype })
        })
    })
}

/// Returns the benchmark of a loss: the one place to add to for a new one.
fn recipe(loss: LossKind, shapes: Shapes) -> Recipe {
    let (logits, probabilities) = (Draw::Float(-4.0..4.0), Draw::Float(0.01..0.99));
    match loss {
        LossKind::AdaptiveLogSoftmaxWithLoss => adaptive(shapes),
        LossKind::BinaryCrossEntropy => {
            pair(Loss::BinaryCrossEntropy(Default::default()), shapes, probabilities.clone(), probabilities)
        }
        LossKind::BinaryCrossEntropyWithLogits => {
            pair(Loss::BinaryCrossEntropyWithLogits(Default::default()), shapes, logits, probabilities)
        }
        LossKind::CosineEmbeddingLoss => {
            let [rows, length] = rows_and_classes(shapes);
            let tensor = |name| (name, vec![rows, length], Draw::Float(-1.0..1.0));
            let tensors = vec![tensor("input1"), tensor("input2"), ("target", vec![rows], Draw::Sign)];
            Recipe { loss: Loss::CosineEmbeddingLoss(Default::default()), tensors }
        }
        LossKind::CrossEntropy => rows(Loss::CrossEntropy(Default::default()), shapes, logits),
        LossKind::CtcLoss => {
            let [steps, samples, classes, labels] = speech(shapes);
            let (steps, labels) = (steps as i64, labels as i64);
            let tensors = vec![
                ("log_probs", speech(shapes)[..3].to_vec(), Draw::Float(-8.0..-0.01)),
                ("targets", vec![samples, labels as usize], Draw::Integer(1..classes as i64)),
                ("input_lengths", vec![samples], Draw::Integer(steps - steps / 5..steps + 1)),
                ("target_lengths", vec![samples], Draw::Integer(labels / 2..labels + 1)),
            ];
            Recipe { loss: Loss::CtcLoss(Default::default()), tensors }
        }
        LossKind::GaussianNllLoss => {
            let mut recipe = pair(Loss::GaussianNllLoss(Default::default()), shapes, logits.clone(), logits);
            recipe.tensors.push(("var", vec![elements(shapes)], Draw::Float(0.1..4.0)));
            recipe
        }
        LossKind::HingeEmbeddingLoss => {
            pair(Loss::HingeEmbeddingLoss(Default::default()), shapes, Draw::Float(0.0..2.0), Draw::Sign)
        }
        LossKind::HuberLoss => pair(Loss::HuberLoss(Default::default()), shapes, logits.clone(), logits),
        LossKind::KlDiv => pair(Loss::KlDiv(Default::default()), shapes, Draw::Float(-8.0..-0.01), probabilities),
        LossKind::L1Loss => pair(Loss::L1Loss(Default::default()), shapes, logits.clone(), logits),
        LossKind::LinearCrossEntropy => {
            let [rows, features, classes] = linear(shapes);
            let tensors = vec![
                ("input", vec![rows, features], Draw::Float(-1.0..1.0)),
                ("linear_weight", vec![classes, features], Draw::Float(-0.5..0.5)),
                ("target", vec![rows], Draw::Integer(0..classes as i64)),
            ];
            Recipe { loss: Loss::LinearCrossEntropy(Default::default()), tensors }
        }
        LossKind::MarginRankingLoss => {
            let tensor = |name, draw| (name, vec![elements(shapes)], draw);
            let tensors =
                vec![tensor("input1", logits.clone()), tensor("input2", logits), tensor("target", Draw::Sign)];
            Recipe { loss: Loss::MarginRankingLoss(Default::default()), tensors }
        }
        LossKind::MseLoss => pair(Loss::MseLoss(Default::default()), shapes, logits.clone(), logits),
        LossKind::MultiMarginLoss => rows(Loss::MultiMarginLoss(Default::default()), shapes, logits),
        LossKind::MultilabelMarginLoss => {
            let [rows, classes] = rows_and_classes(shapes);
            let shape = vec![rows, classes];
            let lists = Draw::Lists { classes: classes as i64, length: 3 };
            let tensors = vec![("input", shape.clone(), logits), ("target", shape, lists)];
            Recipe { loss: Loss::MultilabelMarginLoss(Default::default()), tensors }
        }
        LossKind::MultilabelSoftMarginLoss => {
            let shape = rows_and_classes(shapes).to_vec();
            let tensors = vec![("input", shape.clone(), logits), ("target", shape, probabilities)];
            Recipe { loss: Loss::MultilabelSoftMarginLoss(Default::default()), tensors }
        }
        LossKind::NllLoss2d => rows(Loss::NllLoss2d(Default::default()), shapes, Draw::Float(-8.0..-0.01)),
        LossKind::NllLoss => rows(Loss::NllLoss(Default::default()), shapes, Draw::Float(-8.0..-0.01)),
        LossKind::PoissonNllLoss => {
            pair(Loss::PoissonNllLoss(Default::default()), shapes, logits, Draw::Float(0.0..8.0))
        }
        LossKind::SmoothL1Loss => pair(Loss::SmoothL1Loss(Default::default()), shapes, logits.clone(), logits),
        LossKind::SoftMarginLoss => pair(Loss::SoftMarginLoss(Default::default()), shapes, logits, Draw::Sign),
        LossKind::TripletMarginLoss => triplets(Loss::TripletMarginLoss(Default::default()), shapes),
        LossKind::TripletMarginWithDistanceLoss => {
            triplets(Loss::TripletMarginWithDistanceLoss(Default::default()), shapes)
        }
    }
}

/// Returns a loss of an input and a target of one shape.
fn pair(loss: Loss, shapes: Shapes, input: Draw, target: Draw) -> Recipe {
    let shape = vec![elements(shapes)];
    Recipe { loss, tensors: vec![("input", shape.clone(), input), ("target", shape, target)] }
}

/// Returns a loss of rows of scores, and a class for each.
fn rows(loss: Loss, shapes: Shapes, input: Draw) -> Recipe {
    let [rows, classes] = rows_and_classes(shapes);
    let target = Draw::Integer(0..classes as i64);
    Recipe { loss, tensors: vec![("input", vec![rows, classes], input), ("target", vec![rows], target)] }
}

/// Returns a loss of three tensors of vectors, the negatives far enough away that about half of the losses are 0.
fn triplets(loss: Loss, shapes: Shapes) -> Recipe {
    let shape = rows_and_classes(shapes).to_vec();
    let tensor = |name| (name, shape.clone(), Draw::Float(-1.0..1.0));
    Recipe { loss, tensors: ["anchor", "positive", "negative"].map(tensor).to_vec() }
}

/// Returns a loss with a head, and two tails with the rarer classes.
fn adaptive(shapes: Shapes) -> Recipe {
    let [rows, in_features, n_classes] = linear(shapes);
    let cutoffs = vec![n_classes / 5, n_classes / 2];
    let options = AdaptiveLogSoftmaxWithLoss { in_features, n_classes, cutoffs, ..Default::default() };
    let AdaptiveParameters { head_weight, tail, .. } = AdaptiveParameters::shapes(&options).expect("options in range");
    let weights = TAIL_WEIGHTS.into_iter().zip(tail.into_iter().flat_map(|tail| [tail.projection, tail.output]));
    let weights = [("head.weight", head_weight)].into_iter().chain(weights);
    let weights = weights.map(|(name, shape)| (name, shape, Draw::Float(-0.5..0.5)));
    let input = ("input", vec![rows, in_features], Draw::Float(-1.0..1.0));
    let target = ("target", vec![rows], Draw::Integer(0..n_classes as i64));
    Recipe {
        loss: Loss::AdaptiveLogSoftmaxWithLoss(options),
        tensors: [input].into_iter().chain(weights).chain([target]).collect(),
    }
}

const TAIL_WEIGHTS: [&str; 4] = ["tail.0.0.weight", "tail.0.1.weight", "tail.1.0.weight", "tail.1.1.weight"];

/// A loss, and how its tensors are drawn.
struct Recipe {
    /// With PyTorch's defaults unless there is a reason.
    loss: Loss,
    /// The tensors by name, in the order in which they are drawn; the first has the gradient that is timed.
    tensors: Vec<(&'static str, Vec<usize>, Draw)>,
}

/// How a tensor is filled.
#[derive(Clone)]
enum Draw {
    /// Evenly from a range.
    Float(Range<f64>),
    /// 1 or -1.
    Sign,
    /// In each row so many integers from 0 to the number of classes, and -1 after them.
    Lists { classes: i64, length: usize },
    /// Evenly from a range of integers.
    Integer(Range<i64>),
}

fn elements(shapes: Shapes) -> usize {
    match shapes {
        Shapes::Small => 128,
        Shapes::L2 => 1 << 14,
        Shapes::L3 | Shapes::FewClasses => 1 << 18,
        Shapes::ManyClasses | Shapes::Memory => 1 << 23,
    }
}

fn rows_and_classes(shapes: Shapes) -> [usize; 2] {
    match shapes {
        Shapes::Small => [8, 10],
        Shapes::L2 => [16, 1000],
        Shapes::L3 => [256, 1000],
        Shapes::FewClasses => [1 << 14, 10],
        Shapes::ManyClasses => [64, 32000],
        Shapes::Memory => [1 << 13, 1000],
    }
}

/// Returns rows, features and classes; the largest is a language model's head.
fn linear(shapes: Shapes) -> [usize; 3] {
    match shapes {
        Shapes::Small => [8, 16, 10],
        Shapes::L2 => [32, 64, 500],
        Shapes::L3 | Shapes::FewClasses => [128, 256, 2000],
        Shapes::ManyClasses | Shapes::Memory => [512, 1024, 32000],
    }
}

/// Returns steps, samples, classes and labels: of characters, then of word pieces.
fn speech(shapes: Shapes) -> [usize; 4] {
    match shapes {
        Shapes::Small => [20, 4, 10, 5],
        Shapes::L2 => [100, 4, 32, 20],
        Shapes::L3 | Shapes::FewClasses => [500, 16, 32, 60],
        Shapes::ManyClasses | Shapes::Memory => [500, 16, 500, 60],
    }
}

impl Draw {
    fn tensor(self, rng: &mut Rng, dtype: DType, shape: Vec<usize>) -> Tensor {
        let count = shape.iter().product();
        match self {
            Draw::Float(range) => {
                let width = range.end - range.start;
                let drawn = (0..count).map(|_| range.start + width * rng.f64()).collect();
                generate::floats(dtype, shape, drawn)
            }
            Draw::Sign => {
                let drawn = (0..count).map(|_| if rng.bool() { 1.0 } else { -1.0 }).collect();
                generate::floats(dtype, shape, drawn)
            }
            Draw::Lists { classes, length } => {
                let row = |place: usize| if place % classes as usize >= length { -1 } else { rng.i64(0..classes) };
                let drawn = (0..count).map(row).collect();
                Tensor::new(shape, Data::I64(drawn)).expect("as many elements as the shape asks for")
            }
            Draw::Integer(range) => {
                let drawn = (0..count).map(|_| rng.i64(range.clone())).collect();
                Tensor::new(shape, Data::I64(drawn)).expect("as many elements as the shape asks for")
            }
        }
    }
}

impl Workload {
    /// Returns how much data a call works on.
    pub fn size(self) -> Size {
        self.shapes.size()
    }

    /// Returns the shape of each tensor, by name.
    pub fn tensors(self) -> BTreeMap<String, Vec<usize>> {
        recipe(self.loss, self.shapes).tensors.into_iter().map(|(name, shape, _)| (name.to_owned(), shape)).collect()
    }

    /// Returns the shape of the first tensor.
    pub fn shape(self) -> Vec<usize> {
        recipe(self.loss, self.shapes).tensors.swap_remove(0).1
    }

    /// Returns the number of elements of the first tensor: what times are divided by.
    pub fn elements(self) -> usize {
        self.shape().iter().product()
    }

    /// Returns the shape for people: `32x1000`.
    pub fn shape_name(self) -> String {
        self.shape().iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
    }

    /// Returns the bytes that a pass moves if it reads every input and writes the gradient once.
    pub fn bytes(self, pass: Pass) -> u64 {
        let float: u64 = if self.dtype == DType::F64 { 8 } else { 4 };
        let bytes = |(_, shape, draw): &(&str, Vec<usize>, Draw)| {
            let element = if matches!(draw, Draw::Integer(_) | Draw::Lists { .. }) { 8 } else { float };
            shape.iter().product::<usize>() as u64 * element
        };
        let gradient = if pass == Pass::ForwardAndGradient { self.elements() as u64 * float } else { 0 };
        recipe(self.loss, self.shapes).tensors.iter().map(bytes).sum::<u64>() + gradient
    }

    /// Returns the same loss and distribution in other shapes.
    pub fn reshaped(self, shapes: Shapes) -> Self {
        Self { shapes, ..self }
    }

    /// Returns the case, the same each time.
    pub fn case(self) -> Case {
        let Recipe { loss, tensors } = recipe(self.loss, self.shapes);
        let mut rng = Rng::with_seed(SEED);
        let mut tensor =
            |(name, shape, draw): (&str, Vec<usize>, Draw)| (name.to_owned(), draw.tensor(&mut rng, self.dtype, shape));
        let inputs: Tensors = tensors.into_iter().map(&mut tensor).collect();
        let id = format!("{}/{}/benchmark-{}", self.loss.name(), self.dtype.name(), self.shape_name());
        Case::new(id, loss, inputs)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.loss.name(), self.shape_name(), self.dtype.name())
    }
}

#[cfg(test)]
mod tests {
    use losscheck::backend::reference::Reference;
    use losscheck::backend::{Backend, Outcome};

    use super::*;

    #[test]
    fn every_loss_has_finite_results_in_the_sizes_that_tests_have_time_for() {
        for workload in all().filter(|workload| matches!(workload.size(), Size::Small | Size::L2)) {
            let case = workload.case();
            let Outcome::Answer(answer) = Reference.evaluate(&case) else { panic!("{workload}: refused") };
            let first = case.loss.kind().signature().differentiable[0];
            assert!(case.loss.kind() == workload.loss && answer.gradients[first].len() == workload.elements());
            for numbers in answer.gradients.values().chain([&answer.value]).map(Tensor::to_f64) {
                assert!(numbers.iter().all(|x| x.is_finite()), "{workload}");
                assert!(numbers.iter().any(|&x| x != 0.0), "{workload}");
            }
        }
    }

    #[test]
    fn the_instructions_of_every_loss_are_counted() {
        let counts: BTreeMap<String, u64> =
            serde_json::from_str(include_str!("../instructions/instructions.json")).expect("a number for each loss");
        let names: Vec<&str> = LossKind::ALL.iter().map(|loss| loss.name()).collect();
        assert!(counts.keys().eq(&names), "{counts:?}: `scripts/instructions --update` counts {names:?}");
    }
}
