//! The kernel file of the ranking.

use crate::cuda::Source;

/// The text of the kernel file.
pub(super) const TEXT: &str = include_str!("../kernels.cu");

/// Returns the kernel file.
pub(super) fn source() -> Source {
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
            for name in ["scan", "tile", "merge", "rescore", "longest"] {
                assert!(ptx.contains(&format!(".entry {name}(")), "{name} for {generation:?}");
            }
            assert!(ptx.contains("mma.sync.aligned.m16n8k16"));
        }
    }
}
