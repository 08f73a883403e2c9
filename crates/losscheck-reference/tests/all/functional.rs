//! The functions by the names of `torch.nn.functional`: each gives what the trait gives of the same options and inputs.

use losscheck_reference::{
    BCELoss, BCEWithLogitsLoss, Backward, CTCLoss, Call, CosineEmbeddingLoss, CrossEntropyLoss, GaussianNLLLoss,
    HingeEmbeddingLoss, HuberLoss, KLDivLoss, KLDivReduction, L1Loss, LinearCrossEntropyLoss, Loss, MSELoss,
    MarginRankingLoss, MultiLabelMarginLoss, MultiLabelSoftMarginLoss, MultiMarginLoss, NLLLoss, NLLLoss2d,
    PoissonNLLLoss, Reduction, SmoothL1Loss, SoftMarginLoss, SquaredEuclideanDistance, TripletMarginLoss,
    TripletMarginWithDistanceLoss, binary_cross_entropy, binary_cross_entropy_with_logits, cosine_embedding_loss,
    cross_entropy, ctc_loss, gaussian_nll_loss, hinge_embedding_loss, huber_loss, kl_div, l1_loss,
    linear_cross_entropy, margin_ranking_loss, mse_loss, multi_margin_loss, multilabel_margin_loss,
    multilabel_soft_margin_loss, nll_loss, poisson_nll_loss, smooth_l1_loss, soft_margin_loss, triplet_margin_loss,
    triplet_margin_with_distance_loss,
};
use ndarray::{Array, ArrayViewD, Dimension, IxDyn, ShapeBuilder, arr0, array, aview0};

const NONE: Reduction = Reduction::None;

/// Returns numbers between 0.05 and 0.95, others for each seed.
fn numbers<D: Dimension, S: ShapeBuilder<Dim = D>>(shape: S, seed: f64) -> Array<f64, D> {
    let mut state = seed;
    Array::from_shape_simple_fn(shape, || {
        state = (state * 997.0 + 0.123).fract();
        0.05 + 0.9 * state
    })
}

/// Returns labels that are 1 or -1.
fn labels<D: Dimension, S: ShapeBuilder<Dim = D>>(shape: S) -> Array<f64, D> {
    numbers(shape, 0.9).mapv(|x| if x > 0.5 { 1.0 } else { -1.0 })
}

/// Returns the view that the trait takes.
fn v<T, D: Dimension>(array: &Array<T, D>) -> ArrayViewD<'_, T> {
    array.view().into_dyn()
}

/// Makes sure that each method of a call gives what the trait gives.
#[track_caller]
fn assert_same<O, I, const K: usize>(call: Call<O, I, f64, K>, loss: O, inputs: I)
where
    O: Loss<f64, I, K> + Clone,
    I: Clone,
{
    let shapes = loss.shapes(&inputs).expect("good input");
    let cotangent = numbers(IxDyn(&shapes.value), 0.8);
    let cotangent = || Some(cotangent.view());
    let (value, gradients) = loss.value_and_gradients(inputs.clone(), cotangent()).expect("good input");
    assert!(value.iter().chain(gradients.iter().flatten()).all(|x| x.is_finite()), "{value} {gradients:?}");

    assert_eq!(call.shapes().as_ref(), Ok(&shapes));
    assert_eq!(call.clone().value(), loss.value(inputs.clone()));
    let first = loss.value_and_gradient(inputs, cotangent());
    assert_eq!(call.clone().value_and_gradient(cotangent()), first);
    let (mut own_value, mut own_gradients) =
        (value.mapv(|_| f64::NAN), gradients.clone().map(|x| x.mapv(|_| f64::NAN)));
    let buffers = own_gradients.each_mut().map(|gradient| Some(gradient.view_mut()));
    let backward = Backward { cotangent: cotangent(), gradients: buffers };
    call.clone().evaluate_into(own_value.view_mut(), Some(backward)).expect("good input");
    assert_eq!((&own_value, &own_gradients), (&value, &gradients));
    assert_eq!(call.value_and_gradients(cotangent()), Ok((value, gradients)));
}

