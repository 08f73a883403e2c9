//! The elementary functions: those of `DoubleDouble` within 2^-90 of stored values, those of `f32` and `f64` within
//! 1 ULP, or 1.1 for `exp_m1`.

use std::iter::repeat_with;

use losscheck_reference::{DoubleDouble, Float, Real};

use Function::{Exp, ExpM1, Ln, Ln1p};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

#[derive(Clone, Copy, Debug)]
enum Function {
    Exp,
    ExpM1,
    Ln,
    Ln1p,
}

impl Function {
    fn named(name: &str) -> Option<Self> {
        [("exp", Exp), ("ln", Ln), ("ln_1p", Ln1p)].into_iter().find(|row| row.0 == name).map(|row| row.1)
    }

    /// In ULPs. Just above ln(2) / 2, e^x - 1 is small beside the terms that it is the sum of.
    fn most(self) -> f64 {
        if matches!(self, ExpM1) { 1.1 } else { 1.0 }
    }

    fn of<R: Real>(self, x: R) -> R {
        let mut x = [x];
        self.over(&mut x);
        x[0]
    }

    /// Vectorised, as the losses run it.
    fn over<R: Real>(self, xs: &mut [R]) {
        R::vectorize(
            #[inline(always)]
            || match self {
                Exp => xs.iter_mut().for_each(|x| *x = x.exp()),
                ExpM1 => xs.iter_mut().for_each(|x| *x = x.exp_m1()),
                Ln => xs.iter_mut().for_each(|x| *x = x.ln()),
                Ln1p => xs.iter_mut().for_each(|x| *x = x.ln_1p()),
            },
        );
    }
}

fn power_of_two(exponent: i32) -> f64 {
    // Two factors, for powi(-1074) is 0.
    2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)
}

/// The error in units in the last place of the exact result, which is given times 2^shift.
fn ulps<F: Float>(exact: DoubleDouble, shift: i32, actual: F) -> f64 {
    let (rounded, actual) = (exact.to_f64(), actual.to_f64());
    if rounded.is_nan() || actual.is_nan() {
        return if rounded.is_nan() && actual.is_nan() { 0.0 } else { INF };
    }
    if actual.is_infinite() || rounded.is_infinite() {
        let beyond = exact.abs() > DoubleDouble::from_f64(F::LARGEST.to_f64());
        return if actual.is_infinite() && beyond && (actual > 0.0) == (rounded > 0.0) { 0.0 } else { INF };
    }
    let exponent = ((rounded.to_bits() >> 52 & 0x7ff) as i32).max(1) - 1023;
    let unit = power_of_two(exponent.max(F::MIN_EXPONENT + shift) - (F::PRECISION - 1));
    (DoubleDouble::from_f64(actual * power_of_two(shift)) - exact).abs().to_f64() / unit
}

#[derive(Clone, Copy, Debug)]
struct Worst {
    ulps: f64,
    at: f64,
}

impl Worst {
    const NONE: Self = Self { ulps: 0.0, at: NAN };

    fn or(self, ulps: f64, at: f64) -> Self {
        if ulps > self.ulps { Self { ulps, at } } else { self }
    }
}

fn assert_within(most: f64, what: &str, worst: Worst) {
    eprintln!("{what}: at most {:.4} ULP, at {:e}", worst.ulps, worst.at);
    assert!(worst.ulps <= most, "{what}({:e}) is {} ULP off", worst.at, worst.ulps);
}

const TABLE: &str = include_str!("../data/elementary.txt");

/// What `DoubleDouble` promises, except that it cannot go below the smallest f64.
fn assert_wide(row: &str, actual: DoubleDouble, exact: &[f64]) -> f64 {
    let error = (((actual.high() - exact[0]) + (actual.low() - exact[1])) - exact[2]).abs();
    assert!(error <= (exact[0].abs() * power_of_two(-90)).max(power_of_two(-1074)), "{actual:?} for {row}: {error:e}");
    if exact[0].abs() < power_of_two(-900) { 0.0 } else { error / exact[0].abs() }
}

