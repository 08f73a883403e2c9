//! Short rows are worked on side by side, which a row by itself is not: that does not show.

use losscheck_reference::{
    CrossEntropyLoss, DoubleDouble, Float, Instructions, MultiMarginLoss, Real, Reduction, cross_entropy,
    multi_margin_loss,
};
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, Slice};

const IGNORED: i64 = -100;

/// So many rows of scores between -8 and 8, with a target for each. Where some are to be ignored, each seventh is, and holds
/// NaN.
fn scores_and_targets<R: Float>(rows: usize, classes: usize, has_ignored: bool) -> (ArrayD<R>, ArrayD<i64>) {
    let mut state = (rows * 1000 + classes) as u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / 16_777_216.0
    };
    let is_ignored = |row: usize| has_ignored && row % 7 == 3;
    let targets = ArrayD::from_shape_fn(IxDyn(&[rows]), |at| {
        if is_ignored(at[0]) { IGNORED } else { (next() * classes as f64) as i64 }
    });
    let scores = ArrayD::from_shape_fn(IxDyn(&[rows, classes]), |at| {
        R::from_f64(if is_ignored(at[0]) { f64::NAN } else { next() * 16.0 - 8.0 })
    });
    (scores, targets)
}

/// Within an ULP, for only the order of sums is another.
fn assert_close<R: Float>(what: &str, actual: R, expected: R) {
    let (actual, expected) = (actual.to_f64(), expected.to_f64());
    let allowed = expected.abs() * 2f64.powi(1 - R::PRECISION);
    assert!((actual - expected).abs() <= allowed, "{what}: {actual:e}, by itself {expected:e}");
}

/// The loss and its gradient, given scores, targets and a cotangent for each loss.
type Run<'a, R> = &'a dyn Fn(ArrayViewD<'_, R>, ArrayViewD<'_, i64>, ArrayViewD<'_, R>) -> (ArrayD<R>, ArrayD<R>);

/// Rows with their losses and gradients, each worked out by itself.
struct Rows<R> {
    what: String,
    scores: ArrayD<R>,
    targets: ArrayD<i64>,
    cotangent: ArrayD<R>,
    by_themselves: Vec<(ArrayD<R>, ArrayD<R>)>,
}

impl<R: Float> Rows<R> {
    fn new(what: &str, (scores, targets): (ArrayD<R>, ArrayD<i64>), run: Run<'_, R>) -> Self {
        let count = targets.len();
        let cotangent = ArrayD::from_shape_fn(IxDyn(&[count]), |at| R::from_f64(at[0] as f64 - 20.5));
        let one = |row: usize| Slice::from(row..row + 1);
        let by_itself = |row| {
            let cotangent = cotangent.slice_axis(Axis(0), one(row));
            run(scores.slice_axis(Axis(0), one(row)), targets.slice_axis(Axis(0), one(row)), cotangent)
        };
        let by_themselves = (0..count).map(by_itself).collect();
        Self { what: format!("{what}, {:?}", scores.shape()), scores, targets, cotangent, by_themselves }
    }

    fn check(&self, losses: ArrayViewD<'_, R>, gradients: ArrayViewD<'_, R>) {
        for (row, (loss, gradient)) in self.by_themselves.iter().enumerate() {
            let what = format!("{}, row {row}", self.what);
            assert_close(&what, losses[[row].as_slice()], loss[[0].as_slice()]);
            for (&actual, &expected) in gradients.index_axis(Axis(0), row).iter().zip(gradient) {
                assert_close(&what, actual, expected);
            }
        }
    }

    fn check_as_rows(&self, run: Run<'_, R>) {
        let (losses, gradients) = run(self.scores.view(), self.targets.view(), self.cotangent.view());
        self.check(losses.view(), gradients.view());
    }

    /// As the positions of one sample, whose classes do not lie side by side.
    fn check_as_positions(&self, run: Run<'_, R>) {
        let scores = self.scores.t().to_owned().insert_axis(Axis(0));
        let targets = self.targets.view().insert_axis(Axis(0));
        let (losses, gradients) = run(scores.view(), targets, self.cotangent.view().insert_axis(Axis(0)));
        self.check(losses.index_axis(Axis(0), 0), gradients.index_axis(Axis(0), 0).reversed_axes());
    }

    fn check_sum(&self, sum: R) {
        let losses = self.by_themselves.iter().map(|(loss, _)| DoubleDouble::from_f64(loss[[0].as_slice()].to_f64()));
        let expected = losses.fold(DoubleDouble::ZERO, |sum, loss| sum + loss);
        assert_close(&format!("{}, sum", self.what), sum, R::from_f64(expected.to_f64()));
    }
}

fn check_cross_entropy<R: Float>(count: usize, classes: usize) {
    let weight = ArrayD::from_shape_fn(IxDyn(&[classes]), |at| R::from_f64(0.5 + at[0] as f64));
    let options = |reduction| CrossEntropyLoss { reduction, ..Default::default() };
    let run: Run<'_, R> = &|scores, targets, cotangent| {
        let call = cross_entropy(scores, targets, options(Reduction::None)).weight(&weight);
        call.value_and_gradient(Some(cotangent)).unwrap()
    };
    let rows = Rows::new("cross-entropy", scores_and_targets(count, classes, true), run);
    rows.check_as_rows(run);
    rows.check_as_positions(run);
    let summed = cross_entropy(&rows.scores, &rows.targets, options(Reduction::Sum)).weight(&weight);
    rows.check_sum(summed.value().unwrap()[IxDyn(&[])]);
}

