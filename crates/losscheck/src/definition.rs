//! What the suite has to know of a loss, once per loss.

use std::cell::RefCell;
use std::collections::BTreeMap;

use losscheck_reference::{Backward, Error, Loss, Real, Shapes, Wide};
use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD};
use proptest::strategy::BoxedStrategy;

use crate::case::Case;
use crate::loss::LossKind;
use crate::tensor::DType;
use crate::ulp::{largest, ulp};

/// A loss as the suite sees it; the options implement it.
pub trait Definition: Sized {
    /// The tensors that the loss takes.
    const SIGNATURE: Signature;

    /// The dtypes that PyTorch computes the loss in on the CPU.
    const DTYPES: &'static [DType] = &DType::FLOATS;

    /// The reference's value and gradients, in any arithmetic.
    ///
    /// # Errors
    ///
    /// Where the reference refuses the inputs.
    fn evaluate<R: Real>(&self, inputs: &Arrays<R>, wanted: Wanted) -> Result<Evaluation<R>, Error>;

    /// For each number that [`Definition::evaluate`] gives, the sum of the magnitudes of the terms that the documented
    /// formula adds up to it: what a careful implementation's error is proportional to.
    ///
    /// # Errors
    ///
    /// Where the reference refuses the inputs.
    fn magnitudes(&self, inputs: &Arrays<Wide>) -> Result<Evaluation<Wide>, Error>;

    /// The same with the losses of the elements or rows left as they are.
    #[must_use]
    fn unreduced(&self) -> Self;

    /// What the loss answers with where that is indices, each that of the largest of several numbers; then
    /// [`Definition::evaluate`] gives the same as a value without gradients.
    fn indices<R: Real>(&self, _inputs: &Arrays<R>) -> Option<Result<ArrayD<i64>, Error>> {
        None
    }

    /// Where the loss answers with indices, the same with the numbers that these are chosen from: for each index a row.
    #[must_use]
    fn contenders(&self) -> Option<Self> {
        None
    }

    /// Random cases, edge values included.
    fn cases(dtype: DType) -> BoxedStrategy<Case>;
}

/// How much of an evaluation is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The value alone.
    Value,
    /// The value and the gradient of the first differentiable input.
    FirstGradient,
    /// The value and all gradients.
    Gradients,
}

/// The tensors that a loss takes, by PyTorch's names.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// Those that a case must hold.
    pub required: &'static [&'static str],
    /// Those that it may hold.
    pub optional: &'static [&'static str],
    /// Those that may hold integers: class indices, lengths.
    pub integers: &'static [&'static str],
    /// Those that have a gradient, where they are floats; the first is the one that training needs.
    pub differentiable: &'static [&'static str],
}

impl Signature {
    /// The tensor whose dtype the loss is computed in.
    pub fn first(self) -> &'static str {
        self.required[0]
    }
}

/// The tensors of a case, read in one arithmetic.
#[derive(Clone, Debug)]
pub struct Arrays<R> {
    floats: BTreeMap<String, ArrayD<R>>,
    indices: BTreeMap<String, ArrayD<i64>>,
    cotangent: Option<ArrayD<R>>,
    dtype: DType,
    /// Where the next evaluation writes its results.
    buffers: RefCell<Option<Evaluation<R>>>,
}

impl<R: Real> Arrays<R> {
    /// Reads the tensors of a case.
    pub fn new(case: &Case) -> Self {
        let (mut floats, mut indices) = (BTreeMap::new(), BTreeMap::new());
        for (name, tensor) in &case.inputs {
            match tensor.to_indices() {
                Some(array) => drop(indices.insert(name.clone(), array)),
                None => drop(floats.insert(name.clone(), tensor.to_array())),
            }
        }
        let cotangent = case.cotangent.as_ref().map(|tensor| tensor.to_array());
        Self { floats, indices, cotangent, dtype: case.dtype(), buffers: RefCell::default() }
    }

