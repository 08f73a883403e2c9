//! Tensors as cases hold them: a shape and row-major elements of one dtype.

use std::collections::BTreeMap;

use half::{bf16, f16};

/// Tensors by PyTorch's names: `input`, `target`, `weight`.
pub type Tensors = BTreeMap<String, Tensor>;

/// The element type of a [`Tensor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// IEEE 754 binary16.
    F16,
    /// bfloat16: the upper half of an f32.
    BF16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// Signed 64-bit integers: class indices.
    I64,
    /// Unsigned 8-bit integers: class indices, which PyTorch's NLL losses also take.
    U8,
}

/// The numbers that a floating-point dtype can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Format {
    /// The number of bits of the significand, the implicit one included.
    pub precision: i32,
    /// The exponent of the smallest positive normal number.
    pub min_exponent: i32,
    /// The largest finite number.
    pub largest: f64,
}

impl Format {
    /// Returns the exponent of the smallest positive number.
    pub fn lowest_exponent(self) -> i32 {
        self.min_exponent - (self.precision - 1)
    }

    /// Returns the exponent of the largest finite number.
    pub fn max_exponent(self) -> i32 {
        1 - self.min_exponent
    }

    /// Returns the smallest positive normal number.
    pub fn smallest_normal(self) -> f64 {
        power_of_two(self.min_exponent)
    }

    /// Returns the unit in the last place at a magnitude: the distance between neighbouring numbers of that size.
    #[inline]
    pub fn ulp(self, magnitude: f64) -> f64 {
        power_of_two(exponent(magnitude).max(self.min_exponent) - (self.precision - 1))
    }
}

/// Returns the floor of the binary logarithm of a positive finite number, and for a subnormal f64 that of the smallest normal
/// one.
#[inline]
fn exponent(x: f64) -> i32 {
    const SIGNIFICAND_BITS: i32 = f64::MANTISSA_DIGITS as i32 - 1;
    ((x.to_bits() >> SIGNIFICAND_BITS) as i32).max(1) + (f64::MIN_EXP - 2)
}

/// Returns two to a power, if an f64 can hold it. Subnormal powers are included.
#[inline]
pub fn power_of_two(exponent: i32) -> f64 {
    const SIGNIFICAND_BITS: i32 = f64::MANTISSA_DIGITS as i32 - 1;
    let normal = exponent - (f64::MIN_EXP - 1);
    let bits = if normal >= 0 { ((normal + 1) as u64) << SIGNIFICAND_BITS } else { 1 << (normal + SIGNIFICAND_BITS) };
    f64::from_bits(bits)
}

impl DType {
    /// Every dtype.
    pub const ALL: [Self; 6] = [Self::F16, Self::BF16, Self::F32, Self::F64, Self::I64, Self::U8];

    /// Every dtype of floating-point numbers.
    pub const FLOATS: [Self; 4] = [Self::F16, Self::BF16, Self::F32, Self::F64];

