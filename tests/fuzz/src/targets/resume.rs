//! Resume files, sealed and not, and what is made of them.

use super::super::script::Script;
use brooklet::base::{Bits, Geometry, InfoHash};
use brooklet::storage::resume::verdict;
use brooklet::storage::{Layout, Owned, Resume, Stamp};
use brooklet::wire::{FileEntry, FileKind, bencode};
use sha1::{Digest as _, Sha1};

const OURS: InfoHash = InfoHash(*b"abcdefghijklmnopqrst");
const LENGTHS: [u64; 5] = [100, 0, 28, 300, 1];

/// Fails where a promise is broken.
pub fn run(data: &[u8]) {
    let layout = layout();
    for resume in [
        Resume::decode(data, OURS, &layout),
        Resume::decode(&sealed(data), OURS, &layout),
    ] {
        resume.inspect(|resume| sound(resume, &layout));
    }
    let mut script = Script::new(data);
    let resume = made_up(&mut script, &layout);
    let present: Vec<Option<Stamp>> = LENGTHS.iter().map(|_| stamp(&mut script)).collect();
    sound(&resume, &layout);
    for resume in [Some(&resume), None] {
        let verdict = verdict(resume, &layout, &present);
        for piece in verdict.trusted.ones() {
            assert!(
                !verdict.hash.get(piece),
                "a piece is trusted, or hashed, or neither"
            );
            assert!(resume.is_some_and(|resume| resume.verified.get(piece)));
        }
        for file in
            (0..LENGTHS.len()).filter(|&file| layout.length(file) > 0 && !layout.is_padding(file))
        {
            let whole = present[file].is_some_and(|now| now.size >= layout.length(file));
            let last = layout.pieces_of(file).end - 1;
            assert!(whole || !(verdict.trusted.get(last) || verdict.hash.get(last)));
        }
    }
}

/// What is read is what is written.
fn sound(resume: &Resume, layout: &Layout) {
    let text = resume.encode();
    assert!(text.len() <= Resume::most_bytes(layout));
    assert_eq!(Resume::decode(&text, OURS, layout).as_ref(), Some(resume));
}

/// A body with its right hash.
fn sealed(body: &[u8]) -> Vec<u8> {
    bencode::dict([
        ("sha1", bencode::bytes(Sha1::digest(body))),
        ("body", bencode::bytes(body)),
    ])
}

fn made_up(script: &mut Script<'_>, layout: &Layout) -> Resume {
    let pieces = layout.geometry().pieces();
    let mut verified = Bits::new(pieces);
    for piece in (0..pieces).filter(|_| script.flag()) {
        verified.set(piece);
    }
    Resume {
        info_hash: OURS,
        verified,
        files: LENGTHS.iter().map(|_| stamp(script)).collect(),
        owned: owned(script),
        clean: script.flag(),
        settled: script.flag().then(|| script.byte().into()),
        downloaded: script.number().into(),
        uploaded: script.number().into(),
    }
}

fn owned(script: &mut Script<'_>) -> Owned {
    let folder = script.flag().then_some(&b"/a/folder"[..]);
    let births: Option<Vec<u8>> = script
        .flag()
        .then(|| (0..20 * LENGTHS.len()).map(|_| script.byte()).collect());
    Owned::from_bytes(folder, births.as_deref(), LENGTHS.len()).expect("it fits")
}

fn stamp(script: &mut Script<'_>) -> Option<Stamp> {
    script.flag().then(|| Stamp {
        size: script.number().into(),
        seconds: script.byte().into(),
        nanos: script.byte().into(),
    })
}

fn layout() -> Layout {
    let entry = |(number, length): (usize, u64)| FileEntry {
        path: format!("name/{number}").into(),
        length,
        kind: if number == 2 {
            FileKind::Padding
        } else {
            FileKind::File
        },
        executable: false,
    };
    let files: Vec<FileEntry> = (0..).zip(LENGTHS).map(entry).collect();
    Layout::new(
        &files,
        Geometry::new(LENGTHS.iter().sum(), 64).expect("there is content"),
    )
}
