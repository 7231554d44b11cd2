//! The models of open_clip that this library runs, by name.
//!
//! Owns the facts about each model ([`KnownModel`]) and the lookup of names in the table;
//! `source` decides between these names, paths and hub ids.

mod lookup;
mod nearest;
mod table;
#[cfg(test)]
mod tests;

pub(super) use lookup::{Lookup, is_open_clip, is_unsupported, lookup, openai};
pub(super) use nearest::nearest;

/// A pretrained model of open_clip whose towers this library runs.
///
/// ```
/// let model = interrogate::models::known().iter().find(|it| it.name == "ViT-L-14/openai");
/// assert_eq!(model.map(|it| (it.repo, it.dim)), Some(("openai/clip-vit-large-patch14", 768)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownModel {
    /// open_clip's `architecture/pretrained` name.
    pub name: &'static str,
    /// The repository on the hub, `owner/name`.
    pub repo: &'static str,
    /// The license of the weights, by the hub's short name; `None` if the repository states none
    /// or it was not verified.
    pub license: Option<&'static str>,
    /// The width of embeddings and features.
    pub dim: usize,
    /// The height and width of the image tower's input in pixels.
    pub image_size: usize,
    /// The number of weights of both towers.
    pub parameters: u64,
}

impl KnownModel {
    /// Returns the size of the weights in f32 in bytes, about the size of the download. A
    /// repository with weights in f16 has half of it.
    pub const fn bytes(&self) -> u64 {
        self.parameters * 4
    }

    /// Returns the part of the name before the slash: `ViT-L-14`.
    pub fn architecture(&self) -> &'static str {
        self.parts().0
    }

    /// Returns the part of the name after the slash: `openai`.
    pub fn tag(&self) -> &'static str {
        self.parts().1
    }

    fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('/').unwrap_or((self.name, ""))
    }
}

/// Returns all known models, sorted by name.
pub fn known() -> &'static [KnownModel] {
    &table::TABLE
}
