//! Runs backends over cases.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::backend::{Backend, Outcome};
use crate::bounds::Bounds;
use crate::case::Case;
use crate::judge::Judge;
use crate::verdict::Verdict;

/// The name of the row that judges PyTorch's stored answers by the oracle.
pub const PYTORCH: &str = "pytorch";

/// Evaluates one case everywhere: the verdict on PyTorch's stored answer, then one on each backend.
pub fn run_case(case: &Case, backends: &[&dyn Backend], bounds: &Bounds) -> Vec<Verdict> {
    let judge = Judge::new(case, bounds);
    let verdicts = backends.iter().map(|backend| judge.judge(&evaluate(*backend, case)));
    [judge.judge_golden()].into_iter().chain(verdicts).collect()
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
/// How many calls of [`without_panic_messages`] are under way.
static QUIET: AtomicUsize = AtomicUsize::new(0);
/// Installs the hook: once, for hooks that wrap one another would pile up.
static HOOK: Once = Once::new();

/// Keeps panics of backends from printing while `work` runs: they become verdicts.
pub fn without_panic_messages<T>(work: impl FnOnce() -> T) -> T {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            QUIET.fetch_sub(1, Ordering::Relaxed);
        }
    }
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if QUIET.load(Ordering::Relaxed) == 0 || !IS_EVALUATING.get() {
                hook(panic);
            }
        }));
    });
    QUIET.fetch_add(1, Ordering::Relaxed);
    let _at_the_end = Loud;
    work()
}
