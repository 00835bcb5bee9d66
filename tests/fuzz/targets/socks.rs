#![no_main]

use brooklet_fuzz::targets::socks::run;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| run(data));
