//! What each loss does at the edges, what it refuses, and that layouts, buffers and broadcasting do not show.

use losscheck_reference::Reduction::{Mean, None as NoReduction, Sum};
use losscheck_reference::{
    BCELoss, BCEWithLogitsLoss, Backward, CrossEntropyLoss, Error, Float, HuberLoss, L1Loss, Loss, MSELoss,
    MultiLabelMarginLoss, NLLLoss, Real, Reduction, SmoothL1Loss, binary_cross_entropy,
    binary_cross_entropy_with_logits, cross_entropy, huber_loss, l1_loss, mse_loss, multilabel_margin_loss, nll_loss,
    smooth_l1_loss,
};
use ndarray::{Array1, Array2, ArrayD, ArrayViewD, Axis, IxDyn, Slice, arr0, arr1};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
const LN_2: f64 = std::f64::consts::LN_2;

/// Of the logit 19.375, where sigmoid is 1 in f32 but for these.
const SOFTPLUS_OF_MINUS: f64 = 3.850_741_915_353_51e-9;
const SIGMOID_OF_MINUS: f64 = 3.850_741_907_939_404e-9;
const EXP_OF_MINUS_100: f64 = 3.720_075_976_020_836e-44;

fn array<R: Real>(shape: &[usize], elements: &[f64]) -> ArrayD<R> {
    let elements = elements.iter().map(|&x| R::from_f64(x)).collect();
    ArrayD::from_shape_vec(IxDyn(shape), elements).expect("as many elements as the shape asks for")
}

fn indices(shape: &[usize], elements: &[i64]) -> ArrayD<i64> {
    ArrayD::from_shape_vec(IxDyn(shape), elements.to_vec()).expect("as many elements as the shape asks for")
}

fn ulp<F: Float>(magnitude: f64) -> f64 {
    let exponent = ((magnitude.to_bits() >> 52) as i32 - 1023).max(F::MIN_EXPONENT) - (F::PRECISION - 1);
    2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)
}

/// NaN is NaN, an infinity itself, anything else within 3 ULP.
fn agrees<F: Float>(actual: F, expected: f64) -> bool {
    let actual = actual.to_f64();
    actual == expected
        || actual.is_nan() && expected.is_nan()
        || (actual - expected).abs() <= 3.0 * ulp::<F>(expected.abs())
}

fn assert_all<F: Float>(what: &str, actual: &ArrayD<F>, expected: &[f64]) {
    let all = actual.len() == expected.len() && actual.iter().zip(expected).all(|(&a, &e)| agrees(a, e));
    assert!(all, "{what} in {}: {actual:?}, expected {expected:?}", std::any::type_name::<F>());
}

/// Input, target, value, gradient by input, gradient by target.
type PairRow = [f64; 5];

/// Value and gradients of a loss, given input and target.
type Results<F> = Result<(ArrayD<F>, [ArrayD<F>; 2]), Error>;

fn assert_pairs<F: Float>(run: impl Fn(&Array1<F>, &Array1<F>) -> Results<F>, rows: &[PairRow]) {
    for &[x, t, value, by_input, by_target] in rows {
        let [input, target] = [x, t].map(|x| Array1::from_elem(1, F::from_f64(x)));
        let (actual, gradients) = run(&input, &target).expect("good input");
        assert_all(&format!("value at ({x}, {t})"), &actual, &[value]);
        assert_all(&format!("gradient by input at ({x}, {t})"), &gradients[0], &[by_input]);
        assert_all(&format!("gradient by target at ({x}, {t})"), &gradients[1], &[by_target]);
    }
}

/// Checks the same rows of a function with these options in both formats.
macro_rules! assert_pairs {
    ($function:ident, $options:expr, $rows:expr) => {
        assert_pairs::<f32>(|x, t| $function(x, t, $options).value_and_gradients(None), &$rows);
        assert_pairs::<f64>(|x, t| $function(x, t, $options).value_and_gradients(None), &$rows);
    };
}

#[test]
fn l1_is_right_at_its_edges() {
    let tiny = 2f64.powi(-149);
    assert_pairs!(
        l1_loss,
        L1Loss::default(),
        [
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [-0.0, 0.0, 0.0, 0.0, 0.0],
            [3.0, 5.0, 2.0, -1.0, 1.0],
            [tiny, 0.0, tiny, 1.0, -1.0],
            [INF, 0.0, INF, 1.0, -1.0],
            [0.0, INF, INF, -1.0, 1.0],
            [INF, INF, NAN, NAN, NAN],
            [NAN, 0.0, NAN, NAN, NAN],
        ]
    );
}

#[test]
fn mse_is_right_at_its_edges() {
    assert_pairs!(
        mse_loss,
        MSELoss::default(),
        [
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [3.0, 5.0, 4.0, -4.0, 4.0],
            [INF, 0.0, INF, INF, -INF],
            [-INF, 0.0, INF, -INF, INF],
            [INF, INF, NAN, NAN, NAN],
            [0.0, NAN, NAN, NAN, NAN],
        ]
    );
    assert_pairs::<f32>(
        |x, t| mse_loss(x, t, MSELoss::default()).value_and_gradients(None),
        &[[1e20f32.into(), 0.0, INF, 2e20f32.into(), (-2e20f32).into()]],
    );
}

#[test]
fn huber_is_right_at_its_edges() {
    assert_pairs!(
        huber_loss,
        HuberLoss { delta: 1.5, ..Default::default() },
        [
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [1.0, 0.0, 0.5, 1.0, -1.0],
            [1.5, 0.0, 1.125, 1.5, -1.5],
            [0.0, 1.5, 1.125, -1.5, 1.5],
            [2.0, 0.0, 1.875, 1.5, -1.5],
            [INF, 0.0, INF, 1.5, -1.5],
            [0.0, INF, INF, -1.5, 1.5],
            [INF, INF, NAN, NAN, NAN],
            [NAN, 0.0, NAN, NAN, NAN],
        ]
    );
    assert_pairs!(huber_loss, HuberLoss { delta: INF, ..Default::default() }, [[4.0, 0.0, 8.0, 4.0, -4.0]]);
}