#[test]
fn losses_of_elements_are_those_of_the_trait() {
    let (x, t, u, w) = (numbers((3, 4), 0.1), numbers((3, 4), 0.2), numbers((3, 4), 0.3), numbers((3, 4), 0.4));
    let label = labels((3, 4));

    let options = BCELoss { reduction: NONE };
    assert_same(binary_cross_entropy(&x, &t, options), options, (v(&x), v(&t), None));
    assert_same(binary_cross_entropy(&x, &t, options).weight(&w), options, (v(&x), v(&t), Some(v(&w))));

    let options = BCEWithLogitsLoss { reduction: NONE };
    let call = binary_cross_entropy_with_logits(&x, &t, options);
    assert_same(call.clone(), options, (v(&x), v(&t), None, None));
    assert_same(call.clone().weight(&w), options, (v(&x), v(&t), Some(v(&w)), None));
    assert_same(call.clone().pos_weight(&u), options, (v(&x), v(&t), None, Some(v(&u))));
    assert_same(call.weight(&w).pos_weight(&u), options, (v(&x), v(&t), Some(v(&w)), Some(v(&u))));

    let options = GaussianNLLLoss { full: true, reduction: NONE, ..Default::default() };
    assert_same(gaussian_nll_loss(&x, &t, &u, options), options, (v(&x), v(&t), v(&u)));

    let options = HingeEmbeddingLoss { margin: 1.5, reduction: NONE };
    assert_same(hinge_embedding_loss(&x, &label, options), options, (v(&x), v(&label)));

    let options = HuberLoss { delta: 0.25, reduction: NONE };
    assert_same(huber_loss(&x, &t, options), options, (v(&x), v(&t), None));
    assert_same(huber_loss(&x, &t, options).weight(&w), options, (v(&x), v(&t), Some(v(&w))));

    let options = KLDivLoss { log_target: true, reduction: KLDivReduction::BatchMean };
    assert_same(kl_div(&x, &t, options), options, (v(&x), v(&t)));

    let options = L1Loss { reduction: NONE };
    assert_same(l1_loss(&x, &t, options), options, (v(&x), v(&t), None));
    assert_same(l1_loss(&x, &t, options).weight(&w), options, (v(&x), v(&t), Some(v(&w))));

    let options = MSELoss { reduction: NONE };
    assert_same(mse_loss(&x, &t, options), options, (v(&x), v(&t), None));
    assert_same(mse_loss(&x, &t, options).weight(&w), options, (v(&x), v(&t), Some(v(&w))));

    let options = MarginRankingLoss { margin: 0.25, reduction: NONE };
    assert_same(margin_ranking_loss(&x, &t, &label, options), options, (v(&x), v(&t), v(&label)));

    let options = PoissonNLLLoss { log_input: false, reduction: NONE, ..Default::default() };
    assert_same(poisson_nll_loss(&x, &t, options), options, (v(&x), v(&t)));

    let options = SmoothL1Loss { beta: 0.25, reduction: NONE };
    assert_same(smooth_l1_loss(&x, &t, options), options, (v(&x), v(&t)));

    let options = SoftMarginLoss { reduction: NONE };
    assert_same(soft_margin_loss(&x, &label, options), options, (v(&x), v(&label)));
}

