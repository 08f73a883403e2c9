//! Calls of backends, whose panics become outcomes.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Backend, Outcome};
use crate::case::Case;

/// Evaluates one case on one backend. A panic becomes an [`Outcome::Failed`].
pub fn evaluate(backend: &dyn Backend, case: &Case) -> Outcome {
    let was_evaluating = IS_EVALUATING.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| backend.evaluate(case)));
    IS_EVALUATING.set(was_evaluating);
    outcome.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let message = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Outcome::Failed(format!("panicked: {message}"))
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
