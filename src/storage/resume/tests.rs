use super::*;
use crate::base::Geometry;
use crate::wire::{FileEntry, FileKind};

/// Three files of 10, 0 and 14 bytes in six pieces of 4; the third piece lies in two files.
fn layout() -> Layout {
    let file = |name: &str, length| FileEntry {
        path: format!("t/{name}").into(),
        length,
        kind: FileKind::File,
        executable: false,
    };
    let files = [file("a", 10), file("b", 0), file("c", 14)];
    Layout::new(&files, Geometry::new(24, 4).unwrap())
}

fn at(size: u64, seconds: i64) -> Option<Stamp> {
    let nanos = 123_456_789;
    Some(Stamp {
        size,
        seconds,
        nanos,
    })
}

fn bits(ones: &[u32]) -> Bits {
    let mut bits = Bits::new(6);
    for &one in ones {
        bits.set(one);
    }
    bits
}

fn resume(verified: &[u32], clean: bool) -> Resume {
    Resume {
        info_hash: InfoHash([7; 20]),
        verified: bits(verified),
        files: vec![at(10, 100), None, at(14, -200)],
        owned: Owned::default(),
        clean,
        settled: None,
        downloaded: 1 << 40,
        uploaded: 3,
    }
}

#[test]
fn survives_a_round_trip() {
    for clean in [false, true] {
        let settled = clean.then_some(1_700_000_000);
        let resume = Resume {
            settled,
            ..resume(&[0, 5], clean)
        };
        let text = resume.encode();
        assert!(text.len() <= Resume::most_bytes(&layout()));
        let back = Resume::decode(&text, resume.info_hash, &layout());
        assert_eq!(back, Some(resume));
    }
}

#[test]
fn anything_damaged_counts_as_none() {
    let resume = resume(&[0, 5], true);
    let text = resume.encode();
    let decode = |text: &[u8]| Resume::decode(text, resume.info_hash, &layout());
    for cut in 0..text.len() {
        assert_eq!(decode(&text[..cut]), None, "cut at {cut}");
    }
    for bit in 0..text.len() * 8 {
        let mut flipped = text.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decode(&flipped), None, "bit {bit} flipped");
    }
    for from in 0..text.len() {
        let mut zeroed = text.clone();
        zeroed[from..].fill(0);
        assert_eq!(decode(&zeroed), None, "zeros from {from} on");
    }
    assert_eq!(decode(&[text.as_slice(), b"x"].concat()), None);
    assert_eq!(Resume::decode(&text, InfoHash([8; 20]), &layout()), None);
}

#[test]
fn unchanged_files_are_trusted() {
    let present = [at(10, 100), at(0, 5), at(14, -200)];
    let clean = verdict(Some(&resume(&[0, 2], true)), &layout(), &present);
    assert_eq!((clean.trusted, clean.hash), (bits(&[0, 2]), bits(&[])));
    let killed = verdict(Some(&resume(&[0, 2], false)), &layout(), &present);
    assert_eq!(killed.trusted, bits(&[0, 2]));
    assert_eq!(killed.hash, bits(&[1, 3, 4, 5]));
}

#[test]
fn a_changed_file_is_hashed_with_every_piece_that_touches_it() {
    let changes = [
        at(10, 101),
        at(11, 100),
        Some(Stamp {
            nanos: 0,
            ..at(10, 100).unwrap()
        }),
    ];
    for changed in changes {
        let present = [changed, None, at(14, -200)];
        let found = verdict(Some(&resume(&[0, 2, 3], true)), &layout(), &present);
        assert_eq!(found.trusted, bits(&[3]), "{changed:?}");
        assert_eq!(found.hash, bits(&[0, 1, 2]), "{changed:?}");
    }
}

#[test]
fn what_is_missing_or_cut_off_is_not_hashed() {
    let gone = verdict(
        Some(&resume(&[0, 2, 3], false)),
        &layout(),
        &[None, None, at(14, -200)],
    );
    assert_eq!((gone.trusted, gone.hash), (bits(&[3]), bits(&[4, 5])));
    let short = verdict(
        Some(&resume(&[0, 1, 2, 3, 4, 5], true)),
        &layout(),
        &[at(10, 100), None, at(7, 9)],
    );
    assert_eq!(short.trusted, bits(&[0, 1]));
    assert_eq!(short.hash, bits(&[2, 3]), "17 bytes are there");
    let both = verdict(None, &layout(), &[at(9, 1), None, at(14, 1)]);
    assert_eq!(both.hash, bits(&[0, 1, 3, 4, 5]), "piece 2 lacks a byte");
}

#[test]
fn nothing_remembered_means_everything_is_hashed() {
    let present = [at(10, 100), None, at(14, -200)];
    let found = verdict(None, &layout(), &present);
    assert_eq!(
        (found.trusted, found.hash),
        (bits(&[]), bits(&[0, 1, 2, 3, 4, 5]))
    );
}

#[test]
fn a_file_that_was_missing_and_is_there_now_is_hashed() {
    let mut before = resume(&[3, 4, 5], true);
    before.files[0] = None;
    let found = verdict(Some(&before), &layout(), &[at(10, 1), None, at(14, -200)]);
    assert_eq!(
        (found.trusted, found.hash),
        (bits(&[3, 4, 5]), bits(&[0, 1, 2]))
    );
}
