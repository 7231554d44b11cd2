//! CLIP's ResNet, with an attention pool: RN50, RN101, RN50x4, RN50x16, RN50x64.
//!
//! Follows `ModifiedResNet` of OpenAI's clip (clip/model.py) and of open_clip 3.3
//! (src/open_clip/modified_resnet.py), whose names the weights have: three convolutions before
//! the first stage, a mean over 2 by 2 pixels before each convolution that would have a stride,
//! and attention of the mean pixel to all pixels instead of a mean (Radford et al., arXiv
//! 2103.00020, section 2.4). Batch norms are folded into the convolutions.

use std::path::Path;

use super::head::{download, first_rows};
use super::image_tower::ImageTower;
use super::mean_pixel;
use crate::nn::{
    Activation, BATCH_NORM, Backend, Convolution, ConvolutionSizes, Depthwise, Epilogue, Heads,
    KvView, Loader, Scope, Window, Workspace, pixel_rows,
};
use crate::weights::Shapes;
use crate::{Error, Result, limits, sizes};

/// Outputs of a bottleneck for each channel within it.
const EXPANSION: usize = 4;

/// How much smaller than the image the last maps are.
const DOWNSAMPLING: usize = 32;

/// A mean over 2 by 2 pixels.
const HALF: [usize; 2] = [2, 2];

/// The sizes of CLIP's ResNet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResNetConfig {
    /// The height and width of the input in pixels.
    pub image_size: usize,
    /// The bottlenecks of each stage.
    pub layers: [usize; 4],
    /// The channels of the first stage.
    pub width: usize,
    /// The heads of the attention pool.
    pub heads: usize,
}

/// A convolution and its batch norm, by name.
struct Normed {
    name: String,
    norm: String,
    sizes: ConvolutionSizes,
}

impl Normed {
    fn new(at: &str, [name, norm]: [&str; 2], [outputs, channels, kernel]: [usize; 3]) -> Self {
        let sizes = ConvolutionSizes { outputs, channels, kernel, stride: 1, padding: kernel / 2 };
        Normed { name: format!("{at}.{name}"), norm: format!("{at}.{norm}"), sizes }
    }

    fn load<B: Backend>(&self, loader: &Loader<'_, B>) -> Result<Convolution<B>> {
        loader.normed_convolution(&self.name, &self.norm, self.sizes)
    }
}

/// The convolutions of a bottleneck.
struct BottleneckSizes {
    convolutions: [Normed; 3],
    downsample: Option<Normed>,
    stride: usize,
}

impl ResNetConfig {
    /// Returns the name and shape of every weight of a tower with rows of `dim` values.
    pub(super) fn weights(&self, dim: usize) -> Shapes {
        let mut shapes = Shapes::default();
        let bottlenecks = self.bottlenecks();
        let blocks = bottlenecks.iter().flat_map(|b| b.convolutions.iter().chain(&b.downsample));
        for Normed { name, norm, sizes } in self.stem().iter().chain(blocks) {
            shapes.add(format!("{name}.weight"), &sizes.shape());
            for part in BATCH_NORM {
                shapes.add(format!("{norm}.{part}"), &[sizes.outputs]);
            }
        }
        let (pixels, width) = (self.grid() * self.grid(), self.pool_width());
        shapes.add(POSITIONS, &[1 + pixels, width]);
        for (name, outputs) in PROJECTIONS.into_iter().zip([width, width, width, dim]) {
            shapes.layer(name, &[outputs, width], true);
        }
        shapes
    }

    /// Checks the sizes of a tower with rows of `dim` values. `path` is their file.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for an invalid size.
    pub(super) fn check(&self, path: &Path, dim: usize) -> Result<()> {
        let (side, most) = (self.image_size, limits::WIDTH / (8 * EXPANSION));
        sizes::within(path, "vision_cfg.image_size", side, limits::IMAGE_SIDE)?;
        sizes::within(path, "vision_cfg.width", self.width, most)?;
        for layers in self.layers {
            sizes::within(path, "vision_cfg.layers", layers, limits::LAYERS)?;
        }
        for (what, found, of) in
            [("vision_cfg.image_size", side, DOWNSAMPLING), ("vision_cfg.width", self.width, 2)]
        {
            if !found.is_multiple_of(of) {
                return Err(Error::mismatch(path, what, format!("a multiple of {of}"), found));
            }
        }
        let width = self.pool_width();
        sizes::divides(path, "vision_cfg.head_width", self.heads, width)?;
        sizes::inner(path, "embed_dim", (dim, width), limits::INNER)?;
        let positions = 1 + self.grid() * self.grid();
        sizes::scores(path, "vision_cfg.image_size", self.heads, [1, positions])
    }

