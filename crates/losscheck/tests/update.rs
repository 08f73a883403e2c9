//! What the goldens say of a record: what of it is no longer true, and what it is once it is brought up to date.

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::format::case_of;
use losscheck::case::{Case, Expected, ExpectedBy};
use losscheck::deviations::{Deviation, Deviations, Explained, Judged, PYTORCH, Policy, Scope};
use losscheck::judge::verdict::Verdict;
use losscheck::judge::{judge, oracle};
use losscheck::tensor::DType;
use serde_json::json;

/// Returns a golden whose loss is 1.
fn golden(id: &str, flags: &[&str]) -> Case {
    let (loss, rest) = id.split_once('/').expect("an id that starts with a loss");
    let dtype = rest.split('/').next().unwrap_or_default();
    let tensor = |x: f64| json!({"dtype": dtype, "shape": [1], "data": [x]});
    let inputs = json!({"input": tensor(1.0), "target": tensor(0.0)});
    let case = case_of(&json!({"id": id, "loss": loss, "options": {}, "inputs": inputs})).expect("a case");
    Case { flags: flags.iter().map(|&flag| flag.to_owned()).collect(), ..case }
}

/// Returns the right answer to a golden with another value.
fn answer(case: &Case, value: f64) -> Outcome {
    let Outcome::Answer(mut answer) = Reference.evaluate(case) else { panic!("{}: no answer", case.id) };
    answer.value = answer.value.with_elements([value].into_iter()).expect("a scalar");
    Outcome::Answer(answer)
}

/// A golden and what became of it.
struct Judgement {
    case: Case,
    verdict: Verdict,
}

fn gives(id: &str, flags: &[&str], value: f64) -> Judgement {
    let case = golden(id, flags);
    let verdict = judge(&case, &oracle::evaluate(&case), &answer(&case, value));
    Judgement { case, verdict }
}

fn is_off(id: &str, flags: &[&str], ulps: f64) -> Judgement {
    let dtype: DType = id.split('/').nth(1).and_then(|name| name.parse().ok()).expect("an id that names its dtype");
    gives(id, flags, 1.0 + ulps * dtype.format().ulp(1.0))
}

fn is_nan(id: &str, flags: &[&str]) -> Judgement {
    gives(id, flags, f64::NAN)
}

fn agrees(id: &str, flags: &[&str]) -> Judgement {
    gives(id, flags, 1.0)
}

fn is_rejected(id: &str, flags: &[&str]) -> Judgement {
    let case = golden(id, flags);
    let verdict = judge(&case, &oracle::evaluate(&case), &Outcome::Rejection("no".to_owned()));
    Judgement { case, verdict }
}

fn is_not_provided(id: &str, flags: &[&str]) -> Judgement {
    Judgement { case: golden(id, flags), verdict: Verdict::NotProvided("not yet".to_owned()) }
}

/// Returns a golden to which PyTorch's answer is NaN, too.
fn is_nan_like_pytorch(id: &str) -> Judgement {
    let mut case = golden(id, &[]);
    let Outcome::Answer(nan) = answer(&case, f64::NAN) else { panic!("{id}: no answer") };
    (case.expected, case.expected_by) = (Some(Expected::Answer(nan.clone())), ExpectedBy::Pytorch("2".into()));
    let verdict = judge(&case, &oracle::evaluate(&case), &Outcome::Answer(nan));
    assert!(matches!(verdict, Verdict::LikePyTorch(_)), "{verdict:?}");
    Judgement { case, verdict }
}

/// Returns a deviation as its file has it. The path is `LOSS/NAME`.
fn deviation(path: &str, gives: &[&str], witness: &str, cases: &[&str], more: &str) -> String {
    let (loss, name) = path.split_once('/').expect("LOSS/NAME");
    let reason = if more.contains("reason") { "" } else { "reason = \"a test\"\n" };
    format!(
        "[[deviation]]\nloss = {loss:?}\nname = {name:?}\ngives = {gives:?}\n{reason}upstream = \"unreported\"\n\
         witness = {witness:?}\ncases = {cases:?}\n{more}\n"
    )
}

/// The records of PyTorch, of another backend and of the one that is judged.
#[derive(Default)]
struct Records<'a> {
    pytorch: &'a str,
    other: &'a str,
    own: &'a str,
}

