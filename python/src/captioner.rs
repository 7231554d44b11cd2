//! `Captioner`: a caption model, and the options of a caption.

use std::path::PathBuf;
use std::sync::Arc;

use interrogate::caption::{self, CaptionTask, EarlyStopping, GenerationConfig, Sampling};
use interrogate::error::CaptionError;
use interrogate::models::captioner_folder;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{Result, argument};
use crate::progress::Progress;
use crate::work::interruptible;
use crate::{device, hub, image};

#[pyclass(frozen, module = "interrogate_clip")]
pub(crate) struct Captioner {
    name: String,
    captioner: Arc<dyn caption::Captioner>,
}

impl Captioner {
    /// Captions `images` in batches.
    pub(crate) fn captions(
        &self,
        py: Python<'_>,
        images: &[Py<PyAny>],
        config: &GenerationConfig,
        batch_size: usize,
        progress: &Progress,
    ) -> Result<Vec<String>> {
        let mut first_image = 0;
        image::in_batches(py, images, batch_size, progress, |images| {
            let mut config = config.clone();
            if let Some(sampling) = &mut config.sampling {
                sampling.first_image = first_image;
            }
            first_image += images.len();
            let preprocess = self.captioner.preprocess();
            let pixels = image::decode(images, |picture| preprocess.prepare(picture))?;
            let pixels: Vec<_> = pixels.iter().collect();
            let captions = self.captioner.caption_prepared(&pixels, &config, &mut |_| ())?;
            Ok(captions.into_iter().map(|caption| caption.text).collect())
        })
    }

    /// Returns the options that the model is used with.
    pub(crate) fn defaults(&self) -> GenerationConfig {
        self.captioner.defaults()
    }
}

#[pymethods]
impl Captioner {
    #[staticmethod]
    #[pyo3(signature = (name, *, device="auto", precision=None, cache_folder=None, progress=None))]
    fn open(
        py: Python<'_>,
        name: String,
        device: &str,
        precision: Option<&str>,
        cache_folder: Option<PathBuf>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> Result<Self> {
        let progress = Progress::new(progress, "bytes")?;
        let options = hub::options(py, cache_folder);
        let captioner = interruptible(py, |interrupt| {
            let compute = device::compute(device, precision)?;
            let mut report = hub::reporter(interrupt, &progress, &options);
            let folder = captioner_folder(&name, &options, &mut report)?;
            Result::Ok(caption::open_on(&folder, compute.precision, compute.device)?)
        })?;
        Ok(Captioner { name, captioner: captioner.into() })
    }

    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    #[pyo3(signature = (images, *, batch_size=8, progress=None, **options))]
    fn caption<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, PyAny>,
        batch_size: usize,
        progress: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> Result<Bound<'py, PyAny>> {
        let config = generation(self.defaults(), options)?;
        let progress = Progress::new(progress, "images")?;
        let images = image::images(images)?;
        let captions = self.captions(py, &images.values, &config, batch_size, &progress)?;
        Ok(images.results(py, captions)?)
    }

    fn __repr__(&self) -> String {
        format!("Captioner({:?})", self.name)
    }
}

/// Sets the `options` of a caption in `config`.
fn generation(
    mut config: GenerationConfig,
    options: Option<&Bound<'_, PyDict>>,
) -> Result<GenerationConfig> {
    let mut sampling: Option<Sampling> = None;
    let default = Sampling { temperature: 1.0, top_p: 1.0, seed: 0, first_image: 0 };
    for (key, value) in options.into_iter().flatten() {
        let key: String = key.extract()?;
        match key.as_str() {
            "num_beams" => config.num_beams = value.extract()?,
            "max_length" => config.max_new_tokens = value.extract()?,
            "min_length" => config.min_new_tokens = value.extract()?,
            "length_penalty" => config.length_penalty = value.extract()?,
            "repetition_penalty" => config.repetition_penalty = value.extract()?,
            "no_repeat_ngram_size" => config.no_repeat_ngram_size = value.extract()?,
            "prefix" => config.prompt = value.extract()?,
            "early_stopping" => {
                config.early_stopping = early_stopping(&value.extract::<String>()?)?
            }
            "task" => config.task = task(&value.extract::<String>()?)?,
            "temperature" => sampling.get_or_insert(default).temperature = value.extract()?,
            "top_p" => sampling.get_or_insert(default).top_p = value.extract()?,
            "seed" => sampling.get_or_insert(default).seed = value.extract()?,
            _ => {
                let message = format!("caption() got an unexpected keyword argument '{key}'");
                return Err(PyTypeError::new_err(message).into());
            }
        }
    }
    config.sampling = sampling;
    Ok(config)
}

fn early_stopping(name: &str) -> Result<EarlyStopping> {
    match name {
        "likely" => Ok(EarlyStopping::Likely),
        "full" => Ok(EarlyStopping::Full),
        "never" => Ok(EarlyStopping::Never),
        _ => Err(argument(
            format!("early_stopping: expected likely, full or never, found {name}"),
            "transformers' False is likely, True is full",
        )),
    }
}

fn task(name: &str) -> Result<CaptionTask> {
    let task = CaptionTask::ALL.into_iter().find(|task| task.to_string() == name);
    task.ok_or_else(|| {
        let names = CaptionTask::ALL.map(|task| task.to_string()).join(", ");
        interrogate::Error::from(CaptionError::Generation {
            option: "task",
            expected: names,
            found: name.to_owned(),
        })
        .into()
    })
}

/// Returns the short names of captioners.
#[pyfunction]
pub(crate) fn captioner_names() -> Vec<&'static str> {
    caption::NAMES.iter().map(|(name, _)| *name).collect()
}
