//! Views of stored weights under other names, for other layouts of an architecture.

use std::ops::Range;

/// A view of a stored weight: all or some of its rows, optionally transposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// The stored weight's name.
    pub(crate) source: String,
    /// The range of the first dimension; `None` for all.
    pub(crate) rows: Option<Range<usize>>,
    /// Whether the matrix is transposed.
    pub(crate) transposed: bool,
    /// Whether leading dimensions of 1 are left out.
    pub(crate) squeezed: bool,
}

impl View {
    /// Views all of `source`, not transposed.
    pub(crate) fn of(source: &str) -> Self {
        View { source: source.to_owned(), rows: None, transposed: false, squeezed: false }
    }

    /// Views equal parts of the `rows` rows of `source` under `names`: projections that are stacked
    /// in one weight. `None` if the rows cannot be divided.
    pub(crate) fn stacked<const N: usize>(
        source: &str,
        rows: usize,
        names: [String; N],
    ) -> Option<Vec<(String, Self)>> {
        let part = rows.is_multiple_of(N).then_some(rows / N)?;
        let parts = names.into_iter().enumerate().map(|(number, name)| {
            let rows = Some(number * part..(number + 1) * part);
            (name, View { rows, ..View::of(source) })
        });
        Some(parts.collect())
    }

    /// Returns the shape of the view for a weight of shape `stored`; `None` if that has no such
    /// rows, or is not a matrix and is to be transposed.
    pub(super) fn shape(&self, stored: &[usize]) -> Option<Vec<usize>> {
        let mut shape = self.squeeze(stored).to_vec();
        if let Some(rows) = &self.rows {
            let first = shape.first_mut()?;
            if rows.start > rows.end || rows.end > *first {
                return None;
            }
            *first = rows.len();
        }
        if self.transposed {
            let [rows, columns] = shape[..] else { return None };
            shape = vec![columns, rows];
        }
        Some(shape)
    }

    /// Returns the shape of a weight `stored` without the dimensions that the view leaves out.
    pub(super) fn squeeze<'s>(&self, stored: &'s [usize]) -> &'s [usize] {
        let most = if self.squeezed { stored.len().saturating_sub(1) } else { 0 };
        let ones = stored.iter().take(most).take_while(|&&size| size == 1).count();
        &stored[ones..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_follow_rows_and_transposition() {
        let rows = View { rows: Some(2..6), ..View::of("a") };
        assert_eq!(rows.shape(&[6, 5]), Some(vec![4, 5]));
        assert_eq!(rows.shape(&[5, 5]), None);
        assert_eq!(rows.shape(&[]), None);
        let turned = View { transposed: true, ..rows };
        assert_eq!(turned.shape(&[6, 5]), Some(vec![5, 4]));
        assert_eq!(turned.shape(&[6]), None);
        assert_eq!(View::of("a").shape(&[]), Some(vec![]));
        let squeezed = View { squeezed: true, ..View::of("a") };
        assert_eq!(squeezed.shape(&[1, 1, 5, 1]), Some(vec![5, 1]));
        assert_eq!(squeezed.shape(&[1, 1]), Some(vec![1]));
    }
}
