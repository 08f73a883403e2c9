//! The rules by which a number may be other than the exact one, each on both sides of its limits.

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::format::case_of;
use losscheck::case::{Answer, Case, Expected};
use losscheck::judge::oracle;
use losscheck::judge::ulp::distance;
use losscheck::judge::verdict::{DifferenceKind, Verdict, both, count};
use losscheck::judge::{Judge, MeasuredAt, bounds::Bounds, judge, judge_expected};
use losscheck::loss::Output;
use losscheck::tensor::{DType, Data, Tensor};
use losscheck_reference::{DoubleDouble, Real};
use serde_json::{Value, json};

const GRADIENT: Output = Output::Gradient("input");

/// The magnitude above which an intermediate result of f32 may overflow.
const NEAR_LARGEST: f64 = f32::MAX as f64 / 16_777_216.0;

/// Returns a case of a loss on vectors.
fn case(dtype: &str, loss: &str, options: Value, inputs: &[(&str, Value)]) -> Case {
    let mut case = json!({"id": "mine", "loss": loss, "options": options, "inputs": {}});
    for (name, data) in inputs {
        let tensor = json!({"dtype": dtype, "shape": [data.as_array().map_or(0, Vec::len)], "data": data});
        match *name {
            "cotangent" => case["cotangent"] = tensor,
            name => case["inputs"][name] = tensor,
        }
    }
    case_of(&case).unwrap_or_else(|message| panic!("{case}: {message}"))
}

/// Returns a case without a reduction.
fn each(dtype: &str, loss: &str, inputs: &[(&str, Value)]) -> Case {
    case(dtype, loss, json!({"reduction": "none"}), inputs)
}

/// Returns the verdict on the right answer with one number replaced.
fn verdict(case: &Case, output: Output, at: usize, number: f64) -> Verdict {
    let Outcome::Answer(mut answer) = Reference.evaluate(case) else { panic!("{case:?}: no answer") };
    let tensor = answer.output(output).expect("an output of the loss");
    let numbers = tensor.to_f64().into_iter().enumerate().map(|(index, x)| if index == at { number } else { x });
    let tensor = tensor.with_elements(numbers).expect("as many elements as before");
    match output {
        Output::Value => answer.value = tensor,
        Output::Gradient(name) => drop(answer.gradients.insert(name.to_owned(), tensor)),
    }
    judge(case, &oracle::evaluate(case), &Outcome::Answer(answer))
}

fn agrees(case: &Case, output: Output, at: usize, number: f64) -> bool {
    matches!(verdict(case, output, at, number), Verdict::Agrees)
}

fn mse(dtype: &str, input: &[f64]) -> Case {
    each(dtype, "mse_loss", &[("input", json!(input)), ("target", json!(vec![0; input.len()]))])
}

#[test]
fn a_part_near_the_end_of_the_range_may_overflow_and_no_other() {
    let case = mse("f32", &[1.5e19, 1.0]);
    assert!(agrees(&case, Output::Value, 0, f64::INFINITY) && agrees(&case, Output::Value, 0, f64::NAN));
    assert!(!agrees(&case, Output::Value, 0, 1e30) && !agrees(&case, Output::Value, 0, -1e38));
    assert!(!agrees(&case, Output::Value, 1, f64::INFINITY) && !agrees(&case, Output::Value, 1, f64::NAN));
    let inputs = [("input", json!([1.5e19, 1])), ("target", json!([0, 0]))];
    let mean = self::case("f32", "mse_loss", json!({}), &inputs);
    assert!(agrees(&mean, Output::Value, 0, f64::INFINITY) && !agrees(&mean, GRADIENT, 1, f64::INFINITY));
}

#[test]
fn a_case_that_does_not_divide_overflows_no_more_than_another() {
    let tensor = |dtype: &str, shape: &[usize], data: Value| json!({"dtype": dtype, "shape": shape, "data": data});
    let lengths = |lengths: [i64; 2]| tensor("i64", &[2], json!(lengths));
    let inputs = json!({
        "log_probs": tensor("f32", &[2, 2, 3], json!(vec![-1.0; 12])), "targets": tensor("i64", &[3], json!([1, 2, 1])),
        "input_lengths": lengths([2, 2]), "target_lengths": lengths([2, 1]),
    });
    let case = case_of(&json!({"id": "mine", "loss": "ctc_loss", "options": {}, "inputs": inputs})).expect("a case");
    assert!(!agrees(&case, Output::Value, 0, f64::INFINITY));
}