#[test]
fn wide_is_within_two_to_the_minus_90_of_stored_values() {
    for name in ["exp", "ln", "ln_1p", "add", "sub", "mul", "div"] {
        let rows: Vec<&str> = TABLE.lines().filter(|row| row.split(' ').next() == Some(name)).collect();
        let mut worst = Worst::NONE;
        for row in &rows {
            let numbers: Vec<f64> = row.split(' ').skip(1).map(|number| number.parse().expect(row)).collect();
            let (arguments, exact) = numbers.split_at(numbers.len() - 3);
            let x = DoubleDouble::sum_of(arguments[0], arguments[1]);
            let y = || DoubleDouble::sum_of(arguments[2], arguments[3]);
            let actual = match name {
                "add" => x + y(),
                "sub" => x - y(),
                "mul" => x * y(),
                "div" => x / y(),
                _ => Function::named(name).expect("a function").of(x),
            };
            worst = worst.or(assert_wide(row, actual, exact), arguments[0]);
        }
        eprintln!(
            "DoubleDouble {name}: at most 2^{:.1} over {} rows, at {:e}",
            worst.ulps.log2(),
            rows.len(),
            worst.at
        );
        assert!(rows.len() >= if name.len() == 3 && name != "exp" { 100 } else { 400 }, "{name}");
    }
}

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.bits() >> 11) as f64 * power_of_two(-53))
    }

    fn magnitude(&mut self, lowest: i32, highest: i32) -> f64 {
        let exponent = lowest + (self.bits() % (highest - lowest + 1) as u64) as i32;
        self.uniform(1.0, 2.0) * power_of_two(exponent)
    }

    fn signed(&mut self, lowest: i32, highest: i32) -> f64 {
        let magnitude = self.magnitude(lowest, highest);
        if self.bits() & 1 == 0 { magnitude } else { -magnitude }
    }
}

#[test]
fn wide_arithmetic_keeps_exact_identities() {
    let mut draw = Draw(2);
    for _ in 0..100_000 {
        let x = DoubleDouble::sum_of(draw.signed(-100, 100), draw.signed(-160, 40));
        let y = DoubleDouble::sum_of(draw.signed(-100, 100), draw.signed(-160, 40));
        for (what, actual, exact, scale) in [
            ("(x y) / y", (x * y) / y, x, x.abs()),
            ("(x / y) y", (x / y) * y, x, x.abs()),
            ("(x + y) - y", (x + y) - y, x, x.abs() + y.abs()),
            ("(x + y)(x - y) + y y", (x + y) * (x - y) + y * y, x * x, x * x + y * y),
        ] {
            let error = ((actual - exact).abs() / scale).to_f64();
            assert!(error <= power_of_two(-100), "{what} for {x:?}, {y:?}: 2^{}", error.log2());
        }
        assert_eq!(x - x, DoubleDouble::ZERO);
        assert_eq!(x + y, y + x);
        assert_eq!(-(-x), x);
    }
}

#[test]
fn a_double_double_holds_the_sum_of_two_numbers_exactly() {
    let mut draw = Draw(3);
    for _ in 0..100_000 {
        let [a, b] = std::array::from_fn(|_| draw.signed(0, 100).round());
        let sum = DoubleDouble::sum_of(a, b);
        assert_eq!(sum.high(), a + b);
        assert_eq!(sum.high() as i128 + sum.low() as i128, a as i128 + b as i128, "{a} + {b}: {sum:?}");
    }
}

/// Asserts that a number is within 2^-90 of another.
#[track_caller]
fn assert_double_double(what: &str, actual: DoubleDouble, exact: DoubleDouble) {
    let error = ((actual - exact).abs() / exact.abs()).to_f64();
    assert!(error <= power_of_two(-90), "{what}: {actual:?}, exact {exact:?}, 2^{}", error.log2());
}

#[test]
fn double_double_logarithms_of_numbers_near_1_keep_their_digits() {
    let mut draw = Draw(4);
    for _ in 0..10_000 {
        let distance = DoubleDouble::from_f64(draw.signed(-50, -5));
        assert_double_double("ln(1 + z)", (DoubleDouble::ONE + distance).ln(), distance.ln_1p());
    }
}

