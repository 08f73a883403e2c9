use candle_core::{DType, Result, Tensor, bail};

/// Returns an error unless the tensor holds floats of 16 bits or more. candle panics if it is asked for a logarithm of
/// integers, for example, and never returns from converting zeros of 8 bits.
pub(super) fn float(name: &str, tensor: &Tensor) -> Result<()> {
    if !matches!(tensor.dtype(), DType::F16 | DType::BF16 | DType::F32 | DType::F64) {
        bail!("{name} has dtype {:?}, expected a float: f16, bf16, f32 or f64", tensor.dtype());
    }
    Ok(())
}

/// Returns integers as numbers of the dtype of `input`, as PyTorch takes them beside floats. Floats stay as they are, so that
/// the operations of candle refuse them if their dtype is not that of `input`.
pub(super) fn promoted(tensor: &Tensor, input: &Tensor) -> Result<Tensor> {
    if matches!(tensor.dtype(), DType::U8 | DType::U32 | DType::I64) {
        tensor.to_dtype(input.dtype())
    } else {
        Ok(tensor.clone())
    }
}

/// Returns an error if the dimensions multiply to more than a `usize` holds, as they may beside a dimension of 0. candle
/// multiplies them unchecked.
pub(super) fn countable(shape: &[usize]) -> Result<()> {
    match shape.iter().try_fold(1_usize, |count, &dim| count.checked_mul(dim.max(1))) {
        Some(_) => Ok(()),
        None => bail!("a tensor would have shape {shape:?}, expected dimensions whose product fits a usize"),
    }
}

/// An error unless the target has the input's shape.
pub(super) fn same_shape(input: &Tensor, target: &Tensor) -> Result<()> {
    if input.dims() != target.dims() {
        bail!("target has shape {:?}, expected {:?}, that of the input", target.dims(), input.dims());
    }
    Ok(())
}

/// An error unless every element is in [0, 1]; NaN is not.
pub(super) fn probabilities(name: &str, tensor: &Tensor) -> Result<()> {
    if tensor.elem_count() == 0 {
        return Ok(());
    }
    let tensor = tensor.detach();
    let inside = (tensor.ge(0.)? * tensor.le(1.)?)?;
    if inside.flatten_all()?.min(0)?.to_scalar::<u8>()? == 0 {
        bail!("{name} has elements outside of [0, 1]");
    }
    Ok(())
}

/// Returns a weight as a constant of the shape of the input, to which it has to broadcast.
pub(super) fn broadcast(name: &str, weight: &Tensor, input: &Tensor) -> Result<Tensor> {
    match promoted(weight, input)?.detach().broadcast_as(input.shape()) {
        Ok(weight) => Ok(weight),
        Err(_) => bail!("{name} has shape {:?}, expected one that broadcasts to {:?}", weight.dims(), input.dims()),
    }
}

/// The losses times a weight that has the shape of the input.
pub(super) fn weigh(losses: Tensor, weight: Option<&Tensor>, input: &Tensor) -> Result<Tensor> {
    match weight {
        None => Ok(losses),
        Some(weight) if weight.dims() == input.dims() => losses.broadcast_mul(&promoted(weight, input)?.detach()),
        Some(weight) => bail!("weight has shape {:?}, expected {:?}, that of the input", weight.dims(), input.dims()),
    }
}

/// A weight for each class as a constant.
pub(super) fn class_weight(weight: &Tensor, classes: usize) -> Result<Tensor> {
    if weight.dims() != [classes] {
        bail!("weight has shape {:?}, expected [{classes}], one for each class", weight.dims());
    }
    Ok(weight.detach())
}
