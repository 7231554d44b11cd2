//! Kernel files and their compilation.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::CudaContext;
use candle_core::cuda_backend::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};

/// The primitives of every kernel.
const PRELUDE: &str = include_str!("prelude.cu");

/// The major and minor compute capability of a GPU.
type Generation = (i32, i32);

/// A kernel file, with the values of its constants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// A name for messages and for the module.
    pub(crate) name: &'static str,
    /// The file.
    pub(crate) text: &'static str,
    /// Constants that are defined before it, as `HEAD` = 64.
    pub(crate) constants: Vec<(&'static str, usize)>,
}

impl Source {
    /// The name of the module with these constants.
    pub(super) fn module(&self) -> String {
        let constants = self.constants.iter().map(|(name, value)| format!("-{name}={value}"));
        format!("interrogate-{}{}", self.name, constants.collect::<String>())
    }

    /// Returns the PTX for the device's generation, compiled once per process.
    pub(super) fn ptx(&self, context: &CudaContext) -> Result<Arc<str>> {
        static COMPILED: Mutex<Vec<(Generation, Source, Arc<str>)>> = Mutex::new(Vec::new());
        let generation = context.compute_capability().w()?;
        // Ignore lock poisoning: the list has whole entries.
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            |(of, source, _): &&(Generation, Source, Arc<str>)| *of == generation && source == self;
        if let Some((_, _, ptx)) = compiled.iter().find(known) {
            return Ok(ptx.clone());
        }
        let ptx: Arc<str> = self.compile(generation)?.into();
        compiled.push((generation, self.clone(), ptx.clone()));
        Ok(ptx)
    }

    /// Compiles the source. Needs no GPU.
    pub(crate) fn compile(&self, (major, minor): Generation) -> Result<String> {
        let mut options = vec![format!("--gpu-architecture=compute_{major}{minor}")];
        let define = |(name, value): &(&str, usize)| format!("--define-macro={name}={value}");
        options.extend(self.constants.iter().map(define));
        let options = CompileOptions {
            options,
            name: Some(format!("{}.cu", self.name)),
            ..CompileOptions::default()
        };
        let text = format!("{PRELUDE}\n{}", self.text);
        Ok(compile_ptx_with_opts(text, options).w()?.to_src())
    }
}
