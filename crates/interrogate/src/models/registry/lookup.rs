//! Finds a model by the name that a user typed.

use super::{KnownModel, known};

/// Prefixes of open_clip's architectures. No owner on the hub has such a name.
const ARCHITECTURES: [&str; 8] =
    ["MobileCLIP", "PE-Core-", "ViT-", "RN50", "RN101", "convnext_", "coca_", "EVA0"];

/// Parts of the names of architectures that this library does not run: other image towers
/// than a vision transformer, or other text towers than CLIP's.
const UNSUPPORTED: [&str; 9] = [
    "coca_",
    "roberta-",
    "nllb-clip-",
    "MobileCLIP-S",
    "MobileCLIP2-L",
    "MobileCLIP2-S",
    "ViTamin-",
    "-CLIPA",
    "mt5-",
];

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::models) enum Lookup {
    /// No known model.
    Unknown,
    /// One model.
    One(&'static KnownModel),
    /// Several models, of which the name is the common beginning.
    Several(Vec<&'static KnownModel>),
}

/// Looks up a name: an architecture and a tag (`ViT-L-14/openai`), the first parts of a tag
/// (`ViT-L-14/laion2b`), or only an architecture: its weights of OpenAI if there are any, else
/// its only model. Architectures may have OpenAI's spelling (`ViT-B/32`, `ViT-L/14@336px`);
/// tags are compared like in open_clip, without case and with `-` for `_`.
pub(in crate::models) fn lookup(text: &str) -> Lookup {
    let models = of_architecture(text);
    if !models.is_empty() {
        let openai = models.iter().find(|model| model.tag() == "openai");
        return openai.map_or_else(|| some(models.clone()), |model| Lookup::One(model));
    }
    let Some((architecture, tag)) = text.rsplit_once('/') else { return Lookup::Unknown };
    let mut models = of_architecture(architecture);
    let tag = tag.to_ascii_lowercase().replace('-', "_");
    if let Some(model) = models.iter().find(|model| model.tag() == tag) {
        return Lookup::One(model);
    }
    let begins = |model: &&KnownModel| {
        model.tag().strip_prefix(&tag).is_some_and(|rest| rest.starts_with('_'))
    };
    models.retain(|model| !tag.is_empty() && begins(model));
    some(models)
}

/// Returns the model of OpenAI whose architecture is `text`.
pub(in crate::models) fn openai(text: &str) -> Option<&'static KnownModel> {
    of_architecture(text).into_iter().find(|model| model.tag() == "openai")
}

/// Whether `owner` is the beginning of a name of open_clip instead of an owner on the hub.
pub(in crate::models) fn is_open_clip(owner: &str) -> bool {
    ARCHITECTURES.iter().any(|start| owner.starts_with(start))
}

/// Whether `text` is a name of open_clip with an architecture that this library does not run.
pub(in crate::models) fn is_unsupported(text: &str) -> bool {
    let architecture = text.split_once('/').map_or(text, |(architecture, _)| architecture);
    UNSUPPORTED.iter().any(|part| match part.strip_prefix('-') {
        Some(_) => architecture.starts_with("ViT-") && architecture.contains(part),
        None => architecture.trim_start_matches("xlm-").starts_with(part),
    })
}

/// Returns the models of an architecture, in OpenAI's or open_clip's spelling.
pub(super) fn of_architecture(text: &str) -> Vec<&'static KnownModel> {
    let architecture = text.replace('/', "-").replace("@336px", "-336");
    known().iter().filter(|model| model.architecture() == architecture).collect()
}

fn some(models: Vec<&'static KnownModel>) -> Lookup {
    match models[..] {
        [] => Lookup::Unknown,
        [model] => Lookup::One(model),
        _ => Lookup::Several(models),
    }
}
