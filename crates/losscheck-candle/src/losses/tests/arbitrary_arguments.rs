//! Every loss is called with thousands of arguments, many of which do not fit together. It returns an error, or a loss
//! through which candle's `backward` works, and never panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use candle_core::{DType, Device, Result, Tensor, Var};
use fastrand::Rng;

use super::*;

/// How often each loss is called.
const CALLS: usize = 10_000;

/// Shapes that an argument has in the place of the expected one. The product of 2 and the large dimension does not fit a
/// `usize`.
const SHAPES: [&[usize]; 16] = [
    &[],
    &[0],
    &[1],
    &[2],
    &[3],
    &[1, 1],
    &[1, 3],
    &[2, 1],
    &[2, 3],
    &[0, 3],
    &[2, 0],
    &[2, 0, 1 << 63],
    &[2, 0, 3],
    &[3, 2, 1],
    &[2, 3, 2],
    &[1, 3, 1, 2],
];

/// Dtypes that an argument has in the place of the expected one.
const DTYPES: [DType; 8] =
    [DType::F64, DType::F32, DType::F16, DType::BF16, DType::F8E4M3, DType::I64, DType::U32, DType::U8];

/// Draws arguments and remembers them.
struct Arguments {
    random: Rng,
    /// The dtype of most of the tensors that are to hold floats.
    float: DType,
    drawn: Vec<String>,
}

impl Arguments {
    fn new(mut random: Rng) -> Self {
        let float = if random.u8(..4) == 0 { DTYPES[random.usize(..DTYPES.len())] } else { DType::F64 };
        Self { random, float, drawn: Vec::new() }
    }

    /// Draws a tensor that mostly has this shape and dtype.
    fn tensor(&mut self, shape: &[usize], dtype: DType, numbers: &[f64]) -> Tensor {
        let random = &mut self.random;
        let shape = if random.u8(..8) == 0 { SHAPES[random.usize(..SHAPES.len())] } else { shape };
        let dtype = if random.u8(..16) == 0 { DTYPES[random.usize(..DTYPES.len())] } else { dtype };
        let number = numbers[random.usize(..numbers.len())];
        self.drawn.push(format!("{shape:?} of {number:?} in {dtype:?}"));
        let tensor = Tensor::full(number, shape, &Device::Cpu).and_then(|tensor| tensor.to_dtype(dtype));
        let tensor = tensor.expect("small or empty tensors");
        if dtype.is_float() { Var::from_tensor(&tensor).expect("a variable").into_inner() } else { tensor }
    }

    fn floats(&mut self, shape: &[usize]) -> Tensor {
        self.tensor(shape, self.float, &[0., 0.25, 1., -1., 3., 1e300, INF, NAN])
    }

    fn indices(&mut self, shape: &[usize]) -> Tensor {
        self.tensor(shape, DType::I64, &[0., 1., 2., 3., -1., 1e300])
    }

    fn indices_or_floats(&mut self, indices: &[usize], floats: &[usize]) -> Tensor {
        if self.random.bool() { self.indices(indices) } else { self.floats(floats) }
    }

    fn maybe(&mut self, shape: &[usize]) -> Option<Tensor> {
        self.random.bool().then(|| self.floats(shape))
    }

    /// Draws a shape to which other arguments have to fit.
    fn shape(&mut self) -> &'static [usize] {
        SHAPES[self.random.usize(..SHAPES.len())]
    }

    fn dims<const N: usize>(&mut self) -> [usize; N] {
        std::array::from_fn(|_| self.random.usize(..4))
    }

    fn flag(&mut self) -> bool {
        self.random.bool()
    }

    fn number(&mut self) -> f64 {
        [0., 0.5, 1., 2., 3., -1., INF, NAN][self.random.usize(..8)]
    }

    fn class(&mut self) -> i64 {
        self.random.i64(-1..3)
    }

    fn reduction(&mut self) -> Reduction {
        Reduction::ALL[self.random.usize(..3)]
    }

    fn distance_function(&mut self) -> DistanceFunction {
        match self.random.u8(..4) {
            0 => DistanceFunction::Manhattan,
            1 => DistanceFunction::SquaredEuclidean,
            _ => DistanceFunction::Pairwise,
        }
    }
}

