//! The parts of a case add up to the case.

use std::collections::{BTreeMap, BTreeSet};

use losscheck::case::Case;
use losscheck::case::format::case_of;
use losscheck::case::parts::{Part, Parts};
use losscheck::case::random::RandomCases;
use losscheck::loss::{Inputs, LossExt, LossKind, LossKindExt, Output, Outputs, ValueAndGradients};
use losscheck::tensor::{Data, Tensor};
use losscheck_options::Reduction;
use serde_json::{Value, json};

const SEED: u64 = 2_507;
/// Of each loss in each dtype.
const CASES: usize = 100;

fn evaluate(case: &Case) -> Result<ValueAndGradients<f64>, String> {
    case.loss.evaluate::<f64>(&Inputs::from(case), Outputs::Gradients).map_err(|error| error.to_string())
}

fn output<'a>(results: &'a ValueAndGradients<f64>, output: Output) -> Vec<&'a f64> {
    let found = results.outputs().find(|(own, _)| *own == output);
    found.map_or_else(Vec::new, |(_, array): (_, &'a _)| array.iter().collect())
}

/// Returns what a part gives, once its cotangent is what the whole case hands to it.
fn evaluate_part(part: &Part) -> Result<ValueAndGradients<f64>, String> {
    let value = evaluate(&part.case)?.value;
    let cotangents = if part.cotangents.len() == value.len() { &part.cotangents[..] } else { &[1.0] };
    let shape = if cotangents.len() == value.len() { value.shape() } else { &[] };
    let cotangent = Tensor::new(shape.to_vec(), Data::F64(cotangents.to_vec()));
    evaluate(&Case { cotangent, ..part.case.clone() })
}

/// What the comparison of a case with its parts has found.
#[derive(Default)]
struct Comparison {
    /// The number of finite numbers that were compared.
    numbers: usize,
    wrong: Vec<String>,
}

impl Comparison {
    /// Compares the outputs of a case with what its parts add up to.
    fn of(whole: &ValueAndGradients<f64>, parts: &Parts<'_>) -> Self {
        let mut found = Self::default();
        let all: Vec<Part> = (0..parts.len()).map(|number| parts.part(number)).collect();
        let results: Result<Vec<_>, _> = all.iter().map(evaluate_part).collect();
        let results = match results {
            Ok(results) => results,
            Err(error) => {
                found.wrong.push(format!("a part is refused: {error}"));
                return found;
            }
        };
        for (name, array) in whole.outputs() {
            let mut met = BTreeSet::new();
            for (index, &expected) in array.iter().enumerate() {
                let numbers = parts.of(name, array.shape(), index);
                let at = parts.index_in_part(name, array.shape(), index);
                let terms: Vec<f64> = numbers
                    .iter()
                    .filter_map(|&number| {
                        met.insert((number, at));
                        let term = output(&results[number], name).get(at).copied()?;
                        Some(term / all[number].denominator)
                    })
                    .collect();
                if terms.len() != numbers.len() {
                    found.wrong.push(format!("{name}[{index}]: parts {numbers:?} have no number {at}"));
                    continue;
                }
                let (sum, size): (f64, f64) = (terms.iter().sum(), terms.iter().map(|term| term.abs()).sum());
                if !expected.is_finite() || !size.is_finite() {
                    continue;
                }
                found.numbers += 1;
                // What cancels out within a part leaves the rounding of what the cotangent multiplies.
                let rounding: f64 = numbers.iter().map(|&number| 1e-13 * all[number].cotangent()).sum();
                if (sum - expected).abs() > 1e-9 * size + rounding + 1e-300 {
                    found.wrong.push(format!("{name}[{index}]: {expected:e}, the sum of the parts is {sum:e}"));
                }
            }
            // Each number of each part belongs to one number of the whole.
            let is_reduced = name == Output::Value && array.len() < parts.len();
            let of_parts: usize = results.iter().map(|results| output(results, name).len()).sum();
            if !is_reduced && met.len() != of_parts {
                found.wrong.push(format!("{name}: {} of {of_parts} numbers of the parts are in it", met.len()));
            }
        }
        found
    }
}

/// Returns a case with each reduction that its loss has, and as it is.
fn reductions(case: &Case) -> Vec<Case> {
    let reduced = [Reduction::None, Reduction::Sum, Reduction::Mean].into_iter().filter_map(|it| case.reduced(it));
    reduced.chain([case.clone()]).collect()
}

#[test]
fn random_cases_are_the_sum_of_their_parts() {
    let losses = LossKind::ALL.to_vec();
    let streams: usize = losses.iter().map(|loss| loss.dtypes().len()).sum();
    let random = RandomCases { seed: SEED, count: CASES * streams, losses };
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut compared: BTreeMap<&str, usize> = BTreeMap::new();
    for draw in random.draws() {
        let drawn = draw.case();
        // Indices are no numbers.
        if drawn.loss.argmax_candidates().is_some() {
            continue;
        }
        for case in reductions(&drawn) {
            let (Ok(whole), Some(parts)) = (evaluate(&case), Parts::new(&case)) else { continue };
            let found = Comparison::of(&whole, &parts);
            let name = draw.loss.name();
            let is_divided = parts.len() > 1 && found.numbers > 0;
            *compared.entry(name).or_default() += usize::from(is_divided);
            let named = |message| format!("{} {:?}: {message}", case.id, case.loss);
            wrong.entry(name).or_default().extend(found.wrong.into_iter().map(named));
        }
    }
    wrong.retain(|_, messages| !messages.is_empty());
    let first = wrong
        .iter()
        .map(|(name, all)| format!("{name}: {} wrong\n  {}", all.len(), all[..all.len().min(6)].join("\n  ")));
    assert!(wrong.is_empty(), "{}", first.collect::<Vec<_>>().join("\n"));
    for loss in LossKind::ALL {
        let count = compared.get(loss.name()).copied().unwrap_or(0);
        assert!(count > 100, "{}: only {count} cases with several parts", loss.name());
    }
}

fn case(loss: &str, options: Value, inputs: &Value) -> Case {
    let case = json!({"id": "parts", "loss": loss, "options": options, "inputs": inputs});
    case_of(&case).unwrap_or_else(|message| panic!("{case}: {message}"))
}

fn numbers(dtype: &str, shape: &[usize], data: Value) -> Value {
    json!({"dtype": dtype, "shape": shape, "data": data})
}

#[test]
fn scores_with_more_dimensions_divide_into_the_places_of_their_target() {
    let scores: Vec<f64> = (0..12).map(f64::from).collect();
    let inputs = json!({
        "input": numbers("f64", &[2, 3, 2], json!(scores)), "target": numbers("i64", &[2, 2], json!([0, 1, 2, 0]))
    });
    let case = case("cross_entropy", json!({"reduction": "none"}), &inputs);
    let parts = Parts::new(&case).expect("a case that divides");
    assert_eq!(parts.len(), 4);
    let part = parts.part(3).case;
    assert_eq!(part.inputs["input"].to_f64(), [7.0, 9.0, 11.0]);
    assert_eq!(part.inputs["input"].shape(), [1, 3, 1]);
    assert_eq!(part.inputs["target"].to_indices(), Some(vec![0]));
    let gradient = Output::Gradient("input");
    assert_eq!((parts.of(gradient, &[2, 3, 2], 9), parts.index_in_part(gradient, &[2, 3, 2], 9)), (vec![3], 1));
    assert_eq!(parts.of(Output::Value, &[2, 2], 3), [3]);
    assert_eq!(parts.of(Output::Value, &[], 0), [0, 1, 2, 3]);
}

#[test]
fn a_tensor_that_is_broadcast_belongs_to_several_parts() {
    let inputs = json!({
        "input": numbers("f64", &[2, 3], json!([1, 2, 3, 4, 5, 6])), "target": numbers("f64", &[3], json!([0, 1, 2]))
    });
    let case = case("mse_loss", json!({}), &inputs);
    let parts = Parts::new(&case).expect("a case that divides");
    assert_eq!(parts.len(), 6);
    assert_eq!(parts.part(4).case.inputs["target"].to_f64(), [1.0]);
    assert_eq!(parts.of(Output::Gradient("target"), &[3], 1), [1, 4]);
    assert_eq!(parts.of(Output::Gradient("input"), &[2, 3], 4), [4]);
    assert_eq!((parts.part(4).denominator, parts.part(4).cotangent()), (6.0, 1.0 / 6.0));
}

#[test]
fn a_mean_of_ctc_losses_also_divides_each_by_its_length() {
    let inputs = json!({
        "log_probs": numbers("f64", &[2, 2, 3], json!(vec![-1.0; 12])),
        "targets": numbers("i64", &[2, 2], json!([1, 2, 1, 2])),
        "input_lengths": numbers("i64", &[2], json!([2, 2])), "target_lengths": numbers("i64", &[2], json!([2, 0]))
    });
    let case = case("ctc_loss", json!({}), &inputs);
    let parts = Parts::new(&case).expect("a case that divides");
    assert_eq!([0, 1].map(|number| parts.part(number).denominator), [4.0, 2.0]);
}

#[test]
fn tensors_that_do_not_say_whose_their_elements_are_do_not_divide() {
    let lengths = |lengths: [i64; 2]| numbers("i64", &[2], json!(lengths));
    let concatenated = json!({
        "log_probs": numbers("f64", &[2, 2, 3], json!(vec![-1.0; 12])), "targets": numbers("i64", &[3], json!([1, 2, 1])),
        "input_lengths": lengths([2, 2]), "target_lengths": lengths([2, 1])
    });
    assert!(Parts::new(&case("ctc_loss", json!({}), &concatenated)).is_none());
    let misfits = json!({
        "input": numbers("f64", &[2], json!([1, 2])), "target": numbers("f64", &[3], json!([0, 1, 2]))
    });
    assert!(Parts::new(&case("mse_loss", json!({}), &misfits)).is_none());
}

#[test]
fn a_case_without_a_batch_is_one_part_and_an_empty_batch_has_none() {
    let unbatched = json!({
        "log_probs": numbers("f64", &[2, 3], json!(vec![-1.0; 6])), "targets": numbers("i64", &[1], json!([1])),
        "input_lengths": numbers("i64", &[], json!([2])), "target_lengths": numbers("i64", &[], json!([1]))
    });
    let case_of_one = case("ctc_loss", json!({}), &unbatched);
    let parts = Parts::new(&case_of_one).expect("a case that divides");
    assert!(parts.len() == 1 && !parts.is_empty());
    let empty = json!({"input": numbers("f64", &[0], json!([])), "target": numbers("f64", &[0], json!([]))});
    let empty = case("mse_loss", json!({}), &empty);
    let parts = Parts::new(&empty).expect("a case that divides");
    assert!(parts.is_empty());
}

#[test]
fn a_variance_without_the_last_dimension_belongs_to_the_rows() {
    let inputs = json!({
        "input": numbers("f64", &[2, 2], json!([1, 2, 3, 4])), "var": numbers("f64", &[2], json!([5, 6])),
        "target": numbers("f64", &[3, 2, 2], json!(vec![0; 12]))
    });
    let case = case("gaussian_nll_loss", json!({}), &inputs);
    let parts = Parts::new(&case).expect("a case that divides");
    let variances: Vec<f64> =
        (0..parts.len()).map(|number| parts.part(number).case.inputs["var"].to_f64()[0]).collect();
    assert_eq!(variances, [5.0, 5.0, 6.0, 6.0].repeat(3));
}
