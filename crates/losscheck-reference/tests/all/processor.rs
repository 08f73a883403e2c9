//! Which instructions the kernels use. The choice affects the other tests of this program, which hold with each.

use losscheck_reference::Instructions;

#[test]
fn kernels_use_the_widest_instructions_that_are_allowed() {
    let available = Instructions::available();
    for &set in available.iter().rev() {
        set.limit();
        assert_eq!(Instructions::in_use(), set);
    }
    Instructions::Avx512.limit();
    assert_eq!(Some(&Instructions::in_use()), available.last());
}
