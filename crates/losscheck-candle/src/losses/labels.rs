use candle_core::{DType, Result, Tensor, bail};

use super::check::float;

/// Scores of shape (C) or (N, C) as rows.
pub(super) struct Rows {
    /// (N, C).
    pub(super) rows: Tensor,
    pub(super) count: usize,
    pub(super) classes: usize,
}

impl Rows {
    /// Reads scores as rows. A scalar is a row of a single class.
    pub(super) fn with_scalar(input: &Tensor) -> Result<Self> {
        if input.rank() == 0 { Self::new(&input.reshape(1)?) } else { Self::new(input) }
    }

    pub(super) fn new(input: &Tensor) -> Result<Self> {
        float("input", input)?;
        let rows = match input.rank() {
            1 => input.unsqueeze(0)?,
            2 => input.clone(),
            _ => bail!("input has shape {:?}, expected (C) or (N, C)", input.dims()),
        };
        let (count, classes) = rows.dims2()?;
        if classes == 0 {
            bail!("input has shape {:?}, expected at least one class", input.dims());
        }
        Ok(Self { rows, count, classes })
    }

    /// The classes that the target names; an error where one is neither a class nor the exception.
    pub(super) fn indices(&self, target: &Tensor, exception: Option<i64>) -> Result<Vec<usize>> {
        if !matches!(target.dtype(), DType::U8 | DType::U32 | DType::I64) {
            bail!("target has dtype {:?}, expected class indices: u8, u32 or i64", target.dtype());
        }
        let class = |index: i64| match usize::try_from(index) {
            Ok(class) if class < self.classes => Ok(class),
            _ if exception == Some(index) => Ok(self.classes),
            _ => bail!("target {index} is out of bounds, there are {} classes", self.classes),
        };
        target.flatten_all()?.to_dtype(DType::I64)?.to_vec1::<i64>()?.into_iter().map(class).collect()
    }
}

/// (N, C) with 1 at the classes of each row.
pub(super) fn class_mask<L: IntoIterator<Item = usize>>(rows: &Rows, lists: impl Iterator<Item = L>) -> Result<Tensor> {
    let mut mask = vec![0u8; rows.count * rows.classes];
    for (row, list) in lists.enumerate() {
        for class in list {
            mask[row * rows.classes + class] = 1;
        }
    }
    Tensor::from_vec(mask, (rows.count, rows.classes), rows.rows.device())
}
