use candle_core::{Result, Tensor, bail};

use super::check::countable;
use super::custom_gradient::with_custom_gradient;
use super::reduction::sum_rows;

/// The tensors in the shape that they broadcast to.
pub(super) fn broadcast<const N: usize>(tensors: [&Tensor; N]) -> Result<[Tensor; N]> {
    let mut shape = tensors[0].shape().clone();
    for tensor in &tensors[1..] {
        if tensor.dtype() != tensors[0].dtype() {
            bail!("tensors have dtypes {:?} and {:?}, expected the same", tensors[0].dtype(), tensor.dtype());
        }
        shape = shape.broadcast_shape_binary_op(tensor.shape(), "broadcast")?;
    }
    countable(shape.dims())?;
    let mut broadcast = tensors.map(Tensor::clone);
    for tensor in &mut broadcast {
        *tensor = broadcast_to(tensor, shape.dims())?;
    }
    Ok(broadcast)
}

/// Broadcasts the tensor to a shape, or returns an error if it does not fit. Its gradient is the sum that [`sum_rows`]
/// makes: candle's own adds one element after the other.
pub(super) fn broadcast_to(tensor: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let Ok(whole) = tensor.broadcast_as(shape) else {
        bail!("a tensor has shape {:?}, expected one that broadcasts to {shape:?}", tensor.dims());
    };
    if tensor.dims() == shape || shape.contains(&0) {
        return Ok(whole);
    }
    let dims = tensor.dims().to_vec();
    // Not negative, because `broadcast_as` only adds dimensions.
    let added = shape.len() - dims.len();
    let is_kept = |&dim: &usize| dim >= added && dims[dim - added] == shape[dim];
    let (kept, summed): (Vec<_>, Vec<_>) = (0..shape.len()).partition(is_kept);
    let order = [kept, summed].concat();
    with_custom_gradient(whole.detach(), tensor, move |gradient| {
        let elements: usize = dims.iter().product();
        let columns = gradient.elem_count() / elements;
        sum_rows(&gradient.permute(order.as_slice())?.reshape((elements, columns))?)?.reshape(dims.as_slice())
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Result, Tensor};

    use super::broadcast_to;

    #[test]
    fn a_tensor_that_does_not_fit_is_an_error_that_names_both_shapes() -> Result<()> {
        let tensor = Tensor::zeros((1, 1, 3), DType::F32, &Device::Cpu)?;
        for (shape, expected) in [(&[3][..], "[3]"), (&[][..], "[]"), (&[2, 3], "[2, 3]"), (&[1, 1, 2], "[1, 1, 2]")] {
            let error = broadcast_to(&tensor, shape).expect_err("does not fit").to_string();
            assert!(
                error.contains(&format!("shape [1, 1, 3], expected one that broadcasts to {expected}")),
                "the error for {shape:?} is `{error}`"
            );
        }
        Ok(())
    }
}
