//! Both towers in the tensor engine's operations, for its devices.
//!
//! The same layers over the same rows as [`layer`](super::layer) has them: the nodes
//! of a trie, or the patches of images. A trie is one launch a step whatever its
//! shape: ancestors are gathered by their numbers. Values stay on the device until a
//! tower is through; what is read out, where end-of-text stands among it, is the
//! trie's to say, on the host.

mod layers;
mod past;
#[cfg(test)]
mod tests;
mod text;
mod vision;

pub(super) use past::Past;
pub(super) use text::Text;
pub(super) use vision::Vision;
