//! What the losses of elements round: in f32, terms that may cancel are worked out in f64 and rounded once.

use std::ops::Range;

use losscheck_reference::{
    BCEWithLogitsLoss, Call, DoubleDouble, GaussianNLLLoss, HingeEmbeddingLoss, HuberLoss, KLDivLoss, KLDivReduction,
    L1Loss, Loss, MSELoss, MarginRankingLoss, PoissonNLLLoss, Real, Reduction, SmoothL1Loss, SoftMarginLoss,
    binary_cross_entropy_with_logits, gaussian_nll_loss, hinge_embedding_loss, huber_loss, kl_div, l1_loss,
    margin_ranking_loss, mse_loss, poisson_nll_loss, smooth_l1_loss, soft_margin_loss,
};
use ndarray::{Array1, arr0, s};

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

fn results<O: Loss<R, I, K>, I, R: Real, const K: usize>(call: Call<O, I, R, K>) -> Results {
    let (value, gradients) = call.value_and_gradients(None).expect("good input");
    [value].iter().chain(&gradients).map(|array| array.iter().map(|x| x.to_f64()).collect()).collect()
}

/// Every loss whose terms may cancel, with options that are no numbers of f32, on the elements of a range.
fn evaluated<R: Real>(reduction: Reduction, range: Range<usize>) -> Vec<(&'static str, Results)> {
    let numbers = |seed, low, high| scattered::<R>(seed, low, high).slice_move(s![range.clone()]);
    let (x, t) = (numbers(1, -2.0, 2.0), numbers(2, -0.3, 0.3));
    let (rate, count) = (numbers(3, 0.1, 4.0), numbers(4, 1.1, 4.0));
    let label = t.mapv(|t| if t > R::ZERO { R::ONE } else { -R::ONE });
    let of_kl_div = |log_target| {
        let reduction = if reduction == Reduction::None { KLDivReduction::None } else { KLDivReduction::Sum };
        KLDivLoss { log_target, reduction }
    };
    let gaussian = GaussianNLLLoss { reduction, ..Default::default() };
    let poisson = |log_input, full| PoissonNLLLoss { log_input, full, reduction, ..Default::default() };
    let hinge = HingeEmbeddingLoss { margin: 0.7, reduction };
    let ranking = MarginRankingLoss { margin: 0.7, reduction };
    let with_logits = binary_cross_entropy_with_logits(&x, &t, BCEWithLogitsLoss { reduction }).pos_weight(&rate);
    vec![
        ("L1", results(l1_loss(&x, &t, L1Loss { reduction }))),
        ("MSE", results(mse_loss(&x, &t, MSELoss { reduction }))),
        ("smooth L1", results(smooth_l1_loss(&x, &t, SmoothL1Loss { beta: 0.7, reduction }))),
        ("Huber", results(huber_loss(&x, &t, HuberLoss { delta: 0.7, reduction }))),
        ("hinge embedding", results(hinge_embedding_loss(&x, &label, hinge))),
        ("margin ranking", results(margin_ranking_loss(&x, &t, &label, ranking))),
        ("KLDiv", results(kl_div(&x, &rate, of_kl_div(false)))),
        ("KLDiv of log-targets", results(kl_div(&x, &t, of_kl_div(true)))),
        ("Gaussian NLL", results(gaussian_nll_loss(&x, &t, &rate, gaussian))),
        ("Poisson of rates", results(poisson_nll_loss(&rate, &count, poisson(false, false)))),
        ("full Poisson", results(poisson_nll_loss(&x, &count, poisson(true, true)))),
        ("full Poisson of rates", results(poisson_nll_loss(&rate, &count, poisson(false, true)))),
        ("BCE with logits and pos_weight", results(with_logits)),
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
    fn of_bce<R: Real>(x: &Array1<R>, target: f64) -> Vec<f64> {
        let target = Array1::from_elem(x.raw_dim(), R::from_f64(target));
        let options = BCEWithLogitsLoss { reduction: Reduction::None };
        let call = binary_cross_entropy_with_logits(x, &target, options);
        let (_, gradient) = call.value_and_gradient(None).expect("good input");
        gradient.iter().map(|x| x.to_f64()).collect()
    }
    fn of_soft_margin<R: Real>(x: &Array1<R>) -> Vec<f64> {
        let target = Array1::from_elem(x.raw_dim(), R::ONE);
        let call = soft_margin_loss(x, &target, SoftMarginLoss { reduction: Reduction::None });
        let (_, gradient) = call.value_and_gradient(None).expect("good input");
        gradient.iter().map(|x| x.to_f64()).collect()
    }
    // sigmoid(x), or for a target of 1/2 what that is more than 1/2. The exponential alone is within 0.88 ULPs, e^x - 1
    // within 1.1; the sum and the quotient after them lose next to nothing.
    for (low, high, target, most) in
        [(-10.0, -0.5, 0.0, 1.1), (0.5, 10.0, 0.0, 0.85), (0.0, 0.5, 0.5, 1.55), (-0.5, 0.0, 0.5, 1.65)]
    {
        let (actual, exact) = (scattered::<f32>(5, low, high), scattered::<DoubleDouble>(5, low, high));
        let worst = worst(&of_bce(&actual, target), &of_bce(&exact, target));
        assert!(worst < most, "{low} to {high}, target {target}: {worst} ULPs");
    }
    let (actual, exact) = (scattered::<f32>(6, -10.0, 10.0), scattered::<DoubleDouble>(6, -10.0, 10.0));
    let worst = worst(&of_soft_margin(&actual), &of_soft_margin(&exact));
    assert!(worst < 1.2, "soft margin: {worst} ULPs");
}

#[test]
fn a_prediction_that_is_all_but_right_keeps_the_digits_of_its_gradient() {
    fn gradients<R: Real>(x: f64) -> [f64; 3] {
        let [x, half, one] = [x, 0.5, 1.0].map(|x| arr0(R::from_f64(x)));
        let reduction = Reduction::None;
        let bce = binary_cross_entropy_with_logits(&x, &half, BCEWithLogitsLoss { reduction });
        let poisson = PoissonNLLLoss { reduction, ..Default::default() };
        [
            bce.clone().value_and_gradient(None),
            bce.pos_weight(&one).value_and_gradient(None),
            poisson_nll_loss(&x, &one, poisson).value_and_gradient(None),
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
        let [rate, count, cotangent] = [rate, count, cotangent].map(arr0);
        let options = PoissonNLLLoss { log_input: false, eps: 0.0, ..Default::default() };
        let call = poisson_nll_loss(&rate, &count, options);
        let evaluated = call.value_and_gradient(Some(cotangent.view().into_dyn()));
        assert_eq!(evaluated.expect("good input").1[[].as_slice()], exact);
    }
}
