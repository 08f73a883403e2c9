//! Runs backends over cases.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::backend::{Backend, Outcome};
use crate::case::Case;
use crate::oracle;
use crate::verdict::{Verdict, judge, judge_golden};

/// The name of the row that judges PyTorch's stored answers by the oracle.
pub const PYTORCH: &str = "pytorch";

/// Evaluates one case everywhere: the verdict on PyTorch's stored answer, then one on each backend.
pub fn run_case(case: &Case, backends: &[&dyn Backend]) -> Vec<Verdict> {
    let truth = oracle::truth(case);
    let outcomes = backends.iter().map(|backend| judge(case, &truth, &evaluate(*backend, case)));
    [judge_golden(case, &truth)].into_iter().chain(outcomes).collect()
}

/// Evaluates one case on one backend; a panic becomes an error with its message.
///
/// # Errors
///
/// Where the backend panics.
pub fn evaluate(backend: &dyn Backend, case: &Case) -> Result<Outcome, String> {
    let was_evaluating = IS_EVALUATING.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| backend.evaluate(case)));
    IS_EVALUATING.set(was_evaluating);
    outcome.map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
    })
}

thread_local!(static IS_EVALUATING: Cell<bool> = const { Cell::new(false) });

/// Keeps panics of backends from printing while `work` runs: they become verdicts.
pub fn without_panic_messages<T>(work: impl FnOnce() -> T) -> T {
    let hook = Arc::new(std::panic::take_hook());
    let of_others = Arc::clone(&hook);
    std::panic::set_hook(Box::new(move |panic| {
        if !IS_EVALUATING.get() {
            of_others(panic);
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(work));
    std::panic::set_hook(Box::new(move |panic| hook(panic)));
    result.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}
