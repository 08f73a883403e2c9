//! What the losses of elements round: in f32, terms that may cancel are worked out in f64 and rounded once.

use std::ops::Range;

use losscheck_reference::{
    BCEWithLogitsLoss, DoubleDouble, Error, GaussianNLLLoss, HingeEmbeddingLoss, HuberLoss, KLDivLoss, KLDivReduction,
    L1Loss, Loss, MSELoss, MarginRankingLoss, PoissonNLLLoss, Real, Reduction, SmoothL1Loss, SoftMarginLoss,
};
use ndarray::{Array1, ArrayD, s};

const COUNT: usize = 2000;

/// Numbers with all the digits of f32 between two bounds, for each `seed` others.
fn scattered<R: Real>(seed: u64, low: f32, high: f32) -> Array1<R> {
    let number = |at: u64| {
        let bits = (at + 1).wrapping_mul(seed.wrapping_mul(2) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        low + (high - low) * (bits as f32 / (1 << 24) as f32)
    };
    (0..COUNT as u64).map(|at| R::from_f64(f64::from(number(at)))).collect()
}

/// Value and gradients of every element as f64.
type Results = Vec<Vec<f64>>;

fn results<R: Real, const K: usize>(evaluated: Result<(ArrayD<R>, [ArrayD<R>; K]), Error>) -> Results {
    let (value, gradients) = evaluated.expect("good input");
    [value].iter().chain(&gradients).map(|array| array.iter().map(|x| x.to_f64()).collect()).collect()
}

/// Every loss whose terms may cancel, with options that are no numbers of f32, on the elements of a range.
fn evaluated<R: Real>(reduction: Reduction, range: Range<usize>) -> Vec<(&'static str, Results)> {
    let numbers = |seed, low, high| scattered::<R>(seed, low, high).slice_move(s![range.clone()]).into_dyn();
    let (x, t) = (numbers(1, -2.0, 2.0), numbers(2, -0.3, 0.3));
    let (rate, count) = (numbers(3, 0.1, 4.0), numbers(4, 1.1, 4.0));
    let label = t.mapv(|t| if t > R::ZERO { R::ONE } else { -R::ONE });
    let kl_div = |log_target| {
        let reduction = if reduction == Reduction::None { KLDivReduction::None } else { KLDivReduction::Sum };
        KLDivLoss { log_target, reduction }
    };
    let gaussian_nll = GaussianNLLLoss { reduction, ..Default::default() };
    let poisson = |log_input, full| PoissonNLLLoss { log_input, full, reduction, ..Default::default() };
    let bce = BCEWithLogitsLoss { weight: None, pos_weight: Some(rate.view()), reduction };
    let pair = || (x.view(), t.view());
    let rates = || (rate.view(), count.view());
    vec![
        ("L1", results(L1Loss { weight: None, reduction }.value_and_gradients(pair(), None))),
        ("MSE", results(MSELoss { weight: None, reduction }.value_and_gradients(pair(), None))),
        ("smooth L1", results(SmoothL1Loss { beta: 0.7, reduction }.value_and_gradients(pair(), None))),
        ("Huber", results(HuberLoss { weight: None, delta: 0.7, reduction }.value_and_gradients(pair(), None))),
        ("hinge embedding", {
            let loss = HingeEmbeddingLoss { margin: 0.7, reduction };
            results(loss.value_and_gradients((x.view(), label.view()), None))
        }),
        ("margin ranking", {
            let loss = MarginRankingLoss { margin: 0.7, reduction };
            results(loss.value_and_gradients((x.view(), t.view(), label.view()), None))
        }),
        ("KLDiv", results(kl_div(false).value_and_gradients((x.view(), rate.view()), None))),
        ("KLDiv of log-targets", results(kl_div(true).value_and_gradients(pair(), None))),
        ("Gaussian NLL", results(gaussian_nll.value_and_gradients((x.view(), t.view(), rate.view()), None))),
        ("Poisson of rates", results(poisson(false, false).value_and_gradients(rates(), None))),
        ("full Poisson", results(poisson(true, true).value_and_gradients((x.view(), count.view()), None))),
        ("full Poisson of rates", results(poisson(false, true).value_and_gradients(rates(), None))),
        ("BCE with logits and pos_weight", results(bce.value_and_gradients(pair(), None))),
    ]
}

/// By how many steps of f32 a result is off.
fn ulps(actual: f64, exact: f64) -> f64 {
    (actual - exact).abs() / (exact.abs().log2().floor() - 23.0).exp2()
}

fn worst(actual: &[f64], exact: &[f64]) -> f64 {
    assert_eq!(actual.len(), exact.len());
    let errors = actual.iter().zip(exact).filter(|(actual, exact)| actual != exact);
    // NaN is the largest.
    errors.map(|(&actual, &exact)| ulps(actual, exact)).max_by(f64::total_cmp).unwrap_or(0.0)
}

#[test]
fn what_may_cancel_is_rounded_once() {
    let every = (0..COUNT / 4).map(|at| (Reduction::Sum, 4 * at..4 * at + 4));
    for (reduction, range) in every.chain([(Reduction::None, 0..COUNT)]) {
        let exact = evaluated::<DoubleDouble>(reduction, range.clone());
        for ((loss, actual), (_, exact)) in evaluated::<f32>(reduction, range).into_iter().zip(exact) {
            for (output, (actual, exact)) in actual.iter().zip(&exact).enumerate() {
                let worst = worst(actual, exact);
                assert!(worst < 0.5001, "{loss}, {reduction:?}, output {output}: {worst} ULPs");
            }
        }
    }
}

#[test]
fn the_logistic_function_keeps_its_digits() {
    fn of_bce<R: Real>(x: &ArrayD<R>, target: f64) -> Vec<f64> {
        let target = ArrayD::from_elem(x.raw_dim(), R::from_f64(target));
        let loss = BCEWithLogitsLoss { weight: None, pos_weight: None, reduction: Reduction::None };
        let (_, gradient) = loss.value_and_gradient((x.view(), target.view()), None).expect("good input");
        gradient.iter().map(|x| x.to_f64()).collect()
    }
    fn of_soft_margin<R: Real>(x: &ArrayD<R>) -> Vec<f64> {
        let target = ArrayD::from_elem(x.raw_dim(), R::ONE);
        let loss = SoftMarginLoss { reduction: Reduction::None };
        let (_, gradient) = loss.value_and_gradient((x.view(), target.view()), None).expect("good input");
        gradient.iter().map(|x| x.to_f64()).collect()
    }
    // sigmoid(x), or for a target of 1/2 what that is more than 1/2. The exponential alone is within 0.88 ULPs, e^x - 1
    // within 1.1; the sum and the quotient after them lose next to nothing.
    for (low, high, target, most) in
        [(-10.0, -0.5, 0.0, 1.1), (0.5, 10.0, 0.0, 0.85), (0.0, 0.5, 0.5, 1.55), (-0.5, 0.0, 0.5, 1.65)]
    {
        let (actual, exact) =
            (scattered::<f32>(5, low, high).into_dyn(), scattered::<DoubleDouble>(5, low, high).into_dyn());
        let worst = worst(&of_bce(&actual, target), &of_bce(&exact, target));
        assert!(worst < most, "{low} to {high}, target {target}: {worst} ULPs");
    }
    let (actual, exact) =
        (scattered::<f32>(6, -10.0, 10.0).into_dyn(), scattered::<DoubleDouble>(6, -10.0, 10.0).into_dyn());
    let worst = worst(&of_soft_margin(&actual), &of_soft_margin(&exact));
    assert!(worst < 1.2, "soft margin: {worst} ULPs");
}

#[test]
fn a_prediction_that_is_all_but_right_keeps_the_digits_of_its_gradient() {
    fn scalar<R: Real>(x: f64) -> ArrayD<R> {
        ArrayD::from_elem(vec![], R::from_f64(x))
    }
    fn gradients<R: Real>(x: f64) -> [f64; 3] {
        let (x, half, one, reduction) = (scalar::<R>(x), scalar::<R>(0.5), scalar::<R>(1.0), Reduction::None);
        let bce = |pos_weight| BCEWithLogitsLoss { weight: None, pos_weight, reduction };
        let poisson = PoissonNLLLoss { reduction, ..Default::default() };
        [
            bce(None).value_and_gradient((x.view(), half.view()), None),
            bce(Some(one.view())).value_and_gradient((x.view(), half.view()), None),
            poisson.value_and_gradient((x.view(), one.view()), None),
        ]
        .map(|evaluated| evaluated.expect("good input").1[[].as_slice()].to_f64())
    }
    for x in [1e-3, -1e-3, 1e-10, -1e-10, 0.3, -0.3] {
        for (loss, (actual, exact)) in gradients::<f64>(x).into_iter().zip(gradients::<DoubleDouble>(x)).enumerate() {
            assert!((actual / exact - 1.0).abs() < 4.0 * f64::EPSILON, "loss {loss}, {x}: {actual:e}, exact {exact:e}");
        }
    }
}

#[test]
fn a_quotient_by_a_small_rate_stays_in_range() {
    // (x - t) / x times the cotangent: the quotient is out of range, then that of the cotangent is.
    for (rate, count, cotangent, exact) in [
        (f64::MIN_POSITIVE / 256.0, 1.0, 2f64.powi(-20), -2f64.powi(1010)),
        (2f64.powi(-1000), 2f64.powi(-1000) * (1.0 + 1.0 / 1024.0), 2f64.powi(900), -2f64.powi(890)),
    ] {
        let [rate, count, cotangent] = [rate, count, cotangent].map(|number| ArrayD::from_elem(vec![], number));
        let loss = PoissonNLLLoss { log_input: false, eps: 0.0, ..Default::default() };
        let evaluated = loss.value_and_gradient((rate.view(), count.view()), Some(cotangent.view()));
        assert_eq!(evaluated.expect("good input").1[[].as_slice()], exact);
    }
}
