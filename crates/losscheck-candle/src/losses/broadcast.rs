use candle_core::{Result, Tensor, bail};

use super::graft::graft;
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
    let mut broadcast = tensors.map(Tensor::clone);
    for tensor in &mut broadcast {
        *tensor = broadcast_to(tensor, shape.dims())?;
    }
    Ok(broadcast)
}

/// The tensor broadcast to a shape that it fits. Its gradient is the sum that [`sum_rows`] makes: candle's own adds one
/// element after the other.
pub(super) fn broadcast_to(tensor: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if tensor.dims() == shape || shape.contains(&0) {
        return tensor.broadcast_as(shape);
    }
    let dims = tensor.dims().to_vec();
    let added = shape.len() - dims.len();
    let is_kept = |&dim: &usize| dim >= added && dims[dim - added] == shape[dim];
    let (kept, summed): (Vec<_>, Vec<_>) = (0..shape.len()).partition(is_kept);
    let order = [kept, summed].concat();
    graft(tensor.detach().broadcast_as(shape)?, tensor, move |gradient| {
        let elements: usize = dims.iter().product();
        let columns = gradient.elem_count() / elements;
        sum_rows(&gradient.permute(order.as_slice())?.reshape((elements, columns))?)?.reshape(dims.as_slice())
    })
}
