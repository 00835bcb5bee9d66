//! The program's entry; all of it lies in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    brooklet::cli::run(std::env::args_os())
}
