//! The prompt modes.

/// A way to write a prompt.
///
/// ```
/// use interrogate::prompt::Mode;
///
/// assert_eq!(Mode::default(), Mode::Seed);
/// assert_eq!(Mode::Fast.max_flavors(), 32);
/// assert!(Mode::Best.scores_texts() && !Mode::Fast.scores_texts());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Caption, one medium, one movement, three flavors.
    #[default]
    Seed,
    /// Caption, medium and artist, trending site, movement, three flavors.
    Classic,
    /// Caption, and the 32 best labels of all tables.
    Fast,
    /// The best of four candidates: the caption, classic with 32 flavors, fast, and a
    /// chain that grows from the caption while its score improves.
    Best,
    /// A negative prompt: a chain of the labels that fit the image least.
    Negative,
    /// The caption alone.
    Caption,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 6] =
        [Mode::Seed, Mode::Classic, Mode::Fast, Mode::Best, Mode::Negative, Mode::Caption];

    /// Returns the mode's name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Seed => "seed",
            Mode::Classic => "classic",
            Mode::Fast => "fast",
            Mode::Best => "best",
            Mode::Negative => "negative",
            Mode::Caption => "caption",
        }
    }

    /// Returns whether the mode scores texts that are in no table, which needs the model's
    /// text tower.
    pub fn scores_texts(self) -> bool {
        matches!(self, Mode::Best | Mode::Negative)
    }

    /// Returns the default maximum number of flavors.
    pub fn max_flavors(self) -> usize {
        match self {
            Mode::Seed | Mode::Classic => 3,
            Mode::Fast | Mode::Best | Mode::Negative => 32,
            Mode::Caption => 0,
        }
    }
}
