//! Images as arguments: paths, bytes of files, PIL images and arrays.

use std::path::{Path, PathBuf};

use interrogate::picture::Picture;
use numpy::{PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::one_or_many::OneOrMany;
use crate::progress::Progress;
use crate::work;

/// An image that may not be decoded yet.
pub(crate) enum Image {
    Path(PathBuf),
    Bytes(Vec<u8>),
    Rgb { width: u32, height: u32, values: Vec<u8> },
}

/// What an image may be, as a hint.
const KINDS: &str =
    "an image is a path, the bytes of a file, a PIL image, or a uint8 array (height, width, 3)";

impl Image {
    /// Reads one image; `None` if `value` is something else.
    fn one(value: &Bound<'_, PyAny>) -> Result<Option<Self>> {
        if value.is_instance_of::<PyString>() || value.hasattr("__fspath__")? {
            return Ok(Some(Image::Path(value.extract()?)));
        }
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(Some(Image::Bytes(bytes.as_bytes().to_vec())));
        }
        if value.hasattr("convert")? && value.hasattr("tobytes")? && value.hasattr("size")? {
            let rgb = value.call_method1("convert", ("RGB",))?;
            let (width, height) = rgb.getattr("size")?.extract()?;
            let values: Vec<u8> = rgb.call_method0("tobytes")?.extract()?;
            return Ok(Some(Image::Rgb { width, height, values }));
        }
        if value.hasattr("dtype")? && value.getattr("ndim")?.extract::<usize>()? != 4 {
            return Self::array(value).map(Some);
        }
        Ok(None)
    }

    /// Reads an array (height, width, 3) of uint8.
    fn array(value: &Bound<'_, PyAny>) -> Result<Self> {
        let invalid = || {
            let [dtype, shape] = ["dtype", "shape"]
                .map(|name| value.getattr(name).map(|it| it.to_string()).unwrap_or_default());
            let message =
                format!("array: expected uint8 (height, width, 3), found {dtype} {shape}");
            Error::Image { message, hint: ARRAY_HINT }
        };
        let array = value.cast::<PyArrayDyn<u8>>().map_err(|_| invalid())?;
        let &[height, width, 3] = array.shape() else { return Err(invalid()) };
        let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height)) else {
            return Err(invalid());
        };
        let values = array.try_readonly().map_err(PyErr::from)?;
        Ok(Image::Rgb { width, height, values: values.as_array().iter().copied().collect() })
    }

    /// Decodes the image.
    fn decode(self) -> interrogate::Result<Picture> {
        match self {
            Image::Path(path) => Picture::open(&path),
            Image::Bytes(bytes) => Picture::decode(&bytes, Path::new("<bytes>")),
            Image::Rgb { width, height, values } => Picture::from_rgb(width, height, values),
        }
    }
}

/// How to make a valid array.
const ARRAY_HINT: &str = "multiply values from 0 to 1 by 255 and convert them to uint8; repeat a gray channel three times";

/// Reads one image, or an iterable of images. The values stay Python objects, which are
/// converted batch by batch.
pub(crate) fn images(value: &Bound<'_, PyAny>) -> Result<OneOrMany<Py<PyAny>>> {
    let is_one = is_image(value)?;
    if is_one {
        return Ok(OneOrMany { values: vec![value.clone().unbind()], is_one });
    }
    let Ok(iterator) = value.try_iter() else { return Err(unknown(value)) };
    let values = iterator.map(|image| Ok(image?.unbind())).collect::<PyResult<_>>()?;
    Ok(OneOrMany { values, is_one })
}

/// Whether `value` is one image and not several.
fn is_image(value: &Bound<'_, PyAny>) -> Result<bool> {
    Ok(value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyBytes>()
        || value.hasattr("__fspath__")?
        || value.hasattr("convert")?
        || (value.hasattr("dtype")? && value.getattr("ndim")?.extract::<usize>()? != 4))
}

fn unknown(value: &Bound<'_, PyAny>) -> Error {
    let kind = value.get_type().name().map(|name| name.to_string()).unwrap_or_default();
    Error::Image { message: format!("{kind}: not an image"), hint: KINDS }
}

/// Converts the Python objects of a batch.
fn convert(py: Python<'_>, values: &[Py<PyAny>]) -> Result<Vec<Image>> {
    let convert = |value: &Py<PyAny>| {
        let value = value.bind(py);
        Image::one(value)?.ok_or_else(|| unknown(value))
    };
    values.iter().map(convert).collect()
}

/// Decodes the images of a batch and applies `prepare` to each, on all threads. The first error in
/// their order is returned.
pub(crate) fn decode<T: Send>(
    images: Vec<Image>,
    prepare: impl Fn(&Picture) -> interrogate::Result<T> + Sync,
) -> Result<Vec<T>> {
    let prepared: Vec<_> = images.into_par_iter().map(|image| prepare(&image.decode()?)).collect();
    prepared.into_iter().map(|prepared| prepared.map_err(Error::Undecodable)).collect()
}

/// Computes a result for each of `images`, batch by batch. `work` gets the images of a batch and
/// runs without the GIL; signals are handled between batches.
pub(crate) fn in_batches<T: Send>(
    py: Python<'_>,
    images: &[Py<PyAny>],
    batch_size: usize,
    progress: &Progress,
    mut work: impl FnMut(Vec<Image>) -> Result<Vec<T>> + Send,
) -> Result<Vec<T>> {
    let mut results = Vec::with_capacity(images.len());
    for batch in images.chunks(batch_size.max(1)) {
        let converted = convert(py, batch)?;
        results.extend(work::detached(py, || work(converted))?);
        py.check_signals()?;
        progress.report(py, results.len(), images.len())?;
    }
    Ok(results)
}
