//! What the calls of a run leave on the disk when the power fails, as the system promises it and no
//! better: what was not synced may be there or not, in any part and any order; a rename that was
//! not synced may have happened or not, and may be there before what the file holds. The calls are
//! those that the program recorded (see `io::faults`), so that the model cannot differ from the
//! code.

use std::collections::BTreeMap;

use brooklet::storage::{Layout, Resume, Stamp};

/// Bytes that a disk writes whole or not at all.
const SECTOR: u64 = 512;
/// A time that no file is on record with.
const NOW: i64 = -1_000_000;

/// A call: what it did, when it began and when it ended (`None`: never, or it failed). Times are
/// lines of the record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    pub what: What,
    pub begun: usize,
    pub done: Option<usize>,
}

/// Files are numbered as in the torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    Open {
        file: usize,
    },
    Resize {
        file: usize,
        size: u64,
    },
    Write {
        file: usize,
        from: u64,
        to: u64,
    },
    Time {
        file: usize,
        seconds: i64,
        nanos: u32,
    },
    /// `None`: everything.
    Sync {
        file: Option<usize>,
    },
    /// All names that there are.
    SyncNames,
    Create,
    Fill(Vec<u8>),
    Flush,
    Rename,
    Settle,
}

/// How a run began: what lay on disk, safely.
#[derive(Clone, Default, Debug)]
pub struct Start {
    pub stamps: Vec<Option<Stamp>>,
    /// Pieces whose bytes are there.
    pub right: Vec<bool>,
    pub resume: Option<Vec<u8>>,
}

/// A state that the disk may be in.
#[derive(Clone, Debug)]
pub struct State<'a> {
    pub stamps: &'a [Option<Stamp>],
    pub right: &'a [bool],
    pub resume: Option<&'a [u8]>,
    /// The newest resume file that is there for certain.
    pub safe: Option<&'a [u8]>,
}

