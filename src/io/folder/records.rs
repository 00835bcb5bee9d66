//! What is kept of the torrents of a folder beside the torrents themselves: their numbers, what
//! their user wants of them, and which of them are to go. It is a file of lines, each a JSON
//! object, that is replaced whole before any client is told that something has changed: so what was
//! answered holds after a kill at any moment.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::chosen::{Chosen, Limits};
use super::record::{Record, Special};
use crate::base::{Duration, InfoHash, SortedMap, Time, limits, sooner};
use crate::io::claims::Taken;
use crate::io::disk::{DiskError, state};
use crate::torrent::{Stage, Then, Torrent};
use crate::wire::json::{self, Json};

/// The file's name.
const NAME: &str = "list";
/// Bytes of a torrent's line, if nothing special is recorded of it, and some more.
const USUAL_LINE: usize = 96;

/// What is kept of all torrents.
#[derive(Debug, Default)]
pub struct Records {
    path: PathBuf,
    /// The highest number that a torrent has, or had.
    added: u32,
    /// The highest number that was reserved, and those below it that are free again.
    reserved: u32,
    free: Vec<u32>,
    torrents: SortedMap<InfoHash, Record>,
    /// Limits of all torrents together.
    chosen: Option<Chosen>,
    /// What is kept now, what was handed to the thread that writes, and what that thread has
    /// written or could not write: counted by changes.
    now: Version,
    writing: Version,
    settled: Version,
    /// Until then the file is left alone, however much changes.
    rests_until: Time,
    /// When a file that could not be written is tried again.
    retry_at: Option<Time>,
    /// Why it could not be written the last time.
    refusal: Option<String>,
}

/// How often what is kept has changed.
pub type Version = u64;

/// How long a file that could not be written is left alone, unless something changes.
const RETRY: Duration = Duration::from_secs(10);

