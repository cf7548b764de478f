//! The program `sessiond`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A call makes and drops some dozens of small buffers, most of them in the layers of HTTP/2.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    sessiond_server::main()
}