#[test]
fn double_double_roots_and_powers_keep_their_digits() {
    let of = DoubleDouble::from_f64;
    let mut draw = Draw(5);
    for _ in 0..10_000 {
        let x = DoubleDouble::sum_of(draw.magnitude(-40, 40), draw.signed(-100, -60));
        let (root, y) = (x.sqrt(), draw.signed(-4, 3));
        assert_double_double("the square of a root", root * root, x);
        assert_double_double("x^1.5", x.powf(of(1.5)), x * root);
        assert_double_double("x^-0.5", x.powf(of(-0.5)), DoubleDouble::ONE / root);
        assert_double_double("x^y", x.powf(of(y)), (of(y) * x.ln()).exp());
        // An exponent that is an integer in its high half alone.
        let almost_2 = DoubleDouble::sum_of(2.0, power_of_two(-60));
        assert_double_double("x^(2 + 2^-60)", x.powf(almost_2), x * x * (of(power_of_two(-60)) * x.ln()).exp());
        let power = |count: usize| (0..count).fold(DoubleDouble::ONE, |power, _| power * x);
        for count in [0, 1, 2, 3, 15, 16] {
            let exponent = of(count as f64);
            assert_eq!(x.powf(exponent), power(count), "x^{count} for {x:?}");
            assert_eq!(x.powf(-exponent), DoubleDouble::ONE / power(count), "x^-{count} for {x:?}");
        }
        for count in [17, 18] {
            let (exponent, sign) = (of(count as f64), if count == 17 { -DoubleDouble::ONE } else { DoubleDouble::ONE });
            assert_double_double("x^n", x.powf(exponent), power(count));
            assert_double_double("(-x)^n", (-x).powf(exponent), sign * power(count));
            assert_double_double("(-x)^-n", (-x).powf(-exponent), sign / power(count));
        }
    }
}

#[test]
fn double_double_roots_and_powers_at_their_edges() {
    let of = DoubleDouble::from_f64;
    for (x, root) in [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-1.0, NAN), (NAN, NAN), (-INF, NAN), (4.0, 2.0)] {
        let actual = of(x).sqrt().to_f64();
        assert!(actual == root || actual.is_nan() && root.is_nan(), "the root of {x} is {actual}");
        assert!(root.is_nan() || actual.is_sign_negative() == root.is_sign_negative(), "the root of {x} is {actual}");
    }
    for (x, y, power) in [
        (-2.0, 3.0, -8.0),
        (-2.0, 4.0, 16.0),
        (-2.0, -3.0, -0.125),
        (NAN, 0.0, 1.0),
        (INF, 0.0, 1.0),
        (0.0, 2.0, 0.0),
        (0.0, -2.0, INF),
        (0.0, 1.5, 0.0),
        (0.0, -1.5, INF),
        (0.0, 17.0, 0.0),
        (0.0, -17.0, INF),
        (-0.0, -17.0, -INF),
        (INF, 1.5, INF),
        (INF, -1.5, 0.0),
        (-INF, 17.0, -INF),
        (-INF, 18.0, INF),
        (-INF, -17.0, 0.0),
        (-2.0, 1.5, NAN),
        (-2.0, -17.5, NAN),
        (2.0, INF, INF),
        (2.0, -INF, 0.0),
        (0.5, INF, 0.0),
        (1.0, INF, 1.0),
        (-1.0, INF, 1.0),
        (-2.0, INF, INF),
        (-0.5, INF, 0.0),
        (2.0, NAN, NAN),
        (NAN, 1.5, NAN),
    ] {
        let actual = of(x).powf(of(y)).to_f64();
        assert!(actual == power || actual.is_nan() && power.is_nan(), "{x}^{y} is {actual}, expected {power}");
    }
}

/// Every f32 by its bits: f64's own functions, from the C library, are exact beside it, to 2^-28 of its ULP.
fn worst_of_f32(function: Function, bits: impl Iterator<Item = u32>) -> Worst {
    let mut bits = bits.map(f32::from_bits).peekable();
    let mut worst = Worst::NONE;
    while bits.peek().is_some() {
        let xs: Vec<f32> = bits.by_ref().take(4096).collect();
        let mut ys = xs.clone();
        function.over(&mut ys);
        for (x, y) in xs.into_iter().map(f64::from).zip(ys) {
            let exact = match function {
                Exp => x.exp(),
                ExpM1 => x.exp_m1(),
                Ln => x.ln(),
                Ln1p => x.ln_1p(),
            };
            worst = worst.or(ulps(DoubleDouble::from_f64(exact), 0, y), x);
        }
    }
    worst
}

