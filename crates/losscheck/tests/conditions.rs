//! Each condition of a deviation holds of what its reason speaks of, and of nothing beside it.

use std::collections::BTreeSet;

use losscheck::case::Case;
use losscheck::case::format::case_of;
use losscheck::case::parts::{Part, Parts};
use losscheck::deviations::conditions::{About, Condition};
use serde_json::{Value, json};

/// A case at the edge of a condition.
struct Edge {
    /// The name of the condition.
    condition: &'static str,
    /// A case for which the condition holds. `loss`, `dtype` (f32 if it is left out), `options` and `cotangent` have their usual
    /// meaning. Everything else is a tensor: see [`tensor`].
    inside: Value,
    /// What to change in that case so that the condition still holds.
    still_inside: Vec<Value>,
    /// What to change in that case so that the condition no longer holds. `null` leaves a tensor out.
    outside: Vec<Value>,
}

fn edge(condition: &'static str, inside: Value) -> Edge {
    Edge { condition, inside, still_inside: Vec::new(), outside: Vec::new() }
}

impl Edge {
    fn inside(mut self, change: Value) -> Self {
        self.still_inside.push(change);
        self
    }

    fn outside(mut self, change: Value) -> Self {
        self.outside.push(change);
        self
    }
}

/// Reads a tensor: nested lists of the dtype of the case; `{"i64": LISTS}` if it has another dtype; an object with a `shape` of
/// which a length is 0.
fn tensor(dtype: &str, value: &Value) -> Value {
    if let Some(shape) = value.get("shape") {
        return json!({"dtype": dtype, "shape": shape, "data": []});
    }
    if let Some((dtype, lists)) = value.as_object().and_then(|object| object.iter().next()) {
        return tensor(dtype, lists);
    }
    let (mut shape, mut lists) = (Vec::new(), value);
    while let Value::Array(list) = lists {
        shape.push(list.len());
        let Some(first) = list.first() else { break };
        lists = first;
    }
    let mut data = vec![value];
    for _ in &shape {
        data = data.into_iter().filter_map(Value::as_array).flatten().collect();
    }
    json!({"dtype": dtype, "shape": shape, "data": data})
}

fn case(fields: &Value) -> Case {
    let fields = fields.as_object().expect("an object");
    let dtype = fields.get("dtype").and_then(Value::as_str).unwrap_or("f32");
    let mut case = json!({"id": "edge", "loss": fields["loss"], "inputs": {}});
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "loss" | "dtype" => {}
            "options" => case["options"] = value.clone(),
            "cotangent" => case["cotangent"] = tensor(dtype, value),
            input => case["inputs"][input] = tensor(dtype, value),
        }
    }
    case_of(&case).unwrap_or_else(|message| panic!("{case}: {message}"))
}

fn changed(fields: &Value, change: &Value) -> Value {
    let mut fields = fields.clone();
    for (name, value) in change.as_object().into_iter().flatten() {
        fields[name] = value.clone();
    }
    fields
}

/// Returns of which parts of a case a condition holds, as the policy applies it.
fn holds(condition: &Condition, case: &Case) -> Vec<bool> {
    match (condition.about, Parts::new(case)) {
        (About::Part, Some(parts)) => (0..parts.len()).map(|number| condition.holds(&parts.part(number))).collect(),
        (About::Part | About::Case, _) => vec![condition.holds(&Part::whole(case))],
    }
}

fn edges() -> Vec<Edge> {
    let groups = [general(), integers(), elements(), poisson(), gaussian(), classes(), vectors(), ctc()];
    groups.into_iter().flatten().collect()
}

