use candle_core::{Result, Tensor};

use super::broadcast::broadcast;
use super::check::{float, promoted};

/// Returns the input minus the target, broadcast.
pub(super) fn difference(input: &Tensor, target: &Tensor) -> Result<Tensor> {
    float("input", input)?;
    let target = &promoted(target, input)?;
    if input.dims() == target.dims() {
        return input - target;
    }
    let [input, target] = broadcast([input, target])?;
    input - target
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Result, Tensor, Var};

    use super::difference;

    #[test]
    fn gradients_are_sums_over_what_was_broadcast() -> Result<()> {
        let cotangent = Tensor::arange(0f64, 24., &Device::Cpu)?.reshape((2, 3, 4))?;
        let whole = Tensor::zeros((2, 3, 4), candle_core::DType::F64, &Device::Cpu)?;
        let shapes: [(&[usize], &[usize]); 5] =
            [(&[], &[0, 1, 2]), (&[4], &[0, 1]), (&[3, 1], &[0, 2]), (&[2, 1, 4], &[1]), (&[1, 3, 1], &[0, 2])];
        for (shape, summed) in shapes {
            let target = Var::zeros(shape, candle_core::DType::F64, &Device::Cpu)?;
            let gradients = (difference(&whole, &target)? * &cotangent)?.backward()?;
            let gradient = gradients.get(&target).expect("the target has a gradient");
            let expected = cotangent.sum(summed)?.neg()?;
            assert_eq!(gradient.dims(), shape);
            assert_eq!(gradient.flatten_all()?.to_vec1::<f64>()?, expected.flatten_all()?.to_vec1::<f64>()?);
        }
        Ok(())
    }

    #[test]
    fn both_sides_broadcast() -> Result<()> {
        let (column, row) = (Var::new(&[[1f64], [2.]], &Device::Cpu)?, Var::new(&[1f64, 2., 4.], &Device::Cpu)?);
        let result = difference(&column, &row)?;
        assert_eq!(result.to_vec2::<f64>()?, [[0., -1., -3.], [1., 0., -2.]]);
        let gradients = result.backward()?;
        assert_eq!(gradients.get(&column).unwrap().to_vec2::<f64>()?, [[3.], [3.]]);
        assert_eq!(gradients.get(&row).unwrap().to_vec1::<f64>()?, [-2., -2., -2.]);
        assert!(difference(&column, &Tensor::zeros((3, 2), candle_core::DType::F64, &Device::Cpu)?).is_err());
        Ok(())
    }
}