    /// The float tensor of that name.
    pub fn float(&self, name: &str) -> Option<ArrayViewD<'_, R>> {
        self.floats.get(name).map(|array| array.view())
    }

    /// The float tensor of that name, to write to.
    pub fn float_mut(&mut self, name: &str) -> Option<&mut ArrayD<R>> {
        self.floats.get_mut(name)
    }

    /// The float tensor of a name that every case of the loss must hold.
    ///
    /// # Errors
    ///
    /// Where it holds integers, which the loss does not take.
    pub fn required(&self, name: &'static str) -> Result<ArrayViewD<'_, R>, Error> {
        self.float(name).ok_or_else(|| Error::Shape {
            name,
            shape: self.indices.get(name).map_or_else(Vec::new, |array| array.shape().to_vec()),
            expected: "floating-point numbers, not integers".to_owned(),
        })
    }

    /// The integer tensor of that name.
    pub fn indices(&self, name: &str) -> Option<ArrayViewD<'_, i64>> {
        self.indices.get(name).map(|array| array.view())
    }

    /// The integer tensor of a name that every case of the loss must hold.
    ///
    /// # Errors
    ///
    /// Where it holds floats, which the loss does not take.
    pub fn required_indices(&self, name: &'static str) -> Result<ArrayViewD<'_, i64>, Error> {
        self.indices(name).ok_or_else(|| Error::Shape {
            name,
            shape: self.floats.get(name).map_or_else(Vec::new, |array| array.shape().to_vec()),
            expected: "integers, not floating-point numbers".to_owned(),
        })
    }

    /// The cotangent; absent where it is all ones.
    pub fn cotangent(&self) -> Option<ArrayViewD<'_, R>> {
        self.cotangent.as_ref().map(|array| array.view())
    }

    /// Has the next evaluation write over these results, which an evaluation of the same inputs gave, and give them again.
    pub fn lend(&self, results: Evaluation<R>) {
        self.buffers.replace(Some(results));
    }

    /// Takes back results that were lent and that no evaluation has used.
    fn take_back(&self) -> Option<Evaluation<R>> {
        self.buffers.take()
    }

    /// The same without weights, and with the cotangent that is all ones.
    #[must_use]
    pub fn without_factors(&self) -> Self {
        let mut plain = Self { cotangent: None, ..self.clone() };
        plain.floats.remove("weight");
        plain
    }

    /// An option as PyTorch's kernels take it: rounded to the dtype of the computation, which for 16 bits is f32.
    pub fn option(&self, value: f64) -> f64 {
        match self.dtype {
            DType::F16 | DType::BF16 | DType::F32 => f64::from(value as f32),
            DType::F64 | DType::I64 | DType::U8 => value,
        }
    }

    /// The smallest positive normal number of the dtype: below it an intermediate result has lost digits, and what it is
    /// multiplied by magnifies the loss.
    pub fn smallest_normal(&self) -> f64 {
        self.dtype.format().smallest_normal()
    }

    /// The largest finite number of the dtype.
    pub fn largest(&self) -> f64 {
        largest(self.dtype)
    }

    /// The distance from 1 to the next number of the dtype.
    pub fn epsilon(&self) -> f64 {
        ulp(self.dtype, 1.0)
    }

    /// Returns the tensors rounded to f64, for what depends on their shapes and on class indices alone.
    #[must_use]
    pub fn to_f64(&self) -> Arrays<f64> {
        let round = |array: &ArrayD<R>| array.mapv(Real::to_f64);
        Arrays {
            floats: self.floats.iter().map(|(name, array)| (name.clone(), round(array))).collect(),
            indices: self.indices.clone(),
            cotangent: self.cotangent.as_ref().map(round),
            dtype: self.dtype,
            buffers: RefCell::default(),
        }
    }

    /// The same with every float and the cotangent replaced.
    pub fn map(&self, change: impl Fn(R) -> R) -> Self {
        let mut mapped = self.clone();
        for array in mapped.floats.values_mut().chain(&mut mapped.cotangent) {
            array.mapv_inplace(&change);
        }
        mapped
    }
}