#[test]
fn the_end_of_the_range_is_near_within_a_power_of_two() {
    let overflows = |case: &Case| agrees(case, Output::Value, 0, f64::INFINITY);
    // 2^-24 of the largest number of f32 is 2.03e31, and 2^-4 of that of f16 is 4094.
    assert!(!overflows(&mse("f32", &[4e15])) && overflows(&mse("f32", &[5e15])));
    assert!(!overflows(&mse("f16", &[63.0])) && overflows(&mse("f16", &[65.0])));
    let l1 = |x: f64| each("f32", "l1_loss", &[("input", json!([x])), ("target", json!([0]))]);
    assert!(!overflows(&l1(NEAR_LARGEST)) && overflows(&l1(2.1e31)));
}

#[test]
fn a_cotangent_near_the_end_of_the_range_overflows_its_part() {
    let inputs = [("input", json!([1, 1])), ("target", json!([0, 0])), ("cotangent", json!([3e31, NEAR_LARGEST]))];
    let case = each("f32", "l1_loss", &inputs);
    assert!(agrees(&case, GRADIENT, 0, f64::INFINITY));
    assert!(!agrees(&case, GRADIENT, 1, f64::INFINITY));
}

#[test]
fn where_the_oracle_overflows_a_number_of_f64_may_be_any_and_a_narrower_one_near_the_end() {
    assert!(agrees(&mse("f64", &[1e200]), Output::Value, 0, 5.0));
    let poisson = |logits: &[f64], reduction: &str| {
        let inputs = [("input", json!(logits)), ("target", json!(vec![1; logits.len()]))];
        case("f32", "poisson_nll_loss", json!({"reduction": reduction}), &inputs)
    };
    let beyond = poisson(&[800.0], "none");
    assert!(agrees(&beyond, Output::Value, 0, 3e38) && agrees(&beyond, Output::Value, 0, f64::INFINITY));
    assert!(!agrees(&beyond, Output::Value, 0, 1.0) && !agrees(&beyond, Output::Value, 0, NEAR_LARGEST));
    assert!(!agrees(&poisson(&[800.0], "sum"), Output::Value, 0, 1.0));
    // Every loss is finite and their sum is not.
    assert!(agrees(&poisson(&[709.7; 3], "sum"), Output::Value, 0, 1.0));
    assert!(!agrees(&poisson(&[709.7; 3], "none"), Output::Value, 0, 1.0));
}

#[test]
fn a_tiny_variance_overflows_in_f64() {
    let gaussian = |var: f64| {
        let inputs = [("input", json!([1])), ("target", json!([0])), ("var", json!([var]))];
        case("f64", "gaussian_nll_loss", json!({"reduction": "none", "eps": 1e-300}), &inputs)
    };
    let gradient = Output::Gradient("var");
    assert!(agrees(&gaussian(1e-160), gradient, 0, -1e300));
    assert!(!agrees(&gaussian(1e-140), gradient, 0, -1e300));
}

#[test]
fn a_tiny_rate_overflows_in_f64() {
    let poisson = |rate: f64| {
        let inputs = [("input", json!([rate])), ("target", json!([1]))];
        case("f64", "poisson_nll_loss", json!({"log_input": false, "eps": 0, "reduction": "none"}), &inputs)
    };
    let gradient = Output::Gradient("input");
    assert!(agrees(&poisson(1e-310), gradient, 0, 1e300) && agrees(&poisson(1e-310), gradient, 0, f64::NAN));
    assert!(!agrees(&poisson(1e-140), gradient, 0, f64::NEG_INFINITY));
    // The logarithm of the rate is no divisor.
    let inputs = [("input", json!([1e-310])), ("target", json!([1]))];
    let logarithm = case("f64", "poisson_nll_loss", json!({"reduction": "none"}), &inputs);
    assert!(!agrees(&logarithm, gradient, 0, f64::NEG_INFINITY));
}

