//! Sets of files, found by any of their names.

use std::collections::HashMap;
use std::path::Path;

use super::location::{Location, Locations};
use crate::file_id::Id;

/// Files by identity and by location, each with its description.
#[derive(Default)]
pub(super) struct FileSet {
    ids: HashMap<Id, String>,
    locations: HashMap<Location, String>,
}

impl FileSet {
    pub(super) fn add(&mut self, locations: &mut Locations, path: &Path, what: &str) {
        if let Ok(id) = Id::of(path) {
            self.ids.insert(id, what.to_owned());
        }
        for location in [locations.of(path), locations.of_target(path)] {
            self.locations.insert(location, what.to_owned());
        }
    }

    /// Returns the description of the file at `path`, links followed.
    pub(super) fn find(&self, locations: &mut Locations, path: &Path) -> Option<&str> {
        let by_id = Id::of(path).ok().and_then(|id| self.ids.get(&id));
        let by_location = |location| self.locations.get(&location);
        let found = by_id.or_else(|| by_location(locations.of(path)));
        found.or_else(|| by_location(locations.of_target(path))).map(String::as_str)
    }

    /// Returns the description of the file with that identity or at that location.
    pub(super) fn get(&self, id: Option<&Id>, location: &Location) -> Option<&str> {
        let by_id = id.and_then(|id| self.ids.get(id));
        by_id.or_else(|| self.locations.get(location)).map(String::as_str)
    }

    pub(super) fn contains_id(&self, id: &Id) -> bool {
        self.ids.contains_key(id)
    }
}
