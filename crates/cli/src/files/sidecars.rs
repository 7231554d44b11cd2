//! The check of sidecars, one per image.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::file_set::FileSet;
use super::location::Locations;
use super::{is_input, same_path};
use crate::args::Extension;
use crate::file_id::Id;
use crate::output::OutputError;

/// Refuses sidecars of `images` with `extension` that are an image, one of `inputs` or `outputs`, or the sidecar
/// of another image.
///
/// # Errors
/// [`OutputError::Input`], [`OutputError::SamePath`].
pub(super) fn check(
    images: &[PathBuf],
    extension: &Extension,
    locations: &mut Locations,
    inputs: &FileSet,
    outputs: &FileSet,
) -> Result<(), OutputError> {
    let mut sidecars = HashMap::with_capacity(images.len());
    let (mut present, mut missing) = (HashSet::with_capacity(images.len()), HashSet::new());
    for image in images {
        match Id::of(image) {
            Ok(id) => drop(present.insert(id)),
            Err(_) => drop(missing.insert(locations.of(image))),
        }
    }
    let of = |image: &Path| format!("the sidecar of {}", image.display());
    for (number, image) in images.iter().enumerate() {
        let path = extension.sidecar(image);
        // A sidecar replaces a link, so the link's own location counts, not its target's.
        let (id, location) = (Id::of(&path).ok(), locations.of(&path));
        if let Some(what) = inputs.get(id.as_ref(), &location) {
            return Err(is_input(&path, what));
        }
        if let Some(what) = outputs.get(id.as_ref(), &location) {
            return Err(same_path(&path, what, &of(image)));
        }
        if id.is_some_and(|id| present.contains(&id)) || missing.contains(&location) {
            return Err(is_input(&path, "an image"));
        }
        match sidecars.entry(location) {
            Entry::Vacant(entry) => drop(entry.insert(number)),
            Entry::Occupied(entry) => {
                let first = &images[*entry.get()];
                // Two names of one image in its folder have one sidecar.
                if locations.of(first) != locations.of(image) {
                    return Err(same_path(&path, &of(first), &of(image)));
                }
            }
        }
    }
    Ok(())
}
