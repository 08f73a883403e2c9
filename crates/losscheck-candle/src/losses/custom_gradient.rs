use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp2, Layout, MetalStorage, Result, Shape, Tensor};

/// The elements of `value`, with a derivative by `argument` of our own in candle's graph: `pullback` turns the gradient
/// of the result into that of `argument`. What `value` itself depends on keeps its gradient.
///
/// A composed operation has the derivative that candle composes, which is NaN wherever some intermediate one is infinite
/// or undefined; this is how a loss gets its exact one, on every device.
pub(super) fn with_custom_gradient(
    value: Tensor,
    argument: &Tensor,
    pullback: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    if !argument.track_op() {
        return Ok(value);
    }
    let whole = value.is_contiguous() && value.layout().start_offset() == 0;
    let value = if whole { value } else { value.force_contiguous()? };
    value.apply_op2(argument, CustomGradient(pullback))
}

struct CustomGradient<F>(F);

impl<F: Fn(&Tensor) -> Result<Tensor>> CustomOp2 for CustomGradient<F> {
    fn name(&self) -> &'static str {
        "custom_gradient"
    }

    fn cpu_fwd(&self, value: &CpuStorage, layout: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        copy(value, layout)
    }

    fn cuda_fwd(
        &self,
        value: &CudaStorage,
        layout: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        copy(value, layout)
    }

    fn metal_fwd(
        &self,
        value: &MetalStorage,
        layout: &Layout,
        _: &MetalStorage,
        _: &Layout,
    ) -> Result<(MetalStorage, Shape)> {
        copy(value, layout)
    }

    fn bwd(
        &self,
        value: &Tensor,
        _argument: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((value.track_op().then(|| gradient.clone()), Some(self.0(gradient)?)))
    }
}

fn copy<S: BackendStorage>(storage: &S, layout: &Layout) -> Result<(S, Shape)> {
    Ok((storage.try_clone(layout)?, layout.shape().clone()))
}
