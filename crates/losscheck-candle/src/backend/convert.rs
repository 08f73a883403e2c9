use candle_core::{DType, Device, Result, bail};
use losscheck::tensor::{Data, Tensor};

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

/// Class indices as candle programs hold them: u32, unless one of them does not fit (u8 stays as it is).
pub(super) fn with_u32_indices(tensor: &Tensor) -> Result<candle_core::Tensor> {
    if let Data::I64(data) = tensor.data()
        && let Ok(indices) = data.iter().map(|&index| u32::try_from(index)).collect::<std::result::Result<Vec<_>, _>>()
    {
        return candle_core::Tensor::from_vec(indices, tensor.shape(), &Device::Cpu);
    }
    to_candle(tensor)
}

pub(super) fn from_candle(tensor: &candle_core::Tensor) -> Result<Tensor> {
    let flat = tensor.flatten_all()?;
    let data = match tensor.dtype() {
        DType::F16 => Data::F16(flat.to_vec1()?),
        DType::BF16 => Data::BF16(flat.to_vec1()?),
        DType::F32 => Data::F32(flat.to_vec1()?),
        DType::F64 => Data::F64(flat.to_vec1()?),
        dtype => bail!("the result has dtype {dtype:?}"),
    };
    Ok(Tensor::new(tensor.dims().to_vec(), data).expect("candle's tensors fit their shapes"))
}