fn adaptive_log_softmax_with_loss(a: &mut Arguments) -> Result<Tensor> {
    let [samples, in_features, tails] = a.dims();
    let cutoffs: Vec<usize> = (0..tails).map(|tail| (2 * tail + 1).saturating_sub(a.random.usize(..8) / 7)).collect();
    let [n_classes, head_bias] = [2 * tails + 1, usize::from(a.flag())];
    let options = AdaptiveLogSoftmaxWithLoss {
        in_features,
        n_classes,
        cutoffs,
        div_value: [1., 1., 1., 2., 0., -1., NAN][a.random.usize(..7)],
        head_bias: head_bias == 1,
        ..Default::default()
    };
    let head = a.floats(&[1 + tails, in_features]);
    let bias = (head_bias == 1).then(|| a.floats(&[1 + tails]));
    let tail = (0..tails).map(|_| [a.floats(&[in_features, in_features]), a.floats(&[2, in_features])]).collect();
    let module = AdaptiveLogSoftmax::new(&options, head, bias, tail)?;
    let input = a.floats(&[samples, in_features]);
    module.predict(&input)?;
    module.log_prob(&input)?.backward()?;
    Ok(module.forward(&input, &a.indices(&[samples]))?.loss)
}

fn cosine_embedding_loss_of(a: &mut Arguments) -> Result<Tensor> {
    let ([samples, length], is_batch) = (a.dims(), a.flag());
    let (shape, target): (&[usize], &[usize]) =
        if is_batch { (&[samples, length], &[samples]) } else { (&[length], &[]) };
    let options = CosineEmbeddingLoss { margin: a.number(), reduction: a.reduction() };
    cosine_embedding_loss(&a.floats(shape), &a.floats(shape), &a.indices_or_floats(target, target), options)
}

fn cross_entropy_of(a: &mut Arguments) -> Result<Tensor> {
    let shape @ [samples, classes] = a.dims();
    let (ignore_index, label_smoothing) = (a.class(), a.number());
    let options = CrossEntropyLoss { ignore_index, label_smoothing, reduction: a.reduction() };
    let target = a.indices_or_floats(&[samples], &shape);
    cross_entropy(&a.floats(&shape), &target, a.maybe(&[classes]).as_ref(), options)
}

fn ctc_loss_of(a: &mut Arguments) -> Result<Tensor> {
    let [steps, samples, classes, labels] = a.dims();
    let options = CTCLoss { blank: a.class(), zero_infinity: a.flag(), reduction: a.reduction() };
    let (log_probs, targets) = (a.floats(&[steps, samples, classes]), a.indices(&[samples, labels]));
    ctc_loss(&log_probs, &targets, &a.indices(&[samples]), &a.indices(&[samples]), options)
}

fn linear_cross_entropy_of(a: &mut Arguments) -> Result<Tensor> {
    let [samples, classes, features] = a.dims();
    let ignore_index = a.flag().then(|| a.class());
    let (label_smoothing, reduction) = (a.number(), a.reduction());
    let options = LinearCrossEntropyLoss { ignore_index, label_smoothing, reduction, ..Default::default() };
    let (input, linear_weight) = (a.floats(&[samples, features]), a.floats(&[classes, features]));
    let (linear_bias, weight) = (a.maybe(&[classes]), a.maybe(&[classes]));
    let target = a.indices_or_floats(&[samples], &[samples, classes]);
    linear_cross_entropy(&input, &linear_weight, linear_bias.as_ref(), &target, weight.as_ref(), options)
}

fn multi_margin_loss_of(a: &mut Arguments) -> Result<Tensor> {
    let [samples, classes] = a.dims();
    let options = MultiMarginLoss { p: a.class(), margin: a.number(), reduction: a.reduction() };
    let (input, target) = (a.floats(&[samples, classes]), a.indices(&[samples]));
    multi_margin_loss(&input, &target, a.maybe(&[classes]).as_ref(), options)
}

fn nll_loss_of(a: &mut Arguments) -> Result<Tensor> {
    let [samples, classes] = a.dims();
    let options = NLLLoss { ignore_index: a.class(), reduction: a.reduction() };
    let (input, target) = (a.floats(&[samples, classes]), a.indices(&[samples]));
    nll_loss(&input, &target, a.maybe(&[classes]).as_ref(), options)
}