impl Records<'_> {
    fn read(&self, name: &str) -> (Policy, Deviations) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let read = |name: &str, text: &str| {
            let file = folder.path().join(format!("{name}.toml"));
            std::fs::write(&file, text).expect("a writable folder");
            Deviations::read(&file).unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        let (pytorch, _) = (read(PYTORCH, self.pytorch), read("other", self.other));
        (Policy::new(name, Scope::Goldens, read("own", self.own)), pytorch)
    }

    fn with<T>(
        &self,
        name: &str,
        judgements: &[Judgement],
        ask: impl for<'a> Fn(&Policy, &Deviations, &'a [Judged<'a>]) -> T,
    ) -> T {
        let (policy, pytorch) = self.read(name);
        let explained: Vec<Vec<Explained>> =
            judgements.iter().map(|it| policy.explain(&it.case, &it.verdict)).collect();
        let judged = judgements.iter().zip(&explained);
        let judged = judged.map(|(Judgement { case, verdict }, explained)| Judged { case, verdict, explained });
        ask(&policy, &pytorch, &judged.collect::<Vec<_>>())
    }

    fn stale(&self, judgements: &[Judgement]) -> Vec<String> {
        self.with("own", judgements, |policy, pytorch, judged| policy.stale(pytorch, judged.iter().copied()))
    }

    fn updated(&self, judgements: &[Judgement]) -> Deviations {
        self.with("own", judgements, |policy, pytorch, judged| policy.updated(pytorch, judged.iter().copied()))
    }
}

fn stale(own: &str, judgements: &[Judgement]) -> Vec<String> {
    Records { own, ..Records::default() }.stale(judgements)
}

fn updated(own: &str, judgements: &[Judgement]) -> Vec<Deviation> {
    Records { own, ..Records::default() }.updated(judgements).iter().cloned().collect()
}

/// Returns the cases and what they give of the only deviation that an update leaves.
fn update_of_one(own: &str, judgements: &[Judgement]) -> (Vec<String>, Vec<String>) {
    let updated = updated(own, judgements);
    let [only] = updated.as_slice() else { panic!("{updated:?}") };
    (only.cases.clone(), only.gives.clone())
}

#[test]
fn the_number_of_provided_goldens_is_checked_if_it_is_recorded() {
    let judgements =
        || [agrees("mse_loss/f32/a", &[]), is_nan("l1_loss/f32/a", &[]), is_not_provided("mse_loss/f32/b", &[])];
    let record = |mse: usize| format!("[provided]\nmse_loss = {mse}\nkl_div = 7\n");
    assert!(stale(&record(1), &judgements()).is_empty());
    assert_eq!(stale(&record(2), &judgements()), ["`provided`: 2 cases of mse_loss, found 1"]);
    let updated = Records { own: &record(2), ..Records::default() }.updated(&judgements());
    let provided: Vec<_> = updated.provided.iter().map(|(loss, &count)| (loss.as_str(), count)).collect();
    assert_eq!(provided, [("kl_div", 7), ("l1_loss", 1), ("mse_loss", 1)]);
}

#[test]
fn a_deviation_is_stale_if_a_golden_that_it_lists_does_not_differ_so() {
    let of = |more: &str| deviation("mse_loss/nan", &["value: NaN"], "mse_loss/f32/a", &["mse_loss/f32/*"], more);
    let a = || is_nan("mse_loss/f32/a", &[]);
    assert!(stale(&of(""), &[a(), is_nan("mse_loss/f32/b", &[])]).is_empty());
    assert!(stale(&of(""), &[a(), is_not_provided("mse_loss/f32/b", &[])]).is_empty());
    for other in [agrees("mse_loss/f32/b", &[]), is_off("mse_loss/f32/b", &[], 100.0)] {
        let judgements = [a(), other];
        assert_eq!(stale(&of(""), &judgements), ["deviation mse_loss/nan: mse_loss/f32/b does not differ so"]);
        assert!(stale(&of("cpu_dependent = true"), &judgements).is_empty());
    }
    // Another loss says nothing about it.
    assert!(stale(&of(""), &[agrees("l1_loss/f32/a", &[])]).is_empty());
}

