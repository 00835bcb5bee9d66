//! The program's entry; all of it lies in the library.

use std::panic::{PanicHookInfo, set_hook};
use std::process::{ExitCode, exit};

use brooklet::{cli, io::logging};

fn main() -> ExitCode {
    // A bug of ours is said in one line like any error; RUST_BACKTRACE asks for all of it. The
    // release program lacks what a backtrace is made from: see build.rs.
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        set_hook(Box::new(confess));
    }
    cli::run(std::env::args_os())
}

fn confess(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let literal = payload.downcast_ref::<&str>().copied();
    let built = payload.downcast_ref::<String>().map(String::as_str);
    let what = literal.or(built).unwrap_or("it gave no reason");
    let place = panic.location().map(ToString::to_string);
    let place = place.unwrap_or_default();
    logging::fatal(&format!(
        "internal error: {what} ({place}): please report it"
    ));
    exit(cli::FAILED.into());
}
