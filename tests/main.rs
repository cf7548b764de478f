//! The daemon as its users have it: real processes, real sockets, real files. One test for each rule that is promised.

mod harness;
mod session;
