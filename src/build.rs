//! Has the release program linked so that little of it is in memory. The system maps code in runs
//! of 64 KiB, so a function that is run brings its neighbours along: what `rare.txt` names is laid
//! apart from all other code.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Our own modules.
const MODULES: [&str; 14] = [
    "base", "wire", "http", "peer", "pieces", "storage", "tracker", "dht", "lsd", "torrent",
    "session", "rpc", "io", "cli",
];

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    println!("cargo:rerun-if-changed=src/rare.txt");
    let set = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if !set("PROFILE", "release") || !set("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    // The unwinder of a panic as part of the program: one shared library less is loaded.
    if set("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
    // Linkers that a user may have chosen and that do not read such a script.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if ["mold", "gold", "wild"]
        .iter()
        .any(|other| flags.contains(other))
    {
        return;
    }
    let list = fs::read_to_string("src/rare.txt").expect("src/rare.txt can be read");
    let out = env::var("OUT_DIR").expect("cargo names a folder");
    let script = Path::new(&out).join("rare.ld");
    fs::write(&script, layout(&list)).expect("the script can be written");
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
}

/// A script that adds one section to those which the linker makes, and has it leave out two.
fn layout(list: &str) -> String {
    let mut script = String::from("SECTIONS\n{\n");
    // A panic ends the program, so nothing unwinds the stack: how that is done for each function
    // would be a tenth of the program. Only a backtrace, which RUST_BACKTRACE asks for, needs it.
    script.push_str("  /DISCARD/ : { *(.eh_frame .gcc_except_table .gcc_except_table.*) }\n");
    script.push_str("  .text.rare :\n  {\n");
    for path in list.lines() {
        if !path.is_empty() && !path.starts_with('#') {
            add(&mut script, path);
        }
    }
    // `INSERT` keeps the linker's own script.
    script.push_str("    *libgcc_eh.a:*(.text .text.*)\n  }\n}\nINSERT BEFORE .text;\n");
    script
}

/// The sections of the functions below a path: rustc gives each function one, named as the symbol.
fn add(script: &mut String, path: &str) {
    let mut parts: Vec<&str> = path.split("::").collect();
    if MODULES.contains(&parts[0]) {
        parts.insert(0, "brooklet");
    }
    // `a::b` as `1a1b`, in both manners that rustc has of naming symbols. The second one ends with
    // the crate that a generic function was made for: that is not where the function belongs.
    let mut name = String::new();
    for part in &parts {
        let _ = write!(name, "{}{part}", part.len());
    }
    let is_crate = parts.len() == 1;
    let rest = if is_crate { "?*" } else { "*" };
    let dots = parts.join("..");
    for pattern in [
        format!("_ZN{name}*"),
        format!("_R*_{name}{rest}"),
        format!("_ZN*_$LT${dots}*$u20$as$u20$*"),
        format!("_ZN4core3ptr*drop_in_place$LT${dots}..*"),
    ] {
        let _ = writeln!(script, "    *(.text.{pattern})");
        // What is marked as cold has a prefix of its own. That of a crate may be one function with
        // that of another.
        if !is_crate {
            let _ = writeln!(script, "    *(.text.unlikely.{pattern})");
        }
    }
}
