//! The names of reductions.

use losscheck_options::{KLDivReduction, Reduction, UnknownReduction};

#[test]
fn reductions_go_by_pytorchs_names() {
    let reductions = [(Reduction::None, "none"), (Reduction::Mean, "mean"), (Reduction::Sum, "sum")];
    for (reduction, name) in reductions {
        assert_eq!(reduction.name(), name);
        assert_eq!(name.parse(), Ok(reduction));
    }
    let of_kl_div = [
        (KLDivReduction::None, "none"),
        (KLDivReduction::Mean, "mean"),
        (KLDivReduction::BatchMean, "batchmean"),
        (KLDivReduction::Sum, "sum"),
    ];
    for (reduction, name) in of_kl_div {
        assert_eq!(reduction.name(), name);
        assert_eq!(name.parse(), Ok(reduction));
    }
}

#[test]
fn errors_say_which_names_were_expected() {
    let rows: [(Result<(), UnknownReduction>, &str); 2] = [
        ("average".parse::<Reduction>().map(drop), "reduction `average`, expected one of none, mean, sum"),
        (
            "average".parse::<KLDivReduction>().map(drop),
            "reduction `average`, expected one of none, mean, batchmean, sum",
        ),
    ];
    for (result, message) in rows {
        assert_eq!(result.expect_err(message).to_string(), message);
    }
}
