//! What resume data say of whose a file is.

use brooklet::base::{Bits, Geometry, InfoHash};
use brooklet::storage::{Birth, Layout, Owned, Resume, Stamp};
use brooklet::wire::{FileEntry, FileKind};

const OURS: InfoHash = InfoHash([7; 20]);
/// Of the one file.
const LENGTH: u64 = 100;

fn layout() -> Layout {
    let file = FileEntry {
        path: "t".into(),
        length: LENGTH,
        kind: FileKind::File,
        executable: false,
    };
    Layout::new(&[file], Geometry::new(LENGTH, 16).unwrap())
}

fn stamp(size: u64, seconds: i64) -> Stamp {
    Stamp {
        size,
        seconds,
        nanos: 5,
    }
}

fn birth(inode: u64, seconds: i64) -> Option<Birth> {
    Some(Birth {
        inode: inode.try_into().unwrap(),
        seconds,
        nanos: 999_999_999,
    })
}

fn owned(folder: &str, birth: Option<Birth>) -> Owned {
    let mut owned = Owned::new(1);
    owned.folder = Some(folder.as_bytes().to_vec());
    owned.set(0, birth);
    owned
}

fn resume(file: Option<Stamp>, owned: Owned, clean: bool) -> Resume {
    Resume {
        info_hash: OURS,
        verified: Bits::new(7),
        files: vec![file],
        owned,
        clean,
        settled: None,
        downloaded: 0,
        uploaded: 0,
    }
}

fn is_ours(resume: &Resume, now: Stamp, here: &Owned) -> bool {
    resume.is_ours(0, now, here, LENGTH)
}

#[test]
fn it_survives_a_round_trip() {
    let long = format!("/{}", "f".repeat(4095));
    let whose = [
        Owned::default(),
        Owned::new(1),
        owned(&long, None),
        owned(&long, birth(u64::MAX, -1)),
    ];
    for owned in whose {
        let resume = resume(Some(stamp(LENGTH, i64::MAX)), owned, true);
        let text = resume.encode();
        assert!(text.len() <= Resume::most_bytes(&layout()));
        assert_eq!(Resume::decode(&text, OURS, &layout()), Some(resume));
    }
}

#[test]
fn of_another_number_of_files_it_is_damaged() {
    assert_eq!(Owned::from_bytes(None, Some(&[1; 20]), 2), None);
    assert_eq!(Owned::from_bytes(None, Some(&[1; 41]), 2), None);
    assert!(Owned::from_bytes(None, Some(&[1; 40]), 2).is_some());
}

#[test]
fn the_file_on_record_is_ours_whatever_its_length_and_time() {
    let here = owned("/a", birth(12, 1000));
    for recorded in [stamp(LENGTH, 1), Stamp::UNKNOWN] {
        for clean in [true, false] {
            let resume = resume(Some(recorded), here.clone(), clean);
            for size in [1, 99, 100, 101] {
                assert!(is_ours(&resume, stamp(size, 2), &here));
                // Its number was given to another file, or its moment is another's, too.
                for other in [birth(12, 1001), birth(13, 1000), None] {
                    assert!(!is_ours(&resume, stamp(size, 2), &owned("/a", other)));
                }
            }
        }
    }
}

#[test]
fn a_file_that_was_not_ours_does_not_become_so() {
    let here = owned("/a", None);
    for clean in [true, false] {
        let resume = resume(Some(Stamp::FOREIGN), here.clone(), clean);
        assert!(!is_ours(&resume, stamp(LENGTH, 2), &here));
        assert!(!is_ours(&resume, Stamp::FOREIGN, &here));
    }
}

#[test]
fn after_a_kill_a_file_of_full_length_is_ours_in_the_same_folder_only() {
    let found = birth(12, 1000);
    for (folder, clean, size, ours) in [
        ("/a", false, LENGTH, true),
        ("/a", false, LENGTH - 1, false),
        ("/a", true, LENGTH, false),
        ("/b", false, LENGTH, false),
    ] {
        let resume = resume(None, owned("/a", None), clean);
        let here = owned(folder, found);
        assert_eq!(
            is_ours(&resume, stamp(size, 2), &here),
            ours,
            "{folder} {size}"
        );
    }
}

/// Those that were written before any of this was recorded mean what they meant.
#[test]
fn records_without_a_folder_are_believed_of_any() {
    let old = |file, clean| resume(file, Owned::default(), clean);
    let here = owned("/b", birth(12, 1000));
    assert!(is_ours(
        &old(Some(Stamp::UNKNOWN), true),
        stamp(3, 2),
        &here
    ));
    assert!(is_ours(&old(None, false), stamp(LENGTH, 2), &here));
    assert!(is_ours(&old(Some(stamp(9, 1)), true), stamp(9, 1), &here));
    assert!(!is_ours(&old(Some(stamp(9, 1)), true), stamp(8, 1), &here));
}