#[test]
fn smooth_l1_is_right_at_its_edges() {
    assert_pairs!(
        smooth_l1_loss,
        SmoothL1Loss { beta: 1.5, ..Default::default() },
        [
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [1.0, 0.0, 1.0 / 3.0, 2.0 / 3.0, -2.0 / 3.0],
            [1.5, 0.0, 0.75, 1.0, -1.0],
            [0.0, 1.5, 0.75, -1.0, 1.0],
            [2.0, 0.0, 1.25, 1.0, -1.0],
            [INF, 0.0, INF, 1.0, -1.0],
            [INF, INF, NAN, NAN, NAN],
            [NAN, 0.0, NAN, NAN, NAN],
        ]
    );
    let tiny = 2f64.powi(-149);
    assert_pairs!(
        smooth_l1_loss,
        SmoothL1Loss { beta: 0.0, ..Default::default() },
        [
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [tiny, 0.0, tiny, 1.0, -1.0],
            [-2.0, 0.0, 2.0, -1.0, 1.0],
            [INF, 0.0, INF, 1.0, -1.0],
            [NAN, 0.0, NAN, NAN, NAN],
        ]
    );
}

#[test]
fn binary_cross_entropy_is_right_at_its_edges() {
    let below_one = 1.0 - 2f64.powi(-24);
    let rows = [
        [0.5, 0.5, LN_2, 0.0, 0.0],
        [0.5, 0.0, LN_2, 2.0, 0.0],
        [0.25, 1.0, 2.0 * LN_2, -4.0, 1.098_612_288_668_11],
        [0.0, 0.0, 0.0, 0.0, INF],
        [1.0, 1.0, 0.0, 0.0, -INF],
        // The logarithm is clamped, and its gradient's denominator is.
        [0.0, 1.0, 100.0, -1e12, INF],
        [1.0, 0.0, 100.0, 1e12, -INF],
        [2f64.powi(-140), 1.0, 97.040_605_278_392_34, -1e12, 97.040_605_278_392_34],
        [2f64.powi(-149), 1.0, 100.0, -1e12, 103.278_929_903_431_85],
        [below_one, 0.0, 16.635_532_333_438_687, 16_777_216.0, -16.635_532_273_834_04],
    ];
    assert_pairs!(binary_cross_entropy, BCELoss::default(), rows);
}

#[test]
fn binary_cross_entropy_with_logits_is_right_at_its_edges() {
    let (x, small, sigmoid, tiny) = (19.375, SOFTPLUS_OF_MINUS, SIGMOID_OF_MINUS, EXP_OF_MINUS_100);
    let rows = [
        [0.0, 0.0, LN_2, 0.5, 0.0],
        [-0.0, 1.0, LN_2, -0.5, 0.0],
        // Right and confident: the digits are kept.
        [x, 1.0, small, -sigmoid, -x],
        [-x, 0.0, small, sigmoid, x],
        [100.0, 1.0, tiny, -tiny, -100.0],
        [-100.0, 0.0, tiny, tiny, 100.0],
        [1e4, 1.0, 0.0, 0.0, -1e4],
        // Wrong and confident.
        [x, 0.0, x + small, 1.0 - sigmoid, -x],
        [-x, 1.0, x + small, sigmoid - 1.0, x],
        [100.0, 0.0, 100.0, 1.0, -100.0],
        [-1e4, 1.0, 1e4, -1.0, 1e4],
        [INF, 0.0, INF, 1.0, -INF],
        [-INF, 1.0, INF, -1.0, INF],
        // 0 times infinity, as in PyTorch.
        [INF, 1.0, NAN, 0.0, -INF],
        [-INF, 0.0, NAN, 0.0, INF],
        [NAN, 0.5, NAN, NAN, NAN],
        [1.0, NAN, NAN, NAN, -1.0],
    ];
    assert_pairs!(binary_cross_entropy_with_logits, BCEWithLogitsLoss::default(), rows);

    let rows = [
        [0.0, 1.0, 3.0 * LN_2, -1.5, 2.0 * LN_2],
        [0.0, 0.0, LN_2, 0.5, 2.0 * LN_2],
        [x, 1.0, 3.0 * small, -3.0 * sigmoid, 2.0 * small - x],
        [-x, 1.0, 3.0 * (x + small), -3.0 * (1.0 - sigmoid), 2.0 * (x + small) + x],
        [100.0, 1.0, 3.0 * tiny, -3.0 * tiny, -100.0],
        [-100.0, 0.0, tiny, tiny, 300.0],
    ];
    fn with_pos_weight<F: Float>(x: &Array1<F>, t: &Array1<F>) -> Results<F> {
        let call = binary_cross_entropy_with_logits(x, t, BCEWithLogitsLoss::default());
        call.pos_weight(&arr0(F::from_f64(3.0))).value_and_gradients(None)
    }
    assert_pairs::<f32>(with_pos_weight, &rows);
    assert_pairs::<f64>(with_pos_weight, &rows);
}

/// A loss over classes: options and tensors, then value and gradient.
#[derive(Clone, Copy)]
struct ClassRow {
    name: &'static str,
    weight: Option<&'static [f64]>,
    ignore_index: i64,
    label_smoothing: f64,
    reduction: Reduction,
    shape: &'static [usize],
    scores: &'static [f64],
    target: &'static [i64],
    value: &'static [f64],
    gradient: &'static [f64],
}

