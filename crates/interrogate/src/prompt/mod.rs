//! From ranked labels to a prompt.
//!
//! A [`Mode`] is a way to write a prompt; a [`Recipe`] lists the tables of the plain form
//! and the number of labels of each; a [`Template`] is a form that the user writes. A
//! [`Chain`] grows a prompt phrase by phrase, a [`TokenBudget`] limits its tokens, a
//! [`Deny`] list leaves labels out, and a [`Style`] is how the result is written. The result is a [`Prompt`]: its text, its parts, and
//! every picked label with its score.
//!
//! Nothing here runs a model except through the trait [`Scorer`], so everything is tested
//! without weights.

mod chain;
mod deny;
mod fit;
pub mod modes;
mod part;
mod pick;
mod recipe;
mod scorer;
mod style;
mod template;
mod text;

pub use chain::{Chain, ChainResult, Progress, Step};
pub use deny::Deny;
pub use fit::{DEFAULT_TOKENS, TokenBudget};
pub use modes::Mode;
pub use part::{Part, join};
pub use pick::Pick;
pub use recipe::{Recipe, TableCount};
pub use scorer::{ChainScorer, Scorer};
pub use style::{Style, weighted};
pub use template::{README_FORM, Template};
pub use text::Prompt;