#[test]
fn f32_is_close_at_every_257th_float() {
    for function in [Exp, ExpM1, Ln, Ln1p] {
        let worst = worst_of_f32(function, (0..=u32::MAX).step_by(257));
        assert_within(function.most(), &format!("f32 {function:?}, every 257th"), worst);
    }
}

#[test]
fn f32_is_close_at_the_edges_of_every_exponent_and_where_formulas_meet() {
    let exponents = (0..512u32).flat_map(|exponent| {
        let first = exponent << 23;
        [0, 1, 2, 3, 0x35_04f2, 0x35_04f3, 0x35_04f4, 0x3f_ffff, 0x40_0000, 0x7f_fffe, 0x7f_ffff].map(|m| first | m)
    });
    let meeting = [1.0, -1.0, 0.0, -0.0, 0.5, -0.5, 2.0, -0.292_893_2, 0.414_213_56, 0.707_106_77, f32::MIN_POSITIVE];
    let extreme = [f32::MAX, f32::MIN, 88.722_84, -87.336_55, -103.278_93, -103.972_08, 89.0, -104.0];
    let around = meeting.into_iter().chain(extreme).flat_map(|x: f32| {
        let bits = x.to_bits();
        bits.saturating_sub(1000)..=bits.saturating_add(1000)
    });
    let bits: Vec<u32> = exponents.chain(around).collect();
    for function in [Exp, ExpM1, Ln, Ln1p] {
        let worst = worst_of_f32(function, bits.iter().copied());
        assert_within(function.most(), &format!("f32 {function:?}, edges"), worst);
    }
}

