//! The rows of a table, borrowed from where they are stored.

use std::ops::Range;

use half::f16;

use super::codes::Codes;
use crate::error::RowsError;
use crate::{Error, Result};

/// A block of rows, and their codes if they have any.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// The values (rows, dim).
    pub rows: &'a [f16],
    /// The quantized codes of the same rows.
    pub codes: Option<Codes<'a>>,
}

/// Rows of a table, in blocks: the shards of one table, or of several merged.
///
/// Rows are numbered from 0 through all blocks, in the given order. The values are borrowed and
/// never copied: a block costs about a hundred bytes.
///
/// ```
/// use half::f16;
/// use interrogate::encoder::Features;
/// use interrogate::rank::codes::Coding;
/// use interrogate::rank::{Block, Order, Rows};
///
/// // Two blocks of rows of two values.
/// let first = [[1.0, 0.0], [0.6, 0.8]].map(|row| row.map(f16::from_f32));
/// let second = [[0.6, 0.8]].map(|row| row.map(f16::from_f32));
/// let rows = Rows::new(2, vec![first.as_flattened(), second.as_flattened()])?;
/// assert_eq!((rows.len(), rows.dim()), (3, 2));
///
/// // Rows 1 and 2 are equal: the lower number comes first, in both orders.
/// let query = [Features::new(vec![0.6, 0.8])?];
/// let numbers = |order| -> interrogate::Result<Vec<usize>> {
///     Ok(rows.top_k(&query, 3, order)?[0].iter().map(|hit| hit.row).collect())
/// };
/// assert_eq!(numbers(Order::Best)?, [1, 2, 0]);
/// assert_eq!(numbers(Order::Worst)?, [0, 1, 2]);
///
/// // With codes a ranking of many rows is faster, and the same.
/// let coding = Coding::of(2, first.as_flattened());
/// let block = Block { rows: first.as_flattened(), codes: Some(coding.codes()) };
/// let coded = Rows::with_codes(2, vec![block])?;
/// assert_eq!(coded.top_k(&query, 1, Order::Best)?[0][0].row, 1);
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    dim: usize,
    blocks: Vec<Block<'a>>,
    /// The number of rows up to the end of each block.
    ends: Vec<usize>,
}

impl<'a> Rows<'a> {
    /// Creates rows from blocks (rows, `dim`) without codes: see
    /// [`with_codes`](Self::with_codes).
    ///
    /// # Errors
    /// [`RowsError::Block`] if a block is not a whole number of rows.
    pub fn new(dim: usize, blocks: Vec<&'a [f16]>) -> Result<Self> {
        let bare = |rows| Block { rows, codes: None };
        Self::with_codes(dim, blocks.into_iter().map(bare).collect())
    }

    /// Creates rows from blocks (rows, `dim`), numbered through all blocks. A block, or the list
    /// of blocks, may be empty. If every block has codes, rankings use them and are faster; the
    /// results are the same.
    ///
    /// # Errors
    /// [`RowsError::Block`] if a block is not a whole number of rows, [`RowsError::Codes`] if the codes
    /// of a block do not have its shape.
    pub fn with_codes(dim: usize, blocks: Vec<Block<'a>>) -> Result<Self> {
        let mut len = 0;
        let mut ends = Vec::with_capacity(blocks.len());
        for (block, Block { rows, codes }) in blocks.iter().enumerate() {
            let values = rows.len();
            if dim == 0 || !values.is_multiple_of(dim) {
                return Err(Error::Rows(RowsError::Block { block, dim, values }));
            }
            if let Some(codes) = codes.filter(|c| (c.len(), c.dim()) != (values / dim, dim)) {
                return Err(codes.unlike(values / dim, dim));
            }
            len += values / dim;
            ends.push(len);
        }
        Ok(Rows { dim, blocks, ends })
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows in all blocks.
    pub fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the `dim` values of row number `row`, or `None` past the last row.
    ///
    /// Costs a binary search over the blocks.
    pub fn row(&self, row: usize) -> Option<&'a [f16]> {
        if row >= self.len() {
            return None;
        }
        self.spans(row..row + 1).next().map(|(_, values)| values)
    }

