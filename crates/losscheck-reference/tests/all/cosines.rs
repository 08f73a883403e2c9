//! Losses and gradients of cosines that are all but nothing of the terms that make them up.

use losscheck_reference::{CosineEmbeddingLoss, DoubleDouble, Real, Reduction, cosine_embedding_loss};
use ndarray::{Array1, arr0, array};

/// Value and gradients of a pair of vectors that are to be alike, as f64.
fn evaluated<R: Real>(pair: [&[f32]; 2]) -> Vec<f64> {
    let [x1, x2] = pair.map(|x| x.iter().map(|&x| R::from_f64(f64::from(x))).collect::<Array1<R>>());
    let options = CosineEmbeddingLoss { reduction: Reduction::None, ..Default::default() };
    let (value, [by_1, by_2]) = cosine_embedding_loss(&x1, &x2, &arr0(R::ONE), options)
        .value_and_gradients(None)
        .expect("two vectors and a label");
    value.iter().chain(&by_1).chain(&by_2).map(|x| x.to_f64()).collect()
}

#[test]
fn what_cancels_keeps_its_digits() {
    let pairs: [[&[f32]; 2]; 8] = [
        // Parallel: of the gradients eps is left.
        [&[-13_790_627.0], &[-0.001_648_998_6]],
        [&[-13_506_628.0], &[-214_227_280.0]],
        // One element makes up nearly all of its vector: its own gradient is what the others leave.
        [&[-6_548_615.0, -4.707_672e-18], &[-0.010_974_833, -0.000_640_447_54]],
        [&[-7.153_048e-7, 7.066_198_3, -0.672_162_6], &[-6.427_01e-9, -0.937_394_44, -1.270_012_5e19]],
        // The same, though the cosine is far from 1: beside a short vector, and beside a long one.
        [&[1_234_567.9, 1.357_924_7e-6], &[1.123_456_7, 3.456_789]],
        [&[1_234_567.9, 1.357_924_7e-6], &[1_123_456.7, 3_456_789.0]],
        // All but orthogonal, by large products that cancel.
        [
            &[1_329_254_400.0, 1_745_603_840.0, 1_436_502.1, 1.065_528_9],
            &[1_658_103_552.0, -1_262_625_408.0, 1_681_832.0, 2.156_294_7e-8],
        ],
        // Directions that differ in the last digit: of the value what the cosine lacks of 1 is left.
        [
            &[-62.314_5, -0.120_322_995, -39.456_757, 20.978_63, -0.001_477_924_4, -0.016_754_875, 94.219_6],
            &[-62.314_5, -0.120_323_01, -39.456_753, 20.978_632, -0.001_477_924_2, -0.016_754_873, 94.219_604],
        ],
    ];
    for pair in pairs {
        let (actual, exact) = (evaluated::<f32>(pair), evaluated::<DoubleDouble>(pair));
        for (at, (actual, exact)) in actual.into_iter().zip(exact).enumerate() {
            // Two ULPs, or of what is subnormal two steps.
            let most = 2.0 * (exact.abs() * f64::from(f32::EPSILON)).max(f64::from(f32::from_bits(1)));
            assert!((actual - exact).abs() <= most, "{pair:?}, number {at}: {actual:e}, exact {exact:e}");
        }
    }
}

#[test]
fn the_cosine_of_a_vector_whose_square_is_out_of_range() {
    let (long, short, alike) = (array![1e160, 0.0], array![3.0, 4.0], arr0(1.0));
    for (x1, x2) in [(&long, &short), (&short, &long)] {
        let loss = cosine_embedding_loss(x1, x2, &alike, CosineEmbeddingLoss::default()).value().expect("good input");
        assert!((loss[[].as_slice()] - 0.4).abs() < 1e-12, "{loss}");
    }
}

#[test]
fn a_small_cotangent_stays_in_range() {
    let (x1, x2, alike, cotangent) = (array![1e11, 0.0], array![1e11, 1e11], arr0(1.0), arr0(1e-290).into_dyn());
    let call = cosine_embedding_loss(&x1, &x2, &alike, CosineEmbeddingLoss::default());
    let (_, [by_1, _]) = call.value_and_gradients(Some(cotangent.view())).expect("two vectors and a label");
    // The product of the lengths that it is divided by takes it out of range.
    assert!((by_1[1] / (-1e-301 / 2f64.sqrt()) - 1.0).abs() < 1e-15, "{by_1}");
}
