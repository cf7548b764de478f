//! The program `sessiond`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sessiond_server::main()
}
