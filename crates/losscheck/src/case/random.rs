//! Random cases: what a loss generates, with a random cotangent.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::Case;
use crate::loss::{Inputs, LossExt, LossKind, LossKindExt, Outputs, generate};
use crate::tensor::DType;

/// Generates cases of a loss without an id, each with a random cotangent of the shape of its value.
pub fn cases(loss: LossKind, dtype: DType) -> BoxedStrategy<Case> {
    let with_cotangent = |(loss, inputs)| {
        let case = Case::new("", loss, inputs);
        let value = case.loss.evaluate::<f64>(&Inputs::from(&case), Outputs::Value);
        let cotangent = match value {
            // Indices have no gradient.
            Ok(_) if case.loss.argmax_candidates().is_some() => Just(None).boxed(),
            Ok(results) => {
                let shape = results.value.shape().to_vec();
                generate::tensor(case.dtype(), shape, (-2.0..2.0).boxed()).prop_map(Some).boxed()
            }
            Err(_) => Just(None).boxed(),
        };
        cotangent.prop_map(move |cotangent| Case { cotangent, ..case.clone() })
    };
    loss.generate(dtype).prop_flat_map(with_cotangent).boxed()
}

/// Which random cases to draw.
#[derive(Clone, Debug)]
pub struct RandomCases {
    /// The seed. The same seed gives the same cases.
    pub seed: u64,
    /// The number of cases in all.
    pub count: usize,
    /// The losses, which share the cases evenly with their dtypes.
    pub losses: Vec<LossKind>,
}

impl RandomCases {
    /// Returns all draws, in which the losses and dtypes take turns. Without a loss there is nothing to draw.
    pub fn draws(&self) -> Vec<Draw> {
        let of_loss = |&loss: &LossKind| loss.dtypes().iter().map(move |&dtype| (loss, dtype));
        let streams: Vec<(LossKind, DType)> = self.losses.iter().flat_map(of_loss).collect();
        let count = if streams.is_empty() { 0 } else { self.count };
        let draw = |number: usize| {
            let (loss, dtype) = streams[number % streams.len()];
            Draw { seed: self.seed, loss, dtype, number: number / streams.len() }
        };
        (0..count).map(draw).collect()
    }
}

/// One random case, which is generated when it is asked for. It depends on nothing but these four fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The seed.
    pub seed: u64,
    /// The loss.
    pub loss: LossKind,
    /// The dtype.
    pub dtype: DType,
    /// The number of the case among those of the loss in the dtype, from 0.
    pub number: usize,
}

impl Draw {
    /// Generates the case. Its id names the seed and the number.
    pub fn case(&self) -> Case {
        self.tree().current()
    }

    /// Generates the case, ready to shrink.
    pub(crate) fn tree(&self) -> Box<dyn ValueTree<Value = Case>> {
        let Self { seed, loss, dtype, number } = *self;
        let config = Config { failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &self.seed_of_case());
        let mut runner = TestRunner::new_with_rng(config, rng);
        let id = format!("{}/{}/fuzz-{seed}-{number}", loss.name(), dtype.name());
        let named = cases(loss, dtype).prop_map(move |case| Case { id: id.clone(), ..case });
        Box::new(named.new_tree(&mut runner).expect("the generators of cases reject nothing"))
    }

    fn seed_of_case(&self) -> [u8; 32] {
        let stream = fnv(&format!("{}/{}", self.loss.name(), self.dtype.name()));
        let words = [self.seed, stream, self.number as u64, 0];
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// Returns the FNV-1a hash of a text, which is the same in every build.
pub(crate) fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
