//! `Model`: a model with its encoders, which are loaded when they are first used.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use interrogate::encoder::{Counter, Features, ImageEncoder, TextEncoder};
use interrogate::models;
use interrogate::prompt::Chain;
use interrogate::rank::Order;
use pyo3::prelude::*;

use crate::chain::Growth;
use crate::error::{Result, argument};
use crate::image::{self, Image};
use crate::one_or_many::{OneOrMany, texts};
use crate::progress::Progress;
use crate::work::{detached, interruptible};
use crate::{device, features, hub};

/// Texts that are embedded between two checks for signals.
const TEXTS: usize = 2048;

#[pyclass(frozen, module = "interrogate_clip")]
pub(crate) struct Model {
    pub(crate) model: models::Model,
    image: Mutex<Option<Arc<dyn ImageEncoder>>>,
    text: Mutex<Option<Arc<dyn TextEncoder>>>,
    counter: Mutex<Option<Arc<dyn Counter>>>,
}

/// Returns the value in `slot`, which `load` makes at the first call.
fn loaded<T: ?Sized>(
    slot: &Mutex<Option<Arc<T>>>,
    load: impl FnOnce() -> interrogate::Result<Box<T>>,
) -> interrogate::Result<Arc<T>> {
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if slot.is_none() {
        *slot = Some(load()?.into());
    }
    slot.clone().ok_or(interrogate::Error::Interrupted)
}

impl Model {
    pub(crate) fn image_encoder(&self) -> interrogate::Result<Arc<dyn ImageEncoder>> {
        loaded(&self.image, || self.model.image_encoder())
    }

    pub(crate) fn text_encoder(&self) -> interrogate::Result<Arc<dyn TextEncoder>> {
        loaded(&self.text, || self.model.text_encoder())
    }

    pub(crate) fn counter(&self) -> interrogate::Result<Arc<dyn Counter>> {
        loaded(&self.counter, || self.model.counter())
    }

    /// Returns the features of `images`, in order.
    pub(crate) fn features(
        &self,
        py: Python<'_>,
        images: &[Py<PyAny>],
        batch_size: usize,
        progress: &Progress,
    ) -> Result<Vec<Features>> {
        image::in_batches(py, images, batch_size, progress, |images: Vec<Image>| {
            let encoder = self.image_encoder()?;
            let pixels = image::decode(images, |picture| encoder.prepare(picture))?;
            Ok(encoder.encode_prepared(&pixels.iter().collect::<Vec<_>>())?)
        })
    }
}

#[pymethods]
impl Model {
    #[staticmethod]
    #[pyo3(signature = (name="starter", *, device="auto", precision=None, text_cleaning="auto", cache_folder=None, progress=None))]
    fn open(
        py: Python<'_>,
        name: &str,
        device: &str,
        precision: Option<&str>,
        text_cleaning: &str,
        cache_folder: Option<PathBuf>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> Result<Self> {
        let progress = Progress::new(progress, "bytes")?;
        let options = hub::options(py, cache_folder);
        let (source, cleaning) = (name.parse()?, text_cleaning.parse()?);
        let model = interruptible(py, |interrupt| {
            let compute = device::compute(device, precision)?;
            let mut report = hub::reporter(interrupt, &progress, &options);
            let model = models::Model::open(source, &options, &mut report)?;
            crate::error::Result::Ok(model.with_cleaning(cleaning)?.with_compute(compute))
        })?;
        let (image, text, counter) = Default::default();
        Ok(Model { model, image, text, counter })
    }

    #[getter]
    fn name(&self) -> String {
        self.model.id()
    }

    #[getter]
    fn device(&self) -> String {
        self.model.compute().device.to_string()
    }

    #[getter]
    fn precision(&self) -> &'static str {
        self.model.precision().name()
    }

    #[getter]
    fn notice(&self) -> Option<&'static str> {
        self.model.notice()
    }

    fn fingerprint(&self, py: Python<'_>) -> Result<String> {
        detached(py, || self.model.fingerprint())
    }

    #[pyo3(signature = (images, *, batch_size=16, progress=None))]
    fn embed_images<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, PyAny>,
        batch_size: usize,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let progress = Progress::new(progress, "images")?;
        let images = image::images(images)?;
        let rows = self.features(py, &images.values, batch_size, &progress)?;
        let dim = detached(py, || self.image_encoder())?.dim();
        let values = rows.iter().flat_map(|row| row.as_slice()).copied().collect();
        features::array(py, values, dim, images.is_one)
    }

    #[pyo3(signature = (texts, *, progress=None))]
    fn embed_texts<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let progress = Progress::new(progress, "texts")?;
        let OneOrMany { values: texts, is_one } = crate::one_or_many::texts(texts)?;
        let encoder = detached(py, || self.text_encoder())?;
        let mut values = Vec::with_capacity(texts.len() * encoder.dim());
        for (number, batch) in texts.chunks(TEXTS).enumerate() {
            let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
            values.extend_from_slice(detached(py, || encoder.encode(&batch))?.as_slice());
            py.check_signals()?;
            progress.report(py, number * TEXTS + batch.len(), texts.len())?;
        }
        features::array(py, values, encoder.dim(), is_one)
    }

    fn count_tokens<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
    ) -> Result<Bound<'py, PyAny>> {
        let texts = self::texts(texts)?;
        let counts = detached(py, || {
            let counter = self.counter()?;
            texts
                .values
                .iter()
                .map(|text| counter.count(text))
                .collect::<interrogate::Result<Vec<_>>>()
        })?;
        Ok(texts.results(py, counts)?)
    }

    #[getter]
    fn context_length(&self, py: Python<'_>) -> Result<usize> {
        Ok(detached(py, || self.counter())?.context_length())
    }

    #[pyo3(signature = (
        features, phrases, start="", score=None, *, min_count=8, max_count=32, reverse=false,
        exceed=false, progress=None,
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn chain(
        &self,
        py: Python<'_>,
        features: &Bound<'_, PyAny>,
        phrases: Vec<String>,
        start: &str,
        score: Option<f32>,
        min_count: usize,
        max_count: usize,
        reverse: bool,
        exceed: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> Result<(String, f32)> {
        let progress = Progress::new(progress, "phrases")?;
        let features = features::features(features)?;
        let [features] = &features.values[..] else {
            return Err(argument(
                format!("features: expected those of one image, found {}", features.values.len()),
                "call chain() for each image",
            ));
        };
        let order = if reverse { Order::Worst } else { Order::Best };
        let growth = Growth { chain: Chain { min_count, max_count, order }, start, score, exceed };
        let grown = interruptible(py, |interrupt| {
            growth.grow(self, features, phrases, &mut |step| {
                interrupt.run(|py| match step.scored {
                    0 => progress.report(py, step.step, step.steps),
                    _ => Ok(()),
                })
            })
        })?;
        Ok((grown.text, grown.score))
    }

    fn __repr__(&self) -> String {
        format!(
            "Model({:?}, device={:?}, precision={:?})",
            self.model.id(),
            self.device(),
            self.precision()
        )
    }
}

/// Returns the names of open_clip's models that can be opened, and the starter's.
#[pyfunction]
pub(crate) fn model_names() -> Vec<String> {
    let known = models::known().iter().map(|model| model.name.to_owned());
    std::iter::once("starter".to_owned()).chain(known).collect()
}
