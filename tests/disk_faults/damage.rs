//! Resume files that are not what was saved: torn, zeroed, altered, another torrent's, of another
//! version, impossible, huge. Each only costs a check, and nothing is believed that is not so.

use std::fs;

use brooklet::base::{Bits, InfoHash};
use brooklet::storage::{Resume, Stamp};
use brooklet::wire::bencode;
use sha1::{Digest as _, Sha1};

use crate::support::bench::{Bench, SOON, checked};
use crate::support::child::Child;
use crate::support::peer::{Manners, Peer};
use crate::{MIB, file, get, lines, record, resume};

/// A download that ended well, of which a piece was then lost without a trace: only who does not
/// believe the resume file finds it.
fn lossy(number: u64) -> (Bench, Peer, Vec<u8>) {
    let bench = Bench::new(number, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    get(&bench, &seed, "").success(SOON);
    let saved = fs::read(resume(&bench)).unwrap();
    let mut bytes = bench.torrent.bytes.clone();
    bytes[5 * 64 * 1024] ^= 1;
    let time = fs::metadata(file(&bench)).unwrap().modified().unwrap();
    fs::write(file(&bench), bytes).unwrap();
    let written = fs::File::options().write(true).open(file(&bench)).unwrap();
    written.set_modified(time).unwrap();
    (bench, seed, saved)
}

/// With this for a resume file, brooklet finds the piece that is lost.
fn assert_checked(bench: &Bench, text: &[u8], case: &str) {
    fs::write(resume(bench), text).unwrap();
    let mut child = bench.run("seed", &[]);
    if checked(&mut child) != 15 {
        child.fail(case);
    }
    let warned = |child: &mut Child| lines(child, true).join("\n");
    child.signal("TERM");
    assert_eq!(child.code(SOON), 143, "{case}");
    let warned = warned(&mut child);
    assert!(warned.contains(".resume: damaged"), "{case}: {warned}");
}

#[test]
fn what_is_saved_is_believed_otherwise_this_shows_nothing() {
    let (bench, ..) = lossy(1);
    assert_eq!(checked(&mut bench.run("seed", &[])), 16);
}

#[test]
fn torn_zeroed_and_altered_files_only_cost_a_check() {
    let (bench, _seed, saved) = lossy(2);
    let len = saved.len();
    for cut in [0, 1, len / 4, len / 2, len - 1] {
        assert_checked(&bench, &saved[..cut], &format!("cut at {cut}"));
        // What a power cut leaves of a file that was not synced: its length, and zeros.
        let zeros = [&saved[..cut], &vec![0; len - cut]].concat();
        assert_checked(&bench, &zeros, &format!("zeros from {cut} on"));
    }
    for at in (0..len).step_by(len / 6) {
        let mut flipped = saved.clone();
        flipped[at] ^= 1;
        assert_checked(&bench, &flipped, &format!("bit {at} flipped"));
    }
    let huge = [&saved[..], &vec![b'x'; 32 * MIB]].concat();
    assert_checked(&bench, &huge, "huge");
}

#[test]
fn another_torrents_and_impossible_ones_only_cost_a_check() {
    let (bench, _seed, saved) = lossy(3);
    let ours = record::decode(&bench, &saved).unwrap();
    let other = Resume {
        info_hash: InfoHash([7; 20]),
        ..ours.clone()
    };
    assert_checked(&bench, &other.encode(), "another torrent's");
    let more = Resume {
        verified: Bits::full(17),
        ..ours.clone()
    };
    assert_checked(&bench, &more.encode(), "a piece too many");
    let files = Resume {
        files: vec![ours.files[0]; 2],
        ..ours.clone()
    };
    assert_checked(&bench, &files.encode(), "a file too many");
    for (from, to, case) in [
        ("7:versioni1e", "7:versioni2e", "another version"),
        ("7:versioni1e", "7:versioni-1e", "no version"),
        ("10:downloadedi", "10:downloadedi-", "less than nothing"),
        ("5:cleani1e", "5:clean1:1", "no number"),
        ("5:cleani1e", "", "a field is missing"),
        ("7:versioni1e", "7:versioni1ee", "ends early"),
    ] {
        assert_checked(&bench, &edited(&saved, from, to), case);
    }
}

/// A file whose check sum is right, so that it is believed, but which speaks of other files than
/// those that are there.
#[test]
fn stamps_that_nothing_has_are_not_matched() {
    let (bench, _seed, saved) = lossy(4);
    let ours = record::decode(&bench, &saved).unwrap();
    let stamp = ours.files[0].unwrap();
    let impossible = [
        None,
        Some(Stamp {
            nanos: u32::MAX,
            ..stamp
        }),
        Some(Stamp {
            seconds: i64::MIN,
            ..stamp
        }),
        Some(Stamp {
            size: u64::MAX - 1,
            ..stamp
        }),
    ];
    for stamp in impossible {
        let strange = Resume {
            files: vec![stamp],
            settled: Some(i64::MAX),
            ..ours.clone()
        };
        fs::write(resume(&bench), strange.encode()).unwrap();
        let mut child = bench.run("seed", &[]);
        assert_eq!(checked(&mut child), 15, "{stamp:?}");
    }
}

/// The resume file with other words in its body, and the check sum to it.
fn edited(saved: &[u8], from: &str, to: &str) -> Vec<u8> {
    let Ok((bencode::Value::Dict(frame), [])) = bencode::decode(saved) else {
        panic!("it is a dictionary");
    };
    let body = frame.bytes("body").unwrap();
    let at = body
        .windows(from.len())
        .position(|part| part == from.as_bytes());
    let at = at.unwrap();
    let body = [&body[..at], to.as_bytes(), &body[at + from.len()..]].concat();
    bencode::dict([
        ("sha1", bencode::bytes(Sha1::digest(&body))),
        ("body", bencode::bytes(body)),
    ])
}
