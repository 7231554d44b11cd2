//! The program as a user sees it: what it prints, where, and how it ends.

mod embed;
mod index;
mod prompt;
mod rank;
mod run;
