#![no_main]

use brooklet_fuzz::targets::session::run;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| run(data));
