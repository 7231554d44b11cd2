//! Dense products over slices, on all threads.
//!
//! Four layouts of one weight `(out, in)`. [`Panels`] lays it out once, a strip
//! of outputs together, and reaches the peak of the processor's vectors; [`Tiles`]
//! lays it out for a unit that multiplies tiles, where there is one; [`Rows`]
//! leaves it as the file has it, so that it may stay mapped, and reaches the
//! memory's; [`Q8`] rounds it to eight bits. What a weight means, tensors and shapes are for
//! [`super::Linear`].
//!
//! All keep one promise: a row of the output depends on its own row of the
//! input alone, bit for bit. Neither the number of rows, nor their neighbours,
//! nor the number of threads changes the order in which a value is summed.

mod out;
mod panels;
mod q8;
mod rows;
pub(crate) mod split;
mod tile;
mod tiles;
mod weight;

pub(crate) use out::Out;
pub(crate) use panels::Panels;
pub(crate) use q8::Q8;
pub(crate) use rows::{Element, Rows};
pub(crate) use tile::{Operands, Prefetch, STEPS, STRIDE, tile};
pub(crate) use tiles::{Part, Tiles};
pub(crate) use weight::Weight;

#[cfg(test)]
mod tests;
