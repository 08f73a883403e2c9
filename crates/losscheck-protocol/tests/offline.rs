//! Cases go out as lines, and an adapter's lines come back as answers.

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Coverage, Outcome};
use losscheck::case::Case;
use losscheck::case::format::{case_of, write_tensor};
use losscheck::loss::LossKind;
use losscheck_protocol::export::Export;
use losscheck_protocol::message::{
    Answered, Bye, CoverageName, Exact, Failed, Hello, Provided, Question, Rejected, Reply, Request, Unsupported,
};
use losscheck_protocol::recording::Recording;
use losscheck_protocol::tensor::{self, Encoding};
use losscheck_protocol::{PROTOCOL, schema};
use serde_json::{Map, Value, json};

fn tensor(dtype: &str, shape: &[usize], data: Value) -> Value {
    json!({"dtype": dtype, "shape": shape, "data": data})
}

fn case(id: &str, loss: &str, options: Value, inputs: Value) -> Case {
    case_of(&json!({"id": id, "loss": loss, "options": options, "inputs": inputs})).expect("a case")
}

/// Cases of two losses, among them one of each outcome of an adapter.
fn cases() -> Vec<Case> {
    let pair = |dtype: &str, input: Value| json!({"input": tensor(dtype, &[2], input), "target": tensor(dtype, &[2], json!([0, 0.5]))});
    let rows = json!({"input": tensor("f64", &[2, 3], json!([1, 2, 3, 4, 5, 6])), "target": tensor("i64", &[2], json!([0, 2]))});
    vec![
        case("plain", "mse_loss", json!({}), pair("f32", json!([1, -2.5]))),
        case("classes", "cross_entropy", json!({"label_smoothing": 0.1}), rows),
        case("edges", "mse_loss", json!({"reduction": "none"}), pair("bf16", json!(["NaN", "-Infinity"]))),
        case("another", "mse_loss", json!({}), pair("f32", json!([0, 3]))),
        case("refused", "huber_loss", json!({"delta": -1}), pair("f32", json!([1, 2]))),
    ]
}

fn questions(export: &Export) -> Vec<Question> {
    let mut requests = export.lines.lines().map(|line| serde_json::from_str(line).expect("a request"));
    assert!(
        matches!(requests.next(), Some(Request::Hello(greeting)) if greeting.cases.as_deref() == Some(&*export.hash))
    );
    let questions = requests.map_while(|request| match request {
        Request::Case(question) => Some(*question),
        Request::Hello(_) | Request::Bye(_) => None,
    });
    questions.collect()
}

fn hello(hash: &str) -> Hello {
    let native = |name: &str| (name.to_owned(), Provided::default());
    Hello {
        protocol: PROTOCOL,
        name: "mine".to_owned(),
        libraries: [("mine".to_owned(), "1.0".to_owned())].into(),
        device: Some("cpu".to_owned()),
        losses: [native("mse_loss"), native("cross_entropy"), native("huber_loss")].into(),
        cases: Some(hash.to_owned()),
        ..Hello::default()
    }
}

/// What an adapter of the reference replies to a case, which it knows from the message alone.
fn reply(question: &Question, encoding: Encoding) -> Reply {
    let written = |value: &Value| write_tensor(&tensor::read(value).expect("a tensor"));
    let inputs: Map<String, Value> =
        question.inputs.iter().map(|(name, value)| (name.clone(), written(value))).collect();
    let n = question.n;
    match Reference.evaluate(&case(&question.id, &question.loss, question.options.clone().into(), inputs.into())) {
        Outcome::Answer(answer) => {
            let gradients = answer.gradients.iter().map(|(name, of)| (name.clone(), tensor::write(of, encoding)));
            let value = tensor::write(&answer.value, encoding);
            Reply::Answer(Answered { n, value, gradients: gradients.collect(), inputs_intact: true })
        }
        Outcome::Rejection(message) => Reply::Rejected(Rejected { n, message, ..Rejected::default() }),
        Outcome::NotProvided(why) => Reply::Unsupported(Unsupported { n, why }),
        other => Reply::Failed(Failed { n, message: format!("{other:?}"), ..Failed::default() }),
    }
}

fn text(replies: &[Reply]) -> String {
    replies.iter().map(|reply| serde_json::to_string(reply).expect("plain data") + "\n").collect()
}

/// An outcome in words, in which NaN is the same as NaN.
fn words(outcome: &Outcome) -> String {
    format!("{outcome:?}")
}

#[test]
fn answers_come_back_as_they_were_given() {
    let cases = cases();
    for encoding in [Encoding::Bits, Encoding::Data] {
        let export = Export::new(&cases, encoding);
        let questions = questions(&export);
        let mut replies = vec![Reply::Hello(Box::new(hello(&export.hash)))];
        replies.extend(questions.iter().map(|question| reply(question, encoding)));
        replies.push(Reply::Bye(Bye {}));
        let recording = Recording::read(&text(&replies), &cases, &export.hash).expect("a recording");
        assert_eq!(recording.answers(), cases.len());
        for case in &cases {
            assert_eq!(words(&recording.evaluate(case)), words(&Reference.evaluate(case)), "{}", case.id);
        }
        assert!(matches!(recording.evaluate(&cases[4]), Outcome::Rejection(_)));
    }
}