#[test]
fn tiny_numbers_of_f64_may_be_any_that_are_as_small() {
    // Products of double-double numbers lose digits below 2.9e-275.
    assert!(agrees(&mse("f64", &[1e-140]), Output::Value, 0, 0.0));
    assert!(agrees(&mse("f64", &[1e-140]), Output::Value, 0, 2e-275));
    let limit = f64::MIN_POSITIVE * 2f64.powi(110);
    assert!(!agrees(&mse("f64", &[1e-140]), Output::Value, 0, limit));
    assert!(!agrees(&mse("f64", &[1e-135]), Output::Value, 0, 0.0));
    assert!(!agrees(&mse("f32", &[1e-20]), Output::Value, 0, 0.0));
}

#[test]
fn a_slope_may_jump_at_its_kink_and_nowhere_else() {
    let hinge = |input: f64| each("f32", "hinge_embedding_loss", &[("input", json!([input])), ("target", json!([-1]))]);
    // The numbers next to the margin.
    for beside in [hinge(0.999_999_94), hinge(1.000_000_1)] {
        for slope in [0.0, -1.0] {
            assert!(agrees(&beside, GRADIENT, 0, slope), "{slope}");
        }
        for slope in [1.25, 1.0 + 1e-5, -2.0 - 1e-5, -2.25] {
            assert!(!agrees(&beside, GRADIENT, 0, slope), "{slope}");
        }
    }
    assert!(!agrees(&hinge(0.999_999_94), GRADIENT, 0, 1.0));
    assert!(!agrees(&hinge(0.5), GRADIENT, 0, 0.0) && !agrees(&hinge(1.5), GRADIENT, 0, -1.0));
}

/// Returns a case of adaptive log-softmax with classes 0 and 1 in the head, and 2, 3 and 4 in a tail. The first sample gives
/// classes 0 and 1 almost the same score, and the second one chooses class 2.
fn adaptive(result: &str, scale: f64) -> Case {
    let tensor = |shape: [usize; 2], data: &[f64]| json!({"dtype": "f32", "shape": shape, "data": data});
    let case = json!({
        "id": "mine", "loss": "adaptive_log_softmax_with_loss",
        "options": {"cutoffs": [2], "div_value": 1.0, "in_features": 1, "n_classes": 5, "result": result},
        "inputs": {
            "input": tensor([2, 1], &[scale, -scale]),
            "head.weight": tensor([3, 1], &[2.0, 1.999_999_9, -5.0]),
            "tail.0.0.weight": tensor([1, 1], &[1.0]),
            "tail.0.1.weight": tensor([3, 1], &[1.0, 2.0, 3.0]),
        },
    });
    case_of(&case).unwrap_or_else(|message| panic!("{case}: {message}"))
}

#[test]
fn a_chosen_class_is_as_far_off_as_it_is_less_likely() {
    let exact = oracle::evaluate(&adaptive("predict", 1.0)).expect("a case that the loss accepts");
    let candidates = exact.argmax_candidates().expect("an answer of indices");
    let best: Vec<f64> = exact.results.value.iter().map(|class| class.to_f64()).collect();
    assert_eq!(best, [0.0, 2.0]);
    let of_classes = oracle::evaluate(&adaptive("log_prob", 1.0)).expect("a case that the loss accepts");
    let (log_probs, scales): (Vec<_>, Vec<_>) =
        of_classes.results.value.iter().zip(&of_classes.error_scale().value).map(|(&x, &scale)| (x, scale)).unzip();
    for (row, &best) in best.iter().enumerate() {
        for class in 0..5 {
            let (at, of_best) = (row * 5 + class, row * 5 + best as usize);
            let scale = scales[at] + scales[of_best];
            let expected = distance(DType::F32, log_probs[of_best], scale, log_probs[at].to_f64());
            let expected = if class as f64 == best { Some(0.0) } else { expected };
            let found = candidates.distance(row, DoubleDouble::from_f64(best), class as f64);
            assert_eq!(found, expected, "row {row}, class {class}");
        }
        for no_class in [-1.0, 0.5, 5.0, f64::NAN, f64::INFINITY] {
            assert_eq!(candidates.distance(row, DoubleDouble::from_f64(best), no_class), None, "{no_class}");
        }
    }
}

