use candle_core::{Result, Tensor};
use losscheck_options::Reduction;

use super::check::promoted;
use super::custom_gradient::with_custom_gradient;

/// Reduces the losses.
pub(super) fn reduced(losses: &Tensor, reduction: Reduction) -> Result<Tensor> {
    match reduction {
        Reduction::None => Ok(losses.clone()),
        Reduction::Mean => sum(losses)? / losses.elem_count() as f64,
        Reduction::Sum => sum(losses),
    }
}

/// Reduces losses that have their weights in them. Their mean is over the weights, if there are any.
pub(super) fn weighted(losses: &Tensor, weight: Option<&Tensor>, reduction: Reduction) -> Result<Tensor> {
    match (reduction, weight) {
        (Reduction::Mean, Some(weight)) => sum(losses)? / sum(&promoted(weight, losses)?.detach())?,
        _ => reduced(losses, reduction),
    }
}

/// The sum of all elements, precisely.
pub(super) fn sum(tensor: &Tensor) -> Result<Tensor> {
    sum_rows(&tensor.reshape((1, tensor.elem_count()))?)?.reshape(())
}

/// Longer sums are made of sums of at most so many elements.
const BLOCK: usize = 4;

/// The sum of each row of a matrix, as a column.
///
/// candle adds one element after the other, and the error of that grows with their number. Blocks of [`BLOCK`] elements
/// keep it to a few ULPs.
pub(super) fn sum_rows(matrix: &Tensor) -> Result<Tensor> {
    if matrix.elem_count() == 0 {
        // In candle the sum of a part of nothing panics.
        return matrix.sum_keepdim(1);
    }
    let shape = matrix.shape().clone();
    let rows = matrix.dim(0)?;
    let mut sums = matrix.detach();
    let mut rest: Option<Tensor> = None;
    while sums.dim(1)? > BLOCK {
        let length = sums.dim(1)?;
        // A length that divides saves a copy.
        let block = (2..=BLOCK).rev().find(|block| length % block == 0).unwrap_or(BLOCK);
        let (blocks, left) = (length / block, length % block);
        if left > 0 {
            let part = sums.narrow(1, blocks * block, left)?.sum_keepdim(1)?;
            rest = Some(rest.map_or(Ok(part.clone()), |rest| rest + part)?);
            sums = sums.narrow(1, 0, blocks * block)?;
        }
        sums = sums.reshape((rows, blocks, block))?.sum(2)?;
    }
    sums = sums.sum_keepdim(1)?;
    if let Some(rest) = rest {
        sums = (sums + rest)?;
    }
    with_custom_gradient(sums, matrix, move |gradient| gradient.broadcast_as(&shape))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Result, Tensor, Var};

    use super::{sum, sum_rows};

    #[test]
    fn sums_of_every_length_and_their_gradients() -> Result<()> {
        for length in [0usize, 1, 15, 16, 17, 256, 257, 50_001] {
            let ones = Var::ones(length, candle_core::DType::F32, &Device::Cpu)?;
            let total = sum(&ones)?;
            assert_eq!(total.to_scalar::<f32>()?, length as f32);
            let gradient = total.backward()?.remove(&ones).expect("the sum depends on its elements");
            assert_eq!(gradient.to_vec1::<f32>()?, vec![1.; length]);
        }
        assert_eq!(sum(&Tensor::new(2f64, &Device::Cpu)?)?.to_scalar::<f64>()?, 2.);
        Ok(())
    }

    #[test]
    fn rows_without_elements_and_no_rows() -> Result<()> {
        for (shape, expected) in [((2, 0), vec![0f32; 2]), ((0, 45), vec![])] {
            let matrix = Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu)?;
            assert_eq!(sum_rows(&matrix)?.flatten_all()?.to_vec1::<f32>()?, expected);
        }
        Ok(())
    }

    #[test]
    fn long_sums_keep_their_digits() -> Result<()> {
        let tenths = Tensor::full(0.1f32, 1 << 20, &Device::Cpu)?;
        let exact = f64::from(0.1f32) * f64::from(1 << 20);
        assert!((f64::from(sum(&tenths)?.to_scalar::<f32>()?) - exact).abs() < 1e-6 * exact);
        Ok(())
    }
}
