use candle_core::{Result, Tensor};

/// ln(1 + x), without a graph, to a few ULPs also where 1 + x rounds.
///
/// Kahan's form: with u the rounded 1 + x, the error of ln u and that of u - 1 cancel in x ln u / (u - 1).
pub(super) fn ln_1p(x: &Tensor) -> Result<Tensor> {
    let x = x.detach();
    let u = x.affine(1., 1.)?;
    let corrected = (u.log()? * (&x / u.affine(1., -1.)?)?)?;
    u.eq(1.)?.where_cond(&x, &corrected)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Result, Tensor};

    use super::ln_1p;

    const ARGUMENTS: [f64; 14] = [0., -0., 1e-300, 1e-17, 1e-12, -1e-9, 1e-5, 0.1, -0.5, -0.999_999, 0.9, 1., 3., 1e6];

    #[test]
    fn keeps_its_digits() -> Result<()> {
        let wide = ln_1p(&Tensor::new(&ARGUMENTS, &Device::Cpu)?)?.to_vec1::<f64>()?;
        for (x, got) in ARGUMENTS.into_iter().zip(wide) {
            let exact = x.ln_1p();
            assert!((got - exact).abs() <= 4. * f64::EPSILON * exact.abs(), "ln_1p({x}) = {got}, not {exact}");
        }
        let narrow: Vec<f32> = ARGUMENTS.iter().map(|&x| x as f32).collect();
        let results = ln_1p(&Tensor::new(narrow.as_slice(), &Device::Cpu)?)?.to_vec1::<f32>()?;
        for (x, got) in narrow.into_iter().zip(results) {
            let exact = f64::from(x).ln_1p();
            let error = (f64::from(got) - exact).abs();
            assert!(error <= 4. * f64::from(f32::EPSILON) * exact.abs(), "ln_1p({x}) = {got}, not {exact}");
        }
        Ok(())
    }

    #[test]
    fn at_the_edges() -> Result<()> {
        let edges = Tensor::new(&[-1., f64::NAN, -1.5], &Device::Cpu)?;
        let results = ln_1p(&edges)?.to_vec1::<f64>()?;
        assert_eq!(results[0], f64::NEG_INFINITY);
        assert!(results[1].is_nan() && results[2].is_nan());
        Ok(())
    }
}