/// A value and gradients, by name.
#[derive(Clone, Debug)]
pub struct Evaluation<R> {
    /// The loss, reduced or not.
    pub value: ArrayD<R>,
    /// The gradient of each differentiable input.
    pub gradients: Vec<(&'static str, ArrayD<R>)>,
}

impl<R: Real> Evaluation<R> {
    /// Runs a loss on inputs out of `arrays`, with the cotangent there; `names` are those of its differentiable inputs.
    ///
    /// # Errors
    ///
    /// Where the loss refuses the inputs.
    pub fn of<I, const K: usize>(
        loss: &impl Loss<R, I, K>,
        inputs: I,
        arrays: &Arrays<R>,
        names: [&'static str; K],
        wanted: Wanted,
    ) -> Result<Self, Error> {
        Self::of_call(&mut Call { loss, inputs: Some(inputs) }, arrays, names, wanted)
    }

    /// [`Evaluation::of`] through a pointer: compiled once for all losses with as many gradients.
    fn of_call<const K: usize>(
        call: &mut dyn Run<R, K>,
        arrays: &Arrays<R>,
        names: [&'static str; K],
        wanted: Wanted,
    ) -> Result<Self, Error> {
        let lent = arrays.take_back().filter(|lent| match wanted {
            Wanted::Value => lent.gradients.is_empty(),
            Wanted::FirstGradient => lent.gradients.len() == 1,
            Wanted::Gradients => false,
        });
        let mut evaluation = match lent {
            Some(lent) => lent,
            None => Self::zeros(call.shapes()?, names, wanted),
        };
        let Self { value, gradients } = &mut evaluation;
        let backward = (wanted != Wanted::Value).then(|| {
            let mut views = gradients.iter_mut().map(|(_, gradient)| gradient.view_mut());
            Backward { cotangent: arrays.cotangent(), gradients: std::array::from_fn(|_| views.next()) }
        });
        call.run(value.view_mut(), backward)?;
        Ok(evaluation)
    }

    /// Results that nothing has been written to.
    fn zeros<const K: usize>(shapes: Shapes<K>, names: [&'static str; K], wanted: Wanted) -> Self {
        let zeros = |shape: &[usize]| ArrayD::from_elem(shape, R::ZERO);
        let count = match wanted {
            Wanted::Value => 0,
            Wanted::FirstGradient => 1,
            Wanted::Gradients => K,
        };
        let gradients = names.into_iter().zip(&shapes.gradients).take(count);
        Self { value: zeros(&shapes.value), gradients: gradients.map(|(name, shape)| (name, zeros(shape))).collect() }
    }
}

/// A call of a loss, whose type is hidden behind [`Run`].
struct Call<'l, L, I> {
    loss: &'l L,
    inputs: Option<I>,
}

/// What [`Evaluation::of_call`] asks of a [`Call`].
trait Run<R: Real, const K: usize> {
    /// Returns the shapes of the results.
    fn shapes(&self) -> Result<Shapes<K>, Error>;

    /// Evaluates the loss into these buffers. The inputs serve for one run.
    fn run(&mut self, value: ArrayViewMutD<'_, R>, backward: Option<Backward<'_, R, K>>) -> Result<(), Error>;
}

impl<R: Real, I, L: Loss<R, I, K>, const K: usize> Run<R, K> for Call<'_, L, I> {
    fn shapes(&self) -> Result<Shapes<K>, Error> {
        self.loss.shapes(self.inputs.as_ref().expect("the inputs are there until the run"))
    }

    fn run(&mut self, value: ArrayViewMutD<'_, R>, backward: Option<Backward<'_, R, K>>) -> Result<(), Error> {
        let inputs = self.inputs.take().expect("a call is run once");
        self.loss.evaluate_into(inputs, value, backward)
    }
}

impl<T> Evaluation<T> {
    /// Every output with its name, the value first.
    pub fn outputs(&self) -> impl Iterator<Item = (Output, &ArrayD<T>)> {
        let gradients = self.gradients.iter().map(|(name, gradient)| (Output::Gradient(name), gradient));
        std::iter::once((Output::Value, &self.value)).chain(gradients)
    }
}

/// One of the tensors that an evaluation consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// The value of the loss.
    Value,
    /// The gradient of that input.
    Gradient(&'static str),
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value => write!(f, "value"),
            Self::Gradient(name) => write!(f, "gradient of {name}"),
        }
    }
}

impl std::str::FromStr for Output {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "value" {
            return Ok(Self::Value);
        }
        let inputs = LossKind::ALL.iter().flat_map(|loss| loss.signature().differentiable);
        let input = name.strip_prefix("gradient of ").and_then(|name| inputs.copied().find(|input| *input == name));
        input.map(Self::Gradient).ok_or_else(|| format!("`{name}`, expected `value` or `gradient of` an input"))
    }
}
