//! What a restart may believe of what it finds, after a clean end and after a kill.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use brooklet::base::Bits;
use brooklet::io::disk::{ContentFiles, Pool, Why};
use brooklet::storage::Resume;
use brooklet::storage::resume::{self, Verdict};
use brooklet::wire::Metainfo;

use crate::support::content::noise;
use crate::support::dir::Dir;
use crate::support::room::Room;
use crate::{Content, PIECE, torrent, whole};

/// What files get for a modification time, in seconds since 1970.
pub const TIME: i64 = 1_700_000_000;

/// What would be saved now, every other piece verified.
pub fn snapshot(disk: &ContentFiles, torrent: &Metainfo, clean: bool) -> Vec<u8> {
    let mut verified = Bits::new(torrent.geometry.pieces());
    for piece in (0..torrent.geometry.pieces()).step_by(2) {
        verified.set(piece);
    }
    let resume = Resume {
        info_hash: torrent.info_hash,
        verified,
        files: disk.stamps().to_vec(),
        owned: disk.ledger().owned().clone(),
        clean,
        settled: None,
        downloaded: 1,
        uploaded: 2,
    };
    resume.encode()
}

/// What another run would make of this.
pub fn resumed(dir: &Path, torrent: &Arc<Metainfo>, saved: &[u8]) -> Verdict {
    let mut disk = ContentFiles::new(dir, Arc::clone(torrent), &Pool::for_process());
    assert_eq!(disk.look(), []);
    let resume = Resume::decode(saved, torrent.info_hash, disk.layout());
    resume::verdict(resume.as_ref(), disk.layout(), disk.stamps())
}

fn decode(saved: &[u8], torrent: &Arc<Metainfo>) -> Resume {
    let disk = ContentFiles::new(
        Path::new("nowhere"),
        Arc::clone(torrent),
        &Pool::for_process(),
    );
    Resume::decode(saved, torrent.info_hash, disk.layout()).unwrap()
}

/// A download of eight pieces that was killed: everything written, half of it saved as verified.
/// Time goes by before each step.
fn killed(dir: &Path, torrent: &Arc<Metainfo>) -> Vec<u8> {
    let mut disk = Content::new(dir, torrent);
    disk.look();
    let content = noise(1, torrent.geometry.size() as usize);
    disk.write_all(&content[..5 * PIECE as usize]);
    let saved = snapshot(&disk, torrent, false);
    std::thread::sleep(Duration::from_millis(20));
    disk.write_all(&content);
    saved
}

fn even(pieces: u32) -> Vec<u32> {
    (0..pieces).step_by(2).collect()
}

fn odd(pieces: u32) -> Vec<u32> {
    (1..pieces).step_by(2).collect()
}

fn list(bits: &Bits) -> Vec<u32> {
    bits.ones().collect()
}

#[test]
fn after_a_kill_what_was_saved_is_trusted_and_only_the_rest_is_hashed() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 4 * 16_384), ("t/b", 4 * 16_384)]);
    let saved = killed(&dir, &torrent);
    let found = resumed(&dir, &torrent, &saved);
    assert_eq!((list(&found.trusted), list(&found.hash)), (even(8), odd(8)));
}

/// After a kill on this file system, what was saved is trusted, and another program's write shows.
fn assert_times_are_held(dir: &Path) {
    let torrent = torrent(&[("t/a", 4 * 16_384), ("t/b", 4 * 16_384)]);
    let saved = killed(dir, &torrent);
    let found = resumed(dir, &torrent, &saved);
    assert_eq!((list(&found.trusted), list(&found.hash)), (even(8), odd(8)));
    fs::write(dir.join("t/b"), noise(9, 4 * 16_384)).unwrap();
    let found = resumed(dir, &torrent, &saved);
    assert_eq!(list(&found.trusted), [0, 2]);
}

#[test]
fn times_are_held_where_they_are_only_set_together() {
    if Room::can_bind() {
        let dir = Dir::new();
        let room = Room::bind(&dir.folder("mount"), &dir.folder("real"));
        assert_times_are_held(&room.inside);
    }
}

#[test]
fn another_programs_write_is_noticed_even_after_a_kill() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 4 * 16_384), ("t/b", 4 * 16_384)]);
    let saved = killed(&dir, &torrent);
    std::thread::sleep(Duration::from_millis(20));
    let mut bytes = fs::read(dir.join("t/b")).unwrap();
    bytes[0] ^= 1;
    fs::write(dir.join("t/b"), bytes).unwrap();
    let found = resumed(&dir, &torrent, &saved);
    assert_eq!(list(&found.trusted), [0, 2]);
    assert_eq!(list(&found.hash), [1, 3, 4, 5, 6, 7]);
}

