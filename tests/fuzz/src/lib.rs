//! What is fuzzed, and what must hold: see `targets`. Nothing here knows of libFuzzer, so that the
//! tests can do with a few inputs what a fuzzer does with many.

#[path = "../../support/datagrams.rs"]
mod datagrams;
#[path = "../../support/json.rs"]
#[allow(dead_code)]
mod json;
#[path = "../../support/transcript.rs"]
#[allow(dead_code)]
mod transcript;

pub mod targets;

pub mod script;
pub mod torrent;

pub mod other;
pub mod outside;
pub mod speech;

pub mod world;

pub mod seeds;

use brooklet::peer::{EndReason, FrameLimits, Input};

/// Whole frames, without their lengths, and the reason that ends them, if one does. The bytes come
/// in reads of these sizes, over and over.
pub fn frames(bytes: &[u8], cuts: &[u8], limits: FrameLimits) -> (Vec<Vec<u8>>, Option<EndReason>) {
    let mut frames = Vec::new();
    let mut kept: Vec<u8> = Vec::new();
    for read in cut(bytes, cuts) {
        kept.extend(read);
        let mut input = Input::new(&kept);
        loop {
            match input.next_frame(limits) {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(reason) => return (frames, Some(reason)),
            }
        }
        kept = input.rest().to_vec();
    }
    (frames, None)
}

/// The bytes in parts of these sizes, over and over; all at once if there are none.
pub fn cut<'a>(bytes: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut sizes = cuts.iter().map(|&size| usize::from(size).max(1)).cycle();
    let (mut parts, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).min(rest.len());
        let (part, behind) = rest.split_at(size);
        parts.push(part);
        rest = behind;
    }
    parts
}