const ROW: ClassRow = ClassRow {
    name: "",
    weight: None,
    ignore_index: -100,
    label_smoothing: 0.0,
    reduction: Mean,
    shape: &[1, 2],
    scores: &[0.0, 0.0],
    target: &[0],
    value: &[LN_2],
    gradient: &[-0.5, 0.5],
};

impl ClassRow {
    fn inputs<F: Float>(&self) -> (ArrayD<F>, ArrayD<i64>, Option<ArrayD<F>>) {
        let mut rows = self.shape.to_vec();
        rows.remove(usize::from(rows.len() > 1));
        let weight = self.weight.map(|weight| array(&[weight.len()], weight));
        (array(self.shape, self.scores), indices(&rows, self.target), weight)
    }

    fn assert<F: Float>(&self, results: Result<(ArrayD<F>, ArrayD<F>), Error>) {
        let (value, gradient) = results.expect(self.name);
        assert_all(&format!("{}: value", self.name), &value, self.value);
        assert_all(&format!("{}: gradient", self.name), &gradient, self.gradient);
    }

    fn assert_cross_entropy<F: Float>(&self) {
        let (scores, target, weight) = self.inputs::<F>();
        let &Self { ignore_index, label_smoothing, reduction, .. } = self;
        let weight = weight.as_ref().map(|weight| weight.view());
        let loss = CrossEntropyLoss { ignore_index, label_smoothing, reduction };
        self.assert(loss.value_and_gradient((scores.view(), target.view(), weight), None));
    }

    fn assert_nll<F: Float>(&self) {
        let (scores, target, weight) = self.inputs::<F>();
        let &Self { ignore_index, reduction, .. } = self;
        let weight = weight.as_ref().map(|weight| weight.view());
        let loss = NLLLoss { ignore_index, reduction };
        self.assert(loss.value_and_gradient((scores.view(), target.view(), weight), None));
    }
}

#[rustfmt::skip]
#[test]
fn cross_entropy_of_classes_is_right_at_its_edges() {
    const S: f64 = SIGMOID_OF_MINUS;
    const L: f64 = SOFTPLUS_OF_MINUS;
    const E: f64 = EXP_OF_MINUS_100;
    let rows = [
        ROW,
        ClassRow { name: "(C)", shape: &[2], ..ROW },
        ClassRow { name: "(N, C, d)", shape: &[1, 2, 2], scores: &[0.0; 4], target: &[0, 1], reduction: Sum,
            value: &[2.0 * LN_2], gradient: &[-0.5, 0.5, 0.5, -0.5], ..ROW },
        ClassRow { name: "one class", shape: &[1, 1], scores: &[5.0], value: &[0.0], gradient: &[0.0], ..ROW },
        ClassRow { name: "empty, mean", shape: &[0, 3], scores: &[], target: &[], value: &[NAN], gradient: &[], ..ROW },
        ClassRow { name: "empty, sum", shape: &[0, 3], scores: &[], target: &[], reduction: Sum, value: &[0.0],
            gradient: &[], ..ROW },
        ClassRow { name: "all ignored, mean", target: &[-100], value: &[NAN], gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "all ignored, sum", target: &[-100], reduction: Sum, value: &[0.0], gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "all ignored, none", target: &[-100], reduction: NoReduction, value: &[0.0],
            gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "ignored row of -inf", scores: &[-INF, -INF], target: &[-100], reduction: Sum, value: &[0.0],
            gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "ignored row of NaN", shape: &[2, 2], scores: &[NAN, NAN, 0.0, 0.0], target: &[-100, 0],
            gradient: &[0.0, 0.0, -0.5, 0.5], ..ROW },
        ClassRow { name: "ignored class", shape: &[2, 2], scores: &[0.0; 4], target: &[0, 1], ignore_index: 1,
            gradient: &[-0.5, 0.5, 0.0, 0.0], ..ROW },
        ClassRow { name: "target logit -inf", scores: &[-INF, 0.0], value: &[INF], gradient: &[-1.0, 1.0], ..ROW },
        ClassRow { name: "other logit -inf", scores: &[0.0, -INF], value: &[0.0], gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "logit inf", scores: &[INF, 0.0], value: &[NAN], gradient: &[NAN, NAN], ..ROW },
        ClassRow { name: "row of -inf", scores: &[-INF, -INF], value: &[NAN], gradient: &[NAN, NAN], ..ROW },
        ClassRow { name: "logit NaN", scores: &[0.0, NAN], value: &[NAN], gradient: &[NAN, NAN], ..ROW },
        ClassRow { name: "confident and right", scores: &[19.375, 0.0], value: &[L], gradient: &[-S, S], ..ROW },
        ClassRow { name: "confident and wrong", scores: &[0.0, 19.375], value: &[19.375 + L],
            gradient: &[S - 1.0, 1.0 - S], ..ROW },
        ClassRow { name: "a margin of 100", scores: &[200.0, 100.0], value: &[E], gradient: &[-E, E], ..ROW },
        ClassRow { name: "a tie at the top", shape: &[1, 3], scores: &[7.0, 7.0, -INF], gradient: &[-0.5, 0.5, 0.0], ..ROW },
        ClassRow { name: "weighted mean", shape: &[2, 2], scores: &[0.0; 4], target: &[0, 1], weight: Some(&[1.0, 3.0]),
            gradient: &[-0.125, 0.125, 0.375, -0.375], ..ROW },
        ClassRow { name: "weighted sum", weight: Some(&[3.0, 1.0]), reduction: Sum, value: &[3.0 * LN_2],
            gradient: &[-1.5, 1.5], ..ROW },
        ClassRow { name: "no weight at all, mean", weight: Some(&[0.0, 1.0]), value: &[NAN], gradient: &[NAN, NAN], ..ROW },
        ClassRow { name: "smoothing", label_smoothing: 0.5, gradient: &[-0.25, 0.25], ..ROW },
        ClassRow { name: "smoothing of 1", label_smoothing: 1.0, gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "negative smoothing is none", label_smoothing: -0.5, ..ROW },
        ClassRow { name: "smoothing and weights", label_smoothing: 0.5, weight: Some(&[1.0, 3.0]), value: &[1.5 * LN_2],
            gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "smoothing of an ignored row", label_smoothing: 0.5, target: &[-100], reduction: Sum,
            value: &[0.0], gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "smoothing with a logit of -inf", label_smoothing: 0.5, scores: &[0.0, -INF], value: &[INF],
            gradient: &[0.25, -0.25], ..ROW },
    ];
    for row in rows {
        row.assert_cross_entropy::<f32>();
        row.assert_cross_entropy::<f64>();
    }
}