fn check_multi_margin<R: Float>(count: usize, classes: usize) {
    let weight = ArrayD::from_shape_fn(IxDyn(&[classes]), |at| R::from_f64(0.5 + at[0] as f64));
    for p in [1, 2] {
        let options = |reduction| MultiMarginLoss { p, reduction, ..Default::default() };
        let run: Run<'_, R> = &|scores, targets, cotangent| {
            let call = multi_margin_loss(scores, targets, options(Reduction::None)).weight(&weight);
            call.value_and_gradient(Some(cotangent)).unwrap()
        };
        let rows = Rows::new("multi-margin", scores_and_targets(count, classes, false), run);
        rows.check_as_rows(run);
        let summed = multi_margin_loss(&rows.scores, &rows.targets, options(Reduction::Sum)).weight(&weight);
        rows.check_sum(summed.value().unwrap()[IxDyn(&[])]);
    }
}

#[test]
fn rows_are_what_they_are_by_themselves() {
    for count in [16, 31, 32, 70] {
        for classes in [1, 2, 10, 63] {
            check_cross_entropy::<f32>(count, classes);
            check_cross_entropy::<f64>(count, classes);
            check_multi_margin::<f32>(count, classes);
            check_multi_margin::<f64>(count, classes);
        }
    }
}

/// Rows with infinities, with ties for the largest score, and with NaN; the arithmetic of the truth has no vectors, so that
/// its rows are never side by side.
#[test]
fn rows_with_ends_of_the_range_are_what_the_truth_says() {
    // Rows give the same results with every set of instructions, so that other tests may run in the meantime.
    for instructions in Instructions::available() {
        instructions.limit();
        check_rows_with_ends_of_the_range();
    }
}

fn check_rows_with_ends_of_the_range() {
    const ROWS: usize = 33;
    const CLASSES: usize = 3;
    const INF: f64 = f64::INFINITY;
    let kinds =
        [[1.0, 1.0, -2.0], [INF, 0.0, 1.0], [-INF, 2.0, -INF], [-INF; 3], [0.5, f64::NAN, 1.0], [3.0, 3.0, 3.0]];
    let scores = ArrayD::from_shape_fn(IxDyn(&[ROWS, CLASSES]), |at| kinds[at[0] % kinds.len()][at[1]]);
    let targets = ArrayD::from_shape_fn(IxDyn(&[ROWS]), |at| if at[0] == 8 { IGNORED } else { (at[0] % 2 + 1) as i64 });
    // A finite mean, of the rows without infinities.
    let finite: Vec<usize> = (0..ROWS).filter(|row| [0, 5].contains(&(row % kinds.len()))).collect();
    let many: Vec<usize> = finite.iter().copied().cycle().take(50).collect();
    for reduction in Reduction::ALL {
        let (scores, targets) = match reduction {
            Reduction::None => (scores.clone(), targets.clone()),
            _ => (scores.select(Axis(0), &many), targets.select(Axis(0), &many)),
        };
        let options = CrossEntropyLoss { reduction, ..Default::default() };
        let call = cross_entropy(&scores, &targets, options);
        let (value, gradient) = call.clone().value_and_gradient(None).unwrap();
        // The sign of a NaN depends on the instructions.
        let bits = |array: &ArrayD<f64>| array.mapv(|x| if x.is_nan() { u64::MAX } else { x.to_bits() });
        let alone = call.value().unwrap();
        assert_eq!(bits(&alone), bits(&value), "{reduction:?}, without its gradient");
        let wide = scores.mapv(DoubleDouble::from_f64);
        let (exact, exact_gradient) = cross_entropy(&wide, &targets, options).value_and_gradient(None).unwrap();
        for (actual, exact) in value.iter().zip(&exact).chain(gradient.iter().zip(&exact_gradient)) {
            let exact = exact.to_f64();
            let is_close = (actual - exact).abs() <= 4.0 * f64::EPSILON * exact.abs();
            let is_same = *actual == exact || actual.is_nan() && exact.is_nan();
            assert!(is_close || is_same, "{reduction:?}: {actual:e}, exact {exact:e}");
        }
    }
}
