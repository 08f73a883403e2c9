//! libtorch as a losscheck backend, through the crate tch.
//!
//! [`Tch`] calls the operators that `torch.nn.functional` calls and takes gradients by libtorch's autograd. Where
//! PyTorch's Python layer does something around the operator (checks sizes, broadcasts), the adapter does the same; the
//! one exception is `smooth_l1_loss` with `beta` 0, which PyTorch hands to `l1_loss`: a user of tch gets libtorch's
//! answer, and so does losscheck. Losses that PyTorch has in Python alone are composed of the same tensor operations. A few
//! cases are held back, with the reason: `withheld`.
//!
//! # What could end the process
//!
//! Errors in libtorch are C++ exceptions, which become [`Outcome::Rejection`]; an abort or a segmentation fault could
//! not be caught. One loss is known to have one: `ctc_loss` with a label out of range corrupts the heap
//! (<https://github.com/pytorch/pytorch/issues/193794>), so such a case is [`Outcome::NotProvided`]. Everything else that
//! is used as an index, a shape, a dtype or a probability is checked before, and 200 000 random cases, most of them
//! malformed and many of them empty, ended none.
//!
//! # Linking
//!
//! torch-sys finds libtorch at build time, by `LIBTORCH` for example. To find it again when a binary runs, without
//! `LD_LIBRARY_PATH`, the binary's package needs a build script that passes it the run path:
//!
//! ```
//! println!("cargo::rerun-if-changed=build.rs");
//! if let Ok(folder) = std::env::var("DEP_LOSSCHECK_TCH_LIBTORCH_LIB") {
//!     println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
//! }
//! ```

mod convert;
mod inputs;
mod losses;
mod stack_traces;

use std::hint::black_box;
use std::sync::atomic::{AtomicU16, Ordering};

use losscheck_backend::backend::{Backend, Coverage, Outcome, Pass};
use losscheck_backend::case::{Answer, Case};
use losscheck_backend::tensor::Tensors;
use losscheck_backend::{Loss, LossKind, PytorchVersion};
use losscheck_options::Reduction;
use tch::{TchError, Tensor};

use crate::inputs::Inputs;

/// The backend `tch`: libtorch's own operators, on one thread or as [`use_threads`] says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tch;

impl Backend for Tch {
    fn name(&self) -> &str {
        "tch"
    }

    fn version(&self) -> String {
        // tch 0.26 goes with 2.13 alone.
        format!("libtorch {} (tch 0.26)", option_env!("LIBTORCH_VERSION").unwrap_or("2.13"))
    }

    fn pytorch(&self) -> PytorchVersion {
        PytorchVersion::new(2, 13, 0)
    }

    fn coverage(&self, loss: LossKind) -> Coverage {
        match loss {
            // PyTorch has them in Python alone.
            LossKind::AdaptiveLogSoftmaxWithLoss
            | LossKind::GaussianNllLoss
            | LossKind::LinearCrossEntropy
            | LossKind::MultilabelSoftMarginLoss
            | LossKind::TripletMarginWithDistanceLoss => Coverage::Composed,
            // tch binds its backward pass alone.
            LossKind::MultiMarginLoss => Coverage::Composed,
            LossKind::BinaryCrossEntropy
            | LossKind::BinaryCrossEntropyWithLogits
            | LossKind::CosineEmbeddingLoss
            | LossKind::CrossEntropy
            | LossKind::CtcLoss
            | LossKind::HingeEmbeddingLoss
            | LossKind::HuberLoss
            | LossKind::KlDiv
            | LossKind::L1Loss
            | LossKind::MarginRankingLoss
            | LossKind::MseLoss
            | LossKind::MultilabelMarginLoss
            | LossKind::NllLoss
            | LossKind::NllLoss2d
            | LossKind::PoissonNllLoss
            | LossKind::SmoothL1Loss
            | LossKind::SoftMarginLoss
            | LossKind::TripletMarginLoss => Coverage::Native,
        }
    }

    fn evaluate(&self, case: &Case) -> Outcome {
        set_threads();
        stack_traces::switch_off();
        if let Some(why) = withheld(case) {
            return Outcome::NotProvided(why.to_owned());
        }
        match answer(case) {
            Ok(answer) => Outcome::Answer(answer),
            Err(Rejection(message)) => Outcome::Rejection(message),
        }
    }

    fn workload<'a>(&'a self, case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
        set_threads();
        let leaf = &case.loss.kind().signature().differentiable[..1];
        let inputs = match pass {
            Pass::Forward => Inputs::new(case, &[]).ok()?,
            Pass::ForwardAndGradient => Inputs::new(case, leaf).ok()?,
        };
        let cotangent = cotangent(case).ok()?;
        let work = move || -> Result<()> {
            match pass {
                Pass::Forward => {
                    let _guard = tch::no_grad_guard();
                    let _ = black_box(losses::call(&case.loss, &inputs)?);
                }
                Pass::ForwardAndGradient => {
                    let value = losses::call(&case.loss, &inputs)?;
                    black_box(gradients(&value, cotangent.as_ref(), &[inputs.require(leaf[0])?])?);
                }
            }
            Ok(())
        };
        work().ok()?;
        Some(Box::new(move || work().expect("what worked once works again")))
    }
}

