//! An evaluation writes over the results that it was lent, and gives what it gives without.

use losscheck::definition::{Arrays, Wanted};
use losscheck::suite::DataFolder;

#[test]
fn lent_results_are_written_over() {
    let goldens = DataFolder::shipped().goldens().expect("readable data");
    let mut count = 0;
    for case in goldens.cases.iter().step_by(97) {
        for wanted in [Wanted::Value, Wanted::FirstGradient] {
            let inputs = Arrays::<f64>::new(case);
            let Ok(expected) = case.loss.evaluate(&inputs, wanted) else { continue };
            let mut lent = expected.clone();
            lent.value.fill(7.0);
            lent.gradients.iter_mut().for_each(|(_, gradient)| gradient.fill(7.0));
            let place = lent.value.as_ptr();
            inputs.lend(lent);
            let given = case.loss.evaluate(&inputs, wanted).expect("what worked once works again");
            let bits = |array: &ndarray::ArrayD<f64>| array.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            for ((output, given), (_, expected)) in given.outputs().zip(expected.outputs()) {
                assert_eq!(bits(given), bits(expected), "{}, {output}", case.id);
            }
            // The adaptive loss has no variant that writes into buffers.
            count += usize::from(place == given.value.as_ptr());
        }
    }
    assert!(count > 500, "only {count} evaluations used what they were lent");
}
