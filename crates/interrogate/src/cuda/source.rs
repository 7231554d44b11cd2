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

/// The PTX of a source; `None` until it is compiled. Locked during compilation.
type Slot = Arc<Mutex<Option<Arc<str>>>>;

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

    /// Returns the PTX for the device's generation, compiled once per process. Different sources
    /// are compiled at the same time.
    pub(super) fn ptx(&self, context: &CudaContext) -> Result<Arc<str>> {
        static COMPILED: Mutex<Vec<(Generation, Source, Slot)>> = Mutex::new(Vec::new());
        let generation = context.compute_capability().w()?;
        let slot = {
            // Ignore lock poisoning: the list has whole entries.
            let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
            let known =
                |(of, source, _): &&(Generation, Source, Slot)| *of == generation && source == self;
            match compiled.iter().find(known) {
                Some((_, _, slot)) => slot.clone(),
                None => {
                    let slot = Slot::default();
                    compiled.push((generation, self.clone(), slot.clone()));
                    slot
                }
            }
        };
        // Ignore lock poisoning: a source whose compilation panicked is compiled again.
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Some(ptx) => Ok(ptx.clone()),
            None => Ok(slot.insert(self.compile(generation)?.into()).clone()),
        }
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
