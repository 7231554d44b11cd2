//! The embedded default model: everything runs without a download.
