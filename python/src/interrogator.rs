//! `Interrogator`: prompts of images, from a model, an index and maybe a captioner.

use std::path::Path;

use interrogate::Interrogation;
use interrogate::encoder::Features;
use interrogate::index::CustomTable;
use interrogate::prompt::modes::PromptOptions;
use interrogate::prompt::{Deny, Mode, Prompt};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::captioner::Captioner;
use crate::error::{Result, argument};
use crate::index::Index;
use crate::model::Model;
use crate::one_or_many::{OneOrMany, texts};
use crate::progress::Progress;
use crate::work::{detached, interruptible};
use crate::{features, image};

#[pyclass(frozen, get_all, module = "interrogate_clip")]
pub(crate) struct Interrogator {
    model: Py<Model>,
    index: Py<Index>,
    captioner: Option<Py<Captioner>>,
}

/// The options of prompts.
struct Wording {
    mode: String,
    max_flavors: Option<usize>,
    min_flavors: Option<usize>,
    min_score: Option<f32>,
    candidates: Option<usize>,
    chunk_size: Option<usize>,
    tables: Option<Vec<String>>,
    without: Option<Vec<String>>,
    lists: Option<Vec<(String, Vec<String>)>>,
    deny: Option<Vec<String>>,
    prefix: String,
    suffix: String,
    max_tokens: Option<usize>,
    template: Option<String>,
    compat: bool,
}

impl Wording {
    fn mode(&self) -> Result<Mode> {
        let mode = Mode::ALL.into_iter().find(|mode| mode.name() == self.mode);
        mode.ok_or_else(|| {
            let names = Mode::ALL.map(Mode::name).join(", ");
            argument(format!("mode: expected {names}, found {}", self.mode), "the default is seed")
        })
    }

    fn options(&self, mode: Mode, model: &interrogate::models::Model) -> PromptOptions {
        let defaults = PromptOptions::new(mode);
        let candidates = self.candidates.or_else(|| model.chain_candidates());
        PromptOptions {
            max_flavors: self.max_flavors.unwrap_or(defaults.max_flavors),
            min_flavors: self.min_flavors.unwrap_or(defaults.min_flavors),
            min_score: self.min_score.or_else(|| model.min_score()),
            candidates: candidates.unwrap_or(defaults.candidates),
            chunk_size: self.chunk_size.unwrap_or(defaults.chunk_size),
            compat: self.compat,
            ..defaults
        }
    }

    /// Opens the interrogation over `index`.
    fn interrogation<'i>(
        &self,
        mode: Mode,
        model: &Model,
        index: &'i interrogate::index::Index,
    ) -> Result<Interrogation<'i>> {
        let encoder = mode.scores_texts().then(|| model.text_encoder()).transpose()?;
        let options = self.options(mode, &model.model);
        let mut interrogation =
            Interrogation::with_encoder(index, model.counter()?, encoder, options)
                .between(&self.prefix, &self.suffix);
        for (name, labels) in self.lists.iter().flatten() {
            let encoder = model.text_encoder()?;
            let table = CustomTable::encode(name, None, labels.clone(), &*encoder, |_| ())?;
            interrogation = interrogation.with(table.on(model.model.compute().device)?);
        }
        if let Some(names) = &self.tables {
            interrogation = interrogation.only(names)?;
        }
        if let Some(names) = &self.without {
            interrogation = interrogation.without(names)?;
        }
        if let Some(lines) = &self.deny {
            let deny = Deny::parse(&lines.join("\n"), Path::new("deny"))?;
            interrogation = interrogation.denying(deny);
        }
        if let Some(most) = self.max_tokens {
            interrogation = interrogation.within(most);
        }
        if let Some(template) = &self.template {
            interrogation = interrogation.with_template(template.parse()?)?;
        }
        Ok(interrogation)
    }
}

impl Interrogator {
    /// Returns the images' features and captions.
    fn inputs(
        &self,
        py: Python<'_>,
        images: Option<&Bound<'_, PyAny>>,
        given: Option<&Bound<'_, PyAny>>,
        caption: Option<&Bound<'_, PyAny>>,
        batch_size: usize,
        progress: &Progress,
    ) -> Result<(OneOrMany<Features>, Vec<Option<String>>)> {
        let images = images.map(image::images).transpose()?;
        let captions = match (caption, &self.captioner, &images) {
            (Some(caption), _, _) => Some(captions(caption)?),
            (None, Some(captioner), Some(images)) => {
                let captioner = captioner.get();
                let config = captioner.defaults();
                let captions =
                    captioner.captions(py, &images.values, &config, batch_size, progress)?;
                Some(captions.into_iter().map(Some).collect())
            }
            _ => None,
        };
        let features = match (&images, given) {
            (_, Some(features)) => features::features(features)?,
            (Some(images), None) => OneOrMany {
                values: self.model.get().features(py, &images.values, batch_size, progress)?,
                is_one: images.is_one,
            },
            (None, None) => {
                return Err(argument(
                    "prompt() needs images or features",
                    "pass an image, a list of images, or features=model.embed_images(images)",
                ));
            }
        };
        let count = features.values.len();
        let captions = match captions {
            None => vec![None; count],
            // One caption is every image's.
            Some(captions) if captions.len() == 1 => vec![captions[0].clone(); count],
            Some(captions) if captions.len() == count => captions,
            Some(captions) => {
                return Err(argument(
                    format!("caption: expected one or {count}, found {}", captions.len()),
                    "pass a caption for each image, in their order",
                ));
            }
        };
        Ok((features, captions))
    }
}