    /// Pixels along a side of the last maps.
    fn grid(&self) -> usize {
        self.image_size / DOWNSAMPLING
    }

    /// The number of tokens of a transformer that takes about as much work as an image: the
    /// pixels of the third stage.
    pub(super) fn positions(&self) -> usize {
        let side = self.image_size / 16;
        side * side
    }

    /// Channels of the last maps.
    fn pool_width(&self) -> usize {
        self.width * 8 * EXPANSION
    }

    fn stem(&self) -> [Normed; 3] {
        let half = self.width / 2;
        let mut stem = [
            Normed::new("visual", ["conv1", "bn1"], [half, 3, 3]),
            Normed::new("visual", ["conv2", "bn2"], [half, half, 3]),
            Normed::new("visual", ["conv3", "bn3"], [self.width, half, 3]),
        ];
        stem[0].sizes.stride = 2;
        stem
    }

    fn bottlenecks(&self) -> Vec<BottleneckSizes> {
        let (mut sizes, mut input) = (Vec::new(), self.width);
        for (stage, &count) in self.layers.iter().enumerate() {
            let inner = self.width << stage;
            let output = inner * EXPANSION;
            for number in 0..count {
                let at = format!("visual.layer{}.{number}", stage + 1);
                let stride = if stage > 0 && number == 0 { 2 } else { 1 };
                let downsample = (stride > 1 || input != output).then(|| {
                    Normed::new(&at, ["downsample.0", "downsample.1"], [output, input, 1])
                });
                let convolutions = [
                    Normed::new(&at, ["conv1", "bn1"], [inner, input, 1]),
                    Normed::new(&at, ["conv2", "bn2"], [inner, inner, 3]),
                    Normed::new(&at, ["conv3", "bn3"], [output, inner, 1]),
                ];
                sizes.push(BottleneckSizes { convolutions, downsample, stride });
                input = output;
            }
        }
        sizes
    }
}

/// The position embedding of the attention pool.
const POSITIONS: &str = "visual.attnpool.positional_embedding";

/// The products of the attention pool.
const PROJECTIONS: [&str; 4] = [
    "visual.attnpool.q_proj",
    "visual.attnpool.k_proj",
    "visual.attnpool.v_proj",
    "visual.attnpool.c_proj",
];

/// The tower over one backend.
#[derive(Debug)]
pub(super) struct ResNet<B: Backend> {
    image_size: usize,
    stem: [Convolution<B>; 3],
    stem_mean: Depthwise<B>,
    bottlenecks: Vec<Bottleneck<B>>,
    pool: AttentionPool<B>,
}

impl<B: Backend> ResNet<B> {
    pub(super) fn load(loader: &Loader<'_, B>, config: &ResNetConfig, dim: usize) -> Result<Self> {
        let backend = loader.backend;
        let [first, second, third] = config.stem().map(|normed| normed.load(loader));
        let bottleneck = |sizes: BottleneckSizes| {
            let [first, second, third] = sizes.convolutions;
            let means = |channels| {
                let mean = (sizes.stride > 1).then(|| Depthwise::average(backend, [channels, 2]));
                mean.transpose()
            };
            let (input, inner) = (first.sizes.channels, second.sizes.outputs);
            Ok(Bottleneck {
                conv1: first.load(loader)?,
                conv2: second.load(loader)?,
                mean: means(inner)?,
                conv3: third.load(loader)?.product,
                shortcut_mean: means(input)?,
                downsample: sizes.downsample.map(|normed| normed.load(loader)).transpose()?,
            })
        };
        Ok(ResNet {
            image_size: config.image_size,
            stem: [first?, second?, third?],
            stem_mean: Depthwise::average(backend, [config.width, 2])?,
            bottlenecks: config.bottlenecks().into_iter().map(bottleneck).collect::<Result<_>>()?,
            pool: AttentionPool::load(loader, config, dim)?,
        })
    }
}

impl<B: Backend> ImageTower<B> for ResNet<B> {
    fn forward(&self, backend: &B, work: &mut Workspace<B>, pixels: &[f32]) -> Result<Vec<f32>> {
        let mut side = self.image_size;
        let images = pixels.len() / (3 * side * side).max(1);
        work.rows = backend.upload(pixel_rows(pixels, 3, side * side), 3)?;
        for convolution in &self.stem {
            let Workspace { rows, next, .. } = &mut *work;
            side = convolution.forward(backend, side, rows, Activation::Relu, next)?;
            std::mem::swap(rows, next);
        }
        side = halve(backend, &self.stem_mean, side, &work.rows, &mut work.next)?;
        std::mem::swap(&mut work.rows, &mut work.next);
        for bottleneck in &self.bottlenecks {
            side = bottleneck.forward(backend, work, side)?;
        }
        self.pool.forward(backend, work, images)
    }
}

