//! The relative position bias of T5.

use std::sync::OnceLock;

use candle_core::{Device, Tensor};

/// A bias added to scaled dot products, by head and by the distance between query and row: T5's
/// relative position bias (Raffel et al., arXiv 1910.10683, section 2.1).
///
/// A query's position is that within its group, or the end of its list.
#[derive(Clone, Debug)]
pub(crate) struct RelativeBias {
    /// (heads, offsets), offsets from `-before` on.
    values: Vec<f32>,
    offsets: usize,
    before: usize,
    /// The values on the device that used them first.
    on_device: OnceLock<Tensor>,
}

impl RelativeBias {
    /// Tabulates `value(head, offset)` for rows from `before` positions before a query to
    /// `after` positions after it.
    pub(crate) fn new(
        heads: usize,
        before: usize,
        after: usize,
        value: impl Fn(usize, isize) -> f32,
    ) -> Self {
        let offsets = before + after + 1;
        let value = |i: usize| value(i / offsets, (i % offsets) as isize - before as isize);
        let values = (0..heads * offsets).map(value).collect();
        RelativeBias { values, offsets, before, on_device: OnceLock::new() }
    }

    /// The values of `head` for rows at positions 0 and up, for a query at `position`.
    pub(crate) fn of(&self, head: usize, position: usize) -> &[f32] {
        &self.values[head * self.offsets..][..self.offsets][self.before - position..]
    }

    /// The values (heads, offsets) on `device`, copied there once.
    pub(crate) fn on_device(&self, device: &Device) -> candle_core::Result<Tensor> {
        if let Some(values) = self.on_device.get().filter(|v| v.device().same_device(device)) {
            return Ok(values.clone());
        }
        let shape = (self.values.len() / self.offsets, self.offsets);
        let values = Tensor::from_slice(&self.values, shape, device)?;
        // A second device gets a copy at each call: a forward pass has one device.
        self.on_device.get_or_init(|| values.clone());
        Ok(values)
    }

    /// Returns the index among the offsets of the first of `rows` rows, for a query at
    /// `position`.
    ///
    /// # Errors
    /// If the bias has no values for these rows.
    pub(crate) fn first_offset(&self, position: usize, rows: usize) -> candle_core::Result<usize> {
        match self.before.checked_sub(position) {
            Some(first) if first + rows <= self.offsets => Ok(first),
            _ => candle_core::bail!(
                "relative bias: no values for {rows} rows and a query at position {position}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_depends_on_head_and_distance() {
        let bias = RelativeBias::new(2, 2, 1, |head, offset| (10 * head) as f32 + offset as f32);
        assert_eq!(bias.of(0, 0)[..2], [0.0, 1.0]);
        assert_eq!(bias.of(1, 2)[..3], [8.0, 9.0, 10.0]);
        assert_eq!(bias.first_offset(2, 4).unwrap(), 0);
        assert!(bias.first_offset(2, 5).is_err() && bias.first_offset(3, 1).is_err());
        let values = bias.on_device(&Device::Cpu).unwrap();
        assert_eq!(values.to_vec2::<f32>().unwrap()[1], [8.0, 9.0, 10.0, 11.0]);
    }
}
