//! What the fuzzers do for hours, for a moment: each target with its seeds, with parts of them, and
//! with bytes changed by chance, the same each time. `make fuzz` goes on from there.

#[path = "fuzz/src/lib.rs"]
#[allow(dead_code)]
mod fuzz;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use brooklet::base::Rng;

/// Inputs for each target.
const INPUTS: usize = 3000;

#[test]
fn whatever_comes_no_promise_is_broken() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let seeds = fuzz::seeds::all(&testdata);
    let targets: BTreeMap<&str, fuzz::targets::Target> =
        fuzz::targets::ALL.iter().copied().collect();
    assert!(seeds.keys().eq(targets.keys()), "each has seeds");
    let mut broken = Vec::new();
    for (target, seeds) in &seeds {
        let mut rng = Rng::from_seed(1);
        let some = (0..).map(|number: usize| match seeds.get(number) {
            Some(seed) => seed.clone(),
            None => changed(&seeds[number % seeds.len()], &mut rng),
        });
        for input in some.take(INPUTS.max(seeds.len())) {
            if catch_unwind(AssertUnwindSafe(|| targets[target](&input))).is_err() {
                broken.push(format!("{target}: {input:02x?}"));
                break;
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A seed with a few bytes changed, left out or put in.
fn changed(seed: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..=rng.below(4) {
        let place = rng.below(input.len() as u64 + 1) as usize;
        let byte = rng.below(256) as u8;
        match (rng.below(4), input.get_mut(place)) {
            (0, _) => input.insert(place, byte),
            (1, Some(_)) => drop(input.remove(place)),
            (2, _) => input.truncate(place),
            (_, Some(other)) => *other = byte,
            (_, None) => input.push(byte),
        }
    }
    input
}
