//! The tags of an image, by thresholds.

use super::{Category, Tag};

/// The lowest scores of tags that an image has, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// For general tags. Default: 0.35.
    pub general: f32,
    /// For characters. Default: 0.85.
    pub character: f32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { general: 0.35, character: 0.85 }
    }
}

/// A tag with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredTag<'a> {
    /// The tag's name.
    pub name: &'a str,
    /// The score, from 0 to 1.
    pub score: f32,
}

/// The tags of an image by category. Tags are sorted by score, best first; ties keep the order
/// of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection<'a> {
    /// The rating with the highest score; `None` if the tagger has no ratings.
    pub rating: Option<ScoredTag<'a>>,
    /// The characters.
    pub characters: Vec<ScoredTag<'a>>,
    /// The general tags.
    pub general: Vec<ScoredTag<'a>>,
}

/// Selects among `tags` by their `scores`.
pub(super) fn select<'a>(
    tags: &'a [Tag],
    scores: &[f32],
    thresholds: &Thresholds,
) -> Selection<'a> {
    let scored = tags.iter().zip(scores);
    let of = |category: Category, threshold: f32| {
        let of =
            scored.clone().filter(|(tag, score)| tag.category == category && **score >= threshold);
        let mut found: Vec<ScoredTag<'a>> =
            of.map(|(tag, &score)| ScoredTag { name: &tag.name, score }).collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score)); // stable
        found
    };
    Selection {
        rating: of(Category::Rating, 0.0).first().copied(),
        characters: of(Category::Character, thresholds.character),
        general: of(Category::General, thresholds.general),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_at_their_threshold_are_sorted_by_score() {
        use Category::{Character, General, Rating};
        let tags = [
            ("safe", Rating),
            ("explicit", Rating),
            ("a", General),
            ("b", General),
            ("c", General),
            ("d", General),
            ("x", Character),
            ("y", Character),
        ];
        let tags = tags.map(|(name, category)| Tag { name: name.into(), category });
        let scores = [0.2, 0.3, 0.35, 0.9, 0.35, 0.34, 0.84, 0.85];
        let found = select(&tags, &scores, &Thresholds::default());
        let names =
            |tags: &[ScoredTag<'_>]| tags.iter().map(|tag| tag.name.to_owned()).collect::<Vec<_>>();
        assert_eq!(found.rating, Some(ScoredTag { name: "explicit", score: 0.3 }));
        assert_eq!(names(&found.general), ["b", "a", "c"]);
        assert_eq!(names(&found.characters), ["y"]);
        assert_eq!(select(&tags[2..4], &scores[2..4], &Thresholds::default()).rating, None);
    }
}
