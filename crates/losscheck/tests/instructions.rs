//! The kernels are compiled for several sets of instructions, and the results do not depend on which of them the processor
//! has. The test forces each set that this processor has, so that one machine shows what another would compute.
//!
//! It is alone in this file, because the choice affects the whole program.

use losscheck::case::Case;
use losscheck::data::DataFolder;
use losscheck::loss::{Arithmetic, Inputs, LossExt, Outputs, ValueAndGradients};
use losscheck_reference::Instructions;

/// The bits of every number of the results. NaN is any NaN: IEEE 754 leaves its sign and payload open.
fn bits<R: Arithmetic>(case: &Case, wanted: Outputs) -> Result<Vec<u64>, String> {
    let evaluation: Result<ValueAndGradients<R>, _> = case.loss.evaluate(&Inputs::from(case), wanted);
    // In words, for an error that names a NaN does not equal itself.
    let evaluation = evaluation.map_err(|error| error.to_string())?;
    let numbers = evaluation.outputs().flat_map(|(_, output)| output);
    // Widening an f32 keeps all its bits apart.
    Ok(numbers.map(|x| if x.is_nan() { u64::MAX } else { x.to_f64().to_bits() }).collect())
}

#[test]
fn results_are_the_same_with_every_set_of_instructions() {
    let goldens = DataFolder::shipped().goldens().expect("the goldens are readable");
    let sets = Instructions::available();
    assert_eq!(sets[0], Instructions::Baseline);
    let mut expected: Vec<[Result<Vec<u64>, String>; 4]> = Vec::new();
    for (at, set) in sets.iter().enumerate() {
        set.limit();
        assert_eq!(Instructions::in_use(), *set);
        for (number, case) in goldens.cases.iter().enumerate() {
            let results = [
                bits::<f32>(case, Outputs::FirstGradient),
                bits::<f32>(case, Outputs::Gradients),
                bits::<f64>(case, Outputs::FirstGradient),
                bits::<f64>(case, Outputs::Gradients),
            ];
            if at == 0 {
                expected.push(results);
            } else {
                assert!(expected[number] == results, "{}: other results with {set:?} than with {:?}", case.id, sets[0]);
            }
        }
    }
}
