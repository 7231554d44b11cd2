//! The names and shapes of the weights that a model expects.

/// A list of names and shapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shapes(Vec<(String, Vec<usize>)>);

impl Shapes {
    /// Adds a weight.
    pub(crate) fn add(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.0.push((name.into(), shape.to_vec()));
    }

    /// Adds `{prefix}.weight`, and, if `bias`, `{prefix}.bias` with the weight's first dimension.
    pub(crate) fn layer(&mut self, prefix: &str, shape: &[usize], bias: bool) {
        if bias {
            self.add(format!("{prefix}.bias"), &shape[..1]);
        }
        self.add(format!("{prefix}.weight"), shape);
    }

    /// Adds all of `others`.
    pub(crate) fn extend(&mut self, others: Shapes) {
        self.0.extend(others.0);
    }

    /// Returns the names and shapes, in the order in which they were added.
    pub(crate) fn into_vec(self) -> Vec<(String, Vec<usize>)> {
        self.0
    }
}