#[test]
fn a_difference_that_another_deviation_covers_is_none_of_this_one() {
    let of = |name: &str, gives: &str| deviation(name, &[gives], "mse_loss/f32/a", &["mse_loss/f32/a"], "");
    let both = of("mse_loss/nan", "value: NaN") + &of("mse_loss/zero", "value: 0");
    let expected = ["deviation mse_loss/zero: mse_loss/f32/a does not differ so"];
    assert_eq!(stale(&both, &[is_nan("mse_loss/f32/a", &[])]), expected);
}

#[test]
fn each_pattern_and_the_witness_name_goldens() {
    let of =
        |witness: &str, cases: &[&str]| deviation("mse_loss/nan", &["value: NaN"], witness, cases, "when = \"empty\"");
    let judgements = [is_nan("mse_loss/f32/a", &[]), agrees("mse_loss/f32/b", &[])];
    let record = deviation("mse_loss/nan", &["value: NaN"], "mse_loss/f32/b", &["mse_loss/f32/a", "flag:odd"], "");
    let expected = [
        "deviation mse_loss/nan: `flag:odd` names no case",
        "deviation mse_loss/nan: its witness `mse_loss/f32/b` is none of its cases",
    ];
    assert_eq!(stale(&record, &judgements), expected);
    // The witness of a deviation that lists no golden is a regression.
    assert!(stale(&of("mse_loss/f32/fuzz-1-2", &[]), &judgements).is_empty());
}

#[test]
fn a_star_in_a_pattern_stands_for_any_part_of_an_id() {
    let names_it = |pattern: &str, id: &str| {
        let (pattern, id) = (format!("mse_loss/f32/{pattern}"), format!("mse_loss/f32/{id}"));
        let own = deviation("mse_loss/nan", &["value: NaN"], &id, &[&pattern], "");
        let stale = stale(&own, &[is_nan(&id, &[])]);
        assert!(stale.is_empty() || stale[0].ends_with(&format!("`{pattern}` names no case")), "{stale:?}");
        stale.is_empty()
    };
    for (pattern, id) in [("a/b", "a/b"), ("a/*", "a/b/c"), ("*/c", "a/b/c"), ("a/*/c", "a/b/c"), ("a*b*c", "abbcc")] {
        assert!(names_it(pattern, id), "{pattern} {id}");
    }
    // The parts follow each other, and nothing else stands for anything.
    for (pattern, id) in [("a/b", "a/b/c"), ("a/*", "b/a/"), ("ab*bc", "abc"), ("a*b*c", "acb"), ("a/?", "a/b")] {
        assert!(!names_it(pattern, id), "{pattern} {id}");
    }
}

#[test]
fn a_deviation_of_pytorch_is_borrowed_if_goldens_differ_so() {
    let pytorch = deviation("mse_loss/nan", &["value: NaN"], "mse_loss/f32/a", &["mse_loss/f32/a"], "");
    let borrowing = "same_as = [\"pytorch/mse_loss/nan\"]\n";
    let records = |own| Records { pytorch: &pytorch, own, ..Records::default() };
    let provided = "[provided]\nmse_loss = 1\n";
    let missing = ["`same_as`: expected `pytorch/mse_loss/nan`, as cases differ so"];
    for differs in [is_nan("mse_loss/f32/a", &[]), is_nan_like_pytorch("mse_loss/f32/a")] {
        let judgements = [differs];
        assert!(records(borrowing).stale(&judgements).is_empty());
        assert_eq!(records(provided).stale(&judgements), missing);
        // An empty record is none that could be wrong.
        assert!(records("").stale(&judgements).is_empty());
        let updated = records(provided).updated(&judgements);
        assert_eq!(updated.same_as().collect::<Vec<_>>(), ["pytorch/mse_loss/nan"]);
        assert_eq!(updated.iter().count(), 0);
        // PyTorch borrows nothing of itself.
        let own = records(provided)
            .with(PYTORCH, &judgements, |policy, pytorch, judged| policy.stale(pytorch, judged.iter().copied()));
        assert!(own.is_empty(), "{own:?}");
    }
    let judgements = [agrees("mse_loss/f32/a", &[])];
    let expected = ["`same_as`: no case differs as `pytorch/mse_loss/nan` says"];
    assert_eq!(records(borrowing).stale(&judgements), expected);
    assert_eq!(records(borrowing).updated(&judgements).same_as().count(), 0);
    // Another loss says nothing about it.
    let judgements = [agrees("l1_loss/f32/a", &[])];
    assert!(records(borrowing).stale(&judgements).is_empty());
    let kept = records(borrowing).updated(&judgements);
    assert_eq!(kept.same_as().collect::<Vec<_>>(), ["pytorch/mse_loss/nan"]);
    assert_eq!(records(provided).updated(&judgements).same_as().count(), 0);
    // To have borrowed one deviation is not to have borrowed another.
    let two = pytorch.clone() + &deviation("mse_loss/zero", &["value: 0"], "mse_loss/f32/b", &["mse_loss/f32/b"], "");
    let kept = Records { pytorch: &two, own: borrowing, ..Records::default() }.updated(&judgements);
    assert_eq!(kept.same_as().collect::<Vec<_>>(), ["pytorch/mse_loss/nan"]);
}

