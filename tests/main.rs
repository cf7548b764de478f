//! The daemon as its users have it: real processes, real sockets, real files. One test for each rule that is promised.

#[macro_use]
mod harness;

mod abuse;
mod advance;
mod attributes;
mod audit;
mod authority;
mod canary;
mod cli;
mod conformance;
mod crowd;
mod files;
mod full_disk;
mod hardening;
mod hold;
mod kill_loop;
mod libraries;
mod life_line;
mod limits;
mod list;
mod mirrors;
mod peers;
mod policy;
mod processes;
mod readme;
mod refusals;
mod rust_client;
mod seal;
mod secrets;
mod serving;
mod session;
mod small_frames;
mod store;
mod stubs;
mod sync;
mod tampering;
mod tcp;
mod transfer;
mod watch;
mod watch_resume;
mod watch_stalled;
mod writes;