fn general() -> Vec<Edge> {
    let seventeen = vec![1.0; 17];
    let sixteen = vec![1.0; 16];
    let weighted =
        json!({"loss": "mse_loss", "dtype": "f16", "input": [5e-3, 0.0], "target": [0.0, 0.0], "weight": [1, 1]});
    vec![
        edge("empty", json!({"loss": "mse_loss", "input": {"shape": [0, 2]}, "target": [1, 2]}))
            .outside(json!({"input": [[1, 2]]})),
        edge("many_terms", json!({"loss": "mse_loss", "input": seventeen, "target": 0}))
            .outside(json!({"input": sixteen})),
        edge("sum_beyond_f16", json!({"loss": "mse_loss", "dtype": "f16", "input": [255, 24], "target": [0, 0]}))
            .outside(json!({"input": [255, 21]}))
            .outside(json!({"dtype": "f32"}))
            .outside(json!({"options": {"reduction": "sum"}})),
        edge("nonfinite_number", json!({"loss": "mse_loss", "input": ["NaN"], "target": [0]}))
            .inside(json!({"input": [1], "target": ["-Infinity"]}))
            .inside(json!({"input": [1], "cotangent": "Infinity"}))
            .outside(json!({"input": [3.4e38]})),
        edge("infinite_target", json!({"loss": "kl_div", "input": [-1], "target": ["Infinity"]}))
            .inside(json!({"target": ["-Infinity"]}))
            .outside(json!({"target": [3.4e38]}))
            .outside(json!({"target": ["NaN"]}))
            .outside(json!({"input": ["Infinity"], "target": [1]})),
        edge("subnormal_weighted_loss", weighted)
            .inside(json!({"input": [7.8e-3, 7.8e-3]}))
            .outside(json!({"input": [7.9e-3, 5e-3]}))
            .outside(json!({"input": [0, 0]}))
            .outside(json!({"weight": null}))
            .outside(json!({"options": {"reduction": "sum"}})),
        edge(
            "subnormal_share",
            json!({"loss": "mse_loss", "dtype": "f16", "input": [1, 1], "target": [0, 0], "cotangent": 1.2e-4}),
        )
        .inside(json!({"weight": [0.1, 0.1], "cotangent": 1.2e-4}))
        .inside(json!({"loss": "huber_loss", "options": {"delta": 0.1}, "cotangent": 1.2e-3}))
        .inside(json!({"loss": "kl_div", "target": [0.1, 0.1], "cotangent": 1.2e-3}))
        .inside(
            json!({"loss": "kl_div", "options": {"log_target": true}, "target": [-2.31, -2.31], "cotangent": 1.2e-3}),
        )
        .inside(json!({"loss": "multilabel_soft_margin_loss", "cotangent": 1.2e-4}))
        .outside(json!({"cotangent": 1.23e-4}))
        .outside(json!({"weight": [0.1, 0.1], "cotangent": 1.3e-3}))
        .outside(json!({"loss": "huber_loss", "options": {"delta": 0.1}, "cotangent": 1.3e-3}))
        .outside(json!({"loss": "kl_div", "target": [0.1, 0.1], "cotangent": 1.3e-3}))
        // The target of a difference is no factor.
        .outside(json!({"target": [1e-6, 1e-6], "cotangent": 1})),
    ]
}

