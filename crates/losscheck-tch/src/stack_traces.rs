//! The stack traces of libtorch's errors.

#![expect(unsafe_code, reason = "a function of libtorch that tch does not wrap")]

use std::sync::Once;

// SAFETY: it is declared as `src/stack_traces.cpp` defines it: it takes nothing and returns nothing.
unsafe extern "C" {
    fn losscheck_without_stack_traces();
}

/// Has libtorch throw its errors without a stack trace from now on, which takes most of the time of an error.
pub(crate) fn switch_off() {
    static SWITCH: Once = Once::new();
    // SAFETY: it sets a variable of libtorch, once.
    SWITCH.call_once(|| unsafe { losscheck_without_stack_traces() });
}