    /// Returns the name in the golden format.
    pub fn name(self) -> &'static str {
        match self {
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "i64",
            DType::U8 => "u8",
        }
    }

    /// Returns whether the elements are floating-point numbers.
    pub fn is_float(self) -> bool {
        Self::FLOATS.contains(&self)
    }

    /// Returns the dtype of floats that PyTorch computes in if it is given floats of two dtypes: the wider one, and f32 for
    /// f16 and bf16.
    #[must_use]
    pub(crate) fn promoted(self, other: Self) -> Self {
        let either = |dtype| self == dtype || other == dtype;
        match () {
            () if self == other => self,
            () if either(Self::F64) => Self::F64,
            () => Self::F32,
        }
    }

    /// Rounds a number to the nearest one of the dtype. A number of 16 bits is rounded to f32 first, as PyTorch does, and an
    /// integer dtype rounds towards minus infinity.
    pub fn round(self, x: f64) -> f64 {
        match self {
            DType::F16 => f16::from_f32(x as f32).into(),
            DType::BF16 => bf16::from_f32(x as f32).into(),
            DType::F32 => (x as f32).into(),
            DType::F64 => x,
            DType::I64 | DType::U8 => x.floor(),
        }
    }

    /// Returns the numbers of a floating-point dtype. For integers, which no result has, these are the numbers of f64.
    pub fn format(self) -> Format {
        match self {
            DType::F16 => Format {
                precision: f16::MANTISSA_DIGITS as i32,
                min_exponent: f16::MIN_EXP - 1,
                largest: f16::MAX.to_f64(),
            },
            DType::BF16 => Format {
                precision: bf16::MANTISSA_DIGITS as i32,
                min_exponent: bf16::MIN_EXP - 1,
                largest: bf16::MAX.to_f64(),
            },
            DType::F32 => Format {
                precision: f32::MANTISSA_DIGITS as i32,
                min_exponent: f32::MIN_EXP - 1,
                largest: f32::MAX.into(),
            },
            DType::F64 | DType::I64 | DType::U8 => {
                Format { precision: f64::MANTISSA_DIGITS as i32, min_exponent: f64::MIN_EXP - 1, largest: f64::MAX }
            }
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for DType {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|dtype| dtype.name() == name)
            .ok_or_else(|| format!("`{name}`, expected one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// The elements of a [`Tensor`], in row-major order.
#[derive(Clone, Debug)]
pub enum Data {
    /// Elements of [`DType::F16`].
    F16(Vec<f16>),
    /// Elements of [`DType::BF16`].
    BF16(Vec<bf16>),
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
    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F16(data) => data.len(),
            Data::BF16(data) => data.len(),
            Data::F32(data) => data.len(),
            Data::F64(data) => data.len(),
            Data::I64(data) => data.len(),
            Data::U8(data) => data.len(),
        }
    }

    /// Returns whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns every element as f64. Only integers beyond 2^53 are rounded.
    pub fn to_f64(&self) -> Vec<f64> {
        self.map(|x| x)
    }

    /// Returns the result of a function for each element as f64.
    pub fn map<T>(&self, change: impl Fn(f64) -> T) -> Vec<T> {
        match self {
            Data::F16(data) => data.iter().map(|&x| change(x.into())).collect(),
            Data::BF16(data) => data.iter().map(|&x| change(x.into())).collect(),
            Data::F32(data) => data.iter().map(|&x| change(x.into())).collect(),
            Data::F64(data) => data.iter().map(|&x| change(x)).collect(),
            Data::I64(data) => data.iter().map(|&x| change(x as f64)).collect(),
            Data::U8(data) => data.iter().map(|&x| change(x.into())).collect(),
        }
    }

    /// Returns the numbers in another dtype, rounded as by [`Data::rounded`].
    #[must_use]
    pub fn to(&self, dtype: DType) -> Self {
        Self::rounded(dtype, self.to_f64().into_iter())
    }

    /// Rounds each number to the nearest number of the dtype, or to an integer towards minus infinity. Numbers of 16 bits are
    /// rounded to f32 first, as PyTorch does.
    pub fn rounded(dtype: DType, numbers: impl Iterator<Item = f64>) -> Self {
        match dtype {
            DType::F16 => Data::F16(numbers.map(|x| f16::from_f32(x as f32)).collect()),
            DType::BF16 => Data::BF16(numbers.map(|x| bf16::from_f32(x as f32)).collect()),
            DType::F32 => Data::F32(numbers.map(|x| x as f32).collect()),
            DType::F64 => Data::F64(numbers.collect()),
            DType::I64 => Data::I64(numbers.map(|x| x.floor() as i64).collect()),
            DType::U8 => Data::U8(numbers.map(|x| x.floor() as u8).collect()),
        }
    }
}

/// A shape and its elements in row-major order.
#[derive(Clone, Debug)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

impl Tensor {
    /// Returns a tensor of a shape, or `None` if the number of elements is not the product of the shape.
    pub fn new(shape: Vec<usize>, data: Data) -> Option<Self> {
        let elements = shape.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim))?;
        (elements == data.len()).then_some(Self { shape, data })
    }

    /// Returns a tensor of the same shape and dtype with other elements, each rounded, or `None` if their number differs.
    pub fn with_elements(&self, elements: impl Iterator<Item = f64>) -> Option<Self> {
        Self::new(self.shape.clone(), Data::rounded(self.dtype(), elements))
    }

    /// Returns a scalar of the same dtype, rounded.
    #[must_use]
    pub fn scalar(&self, number: f64) -> Self {
        Self { shape: Vec::new(), data: Data::rounded(self.dtype(), [number].into_iter()) }
    }

    /// Returns the tensor with each element changed and rounded to the dtype.
    #[must_use]
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        self.with_elements(self.to_f64().into_iter().map(change)).expect("as many elements as before")
    }

    /// Returns the extent of each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the elements in row-major order.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Returns whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Returns the element type.
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::F16(_) => DType::F16,
            Data::BF16(_) => DType::BF16,
            Data::F32(_) => DType::F32,
            Data::F64(_) => DType::F64,
            Data::I64(_) => DType::I64,
            Data::U8(_) => DType::U8,
        }
    }

    /// Returns every element as f64. Only integers beyond 2^53 are rounded.
    pub fn to_f64(&self) -> Vec<f64> {
        self.data.to_f64()
    }

    /// Returns the elements as class indices, or `None` if they are floating-point numbers.
    pub fn to_indices(&self) -> Option<Vec<i64>> {
        match &self.data {
            Data::I64(data) => Some(data.clone()),
            Data::U8(data) => Some(data.iter().map(|&x| i64::from(x)).collect()),
            Data::F16(_) | Data::BF16(_) | Data::F32(_) | Data::F64(_) => None,
        }
    }
}