fn elements() -> Vec<Edge> {
    let logit = |x: Value| json!({"loss": "binary_cross_entropy_with_logits", "input": [x], "target": [0.5]});
    vec![
        edge(
            "certain_probability_in_f16",
            json!({"loss": "binary_cross_entropy", "dtype": "f16", "input": [1.69e-5], "target": [0]}),
        )
        .inside(json!({"input": [1]}))
        .inside(json!({"input": [0.9995], "weight": [29]}))
        .outside(json!({"input": [1.7e-5]}))
        .outside(json!({"input": [0.9995], "weight": [28]}))
        .outside(json!({"dtype": "f32", "input": [0]})),
        edge("floored_slope", json!({"loss": "binary_cross_entropy", "dtype": "f64", "input": [1e-12], "target": [0]}))
            .inside(json!({"input": [0.999_999_999_999_1]}))
            .outside(json!({"input": [1.01e-12]}))
            .outside(json!({"dtype": "f32", "input": [0]})),
        edge("subnormal_difference", json!({"loss": "smooth_l1_loss", "input": [1.1e-38], "target": [0]}))
            .inside(json!({"input": [0.5], "cotangent": 2.3e-38}))
            .outside(json!({"input": [1.2e-38]}))
            .outside(json!({"input": [0.5], "cotangent": 2.4e-38}))
            // The slope beyond beta is 1.
            .outside(json!({"options": {"beta": 1e-39}})),
        edge(
            "subnormal_difference_in_bf16",
            json!({"loss": "huber_loss", "dtype": "bf16", "input": [1.1e-38], "target": [0]}),
        )
        .inside(json!({"loss": "mse_loss", "input": [0.5], "cotangent": 2.2e-38}))
        .outside(json!({"input": [1.2e-38]}))
        .outside(json!({"input": [0.5], "cotangent": 2.4e-38}))
        .outside(json!({"dtype": "f32"})),
        edge("subnormal_smooth_slope", json!({
            "loss": "smooth_l1_loss", "dtype": "f16", "options": {"beta": 1000}, "input": [1], "target": [0], "cotangent": 0.06
        }))
            .inside(json!({"input": [10], "cotangent": 0.006}))
            .outside(json!({"cotangent": 0.062}))
            .outside(json!({"options": {"beta": 1}}))
            .outside(json!({"dtype": "bf16"})),
        edge("infinite_logit", logit(json!("Infinity")))
            .inside(json!({"input": ["-Infinity"]}))
            .outside(json!({"input": [3.4e38]}))
            .outside(json!({"input": ["NaN"]}))
            .outside(json!({"input": [1], "target": ["Infinity"]})),
        edge(
            "infinite_weight_or_target",
            json!({"loss": "binary_cross_entropy_with_logits", "input": [1], "target": ["Infinity"]}),
        )
        .inside(json!({"target": [1], "weight": ["-Infinity"]}))
        .inside(json!({"target": [1], "pos_weight": ["Infinity"]}))
        .outside(json!({"target": [3.4e38]}))
        .outside(json!({"input": ["Infinity"], "target": [1]})),
        edge("subnormal_sigmoid", logit(json!(-88.73)))
            .inside(json!({"dtype": "f16", "input": [-88.8125]}))
            .inside(json!({"dtype": "f64", "input": [-709.79]}))
            .outside(json!({"input": [-88.72]}))
            .outside(json!({"input": [88.73]}))
            .outside(json!({"dtype": "f16", "input": [-88.6875]}))
            .outside(json!({"dtype": "f64", "input": [-709.78]})),
        edge(
            "subnormal_slope_in_bf16",
            changed(&logit(json!(-82.5)), &json!({"dtype": "bf16", "cotangent": 0.0078125, "target": [0]})),
        )
        .outside(json!({"cotangent": 0.0087890625}))
        .outside(json!({"input": [-82]}))
        .outside(json!({"dtype": "f32"}))
        .outside(json!({"target": [0.5]})),
        edge("saturated_sigmoid", logit(json!(16.63)))
            .inside(json!({"input": [-88.73]}))
            .inside(json!({"input": ["NaN"]}))
            .inside(json!({"input": [0], "target": ["Infinity"]}))
            .inside(json!({"dtype": "f64", "input": [36.74]}))
            .outside(json!({"input": [16.62]}))
            .outside(json!({"input": [-88.72]}))
            .outside(json!({"input": [0], "weight": ["Infinity"]}))
            .outside(json!({"input": [0], "cotangent": "Infinity"}))
            .outside(json!({"dtype": "f64", "input": [36.72]})),
        edge("nan_difference", json!({"loss": "l1_loss", "input": ["Infinity"], "target": ["Infinity"]}))
            .inside(json!({"input": ["NaN"], "target": [1]}))
            .outside(json!({"target": ["-Infinity"]}))
            .outside(json!({"target": [1]})),
        edge("small_logit", logit(json!(-1))).outside(json!({"input": [-1.000_001]})),
        edge("lossy_sigmoid", logit(json!(-1.000_001))).outside(json!({"input": [-1]})),
        edge("square_out_of_range", json!({"loss": "huber_loss", "input": [1.81e19], "target": [0]}))
            .inside(json!({"input": ["-Infinity"]}))
            .outside(json!({"input": [1.80e19]}))
            .outside(json!({"input": ["NaN"]})),
        edge("overflowing_exponential", json!({"loss": "soft_margin_loss", "input": [-88.72], "target": [1]}))
            .inside(json!({"dtype": "f16", "input": [-11.09]}))
            .outside(json!({"input": [-88.7]}))
            .outside(json!({"input": [88.72]}))
            .inside(json!({"input": [-44.25], "target": [2]}))
            .outside(json!({"input": [-44], "target": [2]}))
            .outside(json!({"dtype": "f16", "input": [-11.07]})),
        edge(
            "underflowing_product",
            json!({"loss": "margin_ranking_loss", "input1": [1.4e-45], "input2": [0], "target": [0.5]}),
        )
        .outside(json!({"target": [0.6]}))
        .outside(json!({"target": [0]}))
        .outside(json!({"input1": [0]}))
        .outside(json!({"options": {"margin": 0.1}})),
        edge("broadcast_target_without_logarithm", json!({"loss": "kl_div", "input": [-1, -2], "target": [-1e-45]}))
            .inside(json!({"target": ["NaN"]}))
            .outside(json!({"target": [0]}))
            .outside(json!({"target": [-1, -1]}))
            .outside(json!({"options": {"log_target": true}})),
        edge("zero_target", json!({"loss": "kl_div", "input": [-1], "target": [0]}))
            .inside(json!({"target": [-0.0]}))
            .outside(json!({"target": [1e-45]}))
            // The probability is 1.
            .outside(json!({"options": {"log_target": true}})),
        edge("invalid_delta", json!({"loss": "huber_loss", "options": {"delta": 0}, "input": [1], "target": [0]}))
            .inside(json!({"options": {"delta": -1}}))
            .outside(json!({"options": {"delta": 1e-300}})),
        edge(
            "zero_beta_at_target",
            json!({"loss": "smooth_l1_loss", "options": {"beta": 0}, "input": [1], "target": [1]}),
        )
        .outside(json!({"input": [1.000_000_1]}))
        .outside(json!({"options": {"beta": 1e-300}})),
    ]
}

