//! Pictures: image files as eight-bit RGB, and as the pixels a model wants.

mod preprocess;

pub use preprocess::Preprocess;

use std::path::Path;

use crate::Result;

/// A decoded image: RGB, eight bits a channel, upright (EXIF orientation applied).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// Reads the file at `path`, whatever its ending says.
    pub fn open(path: &Path) -> Result<Self> {
        todo!("{}", path.display())
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The values (height, width, 3), row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }
}
