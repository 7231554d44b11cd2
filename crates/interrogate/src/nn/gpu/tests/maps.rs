//! Convolutions.

use super::*;
use crate::nn::Window;

/// A convolution, then a depthwise one with the same window, then an activation.
struct Convolved(Window);

impl Compute for Convolved {
    fn on<B: Backend>(&self, backend: &B) -> Vec<f32> {
        let Convolved(window) = self;
        let (maps, channels, outputs) = (3, 5, 12);
        let x = rows(backend, maps * window.side * window.side, channels, 3);
        let layer = linear(backend, [outputs, window.taps() * channels]);
        let mut out = B::Rows::default();
        backend.convolve(&layer, window, &x, Activation::Gelu, &mut out).unwrap();
        let mut found = backend.download(std::mem::take(&mut out)).unwrap();
        let kernel = rows(backend, window.taps(), channels, 4);
        let kernels = Depthwise { kernel, bias: rows(backend, 1, channels, 5) };
        backend.convolve_depthwise(&kernels, window, &x, &mut out).unwrap();
        backend.activate(Activation::Relu, &mut out).unwrap();
        found.extend(backend.download(out).unwrap());
        found
    }
}

#[test]
fn convolutions_agree() {
    for (side, kernel, stride, padding) in
        [(6, 3, 1, 1), (7, 3, 2, 1), (9, 4, 4, 0), (8, 2, 2, 0), (3, 7, 1, 3), (11, 7, 1, 3)]
    {
        let window = Window { side, kernel, stride, padding };
        same(&format!("{window:?}"), [2e-5, 0.02, 0.15], Convolved(window));
    }
}

#[test]
fn incomplete_maps_are_refused() {
    let window = Window { side: 4, kernel: 2, stride: 2, padding: 0 };
    for device in devices() {
        let backend = Gpu::new(&device, Precision::F32);
        let (x, mut out) = (rows(&backend, 15, 3, 1), DeviceRows::default());
        let layer = linear(&backend, [2, 12]);
        assert!(backend.convolve(&layer, &window, &x, Activation::None, &mut out).is_err());
        let kernels = Depthwise { kernel: rows(&backend, 4, 3, 1), bias: rows(&backend, 1, 3, 1) };
        assert!(backend.convolve_depthwise(&kernels, &window, &x, &mut out).is_err());
    }
}