fn poisson() -> Vec<Edge> {
    let rate = json!({"log_input": false});
    let of_rate = |dtype: &str, eps: f64, input: Value, target: Value| {
        json!({
            "loss": "poisson_nll_loss", "dtype": dtype, "options": {"log_input": false, "eps": eps},
            "input": input, "target": target
        })
    };
    vec![
        edge(
            "stirling_of_no_count",
            json!({"loss": "poisson_nll_loss", "options": {"full": true}, "input": [1], "target": [0]}),
        )
        .inside(json!({"target": [-1]}))
        .inside(json!({"target": ["Infinity"]}))
        .inside(json!({"target": ["NaN"]}))
        .outside(json!({"target": [1e-45]}))
        .outside(json!({"options": {}})),
        edge(
            "stirling_of_nothing",
            json!({"loss": "poisson_nll_loss", "options": {"full": true}, "input": {"shape": [0]}, "target": [1]}),
        )
        .outside(json!({"input": [1]}))
        .outside(json!({"options": {}})),
        edge(
            "rate_below_f16",
            json!({"loss": "poisson_nll_loss", "dtype": "f16", "options": rate, "input": [9.99e-5], "target": [1]}),
        )
        .inside(json!({"input": [-9.99e-5]}))
        .outside(json!({"input": [1.001e-4]}))
        .outside(json!({"dtype": "f32"}))
        .outside(json!({"options": {}}))
        // An eps that f16 can hold is not lost, and one of 0 cannot be.
        .outside(json!({"options": {"log_input": false, "eps": 1e-2}}))
        .outside(json!({"options": {"log_input": false, "eps": 0}})),
        edge("rate_of_minus_eps", of_rate("bf16", 0.01, json!([-0.01007]), json!([1])))
            .inside(json!({"dtype": "f16", "input": [-0.01]}))
            .outside(json!({"input": [-0.01013]}))
            .outside(json!({"dtype": "f32"}))
            .outside(json!({"options": {"log_input": true, "eps": 0.01}}))
            .outside(json!({"options": {"log_input": false, "eps": 0}, "input": [0]})),
        edge("broadcast_rate_near_zero", of_rate("f32", 0.0, json!([4.9e-32]), json!([1, 1])))
            .inside(json!({"input": ["NaN"]}))
            .inside(json!({"target": {"shape": [0]}}))
            .inside(json!({"dtype": "bf16", "options": {"log_input": false, "eps": 0.01}, "input": [-0.01007]}))
            .outside(json!({"dtype": "bf16", "options": {"log_input": false, "eps": 0.01}, "input": [-0.01013]}))
            .outside(json!({"options": {"log_input": false, "eps": 0.01}, "input": [-0.01007]}))
            .outside(json!({"input": [5e-32]}))
            .outside(json!({"target": [1]}))
            // The target is what is broadcast.
            .outside(json!({"input": [4.9e-32, 1], "target": [1]}))
            .outside(json!({"input": [4.9e-32], "target": [[1]]}))
            .outside(json!({"options": {"log_input": true, "eps": 0}})),
        edge("broadcast_exponential_overflow", json!({"loss": "poisson_nll_loss", "input": [88.73], "target": [1, 1]}))
            .inside(json!({"input": ["NaN"]}))
            .inside(json!({"target": {"shape": [0]}}))
            .outside(json!({"input": [88.72]}))
            .outside(json!({"target": [1]}))
            .outside(json!({"input": [88.73, 1], "target": [1]}))
            .outside(json!({"options": rate})),
        edge("subnormal_count", of_rate("f32", 0.0, json!([1]), json!([1.17e-38])))
            .inside(json!({"target": [3], "cotangent": 1.17e-38}))
            .outside(json!({"target": [1.18e-38]}))
            .outside(json!({"target": [3], "cotangent": 1.18e-38}))
            // Nothing is lost of a count of 0.
            .outside(json!({"target": [0]}))
            .outside(json!({"options": {}})),
    ]
}

fn gaussian() -> Vec<Edge> {
    let gaussian = |dtype: &str, eps: f64, input: f64, var: f64| {
        json!({
            "loss": "gaussian_nll_loss", "dtype": dtype, "options": {"eps": eps},
            "input": [input], "target": [0], "var": [var]
        })
    };
    vec![
        edge("clamped_in_f16", gaussian("f16", 1e-6, 1.0, 1.015e-6))
            .inside(json!({"var": [0]}))
            .outside(json!({"var": [1.07e-6]}))
            .outside(json!({"dtype": "f32"}))
            // This eps keeps its digits.
            .outside(json!({"options": {"eps": 0.5}})),
        edge("squared_error_out_of_range", gaussian("f32", 0.0, 1.81e19, 1.0))
            .inside(json!({"input": [1.81e9], "var": [1e-10]}))
            .inside(json!({"input": [0], "var": [3.08e-39]}))
            .outside(json!({"input": [1.8e19]}))
            .outside(json!({"input": [1.8e9], "var": [1e-10]}))
            .outside(json!({"input": [0], "var": [3.09e-39]}))
            .outside(json!({"input": [0], "var": [0], "options": {"eps": 1e-6}})),
        edge("zero_variance", gaussian("f32", 0.0, 1.0, 1.17e-38))
            .inside(json!({"var": [0]}))
            .outside(json!({"var": [1.18e-38]}))
            .outside(json!({"options": {"eps": 1e-6}})),
        edge("subnormal_cotangent", changed(&gaussian("f32", 1e-6, 1.0, 1.0), &json!({"cotangent": 1.17e-38})))
            .inside(json!({"input": [1, 1], "target": [0, 0], "var": [1, 1], "cotangent": 2.35e-38}))
            .outside(json!({"cotangent": 1.18e-38}))
            .outside(json!({"input": [1, 1], "target": [0, 0], "var": [1, 1], "cotangent": 2.36e-38})),
    ]
}

