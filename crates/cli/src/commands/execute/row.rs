//! The results of a task as JSON and as text.

use std::collections::BTreeMap;

use interrogate::pipeline::{TaskOutput, ZERO_SHOT};
use serde::Serialize;

/// The result of one image as a JSON object.
#[derive(Default, Serialize)]
pub(super) struct Row<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<&'a [f32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<BTreeMap<&'a str, f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<(u32, u32)>,
}

/// A label of a dictionary as a JSON object.
#[derive(Serialize)]
pub(super) struct Label<'a> {
    pub(super) label: &'a str,
}

/// An image that failed as a JSON object.
#[derive(Serialize)]
pub(super) struct Failed<'a> {
    pub(super) image: &'a str,
    pub(super) error: &'a str,
}

impl<'a> Row<'a> {
    /// The row of the image `id`, whose result is at position `at`.
    pub(super) fn new(id: &'a str, answers: &'a TaskOutput, at: usize) -> Self {
        let row = Row { id, ..Row::default() };
        match answers {
            TaskOutput::Prompts(prompts) => Row { prompt: Some(&prompts[at]), ..row },
            TaskOutput::Embeddings { prompts, dim, values } => {
                let embedding = Some(&values[at * dim..][..*dim]);
                Row { prompt: Some(&prompts[at]), embedding, ..row }
            }
            TaskOutput::Scores(scores) => {
                Row { scores: Some(ZERO_SHOT.into_iter().zip(scores[at]).collect()), ..row }
            }
            TaskOutput::Sizes(sizes) => Row { size: Some(sizes[at]), ..row },
            TaskOutput::Labels(_) => row,
        }
    }

    /// The id and its values, scores, size or prompt in one line.
    pub(super) fn line(&self) -> String {
        let id = &crate::escape::line(self.id);
        if let Some(values) = self.embedding {
            return values.iter().fold(id.clone(), |line, value| line + &format!("\t{value}"));
        }
        if let Some(scores) = &self.scores {
            let scores: Vec<String> =
                scores.iter().map(|(label, score)| format!("{label} {score:.4}")).collect();
            return format!("{id}: {}", scores.join(", "));
        }
        match self.size {
            Some((width, height)) => format!("{id}: {width} x {height}"),
            None => format!("{id}: {}", self.prompt.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_holds_the_result_of_the_task() {
        let line = |answers: &TaskOutput| Row::new("1", answers, 0).line();
        assert_eq!(line(&TaskOutput::Prompts(vec!["a cat".into()])), "1: a cat");
        assert_eq!(line(&TaskOutput::Sizes(vec![(640, 480)])), "1: 640 x 480");
        let (prompts, values) = (vec!["a cat".into()], vec![0.5, 1.0]);
        assert_eq!(line(&TaskOutput::Embeddings { prompts, dim: 2, values }), "1\t0.5\t1");
    }
}
