//! Which wrong numbers the statements of a deviation cover.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use losscheck_reference::Real;

use super::conditions::{About, Condition};
use super::statement::{Bound, Gives, Unit};
use crate::case::Case;
use crate::case::parts::{Part, Parts};
use crate::judge::tolerance::tolerance;
use crate::judge::verdict::{DifferenceKind, WrongNumber, WrongNumbers};
use crate::loss::{Inputs, LossExt, Output};

/// A case and its parts, and what is known of them. Everything is worked out when it is first asked for.
pub(super) struct Divided<'a> {
    pub(super) case: &'a Case,
    whole: OnceCell<Rc<Part>>,
    parts: OnceCell<Option<Parts<'a>>>,
    made: RefCell<HashMap<usize, Rc<Part>>>,
    /// Whether a condition holds, by its name and the number of the part, or `None` for the case as a whole.
    holds: RefCell<HashMap<(&'static str, Option<usize>), bool>>,
}

/// The parts of a case that a deviation affects and that have a say in one number.
struct Affected {
    parts: Vec<Rc<Part>>,
    /// The share of each part in the error scale of the number.
    shares: Vec<f64>,
    /// Whether the number is made of several parts.
    is_reduced: bool,
}

impl<'a> Divided<'a> {
    pub(super) fn new(case: &'a Case) -> Self {
        Self {
            case,
            whole: OnceCell::new(),
            parts: OnceCell::new(),
            made: RefCell::default(),
            holds: RefCell::default(),
        }
    }

    fn whole(&self) -> &Rc<Part> {
        self.whole.get_or_init(|| Rc::new(Part::whole(self.case)))
    }