fn classes() -> Vec<Edge> {
    let weighted = |weight: Value| {
        json!({
            "loss": "cross_entropy", "input": [[1, 2], [3, 4]], "target": {"i64": [0, 1]}, "weight": weight
        })
    };
    let row = |classes: usize| json!({"loss": "cross_entropy", "input": vec![0.0; classes], "target": {"i64": 0}});
    let linear = |x: f64| {
        json!({
            "loss": "linear_cross_entropy", "input": [[x]], "linear_weight": [[1.85e19], [1]], "target": {"i64": [-100]}
        })
    };
    let smoothed = json!({"label_smoothing": 0.1});
    let adaptive = json!({
        "loss": "adaptive_log_softmax_with_loss", "dtype": "bf16",
        "options": {"cutoffs": [1], "div_value": 1, "in_features": 1, "n_classes": 2, "result": "loss"},
        "input": [["NaN"], [1]], "head.weight": [[1], [1]],
        "tail.0.0.weight": [[1]], "tail.0.1.weight": [[1]], "target": {"i64": [0, 1]}
    });
    vec![
        edge("zero_weight_sum", weighted(json!([1, -1])))
            .inside(json!({"weight": [0, 0]}))
            .inside(json!({"options": {"ignore_index": 1}, "weight": [0, 1]}))
            .outside(json!({"weight": [1, -0.999_999_9]}))
            .outside(json!({"options": {"reduction": "sum"}}))
            .outside(json!({"weight": null})),
        edge("nothing_over_nothing", changed(&weighted(json!([1, -1])), &json!({"input": [[104, 0], [0, 105]]})))
            .outside(json!({"input": [[103, 0], [0, 105]]}))
            .outside(json!({"weight": [1, -0.5]})),
        edge("underflow_over_nothing", changed(&weighted(json!([1, -1])), &json!({"input": [[104, 0], [0, 105]]})))
            .inside(json!({"input": [[1, -103], [3, -101]]}))
            .outside(json!({"input": [[103.9, 0], [0, 103.9]]}))
            .outside(json!({"weight": [1, -0.5]}))
            .outside(json!({"options": {"reduction": "sum"}})),
        edge("full_smoothing_of_infinity", json!({"loss": "cross_entropy", "options": {"label_smoothing": 1}, "input": ["-Infinity", 0], "target": {"i64": 0}}))
            .inside(json!({"input": ["NaN", 0]}))
            .outside(json!({"input": [-3.4e38, 0]}))
            .outside(json!({"options": {"label_smoothing": 0.999}})),
        edge("rounded_weight_sum", weighted(json!([1, -0.999_999_9])))
            .inside(json!({"weight": [1, -1]}))
            .outside(json!({"weight": [1, -0.999_999_8]}))
            .outside(json!({"weight": [0, 0]}))
            .outside(json!({"options": {"reduction": "sum"}})),
        edge("weight_sum_out_of_range", weighted(json!([1.71e38, 1.71e38])))
            .outside(json!({"weight": [1.7e38, 1.7e38]}))
            .outside(json!({"target": {"i64": [0, -100]}}))
            .outside(json!({"options": {"reduction": "sum"}})),
        edge("weight_sum_out_of_range", json!({"loss": "l1_loss", "input": [0, 0], "target": [1, 1], "weight": [1.71e38, 1.71e38]}))
            .outside(json!({"weight": [1.7e38, 1.7e38]}))
            .outside(json!({"options": {"reduction": "sum"}})),
        edge("infinite_weight", json!({"loss": "cross_entropy", "input": [0, 0], "target": {"i64": 0}, "weight": ["Infinity", 1]}))
            .inside(json!({"target": {"i64": 1}, "options": smoothed}))
            .inside(json!({"target": [0.0, 1.0]}))
            .outside(json!({"weight": [3.4e38, 1]}))
            // The weight of another class has no say.
            .outside(json!({"target": {"i64": 1}})),
        edge("subnormal_weighted_score", json!({"loss": "nll_loss", "input": [-1.17e-18, -1], "target": {"i64": 0}, "weight": [1e-20, 1e-40]}))
            .inside(json!({"target": {"i64": 1}}))
            .outside(json!({"input": [-1.18e-18, -1]}))
            .outside(json!({"input": [0, -1]}))
            .outside(json!({"weight": null}))
            .outside(json!({"weight": [1e-19, 1e-40]})),
        edge("smoothing_beyond_f16", json!({"loss": "cross_entropy", "dtype": "f16", "options": smoothed, "input": [65504, -100], "target": {"i64": 0}}))
            .outside(json!({"input": [65376, 0]}))
            .outside(json!({"dtype": "f32"}))
            .outside(json!({"options": {}})),
        edge("sentinel_index", json!({"loss": "nll_loss", "input": vec![0.0; 256], "target": {"u8": 255}}))
            .inside(json!({"target": {"i64": u32::MAX}}))
            .inside(json!({"target": {"i64": i64::MAX}}))
            .outside(json!({"target": {"u8": 254}}))
            .outside(json!({"target": {"i64": 255}}))
            .outside(json!({"target": {"i64": u32::MAX - 1}})),
        edge("many_classes", row(17))
            .inside(json!({"input": [vec![0.0; 17]], "target": {"i64": [0]}}))
            .inside(json!({"loss": "linear_cross_entropy", "input": [1], "linear_weight": vec![[1]; 17]}))
            .outside(json!({"input": vec![0.0; 16]}))
            .outside(json!({"input": vec![[0.0; 2]; 17], "target": {"i64": vec![0; 17]}}))
            .outside(json!({"loss": "linear_cross_entropy", "input": [1], "linear_weight": vec![[1]; 16]})),
        edge("ignored_nonfinite_row", json!({"loss": "cross_entropy", "input": [["NaN", 0]], "target": {"i64": [-100]}}))
            .inside(json!({"input": [["-Infinity", 0]]}))
            .inside(json!({"options": {"ignore_index": 1}, "target": {"i64": [1]}}))
            .outside(json!({"target": {"i64": [0]}}))
            .outside(json!({"input": [[3.4e38, 0]]}))
            .outside(json!({"options": {"ignore_index": 1}})),
        edge("ignored_score_out_of_range", linear(1.85e19))
            .inside(json!({"linear_bias": [0, -1e38]}))
            .outside(json!({"input": [[1.83e19]]}))
            .outside(json!({"target": {"i64": [0]}}))
            .outside(json!({"input": [["Infinity"]]})),
        edge("odd_row_beside_nonfinite", adaptive)
            .inside(json!({"input": [["Infinity"], [1]]}))
            .outside(json!({"input": [[3e38], [1]]}))
            .outside(json!({"dtype": "f32"}))
            .outside(json!({
                "options": {"cutoffs": [1], "div_value": 1, "in_features": 2, "n_classes": 2, "result": "loss"},
                "input": [["NaN", 1], [1, 1]], "head.weight": [[1, 1], [1, 1]],
                "tail.0.0.weight": [[1, 1]], "tail.0.1.weight": [[1]]
            })),
    ]
}