/// Computes the mean of each 2 by 2 pixels. Returns the side of the maps of `out`.
fn halve<B: Backend>(
    backend: &B,
    mean: &Depthwise<B>,
    side: usize,
    x: &B::Rows,
    out: &mut B::Rows,
) -> Result<usize> {
    let [kernel, stride] = HALF;
    let window = Window { side, kernel, stride, padding: 0 };
    backend.convolve_depthwise(mean, &window, x, out)?;
    Ok(window.outputs())
}

/// `relu(x + conv3(mean(relu(conv2(relu(conv1(x)))))))`, where the means and the convolution of
/// `x` itself are those of a stage's first bottleneck.
#[derive(Debug)]
struct Bottleneck<B: Backend> {
    conv1: Convolution<B>,
    conv2: Convolution<B>,
    mean: Option<Depthwise<B>>,
    conv3: B::Linear,
    shortcut_mean: Option<Depthwise<B>>,
    downsample: Option<Convolution<B>>,
}

impl<B: Backend> Bottleneck<B> {
    /// Replaces the rows of `work`, of maps of `side` by `side` pixels. Returns their new side.
    fn forward(&self, backend: &B, work: &mut Workspace<B>, side: usize) -> Result<usize> {
        let Workspace { rows, next, inner: x, context: y, normed: shortcut, keys: mean, .. } = work;
        self.conv1.forward(backend, side, rows, Activation::Relu, x)?;
        self.conv2.forward(backend, side, x, Activation::Relu, y)?;
        let mut outputs = side;
        if let Some(half) = &self.mean {
            outputs = halve(backend, half, side, y, x)?;
            std::mem::swap(x, y);
        }
        if let Some(half) = &self.shortcut_mean {
            halve(backend, half, side, rows, mean)?;
            std::mem::swap(rows, mean);
        }
        let shortcut = match &self.downsample {
            Some(downsample) => {
                downsample.forward(backend, outputs, rows, Activation::None, shortcut)?;
                shortcut
            }
            None => &mut *rows,
        };
        backend.apply(&self.conv3, y, Epilogue::plus(shortcut), next)?;
        backend.activate(Activation::Relu, next)?;
        std::mem::swap(rows, next);
        Ok(outputs)
    }
}

/// Attention of an image's mean pixel to itself and to all pixels.
#[derive(Debug)]
struct AttentionPool<B: Backend> {
    /// Pixels of a map.
    pixels: usize,
    /// (1 + pixels, width): that of the mean comes first.
    position_embedding: B::Rows,
    heads: Heads,
    query: B::Linear,
    key: B::Linear,
    value: B::Linear,
    out: B::Linear,
}

impl<B: Backend> AttentionPool<B> {
    fn load(loader: &Loader<'_, B>, config: &ResNetConfig, dim: usize) -> Result<Self> {
        let (pixels, width) = (config.grid() * config.grid(), config.pool_width());
        loader.backend.warm_up(width, width / config.heads.max(1));
        let [query, key, value, out] = PROJECTIONS;
        Ok(AttentionPool {
            pixels,
            position_embedding: loader.rows(POSITIONS, &[1 + pixels, width])?,
            heads: Heads::scaled(config.heads, width),
            query: loader.linear(query, [width, width])?,
            key: loader.linear(key, [width, width])?,
            value: loader.linear(value, [width, width])?,
            out: loader.linear(out, [dim, width])?,
        })
    }

    /// Returns the rows (images, dim) of the maps of `work`.
    fn forward(&self, backend: &B, work: &mut Workspace<B>, images: usize) -> Result<Vec<f32>> {
        let Workspace { rows, next, queries, keys, values, context, normed, .. } = work;
        let pixels = self.pixels;
        mean_pixel(backend, rows, images, pixels, next)?;
        backend.concat(&[next, rows], normed)?;
        // The mean of each image before its pixels.
        let of_image = |image: usize| {
            let first = images + image * pixels;
            std::iter::once(image).chain(first..first + pixels).map(|row| row as u32)
        };
        let ids: Vec<u32> = (0..images).flat_map(of_image).collect();
        backend.select(normed, &backend.ids(&ids)?, rows)?;
        backend.add_to_groups(&self.position_embedding, rows)?;
        backend.select(rows, &backend.ids(&first_rows(images, 1 + pixels))?, next)?;
        backend.apply(&self.query, next, Epilogue::none(), queries)?;
        backend.apply_each(&mut [(&self.key, keys), (&self.value, values)], rows)?;
        let scope = backend.scope(Scope::Groups(images))?;
        let view = KvView::uncached(keys, values);
        backend.attend(self.heads, queries, view, &scope, None, context)?;
        download(backend, Some(&self.out), context)
    }
}