#[test]
fn what_only_random_cases_show_stays_borrowed() {
    let shown_at_random =
        deviation("mse_loss/random", &["value: NaN"], "mse_loss/f32/fuzz-1-2", &[], "when = \"many_terms\"");
    let other = deviation("mse_loss/zero", &["value: 0"], "mse_loss/f32/a", &["mse_loss/f32/a"], "");
    let own = "same_as = [\"pytorch/mse_loss/random\", \"other/mse_loss/zero\"]\n";
    let records = Records { pytorch: &shown_at_random, other: &other, own };
    let judgements = [agrees("mse_loss/f32/a", &[])];
    let expected = ["`same_as`: no case differs as `other/mse_loss/zero` says"];
    assert_eq!(records.stale(&judgements), expected);
    let updated = records.updated(&judgements);
    assert_eq!(updated.same_as().collect::<Vec<_>>(), ["pytorch/mse_loss/random", "other/mse_loss/zero"]);
}

#[test]
fn the_differences_of_pytorch_itself_are_recorded_even_if_it_has_recorded_them() {
    let of_pytorch = deviation("mse_loss/nan", &["value: NaN"], "mse_loss/f32/a", &["mse_loss/f32/a"], "");
    let records = Records { pytorch: &of_pytorch, ..Records::default() };
    let judgements = [is_nan("mse_loss/f32/a", &[])];
    let updated =
        records.with(PYTORCH, &judgements, |policy, pytorch, judged| policy.updated(pytorch, judged.iter().copied()));
    assert_eq!(updated.iter().map(Deviation::path).collect::<Vec<_>>(), ["mse_loss/nan"]);
}

#[test]
fn new_differences_are_added_by_loss_and_kind_and_first_flag() {
    let updated = updated(
        "",
        &[
            is_nan("mse_loss/f32/a", &["odd", "other"]),
            is_nan("mse_loss/f32/b", &["odd"]),
            is_nan("mse_loss/f32/c", &[]),
            is_nan("l1_loss/f32/a", &["odd"]),
            is_off("mse_loss/f32/d", &["odd"], 123.0),
            is_rejected("mse_loss/f32/e", &[]),
            agrees("mse_loss/f32/f", &["other"]),
        ],
    );
    let told: Vec<_> = updated.iter().map(|it| (it.path(), it.gives.join("; "), it.cases.join("; "))).collect();
    let expected = [
        ("l1_loss/odd_nan", "value: NaN", "flag:odd"),
        ("mse_loss/odd_nan", "value: NaN", "mse_loss/f32/a; mse_loss/f32/b"),
        ("mse_loss/nan", "value: NaN", "mse_loss/f32/c"),
        ("mse_loss/odd_off", "value: off by 130 ULPs in f32", "mse_loss/f32/d"),
        ("mse_loss/wronglyrejected", "rejects", "mse_loss/f32/e"),
    ];
    assert_eq!(told, expected.map(|(path, gives, cases)| (path.to_owned(), gives.to_owned(), cases.to_owned())));
    assert!(updated.iter().all(|it| it.reason == "unexplained" && it.upstream == "unreported" && !it.cpu_dependent));
    let witnesses: Vec<_> = updated.iter().map(|it| it.witness.as_str()).collect();
    assert_eq!(witnesses, ["l1_loss/f32/a", "mse_loss/f32/a", "mse_loss/f32/c", "mse_loss/f32/d", "mse_loss/f32/e"]);
}