fn vectors() -> Vec<Edge> {
    let triplet = |options: Value, anchor: Value, positive: Value, negative: Value| {
        json!({
            "loss": "triplet_margin_loss", "options": options,
            "anchor": [anchor], "positive": [positive], "negative": [negative]
        })
    };
    let cosine = |dtype: &str, input1: Value| json!({"loss": "cosine_embedding_loss", "dtype": dtype, "input1": [input1], "input2": [[1, 0]], "target": [1]});
    let swap = json!({"swap": true, "eps": 0});
    vec![
        edge("nan_of_special_degree", triplet(json!({"p": 1}), json!(["NaN"]), json!([0]), json!([0])))
            .inside(json!({"options": {"p": 0}}))
            .inside(json!({"options": {"p": "Infinity"}}))
            .inside(json!({"anchor": [["Infinity"]], "positive": [["Infinity"]]}))
            .inside(json!({
                "loss": "triplet_margin_with_distance_loss", "options": {"distance_function": "manhattan"}
            }))
            .outside(json!({"options": {"p": 2}}))
            .outside(json!({"options": {"p": 0.5}}))
            .outside(json!({"anchor": [["Infinity"]]})),
        edge("swap_tie", triplet(swap, json!([0, 0]), json!([0, 8]), json!([3, 4])))
            .inside(json!({"positive": [[0, 0]]}))
            .inside(json!({"positive": [[0, 8.000_001]]}))
            .inside(json!({"options": {"swap": true, "eps": 0, "p": "Infinity"}}))
            .outside(json!({"positive": [[0, 8.000_01]]}))
            .outside(json!({"options": {"eps": 0}}))
            .outside(json!({"options": {"swap": true, "eps": 0, "p": "Infinity"}, "positive": [[0, 8.1]]}))
            // Powers that underflow are no tie.
            .outside(json!({"options": {"swap": true, "eps": 0, "p": 100}, "anchor": [[0, 0]], "positive": [[1e-5, 0]], "negative": [[1e-6, 0]]})),
        edge("infinite_difference", triplet(json!({}), json!([3e38]), json!([-4.1e37]), json!([0])))
            .inside(json!({"anchor": [["Infinity"]]}))
            .inside(json!({"anchor": [["NaN"]]}))
            .inside(json!({"options": {"swap": true}, "anchor": [[0]], "positive": [[3e38]], "negative": [[-4.1e37]]}))
            .outside(json!({"positive": [[-4e37]]}))
            // Without `swap` nobody takes this difference.
            .outside(json!({"anchor": [[0]], "positive": [[3e38]], "negative": [[-4.1e37]]})),
        edge("power_out_of_range", triplet(json!({"eps": 0}), json!([1.76e19]), json!([0]), json!([0])))
            .inside(json!({"anchor": [[1.13e-19]]}))
            .inside(json!({"options": {"eps": 0, "p": 3}, "anchor": [[6.8e12]]}))
            .inside(json!({"options": {"eps": 0, "swap": true}, "anchor": [[0]], "positive": [[8.8e18]], "negative": [[-8.8e18]]}))
            .outside(json!({"anchor": [[1.75e19]]}))
            .outside(json!({"anchor": [[1.15e-19]]}))
            .outside(json!({"options": {"eps": 0, "p": 3}, "anchor": [[6.7e12]]}))
            .outside(json!({"options": {"eps": 0, "p": "Infinity"}}))
            .outside(json!({"options": {"eps": 0}, "anchor": [[0]], "positive": [[8.8e18]], "negative": [[-8.8e18]]})),
        edge("power_beyond_f16", changed(&triplet(json!({"p": 3}), json!([41]), json!([0]), json!([0])), &json!({"dtype": "f16"})))
            .inside(json!({"anchor": [[0.039]]}))
            .outside(json!({"anchor": [[40]]}))
            .outside(json!({"anchor": [[0.04]]}))
            .outside(json!({"dtype": "f32"}))
            .outside(json!({"options": {"p": 2}}))
            .outside(json!({"options": {"p": 0}}))
            .outside(json!({"options": {"p": "Infinity"}}))
            // A difference of 0 has no power that counts.
            .outside(json!({"options": {"p": 0.5, "eps": 0}, "anchor": [[0]]})),
        edge("subnormal_share_of_norm", changed(
            &triplet(json!({"p": 3}), json!([10]), json!([0]), json!([0])), &json!({"dtype": "f16", "cotangent": 0.006}),
        ))
            .inside(json!({"options": {"p": 1.5}, "cotangent": 0.000_19}))
            .inside(json!({"options": {"p": 3, "swap": true}, "anchor": [[0]], "positive": [[5]], "negative": [[-5]]}))
            .outside(json!({"cotangent": 0.007}))
            .outside(json!({"options": {"p": 2}}))
            .outside(json!({"options": {"p": 1}}))
            .outside(json!({"options": {"p": "Infinity"}}))
            .outside(json!({"dtype": "f32"}))
            // Vectors that are alike have no slope.
            .outside(json!({"options": {"p": 3, "eps": 0}, "anchor": [[0]]})),
        edge("norm_of_empty_vector", json!({
            "loss": "triplet_margin_loss", "options": {"p": "Infinity"},
            "anchor": {"shape": [2, 0]}, "positive": {"shape": [2, 0]}, "negative": {"shape": [2, 0]}
        }))
        .outside(json!({"options": {"p": 1}}))
        .outside(json!({"anchor": {"shape": [0, 2]}, "positive": {"shape": [0, 2]}, "negative": {"shape": [0, 2]}})),
        edge("lengths_out_of_range", cosine("f32", json!([1.83e19, 0])))
            .inside(json!({"dtype": "f16", "input1": [[0.011, 0]]}))
            .inside(json!({"input1": [[1.83e18, 0]], "input2": [[10, 0]]}))
            .outside(json!({"input1": [[1.82e19, 0]]}))
            .outside(json!({"dtype": "f16", "input1": [[0.0111, 0]]}))
            .outside(json!({"input1": [[1e-30, 0]]}))
            .outside(json!({"input1": [["NaN", 0]]})),
        edge("short_vector_in_f64", cosine("f64", json!([0.01638, 0])))
            .inside(json!({"input1": [[0, 0]]}))
            .outside(json!({"input1": [[0.01639, 0]]}))
            .outside(json!({"dtype": "f32"})),
        edge("subnormal_slope", changed(&cosine("f32", json!([1, 0])), &json!({"cotangent": 2.3e-38})))
            .inside(json!({"input1": [[1e-22, 0]], "input2": [[2e12, 0]], "cotangent": 1}))
            .outside(json!({"cotangent": 2.4e-38}))
            .outside(json!({"input1": [[1e-22, 0]], "input2": [[2e10, 0]], "cotangent": 1}))
            // The quotient of orthogonal vectors is 0, and nothing is lost of it.
            .outside(json!({"input1": [[0, 1]], "cotangent": 1})),
    ]
}