    /// Returns the rows of `range`, numbered from 0, without copying. A range that ends past the
    /// last row is cut there.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Rows<'a> {
        let range = range.start.min(self.len())..range.end.min(self.len());
        let pieces = self.pieces(range).filter(|piece| !piece.rows.is_empty());
        let blocks: Vec<_> =
            pieces.map(|Piece { rows, codes, .. }| Block { rows, codes }).collect();
        let ends = blocks.iter().scan(0, |end, block| {
            *end += block.rows.len() / self.dim;
            Some(*end)
        });
        Rows { dim: self.dim, ends: ends.collect(), blocks }
    }

    /// Whether every block has codes.
    pub(super) fn has_codes(&self) -> bool {
        self.blocks.iter().all(|block| block.codes.is_some())
    }

    /// The codes of the blocks that have them, in order.
    pub(super) fn codes(&self) -> impl Iterator<Item = Codes<'a>> {
        self.blocks.iter().filter_map(|block| block.codes)
    }

    /// Splits `range` at the ends of blocks. Yields the number of each piece's first row, and
    /// its values.
    pub(super) fn spans(
        &self,
        range: Range<usize>,
    ) -> impl Iterator<Item = (usize, &'a [f16])> + '_ {
        self.pieces(range).map(|piece| (piece.first, piece.rows))
    }

    /// Splits `range` at the ends of blocks.
    pub(super) fn pieces(&self, range: Range<usize>) -> impl Iterator<Item = Piece<'a>> + '_ {
        let skipped = self.ends.partition_point(|&end| end <= range.start);
        let mut row = range.start;
        let blocks = self.blocks.iter().zip(&self.ends).enumerate().skip(skipped);
        blocks.map_while(move |(number, (block, &end))| {
            let start = end - block.rows.len() / self.dim;
            let piece = row..end.min(range.end);
            row = piece.end;
            (start < range.end).then(|| {
                let (first, of_block) = (piece.start, piece.start - start..piece.end - start);
                let rows = &block.rows[of_block.start * self.dim..of_block.end * self.dim];
                let codes = block.codes.map(|codes| codes.rows(of_block));
                Piece { first, block: number, rows, codes }
            })
        })
    }
}

/// Consecutive rows of one block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// The number of the first row.
    pub(super) first: usize,
    /// The block's number.
    pub(super) block: usize,
    pub(super) rows: &'a [f16],
    pub(super) codes: Option<Codes<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(range: Range<u8>) -> Vec<f16> {
        range.map(f16::from).collect()
    }

    #[test]
    fn rows_are_numbered_through_the_blocks() {
        let (a, b) = (values(0..4), values(4..10));
        let rows = Rows::new(2, vec![&a, &[], &b, &[]]).unwrap();
        assert_eq!((rows.len(), rows.dim(), rows.is_empty()), (5, 2, false));
        let all: Vec<_> = (0..5).flat_map(|row| rows.row(row).unwrap()).copied().collect();
        assert_eq!(all, values(0..10));
        assert_eq!((rows.row(5), rows.row(usize::MAX)), (None, None));
    }

    #[test]
    fn spans_end_at_block_ends() {
        let (a, b) = (values(0..4), values(4..10));
        let rows = Rows::new(2, vec![&a, &[], &b]).unwrap();
        let pieces = |range| rows.spans(range).filter(|(_, v)| !v.is_empty()).collect::<Vec<_>>();
        assert_eq!(pieces(1..4), [(1, &a[2..]), (2, &b[..4])]);
        assert_eq!(pieces(2..5), [(2, &b[..])]);
        assert_eq!(pieces(1..1), []);
    }

    #[test]
    fn parts_are_numbered_from_zero() {
        let (a, b) = (values(0..4), values(4..10));
        let rows = Rows::new(2, vec![&a, &[], &b]).unwrap();
        let part = rows.part(1..4);
        let all: Vec<_> = (0..3).flat_map(|row| part.row(row).unwrap()).copied().collect();
        assert_eq!((part.len(), all), (3, values(2..8)));
        assert_eq!(
            (rows.part(4..9).len(), rows.part(7..9).len(), rows.part(2..2).len()),
            (1, 0, 0)
        );
    }

    #[test]
    fn no_blocks_make_an_empty_table() {
        let rows = Rows::new(3, vec![]).unwrap();
        assert!(rows.is_empty() && rows.row(0).is_none());
    }

    #[test]
    fn partial_row_is_an_error() {
        let (a, b) = (values(0..4), values(0..5));
        let error = Rows::new(2, vec![&a, &b]).unwrap_err();
        assert_eq!(error.to_string(), "block 1 has 5 values, expected whole rows of 2");
        assert!(error.hint().unwrap().contains("build the index again"));
        let error = Rows::new(0, vec![&a]).unwrap_err().to_string();
        assert_eq!(error, "block 0 has 4 values, expected whole rows of 0");
    }
}
