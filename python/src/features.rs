//! Features and embeddings as arrays.

use interrogate::encoder::Features;
use numpy::{PyArray1, PyArray2, PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::error::{Result, argument};
use crate::one_or_many::OneOrMany;

/// Reads features: an array (dim) or (images, dim), or what numpy converts to one. Rows are
/// scaled to unit length.
pub(crate) fn features(value: &Bound<'_, PyAny>) -> Result<OneOrMany<Features>> {
    let numpy = value.py().import("numpy")?;
    let array = numpy.call_method1("ascontiguousarray", (value, "float32"))?;
    let array = array.cast_into::<PyArrayDyn<f32>>().map_err(PyErr::from)?;
    let (dim, is_one) = match *array.shape() {
        [dim] => (dim, true),
        [_, dim] => (dim, false),
        ref shape => {
            return Err(argument(
                format!("features: expected (dim) or (images, dim), found {shape:?}"),
                "Model.embed_images returns such an array",
            ));
        }
    };
    let values = array.try_readonly().map_err(PyErr::from)?;
    let values = values.as_slice().map_err(PyErr::from)?;
    let rows = values.chunks_exact(dim.max(1)).map(|row| Features::new(row.to_vec()));
    Ok(OneOrMany { values: rows.collect::<interrogate::Result<_>>()?, is_one })
}

/// Returns rows of width `dim` as an array: (dim) of one row, else (rows, dim).
pub(crate) fn array(
    py: Python<'_>,
    values: Vec<f32>,
    dim: usize,
    is_one: bool,
) -> Result<Bound<'_, PyAny>> {
    let rows = values.len() / dim.max(1);
    let values = PyArray1::from_vec(py, values);
    if is_one {
        return Ok(values.into_any());
    }
    let array: Bound<'_, PyArray2<f32>> = values.reshape([rows, dim])?;
    Ok(array.into_any())
}
