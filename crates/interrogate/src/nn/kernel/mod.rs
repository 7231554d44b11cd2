//! Dense products over slices, on all threads.
//!
//! A weight `(out, in)` has one of four layouts. [`Panels`] packs it once, in strips of outputs,
//! and reaches the peak of the processor's vector units. [`Tiles`] packs it for AMX. [`Rows`]
//! leaves it as in the file, which may stay mapped, and reaches memory bandwidth. [`Q8`] rounds
//! it to eight bits. [`super::Linear`] chooses the layout.
//!
//! In all of them an output row depends on its own input row alone, bit for bit: neither the
//! number of rows, nor the other rows, nor the number of threads changes the order of a sum.

mod out;
mod panels;
mod part;
mod q8;
mod rows;
pub(crate) mod split;
mod tile;
mod tiles;
mod weight;

pub(crate) use out::Out;
pub(crate) use panels::Panels;
pub(crate) use part::Part;
pub(crate) use q8::Q8;
pub(crate) use rows::{Element, Rows};
pub(crate) use tile::{Operands, Prefetch, STEPS, STRIDE, tile};
pub(crate) use tiles::Tiles;
pub(crate) use weight::Weight;

#[cfg(test)]
mod tests;
