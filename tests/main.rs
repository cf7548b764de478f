//! The daemon as its users have it: real processes, real sockets, real files. One test for each rule that is promised.

#[macro_use]
mod harness;

mod hold;
mod life_line;
mod readme;
mod session;
mod writes;