#[rustfmt::skip]
#[test]
fn nll_is_right_at_its_edges() {
    const ROW: ClassRow = ClassRow { scores: &[-2.0, -3.0], value: &[2.0], gradient: &[-1.0, 0.0], ..self::ROW };
    let rows = [
        ROW,
        ClassRow { name: "(C)", shape: &[2], ..ROW },
        ClassRow { name: "(N, C, d)", shape: &[1, 2, 2], scores: &[-1.0, -2.0, -3.0, -4.0], target: &[0, 1],
            reduction: NoReduction, value: &[1.0, 4.0], gradient: &[-1.0, 0.0, 0.0, -1.0], ..ROW },
        ClassRow { name: "empty, mean", shape: &[0, 3], scores: &[], target: &[], value: &[NAN], gradient: &[], ..ROW },
        ClassRow { name: "empty, sum", shape: &[0, 3], scores: &[], target: &[], reduction: Sum, value: &[0.0],
            gradient: &[], ..ROW },
        ClassRow { name: "all ignored, mean", target: &[-100], value: &[NAN], gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "all ignored, sum", target: &[-100], reduction: Sum, value: &[0.0], gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "ignored row of -inf", scores: &[-INF, -INF], target: &[-100], reduction: Sum, value: &[0.0],
            gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "ignored class", ignore_index: 0, reduction: Sum, value: &[0.0], gradient: &[0.0, 0.0], ..ROW },
        ClassRow { name: "target -inf", scores: &[-INF, 0.0], value: &[INF], ..ROW },
        ClassRow { name: "target NaN", scores: &[NAN, 0.0], value: &[NAN], ..ROW },
        ClassRow { name: "another class NaN", scores: &[-2.0, NAN], ..ROW },
        ClassRow { name: "weighted mean", shape: &[2, 2], scores: &[-1.0, 0.0, 0.0, -5.0], target: &[0, 1],
            weight: Some(&[1.0, 3.0]), value: &[4.0], gradient: &[-0.25, 0.0, 0.0, -0.75], ..ROW },
        ClassRow { name: "weighted sum", weight: Some(&[3.0, 1.0]), reduction: Sum, value: &[6.0],
            gradient: &[-3.0, 0.0], ..ROW },
        ClassRow { name: "no weight at all, mean", weight: Some(&[0.0, 1.0]), value: &[NAN], gradient: &[NAN, 0.0], ..ROW },
    ];
    for row in rows {
        row.assert_nll::<f32>();
        row.assert_nll::<f64>();
    }
}

fn assert_cross_entropy_of_probabilities<F: Float>() {
    for (name, scores, target, value, by_input, by_target) in [
        ("fair", [0.0, 0.0], [0.25, 0.75], LN_2, [0.25, -0.25], [LN_2, LN_2]),
        ("nothing", [0.0, 0.0], [0.0, 0.0], 0.0, [0.0, 0.0], [LN_2, LN_2]),
        ("more than one", [0.0, 0.0], [1.0, 1.0], 2.0 * LN_2, [0.0, 0.0], [LN_2, LN_2]),
        (
            "confident",
            [19.375, 0.0],
            [1.0, 0.0],
            SOFTPLUS_OF_MINUS,
            [-SIGMOID_OF_MINUS, SIGMOID_OF_MINUS],
            [SOFTPLUS_OF_MINUS, 19.375 + SOFTPLUS_OF_MINUS],
        ),
        ("0 times infinity", [-INF, 0.0], [0.0, 1.0], NAN, [0.0, 0.0], [INF, 0.0]),
        ("infinite", [-INF, 0.0], [1.0, 0.0], INF, [-1.0, 1.0], [INF, 0.0]),
        ("NaN", [0.0, 0.0], [NAN, 1.0], NAN, [NAN, NAN], [LN_2, LN_2]),
    ] {
        let (scores, target) = (array::<F>(&[1, 2], &scores), array::<F>(&[1, 2], &target));
        let call = cross_entropy(&scores, &target, CrossEntropyLoss::default());
        let (actual, gradients) = call.value_and_gradients(None).expect(name);
        assert_all(&format!("{name}: value"), &actual, &[value]);
        assert_all(&format!("{name}: gradient by input"), &gradients[0], &by_input);
        assert_all(&format!("{name}: gradient by target"), &gradients[1], &by_target);
    }

    let (scores, target) = (array::<F>(&[2, 2], &[0.0; 4]), array::<F>(&[2, 2], &[0.5; 4]));
    let weight = array::<F>(&[2], &[1.0, 3.0]);
    let call = cross_entropy(&scores, &target, CrossEntropyLoss::default()).weight(&weight);
    let (actual, gradients) = call.value_and_gradients(None).expect("good input");
    assert_all("the mean is over rows, not weights", &actual, &[2.0 * LN_2]);
    assert_all("weighted", &gradients[0], &[0.25, -0.25, 0.25, -0.25]);
    assert_all("weighted", &gradients[1], &[0.5 * LN_2, 1.5 * LN_2, 0.5 * LN_2, 1.5 * LN_2]);

    let empty = array::<F>(&[0, 3], &[]);
    for (reduction, value) in [(Mean, NAN), (Sum, 0.0)] {
        let options = CrossEntropyLoss { reduction, ..Default::default() };
        assert_all("empty", &cross_entropy(&empty, &empty, options).value().expect("good input"), &[value]);
    }
}

