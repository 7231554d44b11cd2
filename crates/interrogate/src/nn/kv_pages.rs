//! The CPU's storage of a KV cache: pages of rows that never move.

/// Rows per page: enough that one page holds a prompt, few enough that a half-filled last page
/// costs little.
pub(crate) const PAGE: usize = 64;

/// Rows in pages. Appending never moves a row.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// [`PAGE`] rows each, except for the last.
    pages: Vec<Vec<f32>>,
    rows: usize,
}

impl Pages {
    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn pages(&self) -> &[Vec<f32>] {
        &self.pages
    }

    /// Appends `values` as rows of `width`.
    pub(crate) fn append(&mut self, values: &[f32], width: usize) {
        for row in values.chunks_exact(width) {
            if self.rows.is_multiple_of(PAGE) {
                self.pages.push(Vec::with_capacity(PAGE * width));
            }
            self.pages[self.rows / PAGE].extend_from_slice(row);
            self.rows += 1;
        }
    }

    /// Removes all but the first `rows` rows.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if rows >= self.rows {
            return;
        }
        let width = self.pages[0].len() / self.rows.min(PAGE);
        self.pages.truncate(rows.div_ceil(PAGE));
        if let (Some(last), rest @ 1..) = (self.pages.last_mut(), rows % PAGE) {
            last.truncate(rest * width);
        }
        self.rows = rows;
    }
}

/// The keys and values of one layer.
#[derive(Debug, Default)]
pub(crate) struct KvPages {
    pub(crate) keys: Pages,
    pub(crate) values: Pages,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_grow_and_are_truncated() {
        let mut pages = Pages::default();
        for row in 0..150u16 {
            pages.append(&[f32::from(row), 0.5], 2);
        }
        let row = |pages: &Pages, row: usize| pages.pages()[row / PAGE][row % PAGE * 2];
        assert_eq!((pages.rows(), row(&pages, 149)), (150, 149.0));
        for rows in [200, 149, 128, 100, 64, 3, 0] {
            pages.truncate(rows);
            assert_eq!(pages.rows(), rows.min(150));
            assert_eq!(pages.pages().iter().map(Vec::len).sum::<usize>(), 2 * pages.rows());
        }
        pages.append(&[7.0, 8.0], 2);
        assert_eq!((pages.rows(), row(&pages, 0)), (1, 7.0));
    }
}