type Call = fn(&mut Arguments, shape: &'static [usize]) -> Result<Tensor>;

/// The losses by name; the shape is that of the input where the loss takes any.
const LOSSES: &[(&str, Call)] = &[
    ("adaptive_log_softmax_with_loss", |a, _| adaptive_log_softmax_with_loss(a)),
    ("binary_cross_entropy", |a, shape| {
        let options = BCELoss { reduction: a.reduction() };
        binary_cross_entropy(&a.floats(shape), &a.floats(shape), a.maybe(shape).as_ref(), options)
    }),
    ("binary_cross_entropy_with_logits", |a, shape| {
        let (weight, pos_weight) = (a.maybe(shape), a.maybe(shape));
        let options = BCEWithLogitsLoss { reduction: a.reduction() };
        let (input, target) = (a.floats(shape), a.floats(shape));
        binary_cross_entropy_with_logits(&input, &target, weight.as_ref(), pos_weight.as_ref(), options)
    }),
    ("cosine_embedding_loss", |a, _| cosine_embedding_loss_of(a)),
    ("cross_entropy", |a, _| cross_entropy_of(a)),
    ("ctc_loss", |a, _| ctc_loss_of(a)),
    ("gaussian_nll_loss", |a, shape| {
        let options = GaussianNLLLoss { full: a.flag(), eps: a.number(), reduction: a.reduction() };
        gaussian_nll_loss(&a.floats(shape), &a.floats(shape), &a.floats(shape), options)
    }),
    ("hinge_embedding_loss", |a, shape| {
        let options = HingeEmbeddingLoss { margin: a.number(), reduction: a.reduction() };
        hinge_embedding_loss(&a.floats(shape), &a.floats(shape), options)
    }),
    ("huber_loss", |a, shape| {
        let options = HuberLoss { delta: a.number(), reduction: a.reduction() };
        huber_loss(&a.floats(shape), &a.floats(shape), a.maybe(shape).as_ref(), options)
    }),
    ("kl_div", |a, shape| {
        let options = KLDivLoss { log_target: a.flag(), reduction: KLDivReduction::ALL[a.random.usize(..4)] };
        kl_div(&a.floats(shape), &a.floats(shape), options)
    }),
    ("l1_loss", |a, shape| {
        let options = L1Loss { reduction: a.reduction() };
        l1_loss(&a.floats(shape), &a.floats(shape), a.maybe(shape).as_ref(), options)
    }),
    ("linear_cross_entropy", |a, _| linear_cross_entropy_of(a)),
    ("margin_ranking_loss", |a, shape| {
        let options = MarginRankingLoss { margin: a.number(), reduction: a.reduction() };
        margin_ranking_loss(&a.floats(shape), &a.floats(shape), &a.floats(shape), options)
    }),
    ("mse_loss", |a, shape| {
        let options = MSELoss { reduction: a.reduction() };
        mse_loss(&a.floats(shape), &a.floats(shape), a.maybe(shape).as_ref(), options)
    }),
    ("multi_margin_loss", |a, _| multi_margin_loss_of(a)),
    ("multilabel_margin_loss", |a, shape| {
        let options = MultiLabelMarginLoss { reduction: a.reduction() };
        multilabel_margin_loss(&a.floats(shape), &a.indices(shape), options)
    }),
    ("multilabel_soft_margin_loss", |a, shape| {
        let options = MultiLabelSoftMarginLoss { reduction: a.reduction() };
        multilabel_soft_margin_loss(&a.floats(shape), &a.floats(shape), a.maybe(shape).as_ref(), options)
    }),
    ("nll_loss", |a, _| nll_loss_of(a)),
    ("poisson_nll_loss", |a, shape| {
        let (log_input, full, eps) = (a.flag(), a.flag(), a.number());
        let options = PoissonNLLLoss { log_input, full, eps, reduction: a.reduction() };
        poisson_nll_loss(&a.floats(shape), &a.floats(shape), options)
    }),
    ("smooth_l1_loss", |a, shape| {
        let options = SmoothL1Loss { beta: a.number(), reduction: a.reduction() };
        smooth_l1_loss(&a.floats(shape), &a.floats(shape), options)
    }),
    ("soft_margin_loss", |a, shape| {
        let options = SoftMarginLoss { reduction: a.reduction() };
        soft_margin_loss(&a.floats(shape), &a.floats(shape), options)
    }),
    ("triplet_margin_loss", |a, shape| {
        let (margin, p, eps) = (a.number(), a.number(), a.number());
        let options = TripletMarginLoss { margin, p, eps, swap: a.flag(), reduction: a.reduction() };
        triplet_margin_loss(&a.floats(shape), &a.floats(shape), &a.floats(shape), options)
    }),
    ("triplet_margin_with_distance_loss", |a, shape| {
        let (distance_function, margin, swap) = (a.distance_function(), a.number(), a.flag());
        let options = TripletMarginWithDistanceLoss { distance_function, margin, swap, reduction: a.reduction() };
        triplet_margin_with_distance_loss(&a.floats(shape), &a.floats(shape), &a.floats(shape), options)
    }),
];

#[test]
fn no_arguments_make_a_loss_panic() {
    for (name, loss) in LOSSES {
        let mut random = Rng::with_seed(1);
        let mut accepted = 0;
        for _ in 0..CALLS {
            let mut arguments = Arguments::new(random.fork());
            let shape = arguments.shape();
            let call = || loss(&mut arguments, shape)?.backward();
            match catch_unwind(AssertUnwindSafe(call)) {
                Ok(outcome) => accepted += usize::from(outcome.is_ok()),
                Err(_) => panic!("{name} panics, for the tensors {}", arguments.drawn.join("; ")),
            }
        }
        // Otherwise the test would not reach what follows the checks.
        assert!(accepted >= CALLS / 100, "{name} accepts {accepted} of {CALLS} arguments, expected more");
    }
}
