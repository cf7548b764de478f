//! sessiond: the daemon and its command line.

mod caller;
mod config;
mod daemon;
mod directory;
mod engine;
mod exit;
mod filesystem;
mod hardening;
mod holds;
mod listener;
mod logging;
mod process;
mod readiness;
mod service;
mod shutdown;
mod signal;
mod watch;
