//! What goes into an evaluation of a loss and what comes out of it, in any arithmetic.

use std::collections::{BTreeMap, BTreeSet};

use losscheck_reference::{Backward, Error, Loss, Real, Shapes, Triple};
use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD};

use crate::tensor::{DType, Tensor, TensorExt, Tensors};
use losscheck_options::{Output, Signature};

/// Which outputs an evaluation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// The value alone.
    Value,
    /// The value and the gradient of the first differentiable input.
    FirstGradient,
    /// The value and all gradients.
    Gradients,
}

/// What an evaluation is asked for.
#[derive(Debug)]
pub struct Request<R> {
    /// The outputs to compute.
    pub outputs: Outputs,
    /// Earlier results of the same loss on inputs of the same shapes, to be overwritten and returned. Without them the
    /// evaluation allocates its results.
    pub buffers: Option<ValueAndGradients<R>>,
}

impl<R> From<Outputs> for Request<R> {
    fn from(outputs: Outputs) -> Self {
        Self { outputs, buffers: None }
    }
}

/// Tensors and a cotangent, read in one arithmetic.
#[derive(Clone, Debug)]
pub struct Inputs<R> {
    floats: BTreeMap<String, ArrayD<R>>,
    indices: BTreeMap<String, ArrayD<i64>>,
    /// The names of the floating-point tensors that hold integers in the case.
    converted: BTreeSet<String>,
    cotangent: Option<ArrayD<R>>,
    dtype: DType,
}

impl<R: Real> Inputs<R> {
    /// Reads the tensors and the cotangent of a loss. `dtype` is the dtype in which the loss is computed.
    ///
    /// Integers in a tensor of [`Signature::numbers`] become numbers of this dtype, as PyTorch converts them.
    pub fn new(signature: Signature, tensors: &Tensors, cotangent: Option<&Tensor>, dtype: DType) -> Self {
        let (mut floats, mut indices, mut converted) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        for (name, tensor) in tensors {
            match tensor.to_index_array() {
                Some(array) if signature.numbers.contains(&name.as_str()) => {
                    floats.insert(name.clone(), array.mapv(|x| R::from_f64(dtype.round(x as f64))));
                    converted.insert(name.clone());
                }
                Some(array) => drop(indices.insert(name.clone(), array)),
                None => drop(floats.insert(name.clone(), tensor.to_array())),
            }
        }
        Self { floats, indices, converted, cotangent: cotangent.map(TensorExt::to_array), dtype }
    }

