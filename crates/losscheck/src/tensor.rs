//! Tensors as cases hold them: a shape and row-major elements of one dtype.

use losscheck_reference::{Float, Real};
use ndarray::{ArrayD, IxDyn};

/// The element type of a [`Tensor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// Signed 64-bit integers: class indices.
    I64,
    /// Unsigned 8-bit integers: class indices, which PyTorch's NLL losses also take.
    U8,
}

impl DType {
    /// The name in the golden format.
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "i64",
            DType::U8 => "u8",
        }
    }

    /// Whether the elements are floating-point numbers.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }
}

/// The elements of a [`Tensor`], in row-major order.
#[derive(Clone, Debug)]
pub enum Data {
    /// Elements of [`DType::F32`].
    F32(Vec<f32>),
    /// Elements of [`DType::F64`].
    F64(Vec<f64>),
    /// Elements of [`DType::I64`].
    I64(Vec<i64>),
    /// Elements of [`DType::U8`].
    U8(Vec<u8>),
}

impl Data {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F32(data) => data.len(),
            Data::F64(data) => data.len(),
            Data::I64(data) => data.len(),
            Data::U8(data) => data.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A float that a [`Tensor`] can hold.
pub trait Element: Float {
    /// The dtype of tensors that hold it.
    const DTYPE: DType;

    /// Wraps the elements.
    fn data(elements: Vec<Self>) -> Data;
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;

    fn data(elements: Vec<Self>) -> Data {
        Data::F32(elements)
    }
}

impl Element for f64 {
    const DTYPE: DType = DType::F64;

    fn data(elements: Vec<Self>) -> Data {
        Data::F64(elements)
    }
}

/// A shape and its elements in row-major order.
#[derive(Clone, Debug)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

impl Tensor {
    /// A tensor of the given shape; `None` where the number of elements is not the product of the shape.
    pub fn new(shape: Vec<usize>, data: Data) -> Option<Self> {
        let elements = shape.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim))?;
        (elements == data.len()).then_some(Self { shape, data })
    }

    /// The elements of an array.
    pub fn from_array<T: Element>(array: ArrayD<T>) -> Self {
        let shape = array.shape().to_vec();
        let data = T::data(array.iter().copied().collect());
        Self { shape, data }
    }

    /// The extent of each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements in row-major order.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::F32(_) => DType::F32,
            Data::F64(_) => DType::F64,
            Data::I64(_) => DType::I64,
            Data::U8(_) => DType::U8,
        }
    }

    /// Every element as f64; exact but for integers beyond 2^53.
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Data::F32(data) => data.iter().map(|&x| f64::from(x)).collect(),
            Data::F64(data) => data.clone(),
            Data::I64(data) => data.iter().map(|&x| x as f64).collect(),
            Data::U8(data) => data.iter().map(|&x| f64::from(x)).collect(),
        }
    }

    /// The elements read in the arithmetic `R`: exact where `R` is at least as wide as the dtype.
    pub fn to_array<R: Real>(&self) -> ArrayD<R> {
        let elements = self.to_f64().into_iter().map(R::from_f64).collect();
        ArrayD::from_shape_vec(IxDyn(&self.shape), elements).expect("a tensor's shape fits its elements")
    }

    /// The elements as class indices; `None` for floats.
    pub fn to_indices(&self) -> Option<ArrayD<i64>> {
        let elements = match &self.data {
            Data::I64(data) => data.clone(),
            Data::U8(data) => data.iter().map(|&x| i64::from(x)).collect(),
            Data::F32(_) | Data::F64(_) => return None,
        };
        Some(ArrayD::from_shape_vec(IxDyn(&self.shape), elements).expect("a tensor's shape fits its elements"))
    }
}