    fn parts(&self) -> Option<&Parts<'a>> {
        self.parts.get_or_init(|| Parts::new(self.case)).as_ref()
    }

    fn part(&self, parts: &Parts<'_>, number: usize) -> Rc<Part> {
        let mut made = self.made.borrow_mut();
        Rc::clone(made.entry(number).or_insert_with(|| Rc::new(parts.part(number))))
    }

    fn holds(&self, condition: &Condition, number: Option<usize>, part: &Part) -> bool {
        let mut holds = self.holds.borrow_mut();
        *holds.entry((condition.name, number)).or_insert_with(|| condition.holds(part))
    }

    /// Returns whether a condition holds of the case, or of one of its parts.
    pub(super) fn meets(&self, condition: &Condition) -> bool {
        match (condition.about, self.parts()) {
            (About::Part, Some(parts)) => {
                (0..parts.len()).any(|number| self.holds(condition, Some(number), &self.part(parts, number)))
            }
            (About::Part | About::Case, _) => self.holds(condition, None, self.whole()),
        }
    }

    /// Returns what a condition affects of a number; without a condition, all of it.
    fn affected(&self, condition: Option<&Condition>, of: &WrongNumbers, index: usize) -> Affected {
        let all = |is_affected: bool| {
            let parts = if is_affected { vec![Rc::clone(self.whole())] } else { Vec::new() };
            Affected { shares: vec![1.0; parts.len()], parts, is_reduced: false }
        };
        let (condition, parts) = match (condition, self.parts()) {
            (None, _) => return all(true),
            (Some(condition), Some(parts)) if condition.about == About::Part => (condition, parts),
            (Some(condition), _) => return all(self.holds(condition, None, self.whole())),
        };
        let numbers = parts.of(of.output, &of.shape, index);
        let is_reduced = numbers.len() > 1;
        let all: Vec<Rc<Part>> = numbers.iter().map(|&number| self.part(parts, number)).collect();
        let is_affected: Vec<bool> =
            all.iter().zip(&numbers).map(|(part, &number)| self.holds(condition, Some(number), part)).collect();
        let shares = match (is_reduced, is_affected.contains(&true)) {
            (true, true) => shares(&all, of.output, parts.index_in_part(of.output, &of.shape, index)),
            _ => vec![1.0; all.len()],
        };
        let affected = all.into_iter().zip(shares).zip(is_affected).filter(|(_, is_affected)| *is_affected);
        let (parts, shares) = affected.map(|(part, _)| part).unzip();
        Affected { parts, shares, is_reduced }
    }

    /// Returns whether what a library gives covers a wrong number, given the condition under which it gives that.
    pub(super) fn covers(
        &self,
        (condition, gives): (Option<&Condition>, &[Gives]),
        kind: DifferenceKind,
        of: &WrongNumbers,
        number: &WrongNumber,
    ) -> bool {
        let affected = LazyAffected(OnceCell::new(), || self.affected(condition, of, number.index));
        let is_infinite = |gives: &Gives| *gives == Gives::Special(DifferenceKind::Infinity);
        // NaN or an infinity in one part shows in a sum of many; 0 for one part does not make 0 of the others.
        let is_part_of_sum = || kind == DifferenceKind::Zero && affected.get().is_reduced;
        if gives.contains(&Gives::Special(kind)) && !affected.get().parts.is_empty() && !is_part_of_sum() {
            return true;
        }
        // The difference of two infinities is NaN.
        if kind == DifferenceKind::Nan && gives.iter().any(is_infinite) && affected.get().is_reduced {
            return affected.get().parts.len() > 1;
        }
        is_finite(kind) && self.is_within(of, number, self.allowed(gives, of, number, &|| affected.get()))
    }

    /// Returns how far what a library gives allows a wrong number to be off, beyond the tolerance: 0 if it does not.
    pub(super) fn allowance(
        &self,
        (condition, gives): (Option<&Condition>, &[Gives]),
        kind: DifferenceKind,
        of: &WrongNumbers,
        number: &WrongNumber,
    ) -> f64 {
        let affected = LazyAffected(OnceCell::new(), || self.affected(condition, of, number.index));
        if is_finite(kind) { self.allowed(gives, of, number, &|| affected.get()) } else { 0.0 }
    }

    /// Returns whether a number is off by no more than the tolerance and an allowance other than 0.
    pub(super) fn is_within(&self, of: &WrongNumbers, number: &WrongNumber, allowance: f64) -> bool {
        let tolerance = tolerance(self.case.loss.kind(), of.output, of.dtype) * of.dtype.format().ulp(number.scale);
        allowance > 0.0 && (number.actual - number.exact).abs() <= tolerance + allowance
    }

    /// Returns the allowance of what a library gives, for the parts of the number that are affected.
    fn allowed<'b>(
        &self,
        gives: &[Gives],
        of: &WrongNumbers,
        number: &WrongNumber,
        affected: &dyn Fn() -> &'b Affected,
    ) -> f64 {
        let bounds: Vec<&Bound> = gives.iter().filter_map(|gives| gives.bound(of.dtype)).collect();
        let gives_zero = gives.contains(&Gives::Special(DifferenceKind::Zero));
        if bounds.is_empty() && !gives_zero {
            return 0.0;
        }
        let affected = affected();
        let (ulp, smallest) = (of.dtype.format().ulp(number.scale), of.dtype.format().ulp(0.0));
        let size = |bound: &Bound, part: &Part, share: f64| {
            let scale = share * number.scale;
            let amount = bound.amount * bound.per.map_or(1.0, |measure| measure.of(part));
            match bound.unit {
                Unit::Ulps => amount * ulp * share,
                Unit::Relative => amount * scale,
                Unit::Absolute => match of.output {
                    Output::Value => amount / part.denominator.abs(),
                    Output::Gradient(_) => amount * part.cotangent(),
                },
                Unit::Smallest => amount * smallest,
                Unit::Underflows => amount * smallest / part.cotangent() * scale,
            }
        };
        let allowance = |(part, share): (&Rc<Part>, &f64)| {
            let scale = share * number.scale;
            // Of a part that has no share in the number, 0 times infinity may be allowed, which is nothing.
            let sizes = bounds.iter().map(|bound| size(bound, part, *share)).filter(|size| !size.is_nan());
            let of_bounds: f64 = sizes.sum();
            // The library may leave out the part of a sum.
            if gives_zero && affected.is_reduced { of_bounds.max(scale) } else { of_bounds }
        };
        affected.parts.iter().zip(&affected.shares).map(allowance).sum()
    }
}

/// Returns whether a number that differs in this way has a distance from the right one.
fn is_finite(kind: DifferenceKind) -> bool {
    matches!(kind, DifferenceKind::Off | DifferenceKind::Zero)
}

/// What is affected of a number, worked out when it is first asked for.
struct LazyAffected<F>(OnceCell<Affected>, F);

impl<F: Fn() -> Affected> LazyAffected<F> {
    fn get(&self) -> &Affected {
        self.0.get_or_init(&self.1)
    }
}

/// Returns the share of each part in the error scale of a number that is made of all of them.
fn shares(parts: &[Rc<Part>], output: Output, index: usize) -> Vec<f64> {
    let scale = |part: &Rc<Part>| {
        let scales = part.case.loss.error_scale(&Inputs::from(&part.case)).ok()?;
        let (_, of_output) = scales.outputs().find(|(own, _)| *own == output)?;
        let cotangent = if output == Output::Value { 1.0 } else { part.cotangent() };
        of_output.iter().nth(index).map(|scale| scale.abs().to_f64() * cotangent)
    };
    let scales: Vec<f64> = parts.iter().map(|part| scale(part).unwrap_or(0.0)).collect();
    let total: f64 = scales.iter().sum();
    let share = |scale: f64| if total > 0.0 && total.is_finite() { scale / total } else { 1.0 / parts.len() as f64 };
    scales.into_iter().map(share).collect()
}