    /// Returns the floating-point tensor of a name.
    pub fn float(&self, name: &str) -> Option<ArrayViewD<'_, R>> {
        self.floats.get(name).map(|array| array.view())
    }

    /// Returns the floating-point tensor of a name, to write to.
    pub fn float_mut(&mut self, name: &str) -> Option<&mut ArrayD<R>> {
        self.floats.get_mut(name)
    }

    /// Returns the floating-point tensor of a name that the loss requires.
    ///
    /// # Errors
    ///
    /// Returns an error if the tensor holds integers.
    pub fn required(&self, name: &'static str) -> Result<ArrayViewD<'_, R>, Error> {
        self.float(name).ok_or_else(|| self.holds_integers(name))
    }

    /// Returns three tensors as [`Inputs::required`] does.
    ///
    /// # Errors
    ///
    /// Returns an error if one of the tensors holds integers.
    pub fn triple(&self, [first, second, third]: [&'static str; 3]) -> Result<Triple<'_, R>, Error> {
        Ok((self.required(first)?, self.required(second)?, self.required(third)?))
    }

    /// Returns the floating-point tensor of a name that the loss does not require, or `None` if there is no such tensor.
    ///
    /// # Errors
    ///
    /// Returns an error if the tensor holds integers.
    pub fn optional(&self, name: &'static str) -> Result<Option<ArrayViewD<'_, R>>, Error> {
        if self.indices.contains_key(name) { Err(self.holds_integers(name)) } else { Ok(self.float(name)) }
    }

    /// Returns the floating-point tensor of a name that the loss does not require, or `None` if there is no such tensor.
    ///
    /// # Errors
    ///
    /// Returns an error if the tensor holds integers in the case, even if the loss takes integers there otherwise.
    pub fn optional_floats(&self, name: &'static str) -> Result<Option<ArrayViewD<'_, R>>, Error> {
        if self.converted.contains(name) { Err(self.holds_integers(name)) } else { self.optional(name) }
    }

    /// Returns an error if each of these tensors holds integers in the case, for a loss that PyTorch does not compute of
    /// integers alone. A tensor that is left out does not count.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first of the tensors.
    pub fn require_floats_in_any(&self, names: &[&'static str]) -> Result<(), Error> {
        let given: Vec<&'static str> = names.iter().copied().filter(|&name| self.floats.contains_key(name)).collect();
        if !given.iter().all(|&name| self.converted.contains(name)) {
            return Ok(());
        }
        let shape = self.floats.get(names[0]).map_or_else(Vec::new, |array| array.shape().to_vec());
        let given: Vec<_> = given.iter().map(|name| format!("`{name}`")).collect();
        let expected = format!("floating-point numbers in {}, not integers alone", given.join(" or "));
        Err(Error::Shape { name: names[0], shape, expected })
    }

    /// Returns the error that a tensor of integers is.
    fn holds_integers(&self, name: &'static str) -> Error {
        let of_integers = self.indices.get(name).map(|array| array.shape().to_vec());
        let shape = of_integers.or_else(|| self.floats.get(name).map(|array| array.shape().to_vec()));
        let expected = "floating-point numbers, not integers".to_owned();
        Error::Shape { name, shape: shape.unwrap_or_default(), expected }
    }

    /// Returns the integer tensor of a name.
    pub fn indices(&self, name: &str) -> Option<ArrayViewD<'_, i64>> {
        self.indices.get(name).map(|array| array.view())
    }

    /// Returns the integer tensor of a name that the loss requires.
    ///
    /// # Errors
    ///
    /// Returns an error if the tensor holds floating-point numbers.
    pub fn required_indices(&self, name: &'static str) -> Result<ArrayViewD<'_, i64>, Error> {
        self.indices(name).ok_or_else(|| Error::Shape {
            name,
            shape: self.floats.get(name).map_or_else(Vec::new, |array| array.shape().to_vec()),
            expected: "integers, not floating-point numbers".to_owned(),
        })
    }

    /// Returns the cotangent, or `None` if it is all ones.
    pub fn cotangent(&self) -> Option<ArrayViewD<'_, R>> {
        self.cotangent.as_ref().map(|array| array.view())
    }

    /// Returns the inputs without weights, and with the cotangent that is all ones.
    #[must_use]
    pub fn without_factors(&self) -> Self {
        let mut plain = Self { cotangent: None, ..self.clone() };
        plain.floats.remove("weight");
        plain
    }

    /// Returns the inputs with zeros in the tails of clusters, so that the score of a cluster is all that says how likely it is.
    #[must_use]
    pub(crate) fn with_empty_tails(&self) -> Self {
        let mut plain = self.clone();
        for (_, array) in plain.floats.iter_mut().filter(|(name, _)| name.starts_with("tail.")) {
            array.fill(R::ZERO);
        }
        plain
    }

    /// Returns an option as PyTorch's kernels take it: rounded to the dtype of the computation, which is f32 for 16 bits.
    pub fn option(&self, value: f64) -> f64 {
        match self.dtype {
            DType::F16 | DType::BF16 | DType::F32 => f64::from(value as f32),
            DType::F64 | DType::I64 | DType::U8 => value,
        }
    }

    /// Returns the smallest positive normal number of the dtype. An intermediate result below it has lost digits, and
    /// multiplication magnifies this loss.
    pub fn smallest_normal(&self) -> f64 {
        self.dtype.format().smallest_normal()
    }

    /// Returns the largest finite number of the dtype.
    pub fn largest(&self) -> f64 {
        self.dtype.format().largest
    }

    /// Returns the distance from 1 to the next number of the dtype.
    pub fn epsilon(&self) -> f64 {
        self.dtype.format().ulp(1.0)
    }

    /// Returns the tensors rounded to f64, for what depends only on their shapes and on class indices.
    #[must_use]
    pub fn to_f64(&self) -> Inputs<f64> {
        let round = |array: &ArrayD<R>| array.mapv(Real::to_f64);
        Inputs {
            floats: self.floats.iter().map(|(name, array)| (name.clone(), round(array))).collect(),
            indices: self.indices.clone(),
            converted: self.converted.clone(),
            cotangent: self.cotangent.as_ref().map(round),
            dtype: self.dtype,
        }
    }

    /// Returns the inputs with every floating-point number replaced, the cotangent included.
    pub fn map(&self, change: impl Fn(R) -> R) -> Self {
        let mut mapped = self.clone();
        for array in mapped.floats.values_mut().chain(&mut mapped.cotangent) {
            array.mapv_inplace(&change);
        }
        mapped
    }
}

/// The value of a loss and its gradients by the names of the inputs.
#[derive(Clone, Debug)]
pub struct ValueAndGradients<R> {
    /// The loss, reduced or not.
    pub value: ArrayD<R>,
    /// The gradient of each differentiable input.
    pub gradients: Vec<(&'static str, ArrayD<R>)>,
}

impl<R: Real> ValueAndGradients<R> {
    /// Evaluates a loss of the reference on tensors out of `inputs`, with the cotangent there. `names` are the names of its
    /// differentiable inputs.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    pub fn of<I, const K: usize>(
        loss: &impl Loss<R, I, K>,
        tensors: I,
        inputs: &Inputs<R>,
        names: [&'static str; K],
        request: Request<R>,
    ) -> Result<Self, Error> {
        Self::of_call(&mut Call { loss, tensors: Some(tensors) }, inputs, names, request)
    }

    /// [`ValueAndGradients::of`] through a pointer, so that it is compiled once for all losses with as many gradients.
    fn of_call<const K: usize>(
        call: &mut dyn Run<R, K>,
        inputs: &Inputs<R>,
        names: [&'static str; K],
        Request { outputs, buffers }: Request<R>,
    ) -> Result<Self, Error> {
        let count = match outputs {
            Outputs::Value => 0,
            Outputs::FirstGradient => 1,
            Outputs::Gradients => K,
        };
        let mut results = match buffers.filter(|buffers| buffers.gradients.len() == count) {
            Some(buffers) => buffers,
            None => Self::zeros(call.shapes()?, names, count),
        };
        let Self { value, gradients } = &mut results;
        let backward = (outputs != Outputs::Value).then(|| {
            let mut views = gradients.iter_mut().map(|(_, gradient)| gradient.view_mut());
            Backward { cotangent: inputs.cotangent(), gradients: std::array::from_fn(|_| views.next()) }
        });
        call.run(value.view_mut(), backward)?;
        Ok(results)
    }

    /// Returns the sums of magnitudes that `run` writes, given the cotangent by its size.
    ///
    /// # Errors
    ///
    /// Returns an error if `run` does.
    pub(super) fn of_magnitudes<const K: usize>(
        shapes: Shapes<K>,
        names: [&'static str; K],
        cotangent: Option<ArrayViewD<'_, R>>,
        run: &EvaluateInto<'_, R, K>,
    ) -> Result<Self, Error> {
        let cotangent = cotangent.map(|cotangent| cotangent.mapv(Real::abs));
        let mut results = Self::zeros(shapes, names, K);
        let mut views = results.gradients.iter_mut().map(|(_, gradient)| gradient.view_mut());
        let gradients = std::array::from_fn(|_| views.next());
        let backward = Backward { cotangent: cotangent.as_ref().map(|cotangent| cotangent.view()), gradients };
        run(results.value.view_mut(), Some(backward))?;
        Ok(results)
    }

    /// Returns results with so many gradients that nothing has been written to.
    fn zeros<const K: usize>(shapes: Shapes<K>, names: [&'static str; K], gradients: usize) -> Self {
        let zeros = |shape: &[usize]| ArrayD::from_elem(shape, R::ZERO);
        let named = names.into_iter().zip(&shapes.gradients).take(gradients);
        Self { value: zeros(&shapes.value), gradients: named.map(|(name, shape)| (name, zeros(shape))).collect() }
    }
}

impl<T> ValueAndGradients<T> {
    /// Returns every output with its name, the value first.
    pub fn outputs(&self) -> impl Iterator<Item = (Output, &ArrayD<T>)> {
        let gradients = self.gradients.iter().map(|(name, gradient)| (Output::Gradient(name), gradient));
        std::iter::once((Output::Value, &self.value)).chain(gradients)
    }

    /// Returns every array, the value first, to write to.
    pub fn arrays_mut(&mut self) -> impl Iterator<Item = &mut ArrayD<T>> {
        std::iter::once(&mut self.value).chain(self.gradients.iter_mut().map(|(_, gradient)| gradient))
    }

    /// Returns what `change` makes of each array.
    #[must_use]
    pub fn map<U>(&self, change: impl Fn(&ArrayD<T>) -> ArrayD<U>) -> ValueAndGradients<U> {
        let gradients = self.gradients.iter().map(|(name, gradient)| (*name, change(gradient)));
        ValueAndGradients { value: change(&self.value), gradients: gradients.collect() }
    }
}

/// Writes a value and, where these are asked for, gradients.
type EvaluateInto<'f, R, const K: usize> =
    dyn Fn(ArrayViewMutD<'_, R>, Option<Backward<'_, R, K>>) -> Result<(), Error> + 'f;

/// A call of a loss, whose type is hidden behind [`Run`].
struct Call<'l, L, I> {
    loss: &'l L,
    tensors: Option<I>,
}

/// What [`ValueAndGradients::of_call`] asks of a [`Call`].
trait Run<R: Real, const K: usize> {
    /// Returns the shapes of the results.
    fn shapes(&self) -> Result<Shapes<K>, Error>;

    /// Evaluates the loss into these buffers. The tensors serve for one run.
    fn run(&mut self, value: ArrayViewMutD<'_, R>, backward: Option<Backward<'_, R, K>>) -> Result<(), Error>;
}

impl<R: Real, I, L: Loss<R, I, K>, const K: usize> Run<R, K> for Call<'_, L, I> {
    fn shapes(&self) -> Result<Shapes<K>, Error> {
        self.loss.shapes(self.tensors.as_ref().expect("the tensors are there until the run"))
    }

    fn run(&mut self, value: ArrayViewMutD<'_, R>, backward: Option<Backward<'_, R, K>>) -> Result<(), Error> {
        let tensors = self.tensors.take().expect("a call is run once");
        self.loss.evaluate_into(tensors, value, backward)
    }
}
