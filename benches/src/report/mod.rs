//! What comes of a run: a table on the terminal, and files.

mod markdown;
mod plots;
mod results;
mod table;

pub(crate) use self::{
    results::Results,
    table::{line, list},
};