impl Records {
    /// What is kept in this folder. What cannot be read is said to `warn`, and left out.
    /// [`Records::retain`] is to be called next.
    pub fn load(state_dir: &Path, warn: &mut dyn FnMut(String)) -> Records {
        let mut records = Records {
            path: state_dir.join(NAME),
            ..Records::default()
        };
        let path = records.path.clone();
        let text = state::load(&path, limits::LIST_BYTES).unwrap_or_else(|error| {
            warn(error.to_string());
            None
        });
        let (mut torrents, mut added) = (SortedMap::new(), 0);
        let text = text.unwrap_or_default();
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let read = json::read(line).ok();
            match read
                .as_ref()
                .map(|line| (Record::read(line), line.get("added")))
            {
                Some((Some((info_hash, record)), _)) => {
                    torrents.insert(info_hash, record);
                }
                Some((None, Some(last))) => {
                    records.chosen = read.as_ref().and_then(Chosen::read);
                    let last = last.whole().and_then(|last| last.try_into().ok());
                    added = added.max(last.unwrap_or_default());
                }
                _ if line.is_empty() => {}
                _ => {
                    let path = path.display();
                    warn(format!("{path}: line {}: damaged, and left out", at + 1));
                }
            }
        }
        (records.torrents, records.added) = (torrents, added);
        records
    }

    /// What is kept of a torrent.
    pub fn get(&self, info_hash: &InfoHash) -> Option<&Record> {
        self.torrents.get(info_hash)
    }

    /// The folder of a torrent's content, where `usual` is that of most.
    pub fn dir<'a>(&'a self, info_hash: &InfoHash, usual: &'a PathBuf) -> &'a PathBuf {
        let dir = self.get(info_hash).map(|it| it.special().dir.as_ref());
        dir.flatten().unwrap_or(usual)
    }

    /// A number that no torrent had.
    pub fn next_number(&mut self) -> u32 {
        let number = self.reserve_number();
        self.added = self.added.max(number);
        self.now += 1;
        number
    }

    /// The same for a torrent that may still be refused: nothing is to be kept of that.
    pub fn reserve_number(&mut self) -> u32 {
        let Some(&lowest) = self.free.iter().min() else {
            self.reserved += 1;
            return self.reserved;
        };
        self.free.retain(|&number| number != lowest);
        lowest
    }

    /// A torrent was refused for which this number was reserved, unless it is 0: another one may
    /// have it.
    pub fn give_back(&mut self, number: u32) {
        self.free.extend((number > 0).then_some(number));
    }

    /// Keeps this of a torrent.
    pub fn set(&mut self, info_hash: InfoHash, record: Record) {
        self.added = self.added.max(record.number);
        self.reserve(info_hash, record);
    }

    /// The same of a torrent that may still be refused.
    pub fn reserve(&mut self, info_hash: InfoHash, record: Record) {
        if self.torrents.get(&info_hash) != Some(&record) {
            self.torrents.insert(info_hash, record);
            self.now += 1;
        }
    }

    /// Changes what few torrents have of one that is known; returns what the change returns.
    pub fn change<T: Default>(
        &mut self,
        info_hash: InfoHash,
        change: impl FnOnce(&mut Special) -> T,
    ) -> T {
        let Some(mut record) = self.torrents.get(&info_hash).cloned() else {
            return T::default();
        };
        let changed = record.change(change);
        self.set(info_hash, record);
        changed
    }

    /// Why a torrent of this name cannot be there, as a line for the user.
    pub fn why_taken(&self, name: &str, taken: Taken) -> String {
        let other = match taken {
            Taken::Twice => return format!("{name}: it is there already"),
            Taken::By(other) => other,
        };
        let record = self.get(&other.info_hash);
        let number = record.map_or(String::new(), |it| format!("number {}, ", it.number));
        let other_name = other.name;
        if other.is_nested {
            format!("{name}: its folder and that of {number}{other_name}, lie within each other")
        } else {
            format!("{name}: {number}{other_name}, has the same files: remove that first")
        }
    }

    /// Forgets a torrent.
    pub fn remove(&mut self, info_hash: &InfoHash) {
        self.now += u64::from(self.torrents.remove(info_hash).is_some());
    }

    /// Forgets all torrents that are not among these.
    pub fn retain(&mut self, is_there: impl Fn(&InfoHash) -> bool) {
        let before = self.torrents.len();
        self.torrents.retain(|info_hash, _| is_there(info_hash));
        self.now += u64::from(self.torrents.len() < before);
        let numbers = self.torrents.values().map(|it| it.number);
        self.added = numbers.fold(self.added, u32::max);
        self.reserved = self.added;
    }

    /// The limits of all torrents together that were chosen, if some were.
    pub fn chosen(&self) -> Option<Chosen> {
        self.chosen
    }

    /// Takes note of the limits of all torrents together, and of what the options say of them.
    pub fn note_limits(&mut self, limits: Limits, options: Limits) {
        let chosen = (limits != options).then_some(Chosen { limits, options });
        if self.chosen != chosen {
            self.chosen = chosen;
            self.now += 1;
        }
    }

    /// Takes note of what a torrent is and does now.
    pub fn note(&mut self, torrent: &Torrent) {
        let info_hash = &torrent.order.info_hash;
        let Some(before) = self.torrents.get(info_hash) else {
            return;
        };
        let traffic = &torrent.traffic;
        let mut record = Record {
            endless: torrent.life.endless,
            reached: torrent.life.reached,
            ..before.clone()
        };
        record.change(|special| {
            special.limits = Limits {
                down: traffic.down_limit.rate(),
                up: traffic.up_limit.rate(),
            };
        });
        match torrent.life.stage {
            Stage::Metadata | Stage::Checking | Stage::Queued | Stage::Running => {
                record.paused = false;
            }
            Stage::Paused => record.paused = true,
            Stage::Reopening { paused } => record.paused = paused,
            Stage::Leaving { then, .. } => match then {
                Then::Pause => record.paused = true,
                Then::Reopen { paused } => record.paused = paused,
                Then::Remove { data } => record.removing = Some(data),
                Then::End => {}
            },
            Stage::Over => {}
        }
        self.set(*info_hash, record);
    }

    /// The file's path and what it is to say, if something has changed and no earlier state is
    /// being written: [`Records::on_written`] is to be called when it is.
    pub fn next_text(&mut self, now: Time) -> Option<(PathBuf, Vec<u8>)> {
        let again = self.retry_at.is_some_and(|at| at <= now);
        let is_settled = self.settled == self.now && !again;
        if self.writing > self.settled || is_settled || now < self.rests_until {
            return None;
        }
        self.rests_until = now + limits::LIST_REST * self.torrents.len() as u32;
        self.retry_at = None;
        // What is tried again is written anew.
        self.now += u64::from(again);
        self.writing = self.now;
        Some((self.path.clone(), self.text()))
    }

    /// When [`Records::next_text`] has something though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        let changed = self.writing == self.settled && self.settled < self.now;
        sooner(self.retry_at, changed.then_some(self.rests_until))
    }

    /// The same at the end of the process, when nothing is being written any more. What the disk
    /// refused the last time is tried once more. [`Records::on_written`] is to be called, too.
    pub fn last_words(&mut self) -> Option<(PathBuf, Vec<u8>)> {
        let is_unwritten = self.writing < self.now || self.refusal.is_some();
        self.writing = self.now;
        is_unwritten.then(|| (self.path.clone(), self.text()))
    }

    /// What the disk refused the last time is written anew, as a new version.
    pub fn insist(&mut self) {
        self.now += u64::from(self.refusal.is_some());
    }

    /// The file was written, or could not be: what went wrong comes back once.
    pub fn on_written(&mut self, written: Result<(), DiskError>, now: Time) -> Option<DiskError> {
        self.settled = self.writing;
        match written {
            Ok(()) => {
                self.refusal = None;
                None
            }
            Err(error) => {
                self.retry_at = Some(now + RETRY);
                let is_new = self.refusal.replace(error.to_string()).is_none();
                is_new.then_some(error)
            }
        }
    }

    /// The version of what is known now, and the version that is on disk or that the disk refused.
    pub fn versions(&self) -> (Version, Version) {
        (self.now, self.settled)
    }

    /// Why the disk refused the last version.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// What the file is to say.
    fn text(&self) -> Vec<u8> {
        let added = [("added", Json::count(self.added))];
        let chosen = self.chosen.map(Chosen::members).into_iter().flatten();
        // All at once: a text that grows leaves holes in the heap.
        let mut text = String::with_capacity(USUAL_LINE * (1 + self.torrents.len()));
        let _ = writeln!(text, "{}", Json::object(added.into_iter().chain(chosen)));
        for (info_hash, record) in &self.torrents {
            let _ = writeln!(text, "{}", record.line(info_hash));
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_kept_is_found_again_and_damage_is_said() {
        let dir = std::env::temp_dir().join(format!("brooklet-records-{}", std::process::id()));
        let mut said = Vec::new();
        let mut warn = |line| said.push(line);
        let mut records = Records::load(&dir, &mut warn);
        let hashes =
            ["01".repeat(20), "ab".repeat(20)].map(|hex| InfoHash::from_hex(&hex).unwrap());
        let full = Record {
            number: records.next_number(),
            paused: true,
            endless: true,
            reached: true,
            complete: true,
            removing: Some(false),
            special: Special {
                limits: Limits {
                    down: Some(1),
                    up: Some(1 << 40),
                },
                dir: Some(PathBuf::from("/a \"b\"\n\u{e9}")),
                files: vec![0..=0, 2..=7],
                peers: vec![String::from("a.example:7"), String::from("[::1]:8")],
                trackers: vec![vec![String::from("udp://a"), String::from("http://b")]],
                unrun: true,
            }
            .kept(),
        };
        let plain = Record {
            number: records.next_number(),
            ..Record::default()
        };
        records.set(hashes[0], full.clone());
        records.set(hashes[1], plain.clone());
        let limits = |down| Limits { down, up: Some(7) };
        records.note_limits(limits(Some(5)), limits(None));
        let now = Time::default();
        let (path, text) = records.next_text(now).unwrap();
        state::replace(&path, &text).unwrap();
        assert_eq!(records.next_text(now), None, "it is being written");
        assert_eq!(records.on_written(Ok(()), now), None);
        records.set(hashes[1], plain.clone());
        assert_eq!(records.next_deadline(), None, "nothing has changed");
        assert_eq!(records.next_text(now + RETRY), None, "nothing has changed");
        let mut text = fs::read_to_string(dir.join(NAME)).unwrap();
        text.push_str("{\"hash\":\"01\"}\ntorn");
        fs::write(dir.join(NAME), text).unwrap();
        let mut records = Records::load(&dir, &mut warn);
        assert_eq!(records.get(&hashes[0]), Some(&full));
        assert_eq!(records.get(&hashes[1]), Some(&plain));
        let chosen = Chosen {
            limits: limits(Some(5)),
            options: limits(None),
        };
        assert_eq!(records.chosen(), Some(chosen));
        records.retain(|hash| *hash == hashes[1]);
        assert_eq!(records.next_number(), 3);
        assert_eq!(records.get(&hashes[0]), None);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].ends_with("line 4: damaged, and left out"),
            "{said:?}"
        );
        // Ten thousand torrents with all that there is to say fit.
        assert!(full.line(&hashes[0]).to_string().len() * 10_000 < limits::LIST_BYTES);
    }

    #[test]
    fn a_long_list_is_not_written_again_for_each_change() {
        let (mut records, mut now) = (Records::default(), Time::default());
        let hash = |number: u16| {
            let mut hash = [0; 20];
            hash[..2].copy_from_slice(&number.to_be_bytes());
            InfoHash(hash)
        };
        for number in 0..1000 {
            records.set(hash(number), Record::default());
        }
        let complete = Record {
            complete: true,
            ..Record::default()
        };
        let mut writes = 0;
        for number in 0..1000 {
            records.set(hash(number), complete.clone());
            now = now + Duration::from_millis(1);
            if records.next_text(now).is_some() {
                writes += 1;
                assert_eq!(records.next_deadline(), None, "it is being written");
                assert_eq!(records.on_written(Ok(()), now), None);
            }
        }
        let rest = limits::LIST_REST * 1000;
        assert_eq!(writes, 1 + 999 / rest.as_millis(), "in a second");
        // The last change is not forgotten.
        let due = records.next_deadline().expect("something is to be written");
        assert!(now < due && due <= now + rest);
        assert!(records.next_text(due).is_some());
    }

    #[test]
    fn what_cannot_be_written_is_told_once_and_tried_again_in_time() {
        let mut records = Records::default();
        let error = || DiskError::new("list", std::io::Error::other("no"));
        let mut now = Time::default();
        records.next_number();
        assert_eq!(records.versions(), (1, 0));
        assert!(records.next_text(now).is_some());
        assert!(records.on_written(Err(error()), now).is_some());
        assert_eq!(records.next_text(now), None, "not at once");
        now = now + RETRY;
        assert!(records.next_text(now).is_some());
        // What changes meanwhile is written next.
        records.next_number();
        assert_eq!(records.next_text(now), None);
        assert_eq!(records.on_written(Err(error()), now), None, "it was told");
        assert!(records.next_text(now).is_some());
        assert_eq!(records.on_written(Err(error()), now), None, "it was told");
        // Somebody wants to hear that it is kept.
        records.insist();
        assert!(records.next_text(now).is_some());
        assert_eq!(records.on_written(Err(error()), now), None, "it was told");
        assert!(records.last_words().is_some(), "it is tried at the end");
        assert_eq!(records.on_written(Err(error()), now), None, "it was told");
        records.insist();
        assert!(records.next_text(now).is_some());
        assert_eq!(records.on_written(Ok(()), now), None);
        records.insist();
        let (last, written) = records.versions();
        assert_eq!(last, written);
        assert_eq!(records.next_text(now + RETRY), None);
        assert_eq!(records.last_words(), None);
    }
}
