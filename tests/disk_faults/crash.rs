//! Power cuts: at each moment of a download, with every loss that the system allows. A restart
//! never vouches for a piece whose bytes are not there, and what an earlier save vouched for is
//! still found.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use brooklet::storage::resume::verdict;
use brooklet::storage::{Resume, Stamp};

use crate::model::{self, Call, Start, State, What};
use crate::record::{decode, layout};
use crate::support::child::{Child, brooklet};
use crate::support::content::Content;
use crate::support::peer::Peer;
use crate::support::torrent::Torrent;
use crate::support::{
    self,
    bench::{Bench, SOON, wait_verified},
};
use crate::{CALLS, KIB, MIB, get, paced, resume};

/// A run whose calls were recorded, and what it found.
struct Recorded {
    bench: Bench,
    start: Start,
    calls: Vec<Call>,
    lines: usize,
}

/// Two files of which one shares a piece with the other.
fn bench(number: u64, scale: usize) -> Bench {
    let files = [("a", 100 * KIB * scale), ("sub/b", 156 * KIB * scale)];
    let content = Content::folder(number, "t", &files);
    Bench::of(Torrent::new(content, 32 * KIB * scale))
}

fn names(bench: &Bench) -> Vec<String> {
    let files = bench.torrent.content.files.iter();
    files.map(|(path, _)| format!("t/{path}")).collect()
}

/// What is on disk before a run, all of it safe.
fn start(bench: &Bench) -> Start {
    let torrent = &bench.torrent;
    let path = |name: &String| bench.content().join(name);
    let stamps = names(bench).iter().map(|name| stamp(&path(name))).collect();
    let mut there = Vec::new();
    for (name, (_, bytes)) in names(bench).iter().zip(&torrent.content.files) {
        let mut found = fs::read(path(name)).unwrap_or_default();
        found.resize(bytes.len(), 0);
        there.extend(found);
    }
    let pieces = there.chunks(torrent.piece_length);
    let wanted = torrent.bytes.chunks(torrent.piece_length);
    Start {
        stamps,
        right: pieces.zip(wanted).map(|(a, b)| a == b).collect(),
        resume: fs::read(resume(bench)).ok(),
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata(path).ok()?;
    Some(Stamp {
        size: found.size(),
        seconds: found.mtime(),
        nanos: u32::try_from(found.mtime_nsec()).unwrap(),
    })
}

/// Runs a download and records what it does to the file system.
fn record(bench: Bench, seed: &Peer) -> Recorded {
    let start = start(&bench);
    let path = bench.dir.join("calls");
    let mut command = brooklet(None);
    bench.arguments(&mut command, "get");
    command.args(["--peer", &seed.addr()]).env(CALLS, &path);
    Child::spawn("brooklet", &mut command).success(3 * SOON);
    bench.assert_whole();
    let text = fs::read_to_string(path).unwrap();
    Recorded {
        calls: model::read(&text, &layout(&bench), &names(&bench)),
        lines: text.lines().count(),
        start,
        bench,
    }
}

/// From nothing; from a half that a clean end left; and large enough that it is synced in the
/// middle, too.
fn runs() -> [Recorded; 3] {
    let fresh = bench(1, 1);
    let seed = paced(&fresh, 2 * MIB);
    let fresh = record(fresh, &seed);
    let half = bench(2, 1);
    let seed = paced(&half, 256 * KIB);
    let mut first = get(&half, &seed, "");
    wait_verified(&mut first, 3);
    first.signal("TERM");
    assert_eq!(first.code(SOON), 143);
    let half = record(half, &seed);
    let large = bench(3, 20);
    let seed = Peer::start(&large.torrent, Default::default());
    [fresh, half, record(large, &seed)]
}

/// Tries every power cut of these calls. How many states the disk may be in, or what is wrong.
fn try_all(run: &Recorded, calls: &[Call]) -> Result<u64, String> {
    let layout = layout(&run.bench);
    let (mut states, mut wrong) = (0, None);
    let mut known: BTreeMap<Vec<u8>, Option<Resume>> = BTreeMap::new();
    let mut read = |bytes: Option<&[u8]>| {
        let found = known.entry(bytes?.to_vec());
        found.or_insert_with(|| decode(&run.bench, bytes?)).clone()
    };
    for line in 0..=run.lines {
        let mut visit = |state: State<'_>| {
            states += 1;
            let resume = read(state.resume);
            let found = verdict(resume.as_ref(), &layout, state.stamps);
            let right = |piece: u32| state.right[piece as usize];
            let believed = found.trusted.ones().find(|&piece| !right(piece));
            let saved = model::verified(read(state.safe).as_ref());
            let forgotten = saved.into_iter().find(|&piece| {
                !right(piece) || !(found.trusted.get(piece) || found.hash.get(piece))
            });
            if believed.is_some() || forgotten.is_some() {
                wrong.get_or_insert(format!(
                    "line {line}: believed {believed:?}, forgotten {forgotten:?}: {state:?}"
                ));
            }
        };
        model::after(calls, &run.start, &layout, line, &mut visit);
    }
    wrong.map_or(Ok(states), Err)
}

