//! The Python module `interrogate_clip._native`.
//!
//! A thin layer: it converts values, releases the GIL around the library's work, and turns errors
//! into exceptions. The stubs `_native.pyi` document the classes.

mod build;
mod captioner;
mod chain;
mod device;
mod error;
mod features;
mod fork;
mod hub;
mod image;
mod index;
mod interrogator;
mod model;
mod one_or_many;
mod progress;
mod ranking;
mod table;
mod threads;
mod work;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<model::Model>()?;
    module.add_class::<index::Index>()?;
    module.add_class::<table::Table>()?;
    module.add_class::<captioner::Captioner>()?;
    module.add_class::<interrogator::Interrogator>()?;
    module.add_function(wrap_pyfunction!(build::build_index, module)?)?;
    module.add_function(wrap_pyfunction!(build::builtin_dictionaries, module)?)?;
    module.add_function(wrap_pyfunction!(model::model_names, module)?)?;
    module.add_function(wrap_pyfunction!(captioner::captioner_names, module)?)?;
    module.add_function(wrap_pyfunction!(disable_mmap, module)?)?;
    module.add_function(wrap_pyfunction!(threads::set_num_threads, module)?)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    Ok(())
}

/// Reads files into memory from now on, instead of mapping them.
#[pyfunction]
fn disable_mmap() {
    interrogate::mmap::disable();
}