#[test]
fn cases_that_compile_alike_follow_each_other() {
    let export = Export::new(&cases(), Encoding::Bits);
    let ids: Vec<String> = questions(&export).into_iter().map(|question| question.id).collect();
    let place = |id: &str| ids.iter().position(|own| own == id).expect("an id");
    assert_eq!(place("plain").abs_diff(place("another")), 1, "{ids:?}");
}

#[test]
fn the_hash_is_that_of_the_cases() {
    let hash = |cases: &[Case]| Export::new(cases, Encoding::Bits).hash;
    let all = cases();
    assert_eq!(hash(&all), Export::new(&all, Encoding::Data).hash);
    assert_eq!(hash(&all), hash(&cases()));
    assert_ne!(hash(&all), hash(&all[1..]));
}

#[test]
fn bits_are_exact_in_every_dtype() {
    let numbers = json!([0, "NaN", "Infinity", 1.5]);
    for (dtype, data) in [
        ("f16", numbers.clone()),
        ("bf16", numbers.clone()),
        ("f32", numbers.clone()),
        ("f64", numbers),
        ("i64", json!([-1, 2, 3, i64::MAX])),
        ("u8", json!([0, 1, 2, 255])),
    ] {
        let value = tensor(dtype, &[2, 2], data);
        let first = tensor::read(&value).expect("a tensor");
        let bits = tensor::write(&first, Encoding::Bits);
        assert_eq!(write_tensor(&tensor::read(&bits).expect("bits")), write_tensor(&first), "{dtype}");
    }
    // -0 is not 0.
    let zero = tensor::read(&json!({"dtype": "f32", "shape": [1], "bits": "AAAAgA=="})).expect("bits");
    assert!(zero.to_f64()[0].is_sign_negative());
}

#[test]
fn an_adapter_says_what_it_is_and_has() {
    let cases = cases();
    let export = Export::new(&cases, Encoding::Bits);
    let mut own = hello(&export.hash);
    own.losses = [("mse_loss".to_owned(), Provided { coverage: CoverageName::Composed, ..Provided::default() })].into();
    own.pytorch = Some("2.6.0".to_owned());
    let replies = [
        Reply::Hello(Box::new(own)),
        Reply::Unsupported(Unsupported { n: 0, why: "no f32".to_owned() }),
        Reply::Failed(Failed { n: 2, message: "out of memory".to_owned(), ..Failed::default() }),
    ];
    let recording = Recording::read(&text(&replies), &cases, &export.hash).expect("a recording");
    assert_eq!((recording.name(), &*recording.version()), ("mine", "mine 1.0 (cpu)"));
    assert_eq!(recording.pytorch().to_string(), "2.6.0");
    assert_eq!(recording.coverage(LossKind::MseLoss), Coverage::Composed);
    assert_eq!(recording.coverage(LossKind::CrossEntropy), Coverage::Missing);
    assert!(matches!(recording.evaluate(&cases[0]), Outcome::NotProvided(why) if why == "no f32"));
    assert!(matches!(recording.evaluate(&cases[1]), Outcome::NotProvided(_)));
    assert!(matches!(recording.evaluate(&cases[2]), Outcome::Failed(message) if message == "out of memory"));
    // What it says that it has and does not answer is a failure, and no gap.
    assert!(matches!(recording.evaluate(&cases[3]), Outcome::Failed(_)));
}

#[test]
fn inputs_that_change_are_a_difference_unless_it_is_declared() {
    let cases = cases();
    let export = Export::new(&cases, Encoding::Bits);
    let value = json!({"dtype": "f32", "shape": [], "data": [1]});
    let changed = Reply::Answer(Answered { n: 0, value, gradients: Map::new(), inputs_intact: false });
    for (changes_inputs, is_difference) in [(false, true), (true, false)] {
        let replies = [Reply::Hello(Box::new(Hello { changes_inputs, ..hello(&export.hash) })), changed.clone()];
        let recording = Recording::read(&text(&replies), &cases, &export.hash).expect("a recording");
        assert_eq!(matches!(recording.evaluate(&cases[0]), Outcome::ChangedInputs(_)), is_difference);
    }
}

