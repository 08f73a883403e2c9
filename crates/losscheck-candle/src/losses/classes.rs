use candle_core::{DType, Result, Tensor, bail};
use losscheck_options::Reduction;

use super::check::{countable, float};
use super::reduction::sum;

/// An input over classes, of shape (C), (N, C) or (N, C, d1, ...), as rows of shape (M, C).
pub(super) struct Rows {
    pub(super) rows: Tensor,
    pub(super) classes: usize,
    /// The input's shape without that of the classes.
    pub(super) shape: Vec<usize>,
}

impl Rows {
    pub(super) fn new(input: &Tensor) -> Result<Self> {
        float("input", input)?;
        countable(input.dims())?;
        let (classes, shape) = match input.dims() {
            [] => bail!("input is a scalar, expected a dimension of classes"),
            &[classes] => (classes, vec![]),
            &[batch, classes, ref rest @ ..] => (classes, [&[batch], rest].concat()),
        };
        let rows = match input.rank() {
            1 => input.unsqueeze(0)?,
            2 => input.clone(),
            rank => {
                let order: Vec<_> = [0].into_iter().chain(2..rank).chain([1]).collect();
                input.permute(order)?.reshape((shape.iter().product::<usize>(), classes))?
            }
        };
        Ok(Self { rows, classes, shape })
    }

    /// Each row's class of class indices; an error if their shape, dtype or range does not fit.
    pub(super) fn indices(&self, target: &Tensor, ignore_index: i64) -> Result<Indices> {
        // PyTorch lets the one target of an unbatched input have a dimension.
        let fits = target.dims() == self.shape || (self.shape.is_empty() && target.dims() == [1]);
        if !fits {
            bail!(
                "target has shape {:?}, expected {:?}, that of the input without its classes",
                target.dims(),
                self.shape
            );
        }
        if !matches!(target.dtype(), DType::U8 | DType::U32 | DType::I64) {
            bail!("target has dtype {:?}, expected class indices: u8, u32 or i64", target.dtype());
        }
        let mut indices = target.flatten_all()?.to_dtype(DType::I64)?.to_vec1::<i64>()?;
        let mut ignored = vec![0u8; indices.len()];
        for (index, ignored) in indices.iter_mut().zip(&mut ignored) {
            if *index == ignore_index {
                (*index, *ignored) = (0, 1);
            } else if usize::try_from(*index).map_or(true, |index| index >= self.classes) {
                bail!("target {index} is out of bounds, there are {} classes", self.classes);
            }
        }
        let kept = ignored.iter().filter(|&&ignored| ignored == 0).count();
        let (count, device) = (indices.len(), target.device());
        Ok(Indices {
            indices: Tensor::from_vec(indices, count, device)?,
            ignored: if kept < count { Some(Tensor::from_vec(ignored, count, device)?) } else { None },
            kept,
        })
    }

    /// One loss for each row in the shape of the output.
    pub(super) fn restore(&self, losses: &Tensor) -> Result<Tensor> {
        losses.reshape(self.shape.as_slice())
    }
}

/// The class of each row, checked.
pub(super) struct Indices {
    /// (M), 0 where ignored.
    indices: Tensor,
    /// (M), 1 where ignored; none if none is.
    ignored: Option<Tensor>,
    kept: usize,
}

impl Indices {
    /// Of each row the element of its class, (M).
    pub(super) fn pick(&self, rows: &Tensor) -> Result<Tensor> {
        if rows.dim(1)? == 0 {
            return rows.sum(1);
        }
        rows.contiguous()?.gather(&self.indices.unsqueeze(1)?, 1)?.squeeze(1)
    }

    /// The values with 0 at the ignored rows, which get no gradient then.
    pub(super) fn mask(&self, values: &Tensor) -> Result<Tensor> {
        match &self.ignored {
            None => Ok(values.clone()),
            Some(ignored) => ignored.where_cond(&values.zeros_like()?, values),
        }
    }

    /// The weight of each row's class, (M).
    pub(super) fn weights(&self, weight: &Tensor) -> Result<Tensor> {
        if weight.elem_count() == 0 {
            return self.indices.to_dtype(weight.dtype())?.zeros_like();
        }
        weight.contiguous()?.index_select(&self.indices, 0)
    }

    /// Reduces the masked losses; their mean is over the weights, where there are any, of the rows that are not ignored.
    pub(super) fn reduce(
        &self,
        reduction: Reduction,
        rows: &Rows,
        losses: &Tensor,
        weights: Option<&Tensor>,
    ) -> Result<Tensor> {
        match (reduction, weights) {
            (Reduction::None, _) => rows.restore(losses),
            (Reduction::Sum, _) => sum(losses),
            (Reduction::Mean, None) => sum(losses)? / self.kept as f64,
            (Reduction::Mean, Some(weights)) => sum(losses)? / sum(&self.mask(weights)?)?,
        }
    }
}