#[test]
fn f32_is_close_at_every_float() {
    if std::env::var_os("LOSSCHECK_EXHAUSTIVE").is_none_or(|value| value != "1") {
        eprintln!("skipped: all 2^32 floats take minutes; LOSSCHECK_EXHAUSTIVE=1 runs them");
        return;
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    for function in [Exp, ExpM1, Ln, Ln1p] {
        let worst = std::thread::scope(|scope| {
            let run = |first| scope.spawn(move || worst_of_f32(function, (first..=u32::MAX).step_by(threads as usize)));
            let runs: Vec<_> = (0..threads).map(run).collect();
            let results = runs.into_iter().map(|run| run.join().expect("a thread without panics"));
            results.fold(Worst::NONE, |worst, other| worst.or(other.ulps, other.at))
        });
        assert_within(function.most(), &format!("f32 {function:?}, all"), worst);
    }
}

const POINTS: usize = 2_000_000;

/// Where the arguments of an f64 function are drawn from, each an equal share of the points.
fn strata(function: Function) -> Vec<fn(&mut Draw) -> f64> {
    match function {
        Exp => vec![
            |draw| draw.uniform(-746.0, 710.0),
            |draw| draw.uniform(-1.0, 1.0),
            |draw| draw.uniform(-745.2, -708.3),
            |draw| draw.uniform(709.0, 709.8),
            |draw| draw.signed(-60, 9),
            |draw| draw.signed(-1074, 1023),
            // Halfway between multiples of ln 2, where the polynomial's argument is largest.
            |draw| {
                let n = draw.uniform(-1074.0, 1023.0).round() + 0.5;
                n * std::f64::consts::LN_2 * (1.0 + draw.signed(-53, -20))
            },
        ],
        ExpM1 => vec![
            |draw| draw.uniform(-40.0, 710.0),
            |draw| draw.uniform(-1.0, 1.0),
            |draw| draw.uniform(-5.0, 5.0),
            |draw| draw.uniform(709.0, 709.8),
            |draw| draw.signed(-60, 9),
            |draw| draw.signed(-1074, 1023),
            |draw| {
                let n = draw.uniform(-60.0, 1023.0).round() + 0.5;
                n * std::f64::consts::LN_2 * (1.0 + draw.signed(-53, -20))
            },
        ],
        Ln => vec![
            |draw| draw.magnitude(-1022, 1023),
            |draw| draw.magnitude(-1074, -1022),
            |draw| draw.uniform(0.5, 2.0),
            |draw| 1.0 + draw.signed(-53, -2),
            |draw| draw.uniform(0.0, 100.0),
            // Around sqrt(1/2) times a power of two, where the series' argument is largest.
            |draw| power_of_two(draw.magnitude(0, 9) as i32) * (0.5f64.sqrt() * (1.0 + draw.signed(-53, -10))),
        ],
        Ln1p => vec![
            |draw| draw.signed(-1074, -1),
            |draw| draw.magnitude(-60, 1023),
            |draw| draw.uniform(-1.0, 1.0),
            |draw| -1.0 + draw.magnitude(-53, -1),
            |draw| draw.uniform(-0.35, 0.5),
            |draw| draw.uniform(0.0, 100.0),
            |draw| draw.signed(-30, -1),
            |draw| power_of_two(draw.magnitude(0, 9) as i32) * 0.5f64.sqrt() * (1.0 + draw.signed(-53, -10)) - 1.0,
        ],
    }
}

/// The exact result times 2^shift, so that it stands clear of f64's subnormals.
fn exact(function: Function, x: f64) -> (DoubleDouble, i32) {
    const SHIFT: i32 = 200;
    match function {
        Exp if (-746.0..-600.0).contains(&x) => {
            let shifted =
                DoubleDouble::from_f64(x) + DoubleDouble::from_f64(2.0).ln() * DoubleDouble::from_f64(f64::from(SHIFT));
            (shifted.exp(), SHIFT)
        }
        _ => (function.of(DoubleDouble::from_f64(x)), 0),
    }
}

#[test]
fn f64_is_close_at_random_points_of_every_kind() {
    for function in [Exp, ExpM1, Ln, Ln1p] {
        let strata = strata(function);
        let mut worst = Worst::NONE;
        for (stratum, draw_from) in strata.iter().enumerate() {
            let mut draw = Draw(stratum as u64);
            let xs: Vec<f64> = repeat_with(|| draw_from(&mut draw)).take(POINTS / strata.len()).collect();
            let mut ys = xs.clone();
            function.over(&mut ys);
            for (x, y) in xs.into_iter().zip(ys) {
                let (exact, shift) = exact(function, x);
                worst = worst.or(ulps(exact, shift, y), x);
            }
        }
        assert_within(function.most(), &format!("f64 {function:?}, {POINTS} points"), worst);
    }
}

fn assert_rows<F: Float>(name: &str, rows: &[(Function, f64, f64)]) {
    for &(function, x, expected) in rows {
        let actual = function.of(F::from_f64(x)).to_f64();
        let agrees = ulps(DoubleDouble::from_f64(expected), 0, F::from_f64(actual)) <= 1.0;
        let same_kind = actual.is_infinite() == expected.is_infinite()
            && (actual == 0.0) == (expected == 0.0)
            && (actual.is_nan() || actual.is_sign_negative() == expected.is_sign_negative());
        assert!(agrees && same_kind, "{name} {function:?}({x:e}) is {actual:e}, expected {expected:e}");
    }
}

#[test]
fn zeros_infinities_and_nan() {
    let rows = [
        (Exp, 0.0, 1.0),
        (Exp, -0.0, 1.0),
        (Exp, INF, INF),
        (Exp, -INF, 0.0),
        (Exp, NAN, NAN),
        (Exp, -NAN, NAN),
        (ExpM1, 0.0, 0.0),
        (ExpM1, -0.0, -0.0),
        (ExpM1, INF, INF),
        (ExpM1, -INF, -1.0),
        (ExpM1, NAN, NAN),
        (ExpM1, -NAN, NAN),
        (Ln, 1.0, 0.0),
        (Ln, 0.0, -INF),
        (Ln, -0.0, -INF),
        (Ln, INF, INF),
        (Ln, -INF, NAN),
        (Ln, -1.0, NAN),
        (Ln, -1e-40, NAN),
        (Ln, NAN, NAN),
        (Ln, -NAN, NAN),
        (Ln1p, 0.0, 0.0),
        (Ln1p, -0.0, -0.0),
        (Ln1p, -1.0, -INF),
        (Ln1p, -1.5, NAN),
        (Ln1p, INF, INF),
        (Ln1p, -INF, NAN),
        (Ln1p, NAN, NAN),
        (Ln1p, -NAN, NAN),
    ];
    assert_rows::<f32>("f32", &rows);
    assert_rows::<f64>("f64", &rows);
    for (function, x, expected) in rows {
        let actual = function.of(DoubleDouble::from_f64(x)).to_f64();
        let same = actual == expected && actual.is_sign_negative() == expected.is_sign_negative();
        assert!(same || actual.is_nan() && expected.is_nan(), "DoubleDouble {function:?}({x:e}) is {actual:e}");
    }
}

#[test]
fn thresholds_of_f32() {
    let (smallest, normal) = (f64::from(f32::from_bits(1)), f64::from(f32::MIN_POSITIVE));
    assert_rows::<f32>(
        "f32",
        &[
            (Exp, 88.722_831_726_074_22, 3.402_798_5e38),
            (Exp, 88.722_839_355_468_75, INF),
            (Exp, 89.1, INF),
            (Exp, 3.4e38, INF),
            (Exp, -87.336_540_222_167_97, 1.175_499_7e-38),
            (Exp, -87.336_547_851_562_5, 1.175_490_7e-38),
            (Exp, -103.278_923, 1.4e-45),
            (Exp, -103.972_076_416_015_62, smallest),
            (Exp, -103.972_084_045_410_16, 0.0),
            (Exp, -104.1, 0.0),
            (Exp, -3.4e38, 0.0),
            (Exp, smallest, 1.0),
            (Exp, -smallest, 1.0),
            (ExpM1, 88.722_831_726_074_22, 3.402_798_5e38),
            (ExpM1, 88.722_839_355_468_75, INF),
            (ExpM1, smallest, smallest),
            (ExpM1, -normal, -normal),
            (ExpM1, -17.4, -0.999_999_972_242_954_3),
            (ExpM1, -3.4e38, -1.0),
            (Ln, smallest, -103.278_929_903_431_85),
            (Ln, 2.0 * smallest, -102.585_782_722_871_9),
            (Ln, normal, -87.336_544_750_553_11),
            (Ln, normal - smallest, -87.336_544_869_762_5),
            (Ln, f64::from(f32::MAX), 88.722_839_052_068_35),
            (Ln1p, smallest, smallest),
            (Ln1p, -smallest, -smallest),
            (Ln1p, -normal, -normal),
            (Ln1p, normal, normal),
            (Ln1p, -0.999_999_940_395_355_2, -16.635_532_333_438_69),
            (Ln1p, 5.960_464_5e-8, 5.960_464_299_903_38e-8),
            (Ln1p, 16_777_216.0, 16.635_532_393_043_33),
            (Ln1p, f64::from(f32::MAX), 88.722_839_052_068_35),
        ],
    );
}

#[test]
fn thresholds_of_f64() {
    let (smallest, normal) = (f64::from_bits(1), f64::MIN_POSITIVE);
    assert_rows::<f64>(
        "f64",
        &[
            (Exp, 709.782_712_893_384, 1.797_693_134_862_273e308),
            (Exp, 709.782_712_893_384_1, INF),
            (Exp, 710.1, INF),
            (Exp, f64::MAX, INF),
            (Exp, -708.396_418_532_264_1, 2.225_073_858_507_262_6e-308),
            (Exp, -708.396_418_532_264_2, 2.225_073_858_507_009_5e-308),
            (Exp, -744.440_071_921_381_2, smallest),
            (Exp, -745.133_219_101_941_1, smallest),
            (Exp, -745.133_219_101_941_2, 0.0),
            (Exp, -746.1, 0.0),
            (Exp, f64::MIN, 0.0),
            (Exp, smallest, 1.0),
            (Exp, -smallest, 1.0),
            (ExpM1, 709.782_712_893_384, 1.797_693_134_862_273e308),
            (ExpM1, 709.782_712_893_384_1, INF),
            (ExpM1, smallest, smallest),
            (ExpM1, -normal, -normal),
            (ExpM1, f64::MIN, -1.0),
            (Ln, smallest, -744.440_071_921_381_3),
            (Ln, 2.0 * smallest, -743.746_924_740_821_3),
            (Ln, normal, -708.396_418_532_264_1),
            (Ln, normal - smallest, -708.396_418_532_264_1),
            (Ln, f64::MAX, 709.782_712_893_384),
            (Ln1p, smallest, smallest),
            (Ln1p, -smallest, -smallest),
            (Ln1p, normal, normal),
            (Ln1p, -normal, -normal),
            (Ln1p, -1.0 + 2f64.powi(-53), -36.736_800_569_677_1),
            (Ln1p, 2f64.powi(-53), 2f64.powi(-53)),
            (Ln1p, 2f64.powi(53), 36.736_800_569_677_1),
            (Ln1p, f64::MAX, 709.782_712_893_384),
        ],
    );
}
