//! Files that lie where a download would write: a file of the user's own is never written over,
//! what is the torrent's is kept, and a file that was not chosen need not be written at all.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use support::bench::{Bench, SOON, checked, wait_verified};
use support::child::{Child, Stream, brooklet};
use support::content::{Content, noise};
use support::peer::{Manners, Peer};
use support::torrent::Torrent;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const PIECE: usize = 64 * KIB;

/// Three files of which each shares a piece with the next.
fn three(number: u64) -> (Bench, Peer) {
    let files = [("a", 100 * KIB), ("b", 200 * KIB), ("sub/c", 90 * KIB)];
    let bench = Bench::of(Torrent::new(Content::folder(number, "t", &files), PIECE));
    let seed = Peer::start(&bench.torrent, Manners::default());
    (bench, seed)
}

fn one(number: u64) -> (Bench, Peer) {
    let bench = Bench::new(number, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    (bench, seed)
}

fn get(bench: &Bench, seed: &Peer, options: &[&str]) -> Child {
    bench.get(&[seed.addr()], options)
}

/// It ends with 1 and one line that names all this, and has fetched and made nothing.
fn assert_refused(bench: &Bench, seed: &Peer, options: &[&str], names: &[&str]) {
    let before = listing(&bench.content());
    let mut child = get(bench, seed, options);
    let code = child.code(SOON);
    let said = child.text(Stream::Err);
    let line = said.lines().last().unwrap_or_default();
    let named = line.starts_with("brooklet: ") && names.iter().all(|name| line.contains(name));
    if code != 1 || !named {
        child.fail(&format!("exit code {code}, {line:?} should name {names:?}"));
    }
    assert_eq!(seed.sent(), 0);
    assert_eq!(child.events("complete").len(), 0);
    assert!(listing(&bench.content()) == before, "something was written");
}

/// Everything below a folder: names, and what the files hold.
fn listing(folder: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let held = fs::read(&path).ok().filter(|_| !path.is_symlink());
        found.push((path.display().to_string(), held));
        if path.is_dir() && !path.is_symlink() {
            found.extend(listing(&path));
        }
    }
    found.sort();
    found
}

fn check(bench: &Bench) -> i32 {
    let mut command = brooklet(None);
    command.arg("check").arg(bench.dir.join("torrent"));
    command.arg("--dir").arg(bench.content());
    Child::spawn("check", &mut command).code(SOON)
}

/// `check` of these files alone, with what was kept in the state folder.
fn check_files(bench: &Bench, files: &str) -> i32 {
    let mut command = brooklet(None);
    command.arg("check").arg(bench.dir.join("torrent"));
    command.arg("--dir").arg(bench.content());
    command.arg("--state").arg(bench.dir.join("state"));
    Child::spawn("check", command.args(["--files", files])).code(SOON)
}

