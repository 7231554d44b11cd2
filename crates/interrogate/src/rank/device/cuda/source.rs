//! The kernels' source, compiled at run time for the device.

use std::sync::{Mutex, PoisonError};

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::CudaContext;
use candle_core::cuda_backend::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};

/// The source.
pub(super) const SOURCE: &str = include_str!("../kernels.cu");

/// Returns the PTX of the kernels for the device's generation.
pub(super) fn ptx(context: &CudaContext) -> Result<String> {
    static COMPILED: Mutex<Vec<((i32, i32), String)>> = Mutex::new(Vec::new());
    let generation = context.compute_capability().w()?;
    // Ignore lock poisoning: the list has whole entries.
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, ptx)) = compiled.iter().find(|(known, _)| *known == generation) {
        return Ok(ptx.clone());
    }
    let ptx = compile(generation)?;
    compiled.push((generation, ptx.clone()));
    Ok(ptx)
}

fn compile((major, minor): (i32, i32)) -> Result<String> {
    let options = CompileOptions {
        options: vec![format!("--gpu-architecture=compute_{major}{minor}")],
        name: Some("kernels.cu".to_owned()),
        ..CompileOptions::default()
    };
    Ok(compile_ptx_with_opts(SOURCE, options).w()?.to_src())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NVRTC needs no GPU: compiles the source for each supported generation.
    #[test]
    fn kernels_compile() {
        for generation in [(8, 0), (9, 0)] {
            let ptx = compile(generation).unwrap();
            for name in ["scan", "tile", "merge", "rescore", "longest"] {
                assert!(ptx.contains(&format!(".entry {name}(")), "{name} for {generation:?}");
            }
            assert!(ptx.contains("mma.sync.aligned.m16n8k16"));
        }
    }
}