#[test]
fn a_class_may_be_chosen_that_is_almost_as_likely() {
    let case = adaptive("predict", 1.0);
    assert!(agrees(&case, Output::Value, 0, 1.0));
    assert!(!agrees(&case, Output::Value, 0, 2.0) && !agrees(&case, Output::Value, 1, 1.0));
    // Scores that overflow choose any.
    assert!(agrees(&adaptive("predict", 1e32), Output::Value, 0, 2.0));
}

#[test]
fn a_cluster_whose_tail_is_nan_is_chosen_by_its_score_in_the_head() {
    let with = |input: f64, score_of_cluster: f64| {
        let mut case = adaptive("predict", 1.0);
        let mut set = |name: &str, numbers: &[f64]| {
            let tensor = case.inputs[name].with_elements(numbers.iter().copied()).expect("as many elements");
            case.inputs.insert(name.to_owned(), tensor);
        };
        set("input", &[input, -1.0]);
        set("head.weight", &[2.0, 1.0, score_of_cluster]);
        set("tail.0.1.weight", &[f64::NAN, 2.0, 3.0]);
        case
    };
    let near = with(1.0, 2.000_000_2);
    assert!(agrees(&near, Output::Value, 0, 2.0) && agrees(&near, Output::Value, 0, 0.0));
    // Neither a less likely class, nor another of the same cluster.
    assert!(!agrees(&near, Output::Value, 0, 1.0) && !agrees(&near, Output::Value, 0, 3.0));
    // Class 0 is chosen, and the cluster is as likely.
    let below = with(1.0, 1.999_999_8);
    assert!(agrees(&below, Output::Value, 0, 0.0) && agrees(&below, Output::Value, 0, 2.0));
    for far in [with(1.0, 3.0), with(f64::NAN, 2.0)] {
        assert!(agrees(&far, Output::Value, 1, 1.0) && !agrees(&far, Output::Value, 1, 2.0));
        assert!(!agrees(&far, Output::Value, 0, 1.0));
    }
    assert!(!agrees(&with(1.0, 3.0), Output::Value, 0, 0.0));
}

#[test]
fn a_difference_says_which_output_it_is_of_and_of_which_kind() {
    let case = mse("f64", &[f64::MAX, 2.0]);
    let kind = |at, number| verdict(&case, Output::Value, at, number).differences().first().map(|it| it.kind);
    assert_eq!(kind(1, 0.0), Some(DifferenceKind::Zero));
    assert_eq!(kind(1, 5.0), Some(DifferenceKind::Off));
    let infinite = each("f64", "l1_loss", &[("input", json!(["Infinity"])), ("target", json!([0]))]);
    let finite = verdict(&infinite, Output::Value, 0, 5.0);
    assert_eq!(finite.differences()[0].kind, DifferenceKind::Finite);
    let zero = verdict(&infinite, Output::Value, 0, 0.0);
    assert_eq!(zero.differences()[0].kind, DifferenceKind::Finite);

    let Outcome::Answer(mut answer) = Reference.evaluate(&case) else { panic!("no answer") };
    answer.value = Tensor::new(vec![2, 1], Data::F64(answer.value.to_f64())).expect("as many elements");
    let verdict = judge(&case, &oracle::evaluate(&case), &Outcome::Answer(answer));
    let [of_shape] = verdict.differences() else { panic!("{verdict:?}") };
    assert_eq!((of_shape.kind, of_shape.output), (DifferenceKind::Shape, Some(Output::Value)));
    assert_eq!(of_shape.message, "value: shape [2, 1], expected [2]");
}

#[test]
fn errors_are_printed_with_the_digits_that_matter() {
    let inf = f64::INFINITY;
    for (ulps, text) in [(0.123, "0.12"), (99.99, "99.99"), (100.0, "100"), (99_999.0, "99999"), (1e5, "1.0e5")] {
        assert_eq!(count(ulps), text);
    }
    for (ulps, plain, text) in [
        (0.501, 0.502, Some("0.50 ULPs")),
        (1.0, 2.0, Some("1.00 ULPs at scale, 2.00 plain")),
        (1.0, inf, Some("1.00 ULPs at scale")),
        (inf, 2.0, Some("2.00 plain ULPs")),
        (inf, inf, None),
    ] {
        assert_eq!(both(ulps, plain).as_deref(), text, "{ulps} {plain}");
    }
}