fn integers() -> Vec<Edge> {
    let (bytes, integers) = (|lists: Value| json!({"u8": lists}), |lists: Value| json!({"i64": lists}));
    let ranking = json!({"loss": "margin_ranking_loss", "input1": [1], "input2": [2], "target": bytes(json!([1]))});
    let triplet = json!({
        "loss": "triplet_margin_loss", "anchor": [[1]], "positive": bytes(json!([[0]])), "negative": bytes(json!([[1]])),
        "options": {"swap": true}
    });
    vec![
        edge("wrapped_bytes", ranking)
            .inside(json!({"input1": bytes(json!([1])), "input2": bytes(json!([2])), "target": [1]}))
            .outside(json!({"input1": bytes(json!([2])), "input2": bytes(json!([2])), "target": [1]}))
            .outside(json!({"target": bytes(json!([0]))}))
            .outside(json!({"target": integers(json!([1]))})),
        edge(
            "wrapped_bytes",
            json!({
                "loss": "mse_loss", "input": bytes(json!([16])), "target": bytes(json!([0])), "weight": [1]
            }),
        )
        .outside(json!({"input": bytes(json!([15]))}))
        .outside(json!({"target": [0]})),
        edge("wrapped_bytes", triplet.clone())
            .outside(json!({"options": {}}))
            .outside(json!({"positive": bytes(json!([[1]]))})),
        edge(
            "wrapped_bytes",
            json!({
                "loss": "binary_cross_entropy_with_logits", "input": [1], "target": [1], "pos_weight": bytes(json!([0]))
            }),
        )
        .outside(json!({"pos_weight": bytes(json!([1]))})),
        edge("integers_in_f32", changed(&triplet, &json!({"dtype": "f64"})))
            .inside(json!({"anchor": bytes(json!([[1]])), "negative": [[1]], "options": {}}))
            .outside(json!({"dtype": "f32"}))
            .outside(json!({"options": {}}))
            .outside(json!({"negative": [[1]]})),
        edge(
            "integers_in_f32",
            json!({"loss": "poisson_nll_loss", "dtype": "f64", "input": integers(json!([1])), "target": [1]}),
        )
        .inside(json!({"input": [1], "target": integers(json!([1])), "options": {"full": true}}))
        .outside(json!({"input": [1], "target": integers(json!([1]))}))
        .outside(json!({"target": integers(json!([1]))})),
        edge("integer_target", json!({"loss": "huber_loss", "input": [1], "target": integers(json!([1]))}))
            .outside(json!({"target": [1]})),
    ]
}