/// The calls of a record.
pub fn read(text: &str, layout: &Layout, names: &[String]) -> Vec<Call> {
    let mut calls: BTreeMap<u64, Call> = BTreeMap::new();
    let mut order = Vec::new();
    let file_of = |name: &str| {
        names
            .iter()
            .position(|own| name == own || name.ends_with(&format!("/{own}")))
    };
    assert_eq!(names.len(), layout.files());
    for (line, words) in text
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .enumerate()
    {
        let number: u64 = words[0].parse().unwrap();
        if let Some(call) = calls.get_mut(&number) {
            if words[1] == "done" {
                call.done = Some(line);
            }
            continue;
        }
        let int = |at: usize| words[at].parse::<u64>().unwrap();
        let file = || file_of(words[words.len() - 1]).unwrap_or_else(|| panic!("{words:?}"));
        let what = match words[1] {
            "open" => What::Open { file: file() },
            "resize" => What::Resize {
                file: file(),
                size: int(2),
            },
            "write" => What::Write {
                file: file(),
                from: int(2),
                to: int(2) + int(3),
            },
            "time" => {
                let (seconds, nanos) = words[2].split_once('.').unwrap_or((words[2], "0"));
                let (seconds, nanos) = (seconds.parse().unwrap(), nanos.parse().unwrap());
                What::Time {
                    file: file(),
                    seconds,
                    nanos,
                }
            }
            "sync" if words[2] == "*" => What::Sync { file: None },
            "sync" => What::Sync { file: Some(file()) },
            "syncname" => What::SyncNames,
            "create" => What::Create,
            "fill" => What::Fill(bytes(words[2])),
            "flush" => What::Flush,
            "rename" => What::Rename,
            "settle" => What::Settle,
            other => panic!("{other}: a call that the model does not know"),
        };
        order.push(number);
        calls.insert(
            number,
            Call {
                what,
                begun: line,
                done: None,
            },
        );
    }
    order.iter().map(|number| calls[number].clone()).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// Every state that the disk may be in after a power cut at this line of the record, as far as it
/// matters: of what is not safe there is nothing, everything, all but one, only one, and a part of
/// one.
pub fn after(
    calls: &[Call],
    start: &Start,
    layout: &Layout,
    line: usize,
    visit: &mut dyn FnMut(State<'_>),
) {
    let calls: Vec<Call> = calls
        .iter()
        .filter(|call| call.begun < line)
        .map(|call| Call {
            done: call.done.filter(|&done| done < line),
            ..call.clone()
        })
        .collect();
    let resumes = resumes(&calls, start);
    let metas = metas(&calls, start);
    let contents = contents(&calls, start, layout);
    let safe = resumes[0].clone();
    for stamps in &metas {
        for right in &contents {
            for resume in &resumes {
                visit(State {
                    stamps,
                    right,
                    resume: resume.as_deref(),
                    safe: safe.as_deref(),
                });
            }
        }
    }
}

/// What the resume file may be: first what it is at least.
fn resumes(calls: &[Call], start: &Start) -> Vec<Option<Vec<u8>>> {
    let mut found = vec![start.resume.clone()];
    // What the new file may hold.
    let mut fresh: Vec<Vec<u8>> = Vec::new();
    for call in calls {
        match &call.what {
            What::Create => fresh = vec![Vec::new()],
            What::Fill(bytes) => {
                let half = bytes.len() / 2;
                let mut torn = bytes[..half].to_vec();
                torn.resize(bytes.len(), 0);
                fresh.extend([
                    bytes[..half].to_vec(),
                    torn,
                    vec![0; bytes.len()],
                    bytes.clone(),
                ]);
            }
            What::Flush if call.done.is_some() => fresh.drain(..fresh.len() - 1).for_each(drop),
            What::Rename => found.extend(fresh.iter().cloned().map(Some)),
            What::Settle if call.done.is_some() => found.drain(..found.len() - 1).for_each(drop),
            _ => {}
        }
    }
    found
}

/// What sizes and times may be. An inode is written whole: it is as it was at some moment since it
/// was synced.
fn metas(calls: &[Call], start: &Start) -> Vec<Vec<Option<Stamp>>> {
    let files = start.stamps.len();
    let each: Vec<Vec<Option<Stamp>>> = (0..files).map(|file| meta(calls, file, start)).collect();
    // The least and the most of all, and each one otherwise.
    let pick = |index: usize| {
        each.iter()
            .map(|own| own[index.min(own.len() - 1)])
            .collect()
    };
    let mut found: Vec<Vec<Option<Stamp>>> = vec![pick(0), pick(usize::MAX)];
    for (file, own) in each.iter().enumerate() {
        for stamp in own {
            for base in 0..2 {
                let mut stamps = found[base].clone();
                stamps[file] = *stamp;
                found.push(stamps);
            }
        }
    }
    found.sort_by_key(|stamps| {
        stamps
            .iter()
            .map(|s| s.map(|s| (s.size, s.seconds, s.nanos)))
            .collect::<Vec<_>>()
    });
    found.dedup();
    found
}

fn meta(calls: &[Call], file: usize, start: &Start) -> Vec<Option<Stamp>> {
    let mut now = start.stamps[file];
    let mut states = vec![(0, now)];
    // Before its name is safe it may be missing, whatever else is.
    let mut nameless = now.is_none();
    let at_work = |now: Option<Stamp>, line: usize| Stamp {
        size: now.map_or(0, |now| now.size),
        seconds: NOW - line as i64,
        nanos: 0,
    };
    for call in calls {
        match call.what {
            What::Open { file: own } if own == file && now.is_none() => {
                now = Some(at_work(None, call.begun));
            }
            What::Resize { file: own, size } if own == file => {
                let stamp = at_work(now, call.begun);
                now = Some(Stamp { size, ..stamp });
            }
            What::Write { file: own, .. } if own == file => now = Some(at_work(now, call.begun)),
            What::Time {
                file: own,
                seconds,
                nanos,
            } if own == file => {
                now = now.map(|now| Stamp {
                    seconds,
                    nanos,
                    ..now
                });
            }
            What::Sync { file: own } if own.is_none_or(|own| own == file) => {
                if call.done.is_some() {
                    // As it was when that began, at least.
                    let known = states.iter().rposition(|&(at, _)| at <= call.begun);
                    states.drain(..known.unwrap_or(0));
                    nameless &= own.is_some();
                }
                continue;
            }
            What::SyncNames => {
                nameless &= call.done.is_none();
                continue;
            }
            _ => continue,
        }
        states.push((call.begun, now));
    }
    let mut stamps: Vec<Option<Stamp>> = states.into_iter().map(|(_, stamp)| stamp).collect();
    if nameless {
        stamps.insert(0, None);
    }
    stamps
}

/// Which pieces may be right.
fn contents(calls: &[Call], start: &Start, layout: &Layout) -> Vec<Vec<bool>> {
    let geometry = layout.geometry();
    let ranges: Vec<std::ops::Range<u64>> =
        (0..layout.files()).map(|file| layout.range(file)).collect();
    let mut safe: Vec<(u64, u64)> = (0..geometry.pieces())
        .filter(|&piece| start.right[piece as usize])
        .map(|piece| {
            (
                geometry.piece_start(piece),
                geometry.piece_start(piece) + u64::from(geometry.piece_size(piece)),
            )
        })
        .collect();
    let mut loose = Vec::new();
    for call in calls {
        let What::Write { file, from, to } = call.what else {
            continue;
        };
        let base = ranges[file].start;
        let synced = calls.iter().any(|sync| {
            let covers =
                matches!(sync.what, What::Sync { file: own } if own.is_none_or(|own| own == file));
            covers && sync.done.is_some() && call.done.is_some_and(|done| done < sync.begun)
        });
        if synced {
            safe.push((base + from, base + to))
        } else {
            loose.push((base + from, base + to))
        }
    }
    let mut found = Vec::new();
    let mut add = |extra: &[(u64, u64)]| {
        let all: Vec<(u64, u64)> = safe.iter().chain(extra).copied().collect();
        found.push(right(&all, layout));
    };
    add(&[]);
    add(&loose);
    for (place, &(from, to)) in loose.iter().enumerate() {
        let mut others = loose.clone();
        others.remove(place);
        add(&others);
        add(&[(from, to)]);
        // Torn: all but its last sector, all but its first.
        for part in [
            (from, to - SECTOR.min(to - from)),
            (from + SECTOR.min(to - from), to),
        ] {
            let mut torn = others.clone();
            torn.push(part);
            add(&torn);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The pieces that these bytes make whole. They are those of the torrent, since they come from a
/// seed.
fn right(present: &[(u64, u64)], layout: &Layout) -> Vec<bool> {
    let geometry = layout.geometry();
    let mut present = present.to_vec();
    present.sort_unstable();
    let whole = |piece: u32| {
        let mut at = geometry.piece_start(piece);
        let end = at + u64::from(geometry.piece_size(piece));
        for &(from, to) in &present {
            if from <= at {
                at = at.max(to);
            }
        }
        at >= end
    };
    (0..geometry.pieces()).map(whole).collect()
}

/// The pieces that a resume file vouches for.
pub fn verified(resume: Option<&Resume>) -> Vec<u32> {
    resume.map_or(Vec::new(), |resume| resume.verified.ones().collect())
}