#[test]
fn losses_of_classes_are_those_of_the_trait() {
    let (x, w) = (numbers((4, 3), 0.1), numbers(3, 0.4));
    let (classes, probabilities, t) =
        (array![2_i64, 0, 1, 2], numbers((4, 3), 0.2), labels((4, 3)).mapv(|x| x.max(0.0)));

    let options = CrossEntropyLoss { label_smoothing: 0.25, reduction: NONE, ..Default::default() };
    let call = cross_entropy(&x, &classes, options);
    assert_same(call.clone(), options, (v(&x), v(&classes), None));
    assert_same(call.weight(&w), options, (v(&x), v(&classes), Some(v(&w))));
    let call = cross_entropy(&x, &probabilities, options);
    assert_same(call.clone(), options, (v(&x), v(&probabilities), None));
    assert_same(call.weight(&w), options, (v(&x), v(&probabilities), Some(v(&w))));

    let options = MultiMarginLoss { p: 2, margin: 0.5, reduction: NONE };
    let call = multi_margin_loss(&x, &classes, options);
    assert_same(call.clone(), options, (v(&x), v(&classes), None));
    assert_same(call.weight(&w), options, (v(&x), v(&classes), Some(v(&w))));

    let lists = array![[2_i64, -1, 0], [0, 1, -1], [-1, 0, 0], [1, 2, 0]];
    let options = MultiLabelMarginLoss { reduction: NONE };
    assert_same(multilabel_margin_loss(&x, &lists, options), options, (v(&x), v(&lists)));

    let options = MultiLabelSoftMarginLoss { reduction: NONE };
    let call = multilabel_soft_margin_loss(&x, &t, options);
    assert_same(call.clone(), options, (v(&x), v(&t), None));
    assert_same(call.weight(&w), options, (v(&x), v(&t), Some(v(&w))));

    let options = NLLLoss { ignore_index: 0, reduction: NONE };
    let call = nll_loss(&x, &classes, options);
    assert_same(call.clone(), options, (v(&x), v(&classes), None));
    assert_same(call.clone().weight(&w), options, (v(&x), v(&classes), Some(v(&w))));
    // By its deprecated name it is the same loss.
    let inputs = (v(&x), v(&classes), Some(v(&w)));
    let by_other_name = NLLLoss2d { ignore_index: 0, reduction: NONE }.value_and_gradients(inputs, None);
    assert_eq!(call.weight(&w).value_and_gradients(None), by_other_name);
}

#[test]
fn losses_of_linear_layers_are_those_of_the_trait() {
    let (x, layer, bias, w) = (numbers((4, 2), 0.1), numbers((3, 2), 0.2), numbers(3, 0.3), numbers(3, 0.4));
    let (classes, probabilities) = (array![2_i64, 0, 1, 2], numbers((4, 3), 0.5));
    let options = LinearCrossEntropyLoss { label_smoothing: 0.25, reduction: NONE, ..Default::default() };

    let call = linear_cross_entropy(&x, &layer, &classes, options);
    let with = |bias, weight| (v(&x), v(&layer), bias, v(&classes), weight);
    assert_same(call.clone(), options, with(None, None));
    assert_same(call.clone().linear_bias(&bias), options, with(Some(v(&bias)), None));
    assert_same(call.clone().weight(&w), options, with(None, Some(v(&w))));
    assert_same(call.weight(&w).linear_bias(&bias), options, with(Some(v(&bias)), Some(v(&w))));

    let call = linear_cross_entropy(&x, &layer, &probabilities, options);
    let with = |bias, weight| (v(&x), v(&layer), bias, v(&probabilities), weight);
    assert_same(call.clone(), options, with(None, None));
    assert_same(call.clone().linear_bias(&bias), options, with(Some(v(&bias)), None));
    assert_same(call.clone().weight(&w), options, with(None, Some(v(&w))));
    assert_same(call.weight(&w).linear_bias(&bias), options, with(Some(v(&bias)), Some(v(&w))));
}

#[test]
fn losses_of_vectors_are_those_of_the_trait() {
    let [a, p, n] = [0.1, 0.2, 0.3].map(|seed| numbers((4, 5), seed));
    let label = array![1.0, -1.0, -1.0, 1.0];

    let options = CosineEmbeddingLoss { margin: 0.25, reduction: NONE };
    assert_same(cosine_embedding_loss(&a, &p, &label, options), options, (v(&a), v(&p), v(&label)));

    let options = TripletMarginLoss { margin: 0.5, p: 1.5, swap: true, reduction: NONE, ..Default::default() };
    assert_same(triplet_margin_loss(&a, &p, &n, options), options, (v(&a), v(&p), v(&n)));

    let distance_function = SquaredEuclideanDistance;
    let options = TripletMarginWithDistanceLoss { distance_function, margin: 0.5, swap: true, reduction: NONE };
    let call = triplet_margin_with_distance_loss(&a, &p, &n, options);
    assert_same(call, options, (v(&a), v(&p), v(&n)));
}

