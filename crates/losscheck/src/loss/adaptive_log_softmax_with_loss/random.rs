//! Random options and tensors of adaptive softmax.

use std::iter::once;

use losscheck_options::{AdaptiveLogSoftmaxWithLoss, AdaptiveResult};
use losscheck_reference::AdaptiveParameters;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{names, tails};
use crate::loss::generate;
use crate::tensor::{DType, Data, Tensor, Tensors};

pub(super) fn generate(dtype: DType) -> BoxedStrategy<(AdaptiveLogSoftmaxWithLoss, Tensors)> {
    let case = layouts().prop_flat_map(move |Layout { options, samples }| {
        let shapes = AdaptiveParameters::shapes(&options).expect("options in range");
        let input: Vec<usize> = samples.into_iter().chain([options.in_features]).collect();
        let named = [("input", input)].into_iter().chain(names(&shapes).zip(shapes.clone()));
        // One extreme number makes every score of its row or class extreme.
        let element = prop_oneof![60 => generate::ordinary(), 1 => generate::any_float(dtype)].boxed();
        let floats: Vec<_> = named
            .map(|(name, shape)| {
                generate::tensor(dtype, shape, element.clone()).prop_map(move |tensor| (name.to_owned(), tensor))
            })
            .collect();
        let takes_target = matches!(options.result, AdaptiveResult::Loss | AdaptiveResult::Output);
        let target = if takes_target { target(&options, samples).prop_map(Some).boxed() } else { Just(None).boxed() };
        (floats, target, broken()).prop_map(move |(floats, target, broken)| {
            let target = target.map(|target| ("target".to_owned(), target));
            let options = broken.map_or_else(|| options.clone(), |broken| broken(options.clone()));
            (options, floats.into_iter().chain(target).collect())
        })
    });
    case.boxed()
}

/// AdaptiveLogSoftmaxWithLoss, and how many samples there are, or one without a batch.
#[derive(Clone, Debug)]
struct Layout {
    options: AdaptiveLogSoftmaxWithLoss,
    samples: Option<usize>,
}

fn layouts() -> impl Strategy<Value = Layout> {
    let sizes = prop_oneof![8 => 1usize..=3, 1 => 17usize..=40];
    // Half of them with four tails: a case says nothing of those that it has not.
    let clusters = prop_oneof![2usize..=4, Just(5)].prop_flat_map(move |clusters| vec(sizes.clone(), clusters));
    let in_features = prop_oneof![1 => Just(0usize), 10 => 1usize..=8, 1 => 20usize..=40];
    let div_value = select(vec![4.0, 2.0, 1.5, 1.25, 1.0, 1.0, 0.75, f64::INFINITY]);
    let result =
        select(vec![AdaptiveResult::Loss, AdaptiveResult::Output, AdaptiveResult::LogProb, AdaptiveResult::Predict]);
    let samples = prop_oneof![1 => Just(0usize), 12 => 1usize..=5, 2 => 17usize..=20];
    let samples = proptest::option::weighted(0.8, samples);
    (clusters, in_features, div_value, any::<bool>(), result, samples).prop_map(
        |(clusters, in_features, div_value, head_bias, result, samples)| {
            let ends: Vec<usize> = clusters
                .iter()
                .scan(0, |end, size| {
                    *end += size;
                    Some(*end)
                })
                .collect();
            let (&n_classes, cutoffs) = ends.split_last().expect("two clusters or more");
            let options = AdaptiveLogSoftmaxWithLoss {
                in_features,
                n_classes,
                cutoffs: cutoffs.to_vec(),
                div_value,
                head_bias,
                result,
            };
            Layout { options, samples }
        },
    )
}

/// A class for each sample, now and then a wrong one; by cluster, so that large ones do not draw them all.
fn target(options: &AdaptiveLogSoftmaxWithLoss, samples: Option<usize>) -> BoxedStrategy<Tensor> {
    let clusters: Vec<_> = once(0..options.cutoffs[0]).chain(tails(options)).collect();
    let n_classes = options.n_classes as i64;
    let class = select(clusters).prop_flat_map(|classes| classes).prop_map(|class| class as i64);
    let class = prop_oneof![80 => class, 1 => select(vec![-1, -100, n_classes])];
    vec(class, samples.unwrap_or(1))
        .prop_map(move |classes| {
            let shape = samples.into_iter().collect();
            Tensor::new(shape, Data::I64(classes)).expect("as many indices as samples")
        })
        .boxed()
}

/// Now and then something that makes good options bad ones.
fn broken() -> impl Strategy<Value = Option<fn(AdaptiveLogSoftmaxWithLoss) -> AdaptiveLogSoftmaxWithLoss>> {
    let ways: Vec<fn(AdaptiveLogSoftmaxWithLoss) -> AdaptiveLogSoftmaxWithLoss> = vec![
        |options| AdaptiveLogSoftmaxWithLoss { cutoffs: Vec::new(), ..options },
        |options| AdaptiveLogSoftmaxWithLoss { n_classes: options.cutoffs[0], ..options },
        |options| AdaptiveLogSoftmaxWithLoss { cutoffs: vec![0; options.cutoffs.len()], ..options },
        |options| AdaptiveLogSoftmaxWithLoss { div_value: 0.0, ..options },
        |options| AdaptiveLogSoftmaxWithLoss { div_value: -4.0, ..options },
        |options| AdaptiveLogSoftmaxWithLoss { head_bias: !options.head_bias, ..options },
    ];
    prop_oneof![40 => Just(None), 1 => select(ways).prop_map(Some)]
}