#[test]
fn no_power_cut_makes_a_restart_believe_what_is_not_there_or_forget_what_was_saved() {
    for run in runs() {
        let states = try_all(&run, &run.calls).unwrap();
        assert!(
            states > 1000,
            "{states} states of {} calls",
            run.calls.len()
        );
        // The model would have found it out: what if it were not synced, or nothing knew the files
        // by name?
        for forget in [
            |what: &What| matches!(what, What::Sync { .. }),
            |what: &What| *what == What::SyncNames,
        ] {
            let names_are_new = run.start.stamps.contains(&None);
            let calls: Vec<Call> = run
                .calls
                .iter()
                .filter(|call| !forget(&call.what))
                .cloned()
                .collect();
            let needed = calls.len() < run.calls.len();
            assert_eq!(try_all(&run, &calls).is_err(), needed, "{names_are_new}");
        }
    }
}

/// What the model finds out by trying, said directly: the order of calls.
#[test]
fn content_is_synced_before_the_resume_file_that_vouches_for_it_is_in_place() {
    for run in runs() {
        let layout = layout(&run.bench);
        let place = |what: &dyn Fn(&What) -> bool, from: usize| {
            let at = run.calls[from..].iter().position(|call| what(&call.what));
            at.map(|at| from + at)
        };
        let mut vouched = 0;
        for (at, call) in run.calls.iter().enumerate() {
            let What::Fill(bytes) = &call.what else {
                continue;
            };
            let flush = &run.calls[place(&|what| *what == What::Flush, at).unwrap()];
            let rename = &run.calls[place(&|what| *what == What::Rename, at).unwrap()];
            let settle = &run.calls[place(&|what| *what == What::Settle, at).unwrap()];
            assert!(call.done.unwrap() < flush.begun);
            assert!(flush.done.unwrap() < rename.begun);
            assert!(rename.done.unwrap() < settle.begun && settle.done.is_some());
            let resume = decode(&run.bench, bytes).unwrap();
            for piece in resume.verified.ones() {
                vouched += 1;
                let from = layout.geometry().piece_start(piece);
                let to = from + u64::from(layout.geometry().piece_size(piece));
                for write in &run.calls {
                    let What::Write {
                        file,
                        from: begin,
                        to: end,
                    } = write.what
                    else {
                        continue;
                    };
                    let base = layout.range(file).start;
                    if base + end <= from || to <= base + begin {
                        continue;
                    }
                    let synced = run.calls.iter().any(|sync| {
                        let own = matches!(sync.what, What::Sync { file: own } if own.is_none_or(|own| own == file));
                        own && write.done.unwrap() < sync.begun
                            && sync.done.is_some_and(|done| done < rename.begun)
                    });
                    assert!(synced, "piece {piece} is not synced: {write:?}");
                }
            }
        }
        assert!(vouched >= 8, "{vouched}");
    }
}

/// What is recorded is what the system was asked for: strace counts the same.
#[test]
fn the_record_leaves_nothing_out() {
    if std::env::var_os("LLVM_PROFILE_FILE").is_some() {
        return support::skip("a program that counts its lines makes calls of its own");
    }
    if !support::installed(&["strace"]) {
        return;
    }
    let bench = bench(4, 1);
    let seed = Peer::start(&bench.torrent, Default::default());
    let (calls, trace) = (bench.dir.join("calls"), bench.dir.join("trace"));
    let mut command = crate::support::child::command(None, "strace");
    let kinds = "trace=fsync,fdatasync,syncfs,rename,renameat,renameat2,pwrite64,pwritev,pwritev2,ftruncate,utimensat";
    command
        .args(["-f", "-o"])
        .arg(&trace)
        .args(["-e", kinds, "--"]);
    command.arg(env!("CARGO_BIN_EXE_brooklet"));
    bench.arguments(&mut command, "get");
    command.args(["--peer", &seed.addr()]).env(CALLS, &calls);
    Child::spawn("brooklet", &mut command).success(3 * SOON);
    let trace = fs::read_to_string(trace).unwrap();
    let record = fs::read_to_string(calls).unwrap();
    let traced = |names: &[&str]| {
        let begins = |line: &&str| names.iter().any(|name| line.contains(&format!(" {name}(")));
        trace.lines().filter(begins).count()
    };
    let recorded = |names: &[&str]| {
        let begins = |line: &&str| {
            names
                .iter()
                .any(|name| line.split(' ').nth(1) == Some(name))
        };
        record.lines().filter(begins).count()
    };
    for (calls, own) in [
        (
            &["fsync", "fdatasync", "syncfs"][..],
            &["sync", "syncname", "flush", "settle"][..],
        ),
        (&["rename", "renameat", "renameat2"], &["rename"]),
        (&["pwrite64", "pwritev", "pwritev2"], &["write"]),
        (&["ftruncate"], &["resize"]),
        (&["utimensat"], &["time"]),
    ] {
        assert!(recorded(own) > 0, "{own:?}");
        assert_eq!(traced(calls), recorded(own), "{own:?}");
    }
}