#[test]
fn a_scale_overflows_beyond_the_largest_number() {
    let largest = DType::F32.format().largest;
    for actual in [f64::NAN, f64::INFINITY] {
        let at = |scale: f64| distance(DType::F32, DoubleDouble::from_f64(1.0), DoubleDouble::from_f64(scale), actual);
        assert_eq!((at(largest), at(1.01 * largest)), (None, Some(0.0)), "{actual}");
    }
}

#[test]
fn large_cases_are_judged_by_f64_as_they_would_be_exactly() {
    let numbers = |at: f64| -> Vec<f64> { (0..2048).map(|i| f64::from(i * 37 % 101) / 64.0 + at).collect() };
    for dtype in [DType::F32, DType::F64] {
        for (input, target) in [(numbers(0.25), numbers(8.0)), (numbers(0.25), numbers(0.0))] {
            let case = case(dtype.name(), "mse_loss", json!({}), &[("input", json!(input)), ("target", json!(target))]);
            let (exact, bounds) = (oracle::evaluate(&case), Bounds::of([&case]));
            let quick = Judge::new(&case, &bounds);
            let Outcome::Answer(right) = Reference.evaluate(&case) else { panic!("no answer") };
            let compare = |value: Tensor| {
                let outcome = Outcome::Answer(Answer { value, ..right.clone() });
                let (quick, full) = (quick.judge(&outcome), judge(&case, &exact, &outcome));
                assert_eq!(format!("{quick:?}"), format!("{full:?}"), "{outcome:?}");
                // As if it were stored, with the value alone.
                let Outcome::Answer(answer) = outcome else { return };
                let alone = Answer { gradients: Default::default(), ..answer };
                let stored = Case { expected: Some(Expected::Answer(alone)), ..case.clone() };
                let (quick, full) = (Judge::new(&stored, &bounds).judge_expected(), judge_expected(&stored, &exact));
                assert_eq!(format!("{quick:?}"), format!("{full:?}"), "{stored:?}");
            };
            let x = right.value.to_f64()[0];
            let with = |x: f64| right.value.with_elements([x].into_iter()).expect("a scalar");
            let off = (-12..=12).map(|ulps| x + f64::from(ulps) * dtype.format().ulp(x));
            off.chain([-x, 0.0, f64::NAN, f64::INFINITY]).for_each(|x| compare(with(x)));
            compare(Tensor::new(vec![1], right.value.data().clone()).expect("one element"));
        }
    }
}

#[test]
fn an_answer_near_the_reference_is_not_right_in_plain_ulps() {
    // What is added up all but cancels out.
    let target: Vec<f64> = (1..=2048).map(f64::from).collect();
    let input: Vec<f64> =
        (1..=2048).map(|i| f64::from(i).ln() + if i % 2 == 0 { 1e-3 } else { -1e-3 } / f64::from(i)).collect();
    let inputs = [("input", json!(input)), ("target", json!(target))];
    for dtype in [DType::F32, DType::F64] {
        let case = case(dtype.name(), "kl_div", json!({"reduction": "sum"}), &inputs);
        let Outcome::Answer(mut answer) = Reference.evaluate(&case) else { panic!("no answer") };
        if dtype == DType::F32 {
            answer.value =
                answer.value.with_elements([answer.value.to_f64()[0] * 1.001].into_iter()).expect("a scalar");
        }
        let outcome = Outcome::Answer(answer);
        let judge = |at| Judge::new(&case, &Bounds::of([&case])).measuring_at(at).judge(&outcome);
        assert!(matches!(judge(MeasuredAt::ErrorScale), Verdict::Agrees), "{:?}", judge(MeasuredAt::ErrorScale));
        assert!(matches!(judge(MeasuredAt::ExactNumber), Verdict::Differs { .. }), "{dtype}");
    }
}