#[test]
fn a_write_by_others_between_look_and_download_is_noticed() {
    let dir = Dir::new();
    let torrent = torrent(&[("t", 4 * 16_384)]);
    dir.file("t", noise(5, 4 * 16_384));
    let mut disk = Content::new(&dir, &torrent);
    disk.look();
    std::thread::sleep(Duration::from_millis(20));
    dir.file("t", noise(6, 4 * 16_384));
    disk.write(whole(&torrent, 1), &noise(7, PIECE as usize))
        .unwrap();
    let found = resumed(&dir, &torrent, &snapshot(&disk, &torrent, false));
    assert_eq!(
        (list(&found.trusted), list(&found.hash)),
        (vec![], vec![0, 1, 2, 3])
    );
    assert!(!disk.give_real_times(TIME));
    let found = resumed(&dir, &torrent, &snapshot(&disk, &torrent, true));
    assert_eq!(found.hash.count(), 4);
    let changed = disk.changed().unwrap();
    assert_eq!((changed.path, changed.why), (dir.join("t"), Why::Changed));
}

/// Whatever of the times reaches the disk, and in whatever order: what the resume data say
/// beforehand is enough.
#[test]
fn after_a_clean_end_nothing_is_hashed_whether_times_were_set_or_not() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 4 * 16_384), ("t/b", 4 * 16_384)]);
    let mut disk = Content::new(&dir, &torrent);
    disk.look();
    disk.write_all(&noise(1, 8 * PIECE as usize));
    let saved = Resume {
        settled: Some(TIME),
        ..decode(&snapshot(&disk, &torrent, true), &torrent)
    };
    let saved = saved.encode();
    let trusted = |saved: &[u8]| {
        let found = resumed(&dir, &torrent, saved);
        assert_eq!((list(&found.trusted), list(&found.hash)), (even(8), vec![]));
    };
    trusted(&saved);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(TIME as u64);
    let file = File::options().write(true).open(dir.join("t/b")).unwrap();
    file.set_modified(time).unwrap();
    trusted(&saved);
    file.set_modified(SystemTime::now()).unwrap();
    assert_eq!(list(&resumed(&dir, &torrent, &saved).trusted), [0, 2]);
    // One that has the time and another size is another file.
    file.set_len(9 * 16_384).unwrap();
    file.set_modified(time).unwrap();
    assert_eq!(list(&resumed(&dir, &torrent, &saved).trusted), [0, 2]);
}

#[test]
fn files_get_their_time_at_the_end() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 4 * 16_384), ("t/b", 4 * 16_384)]);
    let mut disk = Content::new(&dir, &torrent);
    disk.look();
    disk.write_all(&noise(1, 8 * PIECE as usize));
    assert!(disk.give_real_times(TIME));
    assert_eq!(disk.changed(), None);
    for path in ["t/a", "t/b"] {
        let modified = fs::metadata(dir.join(path)).unwrap().modified().unwrap();
        assert_eq!(
            modified.duration_since(SystemTime::UNIX_EPOCH).unwrap(),
            Duration::from_secs(TIME as u64)
        );
    }
    let found = resumed(&dir, &torrent, &snapshot(&disk, &torrent, true));
    assert_eq!((list(&found.trusted), list(&found.hash)), (even(8), vec![]));
}

#[test]
fn a_file_gone_at_the_end_does_not_keep_the_rest_from_being_recorded() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/a", 4 * 16_384), ("t/b", 4 * 16_384)]);
    let mut disk = Content::new(&dir, &torrent);
    disk.write_all(&noise(1, 8 * PIECE as usize));
    fs::remove_file(dir.join("t/a")).unwrap();
    assert!(!disk.give_real_times(TIME));
    let changed = disk.changed().unwrap();
    assert_eq!((changed.path, changed.why), (dir.join("t/a"), Why::Changed));
    let found = resumed(&dir, &torrent, &snapshot(&disk, &torrent, true));
    assert_eq!(
        (list(&found.trusted), list(&found.hash)),
        (vec![4, 6], vec![])
    );
}

/// Files that are already complete keep their modification time.
#[test]
fn a_complete_file_keeps_its_time_when_a_piece_it_shares_comes_again() {
    let dir = Dir::new();
    let torrent = torrent(&[("t/whole", 20_000), ("t/gone", 20_000)]);
    let content = noise(1, 40_000);
    dir.file("t/whole", &content[..20_000]);
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options()
        .write(true)
        .open(dir.join("t/whole"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    let mut disk = Content::new(&dir, &torrent);
    disk.look();
    disk.write_all(&content);
    assert!(disk.give_real_times(TIME));
    assert_eq!(
        fs::metadata(dir.join("t/whole"))
            .unwrap()
            .modified()
            .unwrap(),
        old
    );
    assert!(fs::read(dir.join("t/gone")).unwrap() == content[20_000..]);
}
