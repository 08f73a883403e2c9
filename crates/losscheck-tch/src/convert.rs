//! Tensors to libtorch and back, bit for bit.

use losscheck_backend::tensor::{DType, Data, Tensor};
use tch::Kind;
use tch::kind::Element;

use crate::{Rejection, Result};

/// Copies a case's tensor to libtorch.
pub(crate) fn to_torch(tensor: &Tensor) -> Result<tch::Tensor> {
    let shape = tensor.shape().iter().map(|&dim| i64::try_from(dim)).collect::<std::result::Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| Rejection(format!("libtorch has no shape as large as {:?}", tensor.shape())))?;
    let flat = match tensor.data() {
        Data::F16(data) => tch::Tensor::f_from_slice(data),
        // tch 0.26 takes the bits of a bf16 for those of an f16; by way of f32 nothing is lost.
        Data::BF16(data) => {
            let widened: Vec<f32> = data.iter().map(|&x| x.into()).collect();
            tch::Tensor::f_from_slice(&widened).and_then(|tensor| tensor.f_to_kind(Kind::BFloat16))
        }
        Data::F32(data) => tch::Tensor::f_from_slice(data),
        Data::F64(data) => tch::Tensor::f_from_slice(data),
        Data::I64(data) => tch::Tensor::f_from_slice(data),
        Data::U8(data) => tch::Tensor::f_from_slice(data),
    };
    Ok(flat?.f_reshape(shape)?)
}

/// Copies what libtorch computed.
pub(crate) fn from_torch(tensor: &tch::Tensor) -> Result<Tensor> {
    let data = match tensor.f_kind()? {
        Kind::Half => Data::F16(elements(tensor)?),
        Kind::BFloat16 => {
            let widened = elements::<f32>(&tensor.f_to_kind(Kind::Float)?)?;
            Data::rounded(DType::BF16, widened.into_iter().map(f64::from))
        }
        Kind::Float => Data::F32(elements(tensor)?),
        Kind::Double => Data::F64(elements(tensor)?),
        Kind::Int64 => Data::I64(elements(tensor)?),
        Kind::Uint8 => Data::U8(elements(tensor)?),
        kind => return Err(Rejection(format!("libtorch answers in {kind:?}, which no case can hold"))),
    };
    let shape = tensor.size().into_iter().map(|dim| usize::try_from(dim).expect("sizes are not negative")).collect();
    Ok(Tensor::new(shape, data).expect("a tensor's shape fits its elements"))
}

/// The elements in row-major order, whatever the strides.
fn elements<T: Element + Default + Clone>(tensor: &tch::Tensor) -> Result<Vec<T>> {
    let mut elements = vec![T::default(); tensor.numel()];
    tensor.f_copy_data(&mut elements, tensor.numel())?;
    Ok(elements)
}