/// Why a case is not for libtorch to answer.
fn withheld(case: &Case) -> Option<&'static str> {
    match &case.loss {
        Loss::CtcLoss(_) if losses::ctc_loss::has_label_out_of_range(&case.inputs) => {
            Some("libtorch does not check labels: one out of range corrupts its heap")
        }
        Loss::MultilabelMarginLoss(options)
            if options.reduction != Reduction::None && case.inputs.values().any(|tensor| tensor.is_empty()) =>
        {
            Some("libtorch leaves the result of an empty batch uninitialised")
        }
        Loss::LinearCrossEntropy(options) if options.batch_chunk_size.is_some() => {
            Some("PyTorch has the chunks in Python alone")
        }
        _ => None,
    }
}

/// Results within the adapter: libtorch's exceptions end it with `?`.
type Result<T> = std::result::Result<T, Rejection>;

/// Why a case is refused.
#[derive(Debug)]
struct Rejection(String);

impl From<TchError> for Rejection {
    fn from(error: TchError) -> Self {
        let message = match error {
            TchError::Torch(message) => message,
            other => other.to_string(),
        };
        // Some messages have more lines, and a stack trace follows if nobody has switched it off.
        Self(message.lines().next().unwrap_or_default().to_owned())
    }
}

/// Has libtorch use so many threads from now on, for each thread that calls it for the first time; one unless this is
/// called. With one thread the results do not depend on the machine's number of cores.
pub fn use_threads(threads: u16) {
    THREADS.store(threads, Ordering::Relaxed);
}

static THREADS: AtomicU16 = AtomicU16::new(1);

/// Sets libtorch's number of threads, on whichever thread it is called from.
fn set_threads() {
    // The number is a thread's own once libtorch has worked on it.
    thread_local!(static SET: () = tch::set_num_threads(THREADS.load(Ordering::Relaxed).into()));
    SET.with(|()| ());
}

/// The value of the loss and the gradients that the case asks for.
fn answer(case: &Case) -> Result<Answer> {
    let names: Vec<_> = case.differentiable().collect();
    let inputs = Inputs::new(case, &names)?;
    let value = losses::call(&case.loss, &inputs)?;
    if !value.f_is_floating_point()? {
        // Indices.
        return Ok(Answer { value: convert::from_torch(&value)?, gradients: Tensors::new() });
    }
    let leaves = names.iter().map(|name| inputs.require(name)).collect::<Result<Vec<_>>>()?;
    let gradients = gradients(&value, cotangent(case)?.as_ref(), &leaves)?;
    let named = names.iter().zip(&gradients).map(|(&name, gradient)| Ok((name.into(), convert::from_torch(gradient)?)));
    Ok(Answer { value: convert::from_torch(&value)?, gradients: named.collect::<Result<_>>()? })
}

/// The gradient to start from; ones where there is none.
fn cotangent(case: &Case) -> Result<Option<Tensor>> {
    case.cotangent.as_ref().map(convert::to_torch).transpose()
}

/// The gradients of `value` with respect to `leaves`, as `torch.autograd.grad` gives them; zeros for a leaf that the
/// value does not depend on.
fn gradients(value: &Tensor, cotangent: Option<&Tensor>, leaves: &[&Tensor]) -> Result<Vec<Tensor>> {
    let root = match cotangent {
        None => value.shallow_clone(),
        Some(cotangent) if cotangent.size() == value.size() => {
            // tch always starts from ones; after this product, that is the cotangent, bit for bit.
            value.f_mul(cotangent)?
        }
        Some(cotangent) => {
            let (cotangent, value) = (cotangent.size(), value.size());
            return Err(Rejection(format!("the cotangent's shape is {cotangent:?}, the output's {value:?}")));
        }
    };
    // No run_backward from a root without a graph: libtorch follows a null pointer there.
    if !root.requires_grad() {
        return leaves.iter().map(|leaf| Ok(leaf.f_zeros_like()?)).collect();
    }
    let gradients = Tensor::f_run_backward(&[root], leaves, false, false)?;
    let or_zeros = |(gradient, leaf): (Tensor, &&Tensor)| {
        if gradient.defined() { Ok(gradient) } else { Ok(leaf.f_zeros_like()?) }
    };
    gradients.into_iter().zip(leaves).map(or_zeros).collect()
}

#[cfg(test)]
mod tests;