fn ctc() -> Vec<Edge> {
    let lengths = |lengths: Value| json!({"i64": lengths});
    let sample = json!({
        "loss": "ctc_loss", "log_probs": [[[-1, -1, -1]], [[-1, -1, -1]]], "targets": lengths(json!([[1, 2]])),
        "input_lengths": lengths(json!([2])), "target_lengths": lengths(json!([1]))
    });
    let with = |change: Value| changed(&sample, &change);
    vec![
        edge("nonfinite_log_probability", with(json!({"log_probs": [[[-1, -1, -1]], [["-Infinity", -1, -1]]]})))
            .inside(json!({"log_probs": [[["NaN", -1, -1]], [[-1, -1, -1]]], "input_lengths": lengths(json!([1]))}))
            .outside(json!({"log_probs": [[[-3.4e38, -1, -1]], [[-1, -1, -1]]]}))
            // The second step is padding.
            .outside(json!({"input_lengths": lengths(json!([1]))})),
        edge(
            "zeroed_loss_beyond_range",
            with(
                json!({"options": {"zero_infinity": true}, "log_probs": [[[-2e38, -2e38, -1]], [[-2e38, -2e38, -1]]]}),
            ),
        )
        .outside(json!({"log_probs": [[[-1.7e38, -1.7e38, -1]], [[-1.7e38, -1.7e38, -1]]]}))
        .outside(json!({"options": {}}))
        // No path is long enough: the loss is infinite.
        .outside(json!({"targets": lengths(json!([[1, 1]])), "target_lengths": lengths(json!([2]))})),
        edge("absorbing_log_probability", with(json!({"log_probs": [[[-8_388_608, -1, -1]], [[-1, -1, -1]]]})))
            .outside(json!({"log_probs": [[[-8_388_607, -1, -1]], [[-1, -1, -1]]]}))
            .outside(json!({"log_probs": [[["-Infinity", -1, -1]], [[-1, -1, -1]]]})),
        edge("blank_label", with(json!({"targets": lengths(json!([[0, 2]]))})))
            .inside(json!({"options": {"blank": 2}, "targets": lengths(json!([[2, 1]]))}))
            .inside(json!({"targets": lengths(json!([0, 2]))}))
            .outside(json!({"targets": lengths(json!([[1, 2]]))}))
            // The second label is padding.
            .outside(json!({"targets": lengths(json!([[1, 0]]))}))
            .outside(json!({"options": {"blank": 2}})),
    ]
}

#[test]
fn every_condition_has_an_edge() {
    let all: BTreeSet<_> = Condition::all().map(|condition| condition.name).collect();
    let tested: BTreeSet<_> = edges().iter().map(|edge| edge.condition).collect();
    assert_eq!(tested, all);
    assert!(edges().iter().all(|edge| !edge.outside.is_empty()), "every edge has a case outside");
}

#[test]
fn conditions_hold_just_inside_and_not_just_outside() {
    let mut wrong = Vec::new();
    for Edge { condition, inside, still_inside, outside } in edges() {
        let condition = Condition::named(condition).expect("a condition of that name");
        let mut check = |change: &Value, expected: bool| {
            let fields = changed(&inside, change);
            let holds = holds(condition, &case(&fields));
            if !holds.iter().all(|&it| it == expected) || expected && holds.is_empty() {
                wrong.push(format!("{}: expected {expected} for {fields}, found {holds:?}", condition.name));
            }
        };
        check(&json!({}), true);
        still_inside.iter().for_each(|change| check(change, true));
        outside.iter().for_each(|change| check(change, false));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn conditions_about_parts_hold_of_the_parts_that_they_describe() {
    let affected = |name: &str, fields: Value| holds(Condition::named(name).expect("a condition"), &case(&fields));
    let kl_div = json!({"loss": "kl_div", "input": [-1, -1, -1], "target": [0.5, 0, 0.25]});
    assert_eq!(affected("zero_target", kl_div), [false, true, false]);
    let rows =
        json!({"loss": "cross_entropy", "input": [["NaN", 0], ["NaN", 0], [1, 0]], "target": {"i64": [0, -100, -100]}});
    assert_eq!(affected("ignored_nonfinite_row", rows), [false, true, false]);
    let samples = json!({
        "loss": "ctc_loss", "log_probs": [[[-1, -1], [-1, -1]]], "targets": {"i64": [[1, 0], [0, 1]]},
        "input_lengths": {"i64": [1, 1]}, "target_lengths": {"i64": [1, 1]}
    });
    assert_eq!(affected("blank_label", samples), [false, true]);
    let vectors = json!({
        "loss": "triplet_margin_loss", "options": {"swap": true, "eps": 0},
        "anchor": [[0, 0]], "positive": [[0, 8], [0, 9]], "negative": [[3, 4]]
    });
    assert_eq!(affected("swap_tie", vectors), [true, false]);
}