#[test]
fn the_loss_of_sequences_is_that_of_the_trait() {
    let log_probs = numbers((5, 2, 4), 0.1).mapv(f64::ln);
    let (targets, steps, lengths) = (array![[1_i64, 2], [0, -1]], array![5_i64, 4], array![2_i64, 1]);
    let options = CTCLoss { blank: 3, reduction: NONE, zero_infinity: true };
    let call = ctc_loss(&log_probs, &targets, &steps, &lengths, options);
    assert_same(call, options, (v(&log_probs), v(&targets), v(&steps), v(&lengths)));
}

#[test]
fn inputs_may_be_arrays_or_views_of_any_dimension() {
    let (x, classes, w) = (numbers((4, 3), 0.1), array![2_i64, 0, 1, 2], numbers(3, 0.4));
    let options = CrossEntropyLoss::default();
    let expected = cross_entropy(&x, &classes, options).weight(&w).value_and_gradient(None).expect("good input");
    let results = [
        cross_entropy(x.view(), classes.view(), options).weight(w.view()).value_and_gradient(None),
        cross_entropy(v(&x), v(&classes), options).weight(v(&w)).value_and_gradient(None),
        cross_entropy(&x, v(&classes), options).weight(w.view()).value_and_gradient(None),
    ];
    for result in results {
        assert_eq!(result.as_ref(), Ok(&expected));
    }

    let row = cross_entropy(x.row(0), &arr0(2_i64), options).value().expect("good input");
    assert_eq!(cross_entropy(x.row(0), aview0(&classes[0]), options).value(), Ok(row));
    let deep = numbers((1, 2, 1, 1, 2, 1), 0.1);
    let flat = numbers(4, 0.1);
    let of_deep = mse_loss(&deep, &arr0(0.5), MSELoss::default()).value().expect("good input");
    assert_eq!(mse_loss(&flat, &arr0(0.5), MSELoss::default()).value(), Ok(of_deep));
}

#[test]
fn margin_losses_take_a_scalar_as_a_row_of_one_class() {
    let input = arr0(0.3);
    let nothing = Ok((arr0(0.0).into_dyn(), [arr0(0.0).into_dyn()]));
    for target in [arr0(0).into_dyn(), array![0].into_dyn()] {
        let mean = multi_margin_loss(&input, &target, MultiMarginLoss::default());
        assert_eq!(mean.clone().value_and_gradients(None), nothing);
        assert_eq!(mean.weight(&array![2.5]).value_and_gradients(None), nothing);
        // Without reduction the loss has the shape of the target.
        let each = multi_margin_loss(&input, &target, MultiMarginLoss { reduction: NONE, ..Default::default() });
        assert_eq!(each.value(), Ok(target.mapv(|_| 0.0)));

        let each = multilabel_margin_loss(&input, &target, MultiLabelMarginLoss { reduction: NONE });
        assert_eq!(each.value_and_gradients(None), nothing);
        let no_label = target.mapv(|_| -1);
        let each = multilabel_margin_loss(&input, &no_label, MultiLabelMarginLoss { reduction: NONE });
        assert_eq!(each.value_and_gradients(None), nothing);
    }
    for target in [arr0(1).into_dyn(), arr0(-1).into_dyn(), array![0, 0].into_dyn(), array![[0]].into_dyn()] {
        assert!(multi_margin_loss(&input, &target, MultiMarginLoss::default()).value().is_err(), "{target}");
    }
    for target in [arr0(1).into_dyn(), arr0(-2).into_dyn(), array![0, 0].into_dyn(), array![[0]].into_dyn()] {
        assert!(multilabel_margin_loss(&input, &target, MultiLabelMarginLoss::default()).value().is_err(), "{target}");
    }
}
