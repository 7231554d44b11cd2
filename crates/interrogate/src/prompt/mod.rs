//! From ranked labels to one prompt. Pure: no model, no file.