#[test]
fn cross_entropy_of_probabilities_is_right_at_its_edges() {
    assert_cross_entropy_of_probabilities::<f32>();
    assert_cross_entropy_of_probabilities::<f64>();
}

/// Each loss of input and target, under each reduction.
fn each_pair_loss(mut check: impl FnMut(&str, &dyn PairLoss)) {
    for reduction in Reduction::ALL {
        check("l1", &L1Loss { reduction });
        check("mse", &MSELoss { reduction });
        check("huber", &HuberLoss { reduction, ..Default::default() });
        check("smooth_l1", &SmoothL1Loss { reduction, ..Default::default() });
        check("bce", &BCELoss { reduction });
        check("bce_with_logits", &BCEWithLogitsLoss { reduction });
        check("cross_entropy", &CrossEntropyLoss { reduction, ..Default::default() });
    }
}

type Pair<'a> = (ArrayViewD<'a, f32>, ArrayViewD<'a, f32>);

/// The function of a loss, with options, as an object.
trait PairLoss {
    fn all(&self, pair: Pair<'_>, cotangent: Option<ArrayViewD<'_, f32>>) -> (ArrayD<f32>, [ArrayD<f32>; 2]);
    fn first(&self, pair: Pair<'_>) -> (ArrayD<f32>, ArrayD<f32>);
    fn alone(&self, pair: Pair<'_>) -> ArrayD<f32>;
    fn write(&self, pair: Pair<'_>, value: &mut ArrayD<f32>, backward: Option<Backward<'_, f32, 2>>);
}

macro_rules! pair_losses {
    ($($function:ident: $options:ty),+ $(,)?) => {
        $(impl PairLoss for $options {
            fn all(&self, (x, t): Pair<'_>, cotangent: Option<ArrayViewD<'_, f32>>) -> (ArrayD<f32>, [ArrayD<f32>; 2]) {
                $function(x, t, *self).value_and_gradients(cotangent).expect("good input")
            }

            fn first(&self, (x, t): Pair<'_>) -> (ArrayD<f32>, ArrayD<f32>) {
                $function(x, t, *self).value_and_gradient(None).expect("good input")
            }

            fn alone(&self, (x, t): Pair<'_>) -> ArrayD<f32> {
                $function(x, t, *self).value().expect("good input")
            }

            fn write(&self, (x, t): Pair<'_>, value: &mut ArrayD<f32>, backward: Option<Backward<'_, f32, 2>>) {
                $function(x, t, *self).evaluate_into(value.view_mut(), backward).expect("good input");
            }
        })+
    };
}

pair_losses! {
    l1_loss: L1Loss,
    mse_loss: MSELoss,
    huber_loss: HuberLoss,
    smooth_l1_loss: SmoothL1Loss,
    binary_cross_entropy: BCELoss,
    binary_cross_entropy_with_logits: BCEWithLogitsLoss,
    cross_entropy: CrossEntropyLoss,
}

#[derive(Clone, Copy, Debug)]
enum Layout {
    Standard,
    Reversed,
    Transposed,
    Strided,
}

impl Layout {
    const ALL: [Self; 4] = [Self::Standard, Self::Reversed, Self::Transposed, Self::Strided];

    /// The same array, differently laid out in memory.
    fn of<T: Copy>(self, array: &ArrayD<T>) -> ArrayD<T> {
        match self {
            Self::Standard => array.as_standard_layout().into_owned(),
            Self::Reversed => {
                let mut backwards = array.view();
                (0..array.ndim()).for_each(|axis| backwards.invert_axis(Axis(axis)));
                let mut laid_out = backwards.as_standard_layout().into_owned();
                (0..array.ndim()).for_each(|axis| laid_out.invert_axis(Axis(axis)));
                laid_out
            }
            Self::Transposed => array.t().as_standard_layout().into_owned().reversed_axes(),
            Self::Strided if array.ndim() == 0 => array.clone(),
            Self::Strided => {
                let axis = Axis(array.ndim() - 1);
                let elements = array.iter().flat_map(|&x| [x, x]).collect();
                let mut shape = array.shape().to_vec();
                shape[axis.0] *= 2;
                let mut laid_out = ArrayD::from_shape_vec(shape, elements).expect("twice as many elements");
                laid_out.slice_axis_inplace(axis, Slice::new(0, None, 2));
                laid_out
            }
        }
    }
}

fn bits(array: &ArrayD<f32>) -> Vec<u32> {
    array.iter().map(|x| x.to_bits()).collect()
}

/// Numbers between 0 and 1 that look random.
fn scattered(shape: &[usize], seed: usize) -> ArrayD<f32> {
    let element = |i: usize| ((i + seed) as f32 * 0.618_034).fract() * 0.98 + 0.01;
    let count: usize = shape.iter().product();
    ArrayD::from_shape_vec(shape, (0..count).map(element).collect()).expect("as many elements as the shape asks for")
}

#[test]
fn layouts_do_not_show_and_into_writes_what_allocating_returns() {
    // More than one block of the driver, and no multiple of its lanes.
    let (input, target) = (scattered(&[7, 11, 17], 1), scattered(&[7, 11, 17], 5));
    each_pair_loss(|name, loss| {
        let cotangent = scattered(loss.alone((input.view(), target.view())).shape(), 9);
        let (value, gradients) = loss.all((input.view(), target.view()), Some(cotangent.view()));
        assert_eq!(bits(&loss.alone((input.view(), target.view()))), bits(&value), "{name}");
        for (of_inputs, of_outputs) in Layout::ALL.into_iter().flat_map(|a| Layout::ALL.map(|b| (a, b))) {
            let (x, t, c) = (of_inputs.of(&input), of_inputs.of(&target), of_inputs.of(&cotangent));
            assert_eq!(x, input);
            let dirty = |like: &ArrayD<f32>| of_outputs.of(&like.mapv(|_| f32::NAN));
            let (mut out, mut by_input, mut by_target) = (dirty(&value), dirty(&input), dirty(&target));
            let buffers = [Some(by_input.view_mut()), Some(by_target.view_mut())];
            loss.write(
                (x.view(), t.view()),
                &mut out,
                Some(Backward { cotangent: Some(c.view()), gradients: buffers }),
            );
            let what = format!("{name}, inputs {of_inputs:?}, outputs {of_outputs:?}");
            assert_eq!(bits(&out), bits(&value), "{what}");
            assert_eq!(bits(&by_input), bits(&gradients[0]), "{what}, gradient by input");
            assert_eq!(bits(&by_target), bits(&gradients[1]), "{what}, gradient by target");

            let (mut out, mut by_target) = (dirty(&value), dirty(&target));
            let buffers = [None, Some(by_target.view_mut())];
            loss.write(
                (x.view(), t.view()),
                &mut out,
                Some(Backward { cotangent: Some(c.view()), gradients: buffers }),
            );
            assert_eq!(bits(&out), bits(&value), "{what}, first gradient skipped");
            assert_eq!(bits(&by_target), bits(&gradients[1]), "{what}, first gradient skipped");

            let mut out = dirty(&value);
            loss.write((x.view(), t.view()), &mut out, None);
            assert_eq!(bits(&out), bits(&value), "{what}, no gradient");
        }
        let (value, gradients) = loss.all((input.view(), target.view()), None);
        let (first_value, first) = loss.first((input.view(), target.view()));
        assert_eq!((bits(&first_value), bits(&first)), (bits(&value), bits(&gradients[0])), "{name}");
    });
}

#[test]
fn layouts_of_scores_indices_and_weights_do_not_show() {
    let (scores, weight) = (scattered(&[6, 5, 9], 3), scattered(&[5], 4));
    let target = ArrayD::from_shape_fn(IxDyn(&[6, 9]), |at| (at[0] * 2 + at[1]) as i64 % 6 - 1);
    for (reduction, label_smoothing) in Reduction::ALL.into_iter().flat_map(|r| [(r, 0.0), (r, 0.1)]) {
        let loss = CrossEntropyLoss { ignore_index: -1, label_smoothing, reduction };
        let nll = NLLLoss { ignore_index: -1, reduction };
        let expected = cross_entropy(&scores, &target, loss).weight(&weight).value_and_gradient(None);
        let (value, gradient) = expected.expect("good input");
        let expected = nll_loss(&scores, &target, nll).weight(&weight).value_and_gradient(None);
        let (nll_value, nll_gradient) = expected.expect("good input");
        for layout in Layout::ALL {
            let (x, t, w) = (layout.of(&scores), layout.of(&target), layout.of(&weight));
            let (mut out, mut by_input) = (layout.of(&value), layout.of(&gradient));
            let inputs = || (x.view(), t.view(), Some(w.view()));
            let results = loss.value_and_gradient_into(inputs(), None, out.view_mut(), by_input.view_mut());
            results.expect("good input");
            assert_eq!((bits(&out), bits(&by_input)), (bits(&value), bits(&gradient)), "cross-entropy, {layout:?}");
            let results = nll.value_and_gradient_into(inputs(), None, out.view_mut(), by_input.view_mut());
            results.expect("good input");
            assert_eq!((bits(&out), bits(&by_input)), (bits(&nll_value), bits(&nll_gradient)), "NLL, {layout:?}");
        }
    }
}

/// The shape that two shapes broadcast to.
fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let padded = |shape: &[usize]| [vec![1; rank - shape.len()], shape.to_vec()].concat();
    let dims = padded(a).into_iter().zip(padded(b));
    dims.map(|dims| match dims {
        (1, n) | (n, 1) => Some(n),
        (n, m) => (n == m).then_some(n),
    })
    .collect()
}

/// The sum of a gradient over what its input was expanded along.
fn summed_to(gradient: &ArrayD<f32>, shape: &[usize]) -> ArrayD<f64> {
    let mut sum = gradient.mapv(f64::from);
    while sum.ndim() > shape.len() {
        sum = sum.sum_axis(Axis(0));
    }
    for (axis, &dim) in shape.iter().enumerate() {
        if dim == 1 {
            sum = sum.sum_axis(Axis(axis)).insert_axis(Axis(axis));
        }
    }
    sum
}

#[test]
fn broadcasting_is_expansion_and_its_gradient_a_sum() {
    let shapes: [&[usize]; 11] =
        [&[], &[1], &[3], &[4], &[2, 1], &[1, 3], &[2, 3], &[4, 1, 3], &[4, 2, 1], &[1, 1, 1], &[0, 3]];
    let mut broadcasts = 0;
    for (a, b) in shapes.iter().flat_map(|a| shapes.map(|b| (*a, b))) {
        let (input, target) = (scattered(a, 2), scattered(b, 7));
        let Some(shape) = broadcast(a, b) else {
            let error = mse_loss(&input, &target, MSELoss::default()).value().expect_err("shapes that do not fit");
            assert!(matches!(error, Error::Shape { name: "target", .. }), "{a:?} and {b:?}: {error}");
            continue;
        };
        broadcasts += 1;
        let expand = |array: &ArrayD<f32>| array.broadcast(IxDyn(&shape)).expect("it broadcasts").to_owned();
        let (wide_input, wide_target) = (expand(&input), expand(&target));
        each_pair_loss(|name, loss| {
            if ["bce", "bce_with_logits", "cross_entropy"].contains(&name) {
                return;
            }
            let what = format!("{name} of {a:?} and {b:?}");
            let cotangent = scattered(loss.alone((wide_input.view(), wide_target.view())).shape(), 3);
            let (value, gradients) = loss.all((input.view(), target.view()), Some(cotangent.view()));
            let (wide_value, wide) = loss.all((wide_input.view(), wide_target.view()), Some(cotangent.view()));
            assert_eq!(value.shape(), wide_value.shape(), "{what}");
            assert_eq!(bits(&value), bits(&wide_value), "{what}");
            for (gradient, wide) in gradients.iter().zip(&wide) {
                let expected = summed_to(wide, gradient.shape());
                assert_eq!(gradient.shape(), expected.shape(), "{what}");
                for (&actual, &expected) in gradient.iter().zip(&expected) {
                    assert!(agrees(actual, expected), "{what}: {actual}, expected {expected}");
                }
            }
        });
    }
    assert!(broadcasts >= 60, "{broadcasts}");
}

#[test]
fn weights_broadcast() {
    let (input, target) = (scattered(&[4, 2, 3], 1), scattered(&[4, 2, 3], 5));
    for shape in [&[][..], &[3], &[1, 1], &[2, 1], &[4, 1, 3], &[4, 2, 3]] {
        let weight = scattered(shape, 8);
        let wide = weight.broadcast(input.raw_dim()).expect("it broadcasts").to_owned();
        for reduction in Reduction::ALL {
            let results = [&weight, &wide].map(|weight| {
                let bce = binary_cross_entropy(&input, &target, BCELoss { reduction }).weight(weight);
                let logits = binary_cross_entropy_with_logits(&input, &target, BCEWithLogitsLoss { reduction })
                    .weight(weight)
                    .pos_weight(weight);
                [bce.value_and_gradients(None), logits.value_and_gradients(None)].map(|result| {
                    let (value, gradients) = result.expect("good input");
                    [&value, &gradients[0], &gradients[1]].map(bits)
                })
            });
            assert_eq!(results[0], results[1], "{shape:?}");
        }
    }
}

#[test]
fn ten_million_equal_terms_sum_to_one_ulp() {
    const N: usize = 10_000_000;
    let tenth = Array1::from_elem(N, 0.1f32);
    let zero = Array1::from_elem(1, 0.0f32);
    let within_one_ulp = |what: &str, actual: &ArrayD<f32>, exact: f64| {
        let error = (f64::from(actual[[].as_slice()]) - exact).abs() / ulp::<f32>(exact);
        assert!(error <= 1.0, "{what}: {actual}, expected {exact}, {error} ULP");
    };
    let (x, n) = (f64::from(0.1f32), N as f64);
    let square = f64::from(0.1f32 * 0.1f32);
    for (reduction, factor) in [(Sum, n), (Mean, 1.0)] {
        let value = l1_loss(&tenth, &zero, L1Loss { reduction }).value().expect("good input");
        within_one_ulp("l1", &value, x * factor);
        let (value, [_, by_target]) =
            mse_loss(&tenth, &zero, MSELoss { reduction }).value_and_gradients(None).expect("good input");
        within_one_ulp("mse", &value, square * factor);
        let by_each = if reduction == Sum { 2.0 * x } else { f64::from(2.0 / N as f32 * 0.1) };
        within_one_ulp("mse, gradient of the one target", &by_target.sum_axis(Axis(0)), -by_each * n);
    }
    let scores = tenth.clone().insert_axis(Axis(1));
    let target = Array1::from_elem(N, 0i64);
    for (reduction, factor) in [(Sum, n), (Mean, 1.0)] {
        let options = NLLLoss { reduction, ..Default::default() };
        within_one_ulp("nll", &nll_loss(&scores, &target, options).value().expect("good input"), -x * factor);
    }
}

/// Each shape has no elements, and ndarray holds it, but the one that they broadcast to has too many others.
#[test]
fn shapes_that_no_tensor_can_have_are_errors() {
    let [input, target] = [[1 << 40, 1, 0], [1, 1 << 40, 0]].map(|shape| array::<f32>(&shape, &[]));
    let error = mse_loss(&input, &target, MSELoss::default()).value().unwrap_err().to_string();
    assert_eq!(
        error,
        "`target` has shape [1, 1099511627776, 0], expected one that broadcasts with [1099511627776, 1, 0]"
    );
}

#[test]
fn errors_say_what_was_expected() {
    let [one, two, three] = [1, 2, 3].map(|n| Array1::from_elem(n, 0.5f32));
    let scores = Array2::<f32>::zeros((2, 3));
    let [scalar, beyond, nan] = [0.0, 1.5, f32::NAN].map(arr0);
    let (fit, few, wrong, negative) = (arr1(&[0_i64, 1]), arr1(&[0_i64]), arr1(&[0_i64, 3]), arr1(&[-1_i64, 0]));
    let bce = |x, t| binary_cross_entropy(x, t, BCELoss::default());
    let with_logits = |x, t| binary_cross_entropy_with_logits(x, t, BCEWithLogitsLoss::default());
    let smoothing = |label_smoothing| CrossEntropyLoss { label_smoothing, ..Default::default() };

    let rows: Vec<(Result<ArrayD<f32>, Error>, &str)> = vec![
        (
            mse_loss(&two, &three, MSELoss::default()).value(),
            "`target` has shape [3], expected one that broadcasts with [2]",
        ),
        (
            l1_loss(&two, &three, L1Loss::default()).value(),
            "`target` has shape [3], expected one that broadcasts with [2]",
        ),
        (bce(&two, &three).value(), "`target` has shape [3], expected [2], that of the input"),
        (with_logits(&two, &three).value(), "`target` has shape [3], expected [2], that of the input"),
        (bce(&two, &two).weight(&three).value(), "`weight` has shape [3], expected one that broadcasts to [2]"),
        (bce(&one, &one).weight(&two).value(), "`weight` has shape [2], expected one that broadcasts to [1]"),
        (
            with_logits(&two, &two).pos_weight(&three).value(),
            "`pos_weight` has shape [3], expected one that broadcasts to [2]",
        ),
        (
            binary_cross_entropy(&beyond, &scalar, BCELoss::default()).value(),
            "`input` holds 1.5, expected a number from 0 to 1",
        ),
        (
            binary_cross_entropy(&nan, &scalar, BCELoss::default()).value(),
            "`input` holds NaN, expected a number from 0 to 1",
        ),
        (
            binary_cross_entropy(&scalar, &beyond, BCELoss::default()).value(),
            "`target` holds 1.5, expected a number from 0 to 1",
        ),
        (
            huber_loss(&two, &two, HuberLoss { delta: 0.0, ..Default::default() }).value(),
            "`delta` is 0, expected a positive number",
        ),
        (
            huber_loss(&two, &two, HuberLoss { delta: NAN, ..Default::default() }).value(),
            "`delta` is NaN, expected a positive number",
        ),
        (
            smooth_l1_loss(&two, &two, SmoothL1Loss { beta: -0.5, ..Default::default() }).value(),
            "`beta` is -0.5, expected a number that is not negative",
        ),
        (
            cross_entropy(&scalar, &fit, CrossEntropyLoss::default()).value(),
            "`input` has shape [], expected (C), (N, C) or (N, C, d1, ...)",
        ),
        (cross_entropy(&scores, &few, CrossEntropyLoss::default()).value(), "`target` has shape [1], expected [2]"),
        (nll_loss(&scores, &few, NLLLoss::default()).value(), "`target` has shape [1], expected [2]"),
        (nll_loss(&scores, &fit, NLLLoss::default()).weight(&two).value(), "`weight` has shape [2], expected [3]"),
        (cross_entropy(&scores, &two, CrossEntropyLoss::default()).value(), "`target` has shape [2], expected [2, 3]"),
        (
            cross_entropy(&scores, &wrong, CrossEntropyLoss::default()).value(),
            "`target` holds the index 3 at row 1, expected 0 to 2 or -100",
        ),
        (
            nll_loss(&scores, &negative, NLLLoss { ignore_index: 1, ..Default::default() }).value(),
            "`target` holds the index -1 at row 0, expected 0 to 2 or 1",
        ),
        (
            cross_entropy(&scores, &fit, smoothing(1.5)).value(),
            "`label_smoothing` is 1.5, expected a number that is at most 1",
        ),
        (
            cross_entropy(&scores, &fit, smoothing(NAN)).value(),
            "`label_smoothing` is NaN, expected a number that is at most 1",
        ),
        (
            cross_entropy(&scores, &scores, CrossEntropyLoss { ignore_index: 0, ..Default::default() }).value(),
            "`ignore_index` is 0, expected a negative number, for it means nothing beside probabilities",
        ),
    ];
    for (result, message) in rows {
        assert_eq!(result.expect_err(message).to_string(), message);
    }
}

#[test]
fn buffers_of_another_shape_are_errors() {
    let two = array::<f32>(&[2], &[0.25, 0.75]);
    let scores = array::<f32>(&[2, 3], &[0.0; 6]);
    let target = indices(&[2], &[0, 1]);
    let [mut scalar, mut wrong, mut column] = [&[][..], &[3], &[2, 1]].map(|shape| ArrayD::zeros(IxDyn(shape)));
    let pair = || (two.view(), two.view(), None);
    let rows = || (scores.view(), target.view(), None);
    let (mse, cross_entropy) = (MSELoss::default(), CrossEntropyLoss::default());
    for (result, message) in [
        (mse.value_into(pair(), wrong.view_mut()), "`value` has shape [3], expected []"),
        (
            mse.value_and_gradient_into(pair(), None, scalar.view_mut(), wrong.view_mut()),
            "`gradient` has shape [3], expected [2]",
        ),
        (
            mse.value_and_gradient_into(pair(), None, scalar.view_mut(), column.view_mut()),
            "`gradient` has shape [2, 1], expected [2]",
        ),
        (mse.value_and_gradient(pair(), Some(two.view())).map(drop), "`cotangent` has shape [2], expected []"),
        (cross_entropy.value_into(rows(), column.view_mut()), "`value` has shape [2, 1], expected []"),
        (
            cross_entropy.value_and_gradient_into(rows(), None, scalar.view_mut(), wrong.view_mut()),
            "`gradient` has shape [3], expected [2, 3]",
        ),
    ] {
        assert_eq!(result.expect_err(message).to_string(), message);
    }
}

#[test]
fn label_lists_are_checked_for_their_shape_and_name_the_row_of_a_wrong_class() {
    let scores = array::<f64>(&[2, 3], &[0.5, 1.0, -0.5, 0.25, 0.0, 2.0]);
    let refusal =
        |target: ArrayD<i64>| multilabel_margin_loss(&scores, &target, MultiLabelMarginLoss::default()).value().err();
    let shape = refusal(indices(&[2, 2], &[0, -1, 1, -1]));
    assert!(matches!(shape, Some(Error::Shape { name: "target", .. })), "{shape:?}");
    for target in [[0, -1, -1, 1, 7, -1], [0, -1, -1, 1, 2, 7]] {
        let index = refusal(indices(&[2, 3], &target));
        assert!(matches!(index, Some(Error::Index { index: 7, row: 1, classes: 3, .. })), "{index:?}");
    }
}
