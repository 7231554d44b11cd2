//! The kernel files of the ranking.

use crate::cuda::Source;

/// The text of the kernel files.
pub(super) const TEXT: &str = concat!(
    include_str!("../kernels/keys.cu"),
    include_str!("../kernels/queries.cu"),
    include_str!("../kernels/products.cu"),
    include_str!("../kernels/select.cu"),
    include_str!("../kernels/rescore.cu"),
);

/// Returns the kernel files as one.
pub(in super::super) fn source() -> Source {
    Source { name: "rank", text: TEXT, constants: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NVRTC needs no GPU: compiles the source for each supported generation.
    #[test]
    fn kernels_compile() {
        for generation in [(8, 0), (9, 0)] {
            let ptx = source().compile(generation).unwrap();
            for name in [
                "round_queries",
                "longest",
                "products_16",
                "products_32",
                "products_64",
                "select_rows",
                "rescore",
            ] {
                assert!(ptx.contains(&format!(".entry {name}(")), "{name} for {generation:?}");
            }
            assert!(ptx.contains("mma.sync.aligned.m16n8k16"));
            assert!(ptx.contains("set.gtu.u32.f16x2"));
        }
    }
}
