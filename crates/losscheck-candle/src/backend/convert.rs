use candle_core::{DType, Device, Result, bail};
use losscheck_backend::case::Case;
use losscheck_backend::tensor::{Data, Tensor};

pub(super) fn to_candle(tensor: &Tensor) -> Result<candle_core::Tensor> {
    let (shape, device) = (tensor.shape(), &Device::Cpu);
    match tensor.data() {
        Data::F16(data) => candle_core::Tensor::from_slice(data, shape, device),
        Data::BF16(data) => candle_core::Tensor::from_slice(data, shape, device),
        Data::F32(data) => candle_core::Tensor::from_slice(data, shape, device),
        Data::F64(data) => candle_core::Tensor::from_slice(data, shape, device),
        Data::I64(data) => candle_core::Tensor::from_slice(data, shape, device),
        Data::U8(data) => candle_core::Tensor::from_slice(data, shape, device),
    }
}

/// Floats of 16 bits as f32, in which a loss is better computed: candle adds f16 up in f16, where a sum of ones ends at
/// 2048, and where it adds bf16 by the processor's own instructions, these take subnormal numbers for 0.
pub(super) fn widened(tensor: &Tensor) -> Result<candle_core::Tensor> {
    let tensor = to_candle(tensor)?;
    if matches!(tensor.dtype(), DType::F16 | DType::BF16) { tensor.to_dtype(DType::F32) } else { Ok(tensor) }
}

/// Class indices as candle programs hold them: u32, unless one of them does not fit (u8 stays as it is).
pub(super) fn with_u32_indices(tensor: &Tensor) -> Result<candle_core::Tensor> {
    if let Data::I64(data) = tensor.data()
        && let Ok(indices) = data.iter().map(|&index| u32::try_from(index)).collect::<std::result::Result<Vec<_>, _>>()
    {
        return candle_core::Tensor::from_vec(indices, tensor.shape(), &Device::Cpu);
    }
    to_candle(tensor)
}

/// A result, rounded where it was computed in more than the 16 bits of its case.
pub(super) fn from_candle(tensor: &candle_core::Tensor, case: &Case) -> Result<Tensor> {
    let flat = tensor.flatten_all()?;
    let data = match tensor.dtype() {
        DType::F16 => Data::F16(flat.to_vec1()?),
        DType::BF16 => Data::BF16(flat.to_vec1()?),
        DType::F32 => {
            let data = Data::F32(flat.to_vec1()?);
            match case.dtype() {
                narrow @ (losscheck_backend::tensor::DType::F16 | losscheck_backend::tensor::DType::BF16) => {
                    data.to(narrow)
                }
                _ => data,
            }
        }
        DType::F64 => Data::F64(flat.to_vec1()?),
        DType::U32 => Data::I64(flat.to_vec1::<u32>()?.into_iter().map(i64::from).collect()),
        dtype => bail!("the result has dtype {dtype:?}"),
    };
    Ok(Tensor::new(tensor.dims().to_vec(), data).expect("candle's tensors fit their shapes"))
}