#[test]
fn what_is_no_answer_is_refused_with_its_line() {
    let cases = cases();
    let hash = Export::new(&cases, Encoding::Bits).hash;
    let good = serde_json::to_value(Reply::Hello(Box::new(hello(&hash)))).expect("plain data");
    let with = |name: &str, value: Value| {
        let mut hello = good.clone();
        hello["hello"][name] = value;
        hello.to_string()
    };
    let after = |lines: &str| format!("{good}\n\n{lines}");
    let answer = |value: Value| after(&json!({"answer": {"n": 0, "value": value}}).to_string());
    for (text, line, message) in [
        (String::new(), 1, "expected a hello, found nothing"),
        ("Traceback".to_owned(), 1, "expected a message of the protocol, found `Traceback`"),
        (r#"{"busy": {"n": 1}}"#.to_owned(), 1, "expected `hello` as the first message"),
        (with("protocol", json!(2)), 1, "`protocol`: expected 1, found 2"),
        (with("cases", json!("beef")), 1, "answers to other cases (beef, not "),
        (with("cases", Value::Null), 1, "`cases`: missing"),
        (with("losses", json!({"mse": {}})), 1, "`losses`: unknown loss `mse`, expected one of"),
        (with("pytorch", json!("new")), 1, "`pytorch`: "),
        (with("name", Value::Null), 1, "invalid type: null, expected a string"),
        (after(&good.to_string()), 3, "expected one hello, found another"),
        (after("{}"), 3, "expected a message of the protocol, found `{}`"),
        (after(r#"{"answers": {"n": 0}}"#), 3, "unknown variant `answers`"),
        (after(r#"{"rejected": {"n": 5, "message": ""}}"#), 3, "expected the number of a case, below 5, found 5"),
        (
            after("{\"failed\": {\"n\": 1, \"message\": \"\"}}\n{\"failed\": {\"n\": 1, \"message\": \"\"}}"),
            4,
            "case 1 has an answer in line 3",
        ),
        (
            answer(json!({"dtype": "f32", "shape": [], "bits": "AAA="})),
            3,
            "`value`: `bits`: expected whole elements of f32, found 2 bytes",
        ),
        (
            answer(json!({"dtype": "f32", "shape": [2], "bits": "AAAAAA=="})),
            3,
            "expected the elements of shape [2] in f32, found 4 bytes",
        ),
        (answer(json!({"dtype": "f32", "shape": [], "bits": "?"})), 3, "`bits`: expected base64"),
        (answer(json!({"dtype": "float", "shape": [], "bits": ""})), 3, "`dtype`: `float`, expected one of"),
        (
            answer(json!({"dtype": "f32", "shape": [1], "data": [1, 2]})),
            3,
            "expected 1 elements for shape [1], found 2",
        ),
        (answer(json!(3)), 3, "`value`: expected a tensor, found"),
        (
            after(
                r#"{"answer": {"n": 0, "value": {"dtype": "f32", "shape": [], "data": [1]}, "gradients": {"input": 1}}}"#,
            ),
            3,
            "`gradients.input`: expected a tensor",
        ),
    ] {
        let found = Recording::read(&text, &cases, &hash).expect_err(message);
        assert!(found.line == line && found.message.contains(message), "{found}, expected {message}");
    }
}

#[test]
fn unknown_fields_are_ignored() {
    let cases = cases();
    let export = Export::new(&cases, Encoding::Bits);
    let mut hello = serde_json::to_value(Reply::Hello(Box::new(hello(&export.hash)))).expect("plain data");
    hello["hello"]["mood"] = json!("good");
    let failed = json!({"failed": {"n": 0, "message": "no", "traceback": "..."}});
    let recording = Recording::read(&format!("{hello}\n{failed}\n"), &cases, &export.hash).expect("a recording");
    assert_eq!(recording.answers(), 1);
}

#[test]
fn the_schema_is_the_one_that_is_kept_and_holds_for_all_messages() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.schema.json");
    let schema = schema();
    if std::env::var_os("LOSSCHECK_UPDATE").is_some() {
        std::fs::write(&path, format!("{schema:#}\n")).expect("a file to write");
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("the schema")).expect("JSON");
    assert!(kept == schema, "LOSSCHECK_UPDATE=1 cargo test -p losscheck-protocol writes docs/protocol.schema.json");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let export = Export::new(&cases(), Encoding::Bits);
    let replies = questions(&export).iter().map(|question| reply(question, Encoding::Data)).collect::<Vec<_>>();
    let lines = export.lines + &text(&replies) + &text(&[Reply::Hello(Box::new(hello(&export.hash)))]);
    for line in lines.lines() {
        let message: Value = serde_json::from_str(line).expect("JSON");
        assert!(validator.is_valid(&message), "{message}");
    }
    for wrong in [json!({}), json!({"answer": {"value": 1}}), json!({"case": {"n": 1}}), json!({"failed": {"n": "1"}})]
    {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}

#[test]
fn exact_answers_are_those_of_the_oracle() {
    let cases = cases();
    let (plain, exact) = (Export::new(&cases, Encoding::Bits), Export::with_exact_answers(&cases, Encoding::Data));
    assert_eq!(plain.hash, exact.hash);
    let exact: Vec<(usize, Exact)> =
        questions(&exact).into_iter().filter_map(|question| Some((question.n, question.exact?))).collect();
    let of = |n: usize| exact.iter().find(|(own, _)| *own == n).map(|(_, exact)| exact).expect("an exact answer");
    let Exact::Answer { value, gradients } = of(0) else { panic!("{:?}", of(0)) };
    // The mean of 1 and 9.
    assert_eq!(*value, tensor("f64", &[], json!([5.0])));
    assert_eq!(gradients["input"], tensor("f64", &[2], json!([1.0, -3.0])));
    assert!(matches!(of(4), Exact::Rejected(why) if why.contains("delta")), "{:?}", of(4));
}
