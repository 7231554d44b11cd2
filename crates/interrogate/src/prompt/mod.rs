//! From ranked labels to one prompt.
//!
//! A [`Recipe`] says how many labels of which table a prompt takes, and in what
//! order; a [`Prompt`] is the answer, as text and with every pick and its
//! score. A [`Chain`] grows a prompt phrase by phrase over a [`Scorer`]. Pure: no
//! model and no file is touched here but through that seam, so that all of it is
//! tested without weights.

mod chain;
mod deny;
mod fit;
pub mod modes;
mod part;
mod recipe;
mod scorer;
mod template;
mod text;

pub use chain::{Chain, ChainResult, Progress, Step};
pub use deny::Deny;
pub use fit::{DEFAULT_TOKENS, TokenBudget};
pub use modes::Mode;
pub use part::{Part, join, weighted};
pub use recipe::{Recipe, TableCount};
pub use scorer::{ChainScorer, Scorer};
pub use template::{README_FORM, Template};
pub use text::{Pick, Prompt};
