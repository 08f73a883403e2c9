//! An evaluation writes over the buffers that it is given, and returns what it returns without them.

use losscheck::data::DataFolder;
use losscheck::loss::{Inputs, LossExt, Outputs, Request};

#[test]
fn results_are_written_over_the_buffers() {
    let goldens = DataFolder::shipped().goldens().expect("readable data");
    let mut count = 0;
    for case in goldens.cases.iter().step_by(97) {
        for outputs in [Outputs::Value, Outputs::FirstGradient] {
            let inputs = Inputs::<f64>::from(case);
            let Ok(expected) = case.loss.evaluate(&inputs, outputs) else { continue };
            let mut buffers = expected.clone();
            buffers.value.fill(7.0);
            buffers.gradients.iter_mut().for_each(|(_, gradient)| gradient.fill(7.0));
            let place = buffers.value.as_ptr();
            let request = Request { outputs, buffers: Some(buffers) };
            let results = case.loss.evaluate(&inputs, request).expect("what worked once works again");
            let bits = |array: &ndarray::ArrayD<f64>| array.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            for ((output, results), (_, expected)) in results.outputs().zip(expected.outputs()) {
                assert_eq!(bits(results), bits(expected), "{}, {output}", case.id);
            }
            // The adaptive loss has no variant that writes into buffers.
            count += usize::from(place == results.value.as_ptr());
        }
    }
    assert!(count > 500, "only {count} evaluations used their buffers");
}
