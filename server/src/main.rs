//! The program `sessiond`.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

/// Memory is wiped when it is freed, whoever had it: keys go through the buffers of HTTP/2, of messages and of channels, and
/// no one type can see to it that none is left there.
///
/// A call makes and drops some dozens of small buffers, most of them in the layers of HTTP/2, so the allocator is a fast one.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    sessiond_server::main()
}
