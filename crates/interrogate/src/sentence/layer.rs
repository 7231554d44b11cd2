//! The weights of one layer, by the checkpoint's own names and shapes.

use candle_transformers::models::bert::Config;

use crate::Result;
use crate::nn::attention::Heads;

/// One layer of BERT: products and norms of whatever computes them, each with its bias.
#[derive(Debug)]
pub(super) struct Layer<Product, Norm> {
    pub(super) heads: Heads,
    pub(super) query: Product,
    pub(super) key: Product,
    pub(super) value: Product,
    pub(super) attention_output: Product,
    pub(super) attention_norm: Norm,
    pub(super) intermediate: Product,
    pub(super) output: Product,
    pub(super) output_norm: Norm,
}

impl<Product, Norm> Layer<Product, Norm> {
    /// Layer `number` of `config`: `product` takes a weight's name without its ending
    /// and its shape (out, in), `norm` a norm's name.
    ///
    /// # Errors
    /// Those of `product` and `norm`.
    pub(super) fn new(
        number: usize,
        config: &Config,
        product: impl Fn(&str, [usize; 2]) -> Result<Product>,
        norm: impl Fn(&str) -> Result<Norm>,
    ) -> Result<Self> {
        let (dim, inner) = (config.hidden_size, config.intermediate_size);
        let at = |part: &str| format!("encoder.layer.{number}.{part}");
        let product = |part: &str, shape| product(&at(part), shape);
        let norm = |part: &str| norm(&at(&format!("{part}.LayerNorm")));
        Ok(Layer {
            heads: Heads::scaled(config.num_attention_heads, dim),
            query: product("attention.self.query", [dim, dim])?,
            key: product("attention.self.key", [dim, dim])?,
            value: product("attention.self.value", [dim, dim])?,
            attention_output: product("attention.output.dense", [dim, dim])?,
            attention_norm: norm("attention.output")?,
            intermediate: product("intermediate.dense", [inner, dim])?,
            output: product("output.dense", [dim, inner])?,
            output_norm: norm("output")?,
        })
    }
}
