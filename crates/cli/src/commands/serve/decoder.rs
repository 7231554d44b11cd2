//! Decodes the images of requests, as many at a time as there are processors.

use std::path::Path;
use std::sync::Arc;

use interrogate::limits;
use interrogate::picture::{Budget, DecodeOptions, LoadStage, Picture};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::problem::Problem;
use super::upload::Upload;

/// The threads and the memory of decoding.
pub(super) struct Decoder {
    threads: Arc<Semaphore>,
    budget: Arc<Budget>,
}

impl Decoder {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Decoder {
            threads: Arc::new(Semaphore::new(processors)),
            budget: Arc::new(Budget::new(limits::DECODING)),
        }
    }

    /// Decodes `upload` and passes it to `prepare`, on another thread.
    ///
    /// # Errors
    /// Status 422 for an image that cannot be read.
    pub(super) async fn prepare<P: Send + 'static>(
        &self,
        upload: Upload,
        background: Option<[u8; 3]>,
        prepare: impl FnOnce(&Picture) -> interrogate::Result<P> + Send + 'static,
    ) -> Result<P, Problem> {
        let permit = self.threads.clone().acquire_owned().await;
        let (permit, budget) = (permit.map_err(|_| Problem::ending())?, self.budget.clone());
        let work = move || {
            let _permit = permit; // until the thread is free, whoever still waits for it
            let bytes = upload.data.bytes()?;
            let mut share = budget.reserve(LoadStage::Read, bytes.len() as u64);
            let reserve = |more| share.advance(LoadStage::Decoded, more);
            let options = DecodeOptions { background, ..DecodeOptions::default() };
            let picture = Picture::decode_with(&bytes, Path::new(&upload.name), options, reserve)?;
            Ok(prepare(&picture)?)
        };
        spawn_blocking(work).await.unwrap_or_else(|_| Err(Problem::internal()))
    }
}
