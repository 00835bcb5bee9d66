//! Writes a first corpus for each target below the folder that is named.

use std::fs;
use std::path::{Path, PathBuf};

use sha1::{Digest as _, Sha1};

fn main() {
    let root = std::env::args_os().nth(1);
    let root = PathBuf::from(root.expect("a folder for the corpora"));
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    for (target, seeds) in brooklet_fuzz::seeds::all(&testdata) {
        let folder = root.join(target);
        fs::create_dir_all(&folder).expect("the folder can be made");
        for seed in seeds {
            // Named by what it is, as libFuzzer does: written again it is the same file.
            let name: Vec<String> = Sha1::digest(&seed)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            fs::write(folder.join(name.concat()), seed).expect("a seed can be written");
        }
    }
}