#[test]
fn the_cases_of_a_deviation_become_those_that_differ_so() {
    let own = deviation("mse_loss/nan", &["value: NaN"], "mse_loss/f32/a", &["mse_loss/f32/*"], "");
    let judgements = [agrees("mse_loss/f32/a", &[]), is_nan("mse_loss/f32/b", &[]), is_nan("mse_loss/f32/c", &[])];
    let updated = updated(&own, &judgements);
    let [only] = updated.as_slice() else { panic!("{updated:?}") };
    assert_eq!((only.witness.as_str(), only.reason.as_str()), ("mse_loss/f32/b", "a test"));
    assert_eq!(only.cases, ["mse_loss/f32/b", "mse_loss/f32/c"]);
    // The witness stays as long as it differs so.
    let judgements = [is_nan("mse_loss/f32/0", &[]), is_nan("mse_loss/f32/a", &[])];
    assert_eq!(self::updated(&own, &judgements)[0].witness, "mse_loss/f32/a");
    assert!(self::updated(&own, &[agrees("mse_loss/f32/a", &[])]).is_empty());
    // If it depends on the processor, this one has no say.
    let own = own.replace("cases =", "cpu_dependent = true\ncases =");
    assert_eq!(update_of_one(&own, &[agrees("mse_loss/f32/a", &[])]).0, ["mse_loss/f32/a"]);
}

#[test]
fn flags_and_parents_stand_for_cases_if_all_that_are_provided_differ() {
    let cases = |judgements: &[Judgement]| updated("", judgements).remove(0).cases;
    let (a, b) = ("mse_loss/f32/x/a", "mse_loss/f32/x/b");
    assert_eq!(cases(&[is_nan(a, &[]), is_nan(b, &[])]), ["mse_loss/f32/x/*"]);
    assert_eq!(cases(&[is_nan(a, &[])]), [a]);
    assert_eq!(cases(&[is_nan(a, &[]), is_nan(b, &[]), agrees("mse_loss/f32/x/c", &[])]), [a, b]);
    assert_eq!(cases(&[is_nan(a, &[]), is_nan(b, &[]), agrees("mse_loss/f32/xyz", &[])]), ["mse_loss/f32/x/*"]);
    let not_provided = || is_not_provided("mse_loss/f32/x/c", &["odd"]);
    assert_eq!(cases(&[is_nan(a, &[]), is_nan(b, &[]), not_provided()]), ["mse_loss/f32/x/*"]);
    assert_eq!(cases(&[is_nan(a, &["odd"]), is_nan(b, &["odd"]), not_provided()]), ["flag:odd"]);
    // Cases of another loss have no say.
    let of_another = || agrees("l1_loss/f32/a", &["odd"]);
    assert_eq!(cases(&[is_nan(a, &["odd"]), of_another()]), ["flag:odd"]);
    // A flag that says no more than one before it is left out, and so is one that not all cases that have it differ by.
    assert_eq!(cases(&[is_nan(a, &["odd", "other"]), is_nan(b, &["odd"])]), ["flag:odd"]);
    assert_eq!(
        cases(&[is_nan(a, &["odd"]), is_nan(b, &["odd"]), agrees("mse_loss/f32/y", &["odd"])]),
        ["mse_loss/f32/x/*"]
    );
}

