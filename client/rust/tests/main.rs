//! What the client does with a daemon's answers, and without them. The daemon is played by the tests; the real one is
//! tested with this client in the project's own tests.

mod advance_stream;
mod calls;
mod fake;
mod hold;
mod storage;
mod watch;
