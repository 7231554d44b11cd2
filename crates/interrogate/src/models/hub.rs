//! Model files from a hub (placeholder until merged).
use std::path::PathBuf;

use crate::{Error, Result};
/// What is fetched.
#[derive(Debug)]
pub enum Fetch {}
/// A hub.
#[derive(Debug, Default)]
pub struct Hub {
    /// Cache.
    pub cache: PathBuf,
    /// Endpoint.
    pub endpoint: String,
    /// Token.
    pub token: Option<String>,
}
impl Hub {
    /// The folder.
    pub fn snapshot(
        &self,
        repo: &str,
        _: Option<&str>,
        _: &mut dyn FnMut(Fetch),
    ) -> Result<PathBuf> {
        Err(Error::ModelName { name: repo.into() })
    }
}