#[test]
fn bounds_grow_to_what_is_found() {
    let of = |gives: &str, more: &str| {
        deviation("mse_loss/off", &[gives], "mse_loss/f32/a", &["mse_loss/f32/a", "mse_loss/f64/a"], more)
    };
    let gives = |own: &str, judgement: Judgement| update_of_one(own, &[judgement]).1.join("; ");
    let off = |ulps: f64| is_off("mse_loss/f32/a", &[], ulps);
    let bounded = of("value: off by 50 ULPs in f32", "");
    // What is covered changes nothing. What is more is rounded up to two digits.
    assert_eq!(gives(&bounded, off(20.0)), "value: off by 50 ULPs in f32");
    assert_eq!(gives(&bounded, off(1234.0)), "value: off by 1300 ULPs in f32");
    assert_eq!(gives(&bounded, off(120.0)), "value: off by 120 ULPs in f32");
    assert_eq!(gives(&of("value: off by 50 ULPs", ""), off(120.0)), "value: off by 120 ULPs");
    assert_eq!(
        gives(&of("value: off by 50 ULPs in f32", "cpu_dependent = true"), off(120.0)),
        "value: off by 240 ULPs in f32"
    );
    let of_f64 = is_off("mse_loss/f64/a", &[], 120.0);
    assert_eq!(gives(&bounded, of_f64), "value: off by 50 ULPs in f32, off by 120 ULPs in f64");
    // What grows with a measure or is relative is for a person to widen.
    for kept in ["value: off by 50 ULPs per class", "value: off by 1e-7 relative"] {
        assert_eq!(gives(&of(kept, ""), off(1234.0)), kept);
    }
}

#[test]
fn a_new_difference_joins_the_deviation_that_speaks_of_it() {
    let own = |more: &str| deviation("mse_loss/mine", &["value: NaN"], "mse_loss/f32/a", &["mse_loss/f32/a"], more);
    let both = |flag: &str| [is_nan("mse_loss/f32/a", &["odd"]), is_nan("mse_loss/f32/b", &[flag])];
    let paths = |own: &str, judgements: &[Judgement]| -> Vec<String> {
        updated(own, judgements).iter().map(|it| it.path()).collect()
    };
    let unexplained = own("reason = \"unexplained\"");
    // An entry that an earlier update has made takes in what has come since for the same flag.
    assert_eq!(update_of_one(&unexplained, &both("odd")).0, ["flag:odd"]);
    assert_eq!(paths(&unexplained, &both("even")), ["mse_loss/mine", "mse_loss/even_nan"]);
    assert_eq!(paths(&own(""), &both("odd")), ["mse_loss/mine", "mse_loss/odd_nan"]);
    let of_another_kind = [is_nan("mse_loss/f32/a", &["odd"]), gives("mse_loss/f32/b", &["odd"], 0.0)];
    assert_eq!(paths(&unexplained, &of_another_kind), ["mse_loss/mine", "mse_loss/odd_zero"]);
    let of_another_loss = [is_nan("mse_loss/f32/a", &["odd"]), is_nan("l1_loss/f32/b", &["odd"])];
    assert_eq!(paths(&unexplained, &of_another_loss), ["l1_loss/odd_nan", "mse_loss/mine"]);
    // Outcomes are statements, too.
    let rejects = deviation("mse_loss/mine", &["rejects"], "mse_loss/f32/a", &["mse_loss/f32/a"], "");
    assert_eq!(update_of_one(&rejects, &[is_rejected("mse_loss/f32/a", &[])]).1, ["rejects"]);
    let rejects = rejects.replace("a test", "unexplained");
    let both = [is_rejected("mse_loss/f32/a", &["odd"]), is_rejected("mse_loss/f32/b", &["odd"])];
    assert_eq!(update_of_one(&rejects, &both).0, ["flag:odd"]);
}

#[test]
fn deviations_of_other_losses_and_of_random_cases_stay() {
    let random = deviation("mse_loss/random", &["value: 0"], "mse_loss/f32/fuzz-1-2", &[], "when = \"empty\"");
    let of_l1 = deviation("l1_loss/nan", &["value: NaN"], "l1_loss/f32/a", &["l1_loss/f32/a"], "");
    let of_mse = deviation("mse_loss/nan", &["value: NaN"], "mse_loss/f32/a", &["mse_loss/f32/a"], "");
    let own = random + &of_l1 + &of_mse;
    let paths = |judgement| updated(&own, &[judgement]).iter().map(Deviation::path).collect::<Vec<_>>();
    assert_eq!(paths(agrees("mse_loss/f32/a", &[])), ["l1_loss/nan", "mse_loss/random"]);
    assert_eq!(paths(is_nan("mse_loss/f32/a", &[])), ["l1_loss/nan", "mse_loss/nan", "mse_loss/random"]);
}