/// Reads captions: one, or an iterable of captions or `None`.
fn captions(value: &Bound<'_, PyAny>) -> Result<Vec<Option<String>>> {
    if value.extract::<String>().is_ok() {
        return Ok(texts(value)?.values.into_iter().map(Some).collect());
    }
    Ok(value.try_iter()?.map(|caption| caption?.extract()).collect::<PyResult<_>>()?)
}

#[pymethods]
impl Interrogator {
    #[new]
    #[pyo3(signature = (model, index, captioner=None))]
    fn new(
        py: Python<'_>,
        model: Py<Model>,
        index: Py<Index>,
        captioner: Option<Py<Captioner>>,
    ) -> Result<Self> {
        let (opened, of) = (model.get(), index.get());
        detached(py, || opened.model.check(&of.index))?;
        Ok(Interrogator { model, index, captioner })
    }

    #[pyo3(signature = (
        images=None, mode="seed", *, caption=None, features=None, max_flavors=None, min_flavors=None,
        min_score=None, tables=None, without=None, lists=None, deny=None, prefix="", suffix="",
        max_tokens=None, template=None, candidates=None, chunk_size=None, compat=false,
        batch_size=16, progress=None,
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn prompt<'py>(
        &self,
        py: Python<'py>,
        images: Option<&Bound<'py, PyAny>>,
        mode: &str,
        caption: Option<&Bound<'py, PyAny>>,
        features: Option<&Bound<'py, PyAny>>,
        max_flavors: Option<usize>,
        min_flavors: Option<usize>,
        min_score: Option<f32>,
        tables: Option<Vec<String>>,
        without: Option<Vec<String>>,
        lists: Option<&Bound<'py, PyDict>>,
        deny: Option<Vec<String>>,
        prefix: &str,
        suffix: &str,
        max_tokens: Option<usize>,
        template: Option<String>,
        candidates: Option<usize>,
        chunk_size: Option<usize>,
        compat: bool,
        batch_size: usize,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let lists = lists.map(|lists| {
            lists.iter().map(|(name, labels)| Ok((name.extract()?, labels.extract()?))).collect()
        });
        let wording = Wording {
            mode: mode.to_owned(),
            max_flavors,
            min_flavors,
            min_score,
            candidates,
            chunk_size,
            tables,
            without,
            lists: lists.transpose().map_err(|error: PyErr| error)?,
            deny,
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            max_tokens,
            template,
            compat,
        };
        let progress = Progress::new(progress, "images")?;
        let mode = wording.mode()?; // before images are encoded
        let (features, captions) =
            self.inputs(py, images, features, caption, batch_size, &progress)?;
        let (model, index) = (self.model.get(), &self.index.get().index);
        let written = interruptible(py, |interrupt| {
            let interrogation = wording.interrogation(mode, model, index)?;
            let captions: Vec<Option<&str>> = captions.iter().map(Option::as_deref).collect();
            let total = features.values.len();
            let prompts = interrogation.prompts(&features.values, &captions, |image, step| {
                let is_first = step.step == 0 && step.scored == 0;
                interrupt.run(
                    |py| {
                        if is_first { progress.report(py, image, total) } else { Ok(()) }
                    },
                )
            })?;
            Result::Ok(prompts.iter().map(Written::new).collect::<Vec<_>>())
        })?;
        let results = py.import("interrogate_clip._results")?.getattr("Prompt")?;
        let prompts = written
            .into_iter()
            .map(|it| results.call1((it.text, it.caption, it.labels, it.score, it.mode)))
            .collect::<PyResult<Vec<_>>>()?;
        Ok(features.results(py, prompts)?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (model, index) = (self.model.bind(py).repr()?, self.index.bind(py).repr()?);
        Ok(format!("Interrogator({model}, {index})"))
    }
}

/// A prompt without the lifetime of its index.
struct Written {
    text: String,
    caption: Option<String>,
    labels: Vec<(String, Vec<(String, f32)>)>,
    score: Option<f32>,
    mode: Option<&'static str>,
}

impl Written {
    fn new(prompt: &Prompt<'_>) -> Self {
        let labels = prompt.picks.iter().map(|pick| {
            let labels = pick.matches.iter().map(|found| (found.label.to_owned(), found.score));
            (pick.table.to_owned(), labels.collect())
        });
        Written {
            text: prompt.text.clone(),
            caption: prompt.caption.clone(),
            labels: labels.collect(),
            score: prompt.score,
            mode: prompt.chosen.map(Mode::name),
        }
    }
}
