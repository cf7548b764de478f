//! Who may do what: each rule of a policy, and each refusal, with real processes.

mod calls;
mod file;
mod governed;
mod others;
mod streams;
