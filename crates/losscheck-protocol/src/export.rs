//! Cases as an adapter is asked them, in a file that its standard input can be.

use std::fmt::Write;

use losscheck::case::Case;
use losscheck::judge::oracle::{self, ExactAnswer};
use losscheck::tensor::{DType, Tensor, TensorExt, Tensors};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::Xxh3;

use crate::PROTOCOL;
use crate::message::{Bye, Exact, Greeting, Question, Request};
use crate::tensor::{self, Encoding};

/// All that is said to an adapter in one run, without waiting for an answer.
#[derive(Clone, Debug)]
pub struct Export {
    /// The lines: a greeting, each case, and the last message.
    pub lines: String,
    /// The hash of the cases, in hexadecimal digits. It depends neither on the encoding nor on exact answers.
    pub hash: String,
}

impl Export {
    /// Writes the messages for some cases. Each has its position as its number; those of one loss with the same options, dtypes
    /// and shapes follow each other, so that a compiler has to compile once for all of them.
    #[must_use]
    pub fn new(cases: &[Case], encoding: Encoding) -> Self {
        Self::of(cases, encoding, &|question, _| question)
    }

    /// Writes the messages with the exact answer to each case.
    #[must_use]
    pub fn with_exact_answers(cases: &[Case], encoding: Encoding) -> Self {
        Self::of(cases, encoding, &|question, case| Question { exact: Some(exact(case, encoding)), ..question })
    }

    fn of(cases: &[Case], encoding: Encoding, complete: &dyn Fn(Question, &Case) -> Question) -> Self {
        let mut order: Vec<usize> = (0..cases.len()).collect();
        order.sort_by_cached_key(|&n| (signature(&cases[n]), n));
        let mut hash = Xxh3::new();
        let mut questions = String::new();
        for n in order {
            let in_bits = question(n, &cases[n], Encoding::Bits);
            hash.update(line(&Request::Case(Box::new(in_bits.clone()))).as_bytes());
            let question = if encoding == Encoding::Bits { in_bits } else { question(n, &cases[n], encoding) };
            questions.push_str(&line(&Request::Case(Box::new(complete(question, &cases[n])))));
        }
        let hash = format!("{:032x}", hash.digest128());
        let greeting =
            Greeting { protocol: PROTOCOL, losscheck: env!("CARGO_PKG_VERSION").to_owned(), cases: Some(hash.clone()) };
        let lines = [line(&Request::Hello(greeting)), questions, line(&Request::Bye(Bye {}))].concat();
        Self { lines, hash }
    }
}

/// The message for a case.
pub(crate) fn question(n: usize, case: &Case, encoding: Encoding) -> Question {
    let write = |tensors: &Tensors| -> Map<String, Value> {
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor::write(tensor, encoding))).collect()
    };
    let options = match case.loss.write_options() {
        Value::Object(options) => options,
        _ => Map::new(),
    };
    Question {
        n,
        id: case.id.clone(),
        loss: case.loss.kind().name().to_owned(),
        options,
        inputs: write(&case.inputs),
        cotangent: case.cotangent.as_ref().map(|cotangent| tensor::write(cotangent, encoding)),
        want: case.differentiable().map(str::to_owned).collect(),
        exact: None,
    }
}

/// The exact answer to a case.
fn exact(case: &Case, encoding: Encoding) -> Exact {
    let write = |array| tensor::write(&Tensor::from_array(DType::F64, array), encoding);
    match oracle::evaluate(case) {
        Ok(ExactAnswer { results, .. }) => Exact::Answer {
            value: write(&results.value),
            gradients: results.gradients.iter().map(|(name, array)| ((*name).to_owned(), write(array))).collect(),
        },
        Err(reason) => Exact::Rejected(reason.to_string()),
    }
}

/// What a compiler has to compile anew for.
pub(crate) fn signature(case: &Case) -> String {
    let mut signature = format!("{} {}", case.loss.kind(), case.loss.write_options());
    for (name, tensor) in case.inputs.iter().map(|(name, tensor)| (name.as_str(), tensor)) {
        let _ = write!(signature, " {name} {} {:?}", tensor.dtype(), tensor.shape());
    }
    signature
}

/// Writes a message with the end of its line.
pub(crate) fn line(message: &Request) -> String {
    let mut line = serde_json::to_string(message).expect("messages are plain data");
    line.push('\n');
    line
}
