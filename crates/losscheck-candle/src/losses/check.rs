use candle_core::{Result, Tensor, bail};

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

/// A weight as a constant of the given shape, to which it has to broadcast.
pub(super) fn broadcast(name: &str, weight: &Tensor, shape: &[usize]) -> Result<Tensor> {
    match weight.detach().broadcast_as(shape) {
        Ok(weight) => Ok(weight),
        Err(_) => bail!("{name} has shape {:?}, expected one that broadcasts to {shape:?}", weight.dims()),
    }
}

/// The losses times a weight that has the shape of the input.
pub(super) fn weigh(losses: Tensor, weight: Option<&Tensor>, input: &Tensor) -> Result<Tensor> {
    match weight {
        None => Ok(losses),
        Some(weight) if weight.dims() == input.dims() => losses.broadcast_mul(&weight.detach()),
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