fn put(bench: &Bench, path: &str, bytes: &[u8]) {
    let path = bench.content().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn found(bench: &Bench, path: &str) -> Vec<u8> {
    fs::read(bench.content().join(path)).unwrap()
}

/// The bytes of a file of [`three`].
fn right(bench: &Bench, file: usize) -> Vec<u8> {
    let range = [0..100, 100..300, 300..390][file].clone();
    bench.torrent.bytes[range.start * KIB..range.end * KIB].to_vec()
}

#[test]
fn a_file_in_which_nothing_matches_is_not_written_over_unless_that_is_asked_for() {
    for (number, len) in [(1, 12), (2, MIB / 2), (3, MIB)] {
        let (bench, seed) = one(number);
        put(&bench, "content.bin", &noise(99, len));
        assert_refused(&bench, &seed, &[], &["content.bin: ", "--overwrite"]);
        assert_refused(&bench, &seed, &["--recheck"], &["--overwrite"]);
        get(&bench, &seed, &["--overwrite"]).success(SOON);
        bench.assert_whole();
        assert_eq!(check(&bench), 0);
    }
}

/// Pieces of one byte match in any file, as text does in text; zeros lie in many files at the same
/// place. Neither makes the user's file the torrent's.
#[test]
fn what_matches_by_chance_does_not_make_a_file_the_torrents() {
    for (number, piece) in [(80, 1), (81, 2)] {
        let bench = Bench::of(Torrent::new(
            Content::file(number, "content.bin", 64 * KIB),
            piece,
        ));
        let seed = Peer::start(&bench.torrent, Manners::default());
        put(&bench, "content.bin", &noise(99, 64 * KIB));
        assert_refused(&bench, &seed, &[], &["content.bin: ", "--overwrite"]);
        get(&bench, &seed, &["--overwrite"]).success(SOON);
        bench.assert_whole();
    }
    for byte in [0, 0xff] {
        let mut content = Content::file(82, "content.bin", MIB);
        content.files[0].1[PIECE..4 * PIECE].fill(byte);
        let bench = Bench::of(Torrent::new(content, PIECE));
        let seed = Peer::start(&bench.torrent, Manners::default());
        let mut own = noise(99, MIB);
        own[PIECE..4 * PIECE].fill(byte);
        put(&bench, "content.bin", &own);
        assert_refused(&bench, &seed, &[], &["content.bin: ", "--overwrite"]);
        // Where another piece matches, those count, too.
        own[..PIECE].copy_from_slice(&bench.torrent.bytes[..PIECE]);
        put(&bench, "content.bin", &own);
        let mut child = get(&bench, &seed, &[]);
        assert_eq!(checked(&mut child), 4);
        child.success(SOON);
        bench.assert_whole();
    }
}

#[test]
fn one_such_file_among_several_stops_it_before_the_first_write() {
    let (bench, seed) = three(4);
    put(&bench, "t/sub/c", b"my own words");
    assert_refused(&bench, &seed, &[], &["t/sub/c: ", "--overwrite"]);
    put(&bench, "t/a", &noise(98, 100 * KIB));
    assert_refused(&bench, &seed, &[], &["t/a (and 1 more): ", "--overwrite"]);
    get(&bench, &seed, &["--overwrite"]).success(SOON);
    bench.assert_whole();
}

#[test]
fn a_longer_file_is_neither_half_replaced_nor_cut_off_unless_that_is_asked_for() {
    for (number, wrong) in [(5, 0), (6, 1), (7, 255)] {
        let (bench, seed) = one(number);
        let mut bytes = bench.torrent.bytes.clone();
        bytes[MIB / 2] ^= wrong;
        bytes.extend_from_slice(b"and something of the user's own");
        put(&bench, "content.bin", &bytes);
        assert_refused(
            &bench,
            &seed,
            &[],
            &["content.bin: ", "31 bytes longer", "--overwrite"],
        );
        assert_eq!(check(&bench), 4);
        get(&bench, &seed, &["--overwrite"]).success(SOON);
        bench.assert_whole();
        assert_eq!(check(&bench), 0);
        assert_eq!(seed.sent(), if wrong == 0 { 0 } else { PIECE as u64 });
    }
}

#[test]
fn what_matches_is_kept_without_resume_data() {
    let (bench, seed) = three(8);
    let mut bytes = right(&bench, 1);
    bytes[150 * KIB] ^= 1;
    put(&bench, "t/b", &bytes);
    put(&bench, "t/a", &right(&bench, 0));
    let mut child = get(&bench, &seed, &[]);
    assert_eq!(checked(&mut child), 3);
    child.success(SOON);
    bench.assert_whole();
}

/// Other clients make files as long as they will be before they have anything for them.
#[test]
fn a_file_of_zeros_holds_nothing_to_be_lost() {
    for (number, len) in [(9, MIB), (10, MIB / 3), (11, 0)] {
        let (bench, seed) = one(number);
        put(&bench, "content.bin", &vec![0; len]);
        get(&bench, &seed, &[]).success(SOON);
        bench.assert_whole();
    }
    let (bench, seed) = one(12);
    let path = bench.content().join("content.bin");
    fs::File::create(path).unwrap().set_len(MIB as u64).unwrap();
    get(&bench, &seed, &[]).success(SOON);
    bench.assert_whole();
}

/// It holds nothing by which it could be told from another one, but nothing will be written to it.
#[test]
fn a_whole_file_of_one_byte_again_and_again_is_kept() {
    let mut content = Content::file(13, "content.bin", MIB);
    content.files[0].1.fill(0xff);
    let bench = Bench::of(Torrent::new(content, PIECE));
    let seed = Peer::start(&bench.torrent, Manners::default());
    put(&bench, "content.bin", &vec![0xff; MIB]);
    get(&bench, &seed, &[]).success(SOON);
    bench.assert_whole();
    assert_eq!(seed.sent(), 0);
}

/// Three files in one piece: whether one of them is right cannot be told without the others.
#[test]
fn a_file_that_cannot_be_judged_is_kept_if_it_is_right_and_never_written_over() {
    for (number, wrong) in [(13, 0), (14, 1)] {
        let files = [("a", 1000), ("b", 2000), ("c", 3000)];
        let bench = Bench::of(Torrent::new(Content::folder(number, "t", &files), PIECE));
        let seed = Peer::start(&bench.torrent, Manners::default());
        let mut bytes = bench.torrent.bytes[1000..3000].to_vec();
        bytes[7] ^= wrong;
        put(&bench, "t/b", &bytes);
        let mut child = get(&bench, &seed, &[]);
        if wrong == 0 {
            child.success(SOON);
            bench.assert_whole();
        } else {
            assert_eq!(child.code(SOON), 1);
            let said = child.text(Stream::Err);
            assert!(
                said.contains("t/b: ") && said.contains("--overwrite"),
                "{said}"
            );
        }
        assert!(found(&bench, "t/b") == bytes);
    }
}

/// Resume data of one folder say nothing of another.
#[test]
fn resume_data_do_not_vouch_for_a_file_of_another_folder() {
    let (bench, seed) = one(15);
    get(&bench, &seed, &[]).success(SOON);
    let other = bench.dir.folder("other");
    fs::write(other.join("content.bin"), b"my own words").unwrap();
    let mut child = get(&bench, &seed, &["--dir", other.to_str().unwrap()]);
    assert_eq!(child.code(SOON), 1);
    assert!(child.text(Stream::Err).contains("--overwrite"));
    assert_eq!(
        fs::read(other.join("content.bin")).unwrap(),
        b"my own words"
    );
}

/// What may stand where a neighbour of the chosen file would lie.
type Obstacle = fn(&Bench);
const OBSTACLES: [(&str, Obstacle); 5] = [
    ("a file of the user's own", |bench| {
        put(bench, "t/a", b"my own words")
    }),
    ("one of the right length", |bench| {
        put(bench, "t/a", &noise(97, 100 * KIB));
        put(bench, "t/sub/c", &noise(96, 90 * KIB));
    }),
    ("a folder", |bench| {
        fs::create_dir_all(bench.content().join("t/a/within")).unwrap();
    }),
    ("a file for a folder", |bench| {
        put(bench, "t/sub", b"my own words")
    }),
    ("a link out", |bench| {
        fs::create_dir_all(bench.content().join("t")).unwrap();
        let outside = bench.dir.folder("outside");
        fs::write(outside.join("precious"), b"my own words").unwrap();
        symlink(outside.join("precious"), bench.content().join("t/a")).unwrap();
        symlink(outside, bench.content().join("t/sub")).unwrap();
    }),
];

#[test]
fn a_chosen_file_arrives_whatever_is_in_the_place_of_its_neighbours() {
    for (number, (what, obstacle)) in (20..).zip(OBSTACLES) {
        let (bench, seed) = three(number);
        obstacle(&bench);
        let before = listing(&bench.content());
        let mut child = get(&bench, &seed, &["--files", "b"]);
        let code = child.code(SOON);
        if code != 0 {
            child.fail(&format!("{what}: exit code {code}"));
        }
        assert!(found(&bench, "t/b") == right(&bench, 1), "{what}");
        let after = listing(&bench.content());
        assert!(before.iter().all(|entry| after.contains(entry)), "{what}");
        if what == "a link out" {
            assert_eq!(fs::read_dir(bench.dir.join("outside")).unwrap().count(), 1);
        }
        // It is found whole, with the bytes that its neighbours have in its pieces.
        let mut again = bench.get(&[], &["--files", "b"]);
        assert_eq!(checked(&mut again), 4, "{what}");
        again.success(SOON);
        assert_eq!(check_files(&bench, "b"), 0, "{what}");
        assert_eq!(check(&bench), 4, "{what}");
    }
}

/// Bytes that are kept elsewhere excuse no damage.
#[test]
fn a_chosen_file_that_is_damaged_beside_a_barred_one_is_damaged() {
    let (bench, seed) = three(34);
    put(&bench, "t/a", &noise(97, 100 * KIB));
    get(&bench, &seed, &["--files", "b"]).success(SOON);
    assert_eq!(check_files(&bench, "b"), 0);
    for at in [0, 10 * KIB, 200 * KIB - 1] {
        let mut bytes = right(&bench, 1);
        bytes[at] ^= 1;
        put(&bench, "t/b", &bytes);
        assert_eq!(check_files(&bench, "b"), 4, "byte {at}");
    }
    put(&bench, "t/b", &right(&bench, 1));
    let kept = bench.dir.join("state");
    let parts = fs::read_dir(kept).unwrap().flatten();
    let parts = parts.map(|entry| entry.path()).find(|path| path.is_dir());
    let piece = parts.unwrap().join("1");
    let mut bytes = fs::read(&piece).unwrap();
    bytes[0] ^= 1;
    fs::write(piece, bytes).unwrap();
    assert_eq!(check_files(&bench, "b"), 4);
}

/// What is in the way may come only while the download runs.
#[test]
fn a_neighbour_that_cannot_be_made_after_all_is_kept_elsewhere() {
    let (bench, _) = three(35);
    let mut child = bench.get(&[], &["--files", "b"]);
    let addr = support::bench::listening(&mut child).to_string();
    checked(&mut child);
    fs::create_dir_all(bench.content().join("t/a/within")).unwrap();
    put(&bench, "t/sub", b"my own words");
    let (other, state) = (bench.dir.folder("other"), bench.dir.folder("other-state"));
    bench.torrent.content.write(&other);
    let (other, state) = (other.to_str().unwrap(), state.to_str().unwrap());
    let options = ["--dir", other, "--state", state, "--peer", &addr];
    let _seeder = bench.run("seed", &options);
    child.success(SOON);
    assert!(found(&bench, "t/b") == right(&bench, 1));
    assert!(found(&bench, "t/sub") == b"my own words");
    assert_eq!(check_files(&bench, "b"), 0);
    let mut again = bench.get(&[], &["--files", "b"]);
    assert_eq!(checked(&mut again), 4);
    again.success(SOON);
    // What was kept stays as long as it stands in for anything.
    fs::remove_dir_all(bench.content().join("t/a")).unwrap();
    fs::remove_file(bench.content().join("t/sub")).unwrap();
    let mut again = bench.get(&[], &["--files", "b"]);
    assert_eq!(checked(&mut again), 4);
    again.success(SOON);
}

/// The shell's limit is one of those that are known beforehand.
#[test]
fn a_file_longer_than_the_shell_allows_is_refused_or_kept_elsewhere() {
    let limited = |bench: &Bench, seed: &Peer, options: &[&str]| {
        let mut command = support::child::command(None, "sh");
        // In blocks of 512 bytes: 150 KiB.
        command.args(["-c", "ulimit -f 300 && exec \"$@\"", "sh"]);
        command.arg(env!("CARGO_BIN_EXE_brooklet"));
        bench.arguments(&mut command, "get");
        command.args(["--peer", &seed.addr()]).args(options);
        Child::spawn("brooklet", &mut command)
    };
    let (bench, seed) = three(36);
    let mut child = limited(&bench, &seed, &[]);
    assert_eq!(child.code(SOON), 1);
    assert!(child.text(Stream::Err).contains("t/b: file too large"));
    assert_eq!((seed.sent(), listing(&bench.content()).len()), (0, 0));
    limited(&bench, &seed, &["--files", "a"]).success(SOON);
    assert!(found(&bench, "t/a") == right(&bench, 0));
    assert_eq!(check_files(&bench, "a"), 0);
}

/// What lies elsewhere is sent as anything else.
#[test]
fn a_piece_that_is_partly_kept_elsewhere_is_seeded() {
    let (bench, seed) = three(30);
    fs::create_dir_all(bench.content().join("t/a/within")).unwrap();
    get(&bench, &seed, &["--files", "b"]).success(SOON);
    let mut seeder = bench.run("seed", &[]);
    assert_eq!(checked(&mut seeder), 4);
    let addr = support::bench::listening(&mut seeder).to_string();
    let other = bench.dir.folder("other");
    let state = bench.dir.folder("other-state");
    let (other, state) = (other.to_str().unwrap(), state.to_str().unwrap());
    let options = ["--dir", other, "--state", state, "--files", "b"];
    bench.get(&[addr], &options).success(SOON);
    let got = fs::read(Path::new(other).join("t/b")).unwrap();
    assert!(got == right(&bench, 1));
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_fetched() {
    let (bench, seed) = three(31);
    fs::create_dir_all(bench.content().join("t/sub/c/within")).unwrap();
    assert_refused(&bench, &seed, &[], &["t/sub/c: ", "--files"]);
    let (bench, seed) = three(32);
    put(&bench, "t/sub", b"my own words");
    assert_refused(&bench, &seed, &[], &["t/sub: ", "--files"]);
    let (bench, seed) = three(33);
    fs::create_dir_all(bench.content().join("t")).unwrap();
    symlink("nowhere", bench.content().join("t/b")).unwrap();
    assert_refused(&bench, &seed, &[], &["t/b: ", "--files"]);
}

/// Names that some file systems take for one make us try which kind this one is.
#[test]
fn nothing_is_made_behind_a_link_in_the_place_of_the_torrents_folder() {
    let files = [("a", 100 * KIB), ("A", 100 * KIB)];
    let bench = Bench::of(Torrent::new(Content::folder(83, "t", &files), PIECE));
    let seed = Peer::start(&bench.torrent, Manners::default());
    let outside = bench.dir.join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, bench.content().join("t")).unwrap();
    let changed = || fs::metadata(&outside).unwrap().modified().unwrap();
    let before = changed();
    assert_refused(&bench, &seed, &[], &["a symbolic link"]);
    assert_eq!(changed(), before, "a file was made and removed there");
}

/// What was not chosen is looked at, too: a match by chance must not be on record as ours.
#[test]
fn a_match_by_chance_in_a_file_that_was_not_chosen_does_not_make_it_ours() {
    let files = [("a", 4 * KIB), ("b", 4 * KIB)];
    let bench = Bench::of(Torrent::new(Content::folder(84, "t", &files), 1));
    let seed = Peer::start(&bench.torrent, Manners::default());
    put(&bench, "t/b", &noise(97, 4 * KIB));
    get(&bench, &seed, &["--files", "1"]).success(SOON);
    let child = get(&bench, &seed, &[]).code(SOON);
    assert_eq!(child, 1);
    assert!(found(&bench, "t/b") == noise(97, 4 * KIB));
}

/// A file of the user's that comes while the download is under way is no less the user's.
#[test]
fn a_file_that_comes_before_the_first_write_to_it_is_not_written_over() {
    let files = [("a", 256 * KIB), ("b", 256 * KIB)];
    let bench = Bench::of(Torrent::new(Content::folder(85, "t", &files), PIECE));
    let seed = Peer::start(&bench.torrent, Manners::default());
    let options = ["--sequential", "--down", "64K"];
    let mut child = get(&bench, &seed, &options);
    wait_verified(&mut child, 1);
    put(&bench, "t/b", b"my own words");
    assert_eq!(child.code(SOON), 1);
    let said = child.text(Stream::Err);
    assert!(
        said.contains("t/b: ") && said.contains("--overwrite"),
        "{said}"
    );
    assert!(found(&bench, "t/b") == b"my own words");
}
