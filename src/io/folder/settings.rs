//! What a run of a folder is told by its command line and by the file `config` in the folder. The
//! file is read at the start, where the command line wins, and again when SIGHUP asks for it: then
//! what has changed in the file takes effect.

use std::path::{Path, PathBuf};

use log::LevelFilter;

use crate::base::{Duration, limits};
use crate::io::disk::{DiskError, state};
use crate::io::net::Route;
use crate::mse::Encryption;
use crate::session::Change;
use crate::torrent::Stay;

/// The options of a run; `None`: it is not named.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `--dir`.
    pub dir: Option<PathBuf>,
    /// `--port`.
    pub port: Option<u16>,
    /// `--bind`, `--proxy`.
    pub route: Route,
    /// `--max-peers`.
    pub max_peers: Option<usize>,
    /// `--memory`.
    pub memory: Option<u64>,
    /// `--down`.
    pub down: Option<u64>,
    /// `--up`.
    pub up: Option<u64>,
    /// `--active`.
    pub active: Option<usize>,
    /// `--ratio`.
    pub ratio: Option<f64>,
    /// `--seed-time`.
    pub seed_time: Option<Duration>,
    /// `--on-complete`.
    pub on_complete: Option<PathBuf>,
    /// `--no-trackers` and the like.
    pub without: Without,
    /// `--dht-node`, each: host (without brackets) and port.
    pub dht_nodes: Vec<(String, u16)>,
    /// How others are reached.
    pub reaching: Reaching,
    /// How each torrent is handled.
    pub handling: Handling,
    /// `--json`.
    pub json: Option<()>,
    /// `--quiet`, `--verbose`.
    pub level: Option<LevelFilter>,
}

/// How others are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reaching {
    /// `--allow-local`.
    pub allow_local: Option<()>,
    /// `--encryption`.
    pub encryption: Option<Encryption>,
    /// `--no-web-seeds`.
    pub no_web_seeds: Option<()>,
}

/// What is left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Without {
    /// `--no-trackers`.
    pub trackers: Option<()>,
    /// `--no-dht`.
    pub dht: Option<()>,
    /// `--no-pex`.
    pub pex: Option<()>,
    /// `--no-lsd`.
    pub lsd: Option<()>,
    /// `--no-utp`.
    pub utp: Option<()>,
}

impl Without {
    fn or(&self, others: &Without) -> Without {
        Without {
            trackers: self.trackers.or(others.trackers),
            dht: self.dht.or(others.dht),
            pex: self.pex.or(others.pex),
            lsd: self.lsd.or(others.lsd),
            utp: self.utp.or(others.utp),
        }
    }
}

/// How each torrent is handled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Handling {
    /// `--peer`, each: host (without brackets) and port.
    pub peers: Vec<(String, u16)>,
    /// `--files`, each.
    pub files: Vec<String>,
    /// `--sequential`.
    pub sequential: Option<()>,
    /// `--timeout`: it fails after so long without progress.
    pub timeout: Option<Duration>,
    /// `--state`: where it and its resume data are kept.
    pub state: Option<PathBuf>,
    /// `--recheck`.
    pub recheck: Option<()>,
    /// `--overwrite`.
    pub overwrite: Option<()>,
}

/// Reads the lines of a file: what they set, and what is wrong with those that are wrong, a line
/// each.
pub type Reader = fn(&Path, &str) -> (Settings, Vec<String>);

/// What a run is told.
#[derive(Clone, Debug)]
pub struct Wishes {
    line: Settings,
    file: Settings,
    path: PathBuf,
    reader: Reader,
}

/// What has changed while a run lasts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Limits of all torrents together.
    pub limits: Change,
    /// How many torrents may download at the same time.
    pub active: Option<usize>,
    /// How long torrents stay.
    pub stay: Option<Stay>,
    /// The command that is run for each torrent that is complete; `None`: none any more.
    pub on_complete: Option<Option<PathBuf>>,
}

impl Wishes {
    /// What this command line and the file in this folder say. What is wrong with the file comes
    /// back, a line each.
    pub fn read(folder: &Path, line: Settings, reader: Reader) -> (Wishes, Vec<String>) {
        let path = folder.join("config");
        let (file, wrong) = match load(&path) {
            Ok(text) => reader(&path, &text),
            // The run itself says so.
            Err(_) if folder.exists() && !folder.is_dir() => (Settings::default(), Vec::new()),
            Err(why) => (Settings::default(), vec![why]),
        };
        let wishes = Wishes {
            line,
            file,
            path,
            reader,
        };
        (wishes, wrong)
    }

    /// What a user hears of these changes; `None`: there are none, and others come `later`.
    pub fn words(&self, changes: &Changes, later: bool) -> Option<String> {
        let names = changes.names().join(", ");
        let path = self.path.display();
        match (names.is_empty(), later) {
            (true, true) => None,
            (true, false) => Some(format!("{path}: read again: nothing has changed")),
            (false, _) => Some(format!(
                "{path}: read again: in effect from now on: {names}"
            )),
        }
    }

    /// The settings in effect: the command line wins.
    pub fn settings(&self) -> Settings {
        self.line.clone().or(&self.file)
    }

    /// Reads the file again: what has changed, and what cannot change while a run lasts, a line
    /// each.
    ///
    /// # Errors
    /// It cannot be read, or some of it is wrong: nothing is changed. A line for each thing.
    pub fn reload(&mut self) -> Result<(Changes, Vec<String>), Vec<String>> {
        let text = load(&self.path).map_err(|why| vec![why])?;
        let (new, wrong) = (self.reader)(&self.path, &text);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let old = std::mem::replace(&mut self.file, new);
        let (new, line) = (&self.file, &self.line);
        let holds = new.clone().or(line);
        let changes = Changes {
            limits: Change {
                down: (new.down != old.down).then_some(holds.down),
                up: (new.up != old.up).then_some(holds.up),
            },
            active: (new.active != old.active).then_some(holds.active.unwrap_or(limits::ACTIVE)),
            stay: ((new.ratio, new.seed_time) != (old.ratio, old.seed_time))
                .then_some(holds.stay()),
            on_complete: (new.on_complete != old.on_complete).then_some(holds.on_complete),
        };
        let fixed = [
            ("dir", new.dir != old.dir),
            ("port", new.port != old.port),
            ("bind", new.route.bind != old.route.bind),
            ("proxy", new.route.proxy != old.route.proxy),
            ("max-peers", new.max_peers != old.max_peers),
            ("memory", new.memory != old.memory),
            ("no-trackers", new.without.trackers != old.without.trackers),
            ("no-dht", new.without.dht != old.without.dht),
            ("no-pex", new.without.pex != old.without.pex),
            ("no-lsd", new.without.lsd != old.without.lsd),
            ("no-utp", new.without.utp != old.without.utp),
            ("dht-node", new.dht_nodes != old.dht_nodes),
            (
                "allow-local",
                new.reaching.allow_local != old.reaching.allow_local,
            ),
            (
                "encryption",
                new.reaching.encryption != old.reaching.encryption,
            ),
            (
                "no-web-seeds",
                new.reaching.no_web_seeds != old.reaching.no_web_seeds,
            ),
            ("json", new.json != old.json),
            ("quiet or verbose", new.level != old.level),
        ];
        let fixed = fixed.into_iter().chain(new.handling.changed(&old.handling));
        let fixed = fixed.filter(|(_, differs)| *differs);
        let path = self.path.display();
        let later = |(name, _)| format!("{path}: {name}: it is changed by the next start");
        Ok((changes, fixed.map(later).collect()))
    }
}

impl Changes {
    /// The names of the options that have changed.
    fn names(&self) -> Vec<&'static str> {
        let names = [
            ("down", self.limits.down.is_some()),
            ("up", self.limits.up.is_some()),
            ("active", self.active.is_some()),
            ("ratio or seed-time", self.stay.is_some()),
            ("on-complete", self.on_complete.is_some()),
        ];
        let changed = names.into_iter().filter(|(_, changed)| *changed);
        changed.map(|(name, _)| name).collect()
    }
}

impl Settings {
    /// These, and those of the others where these say nothing.
    fn or(self, others: &Settings) -> Settings {
        Settings {
            dir: self.dir.or_else(|| others.dir.clone()),
            port: self.port.or(others.port),
            route: self.route.or(&others.route),
            max_peers: self.max_peers.or(others.max_peers),
            memory: self.memory.or(others.memory),
            down: self.down.or(others.down),
            up: self.up.or(others.up),
            active: self.active.or(others.active),
            ratio: self.ratio.or(others.ratio),
            seed_time: self.seed_time.or(others.seed_time),
            on_complete: self.on_complete.or_else(|| others.on_complete.clone()),
            without: self.without.or(&others.without),
            dht_nodes: named(self.dht_nodes, &others.dht_nodes),
            reaching: Reaching {
                allow_local: self.reaching.allow_local.or(others.reaching.allow_local),
                encryption: self.reaching.encryption.or(others.reaching.encryption),
                no_web_seeds: self.reaching.no_web_seeds.or(others.reaching.no_web_seeds),
            },
            handling: self.handling.or(&others.handling),
            json: self.json.or(others.json),
            level: self.level.or(others.level),
        }
    }

    /// How long a torrent stays.
    pub fn stay(&self) -> Stay {
        Stay::Until {
            ratio: self.ratio,
            time: self.seed_time,
        }
    }
}

impl Handling {
    /// As [`Settings::or`].
    fn or(self, others: &Handling) -> Handling {
        Handling {
            peers: named(self.peers, &others.peers),
            files: named(self.files, &others.files),
            sequential: self.sequential.or(others.sequential),
            timeout: self.timeout.or(others.timeout),
            state: self.state.or_else(|| others.state.clone()),
            recheck: self.recheck.or(others.recheck),
            overwrite: self.overwrite.or(others.overwrite),
        }
    }

    /// The names of the options, and whether these say otherwise than the others.
    fn changed(&self, others: &Handling) -> [(&'static str, bool); 7] {
        [
            ("peer", self.peers != others.peers),
            ("files", self.files != others.files),
            ("sequential", self.sequential != others.sequential),
            ("timeout", self.timeout != others.timeout),
            ("state", self.state != others.state),
            ("recheck", self.recheck != others.recheck),
            ("overwrite", self.overwrite != others.overwrite),
        ]
    }
}

/// What a repeatable option names; the others where this names nothing.
fn named<T: Clone>(these: Vec<T>, others: &[T]) -> Vec<T> {
    if these.is_empty() {
        others.to_vec()
    } else {
        these
    }
}

/// The text of the file; none if it is not there.
fn load(path: &Path) -> Result<String, String> {
    let text = state::load(path, limits::CONFIG_BYTES + 1);
    let text = text.map_err(|error| error.to_string())?.unwrap_or_default();
    let wrong = |why: &str| format!("{}: {why}", path.display());
    if text.len() > limits::CONFIG_BYTES {
        let most = limits::CONFIG_BYTES / limits::KIB;
        return Err(wrong(&format!("it is longer than {most} KiB")));
    }
    String::from_utf8(text).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .split(|&byte| byte == b'\n')
            .count();
        let at = DiskError::new(path, format!("line {line}: this is not UTF-8"));
        at.to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn reader(_: &Path, text: &str) -> (Settings, Vec<String>) {
        let mut settings = Settings::default();
        let mut wrong = Vec::new();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("up", rate)) => settings.up = rate.parse().ok(),
                Some(("active", number)) => settings.active = number.parse().ok(),
                Some(("port", port)) => settings.port = port.parse().ok(),
                _ => wrong.push(String::from(line)),
            }
        }
        (settings, wrong)
    }

    #[test]
    fn the_command_line_wins_at_the_start_and_what_changes_in_the_file_later() {
        let dir = std::env::temp_dir().join(format!("brooklet-settings-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let write = |text: &str| fs::write(dir.join("config"), text).unwrap();
        write("up 1\nactive 2\nwrong\n");
        let line = Settings {
            up: Some(7),
            ..Settings::default()
        };
        let (mut wishes, wrong) = Wishes::read(&dir, line, reader);
        assert_eq!(wrong, ["wrong"]);
        let settings = wishes.settings();
        assert_eq!((settings.up, settings.active), (Some(7), Some(2)));
        write("up 1\nactive 2\n");
        assert_eq!(wishes.reload(), Ok((Changes::default(), Vec::new())));
        let words = |wishes: &Wishes, changes: &Changes, later| {
            let said = wishes.words(changes, later)?;
            let path = format!("{}/config: read again: ", dir.display());
            Some(said.strip_prefix(&path).unwrap().to_string())
        };
        let nothing = words(&wishes, &Changes::default(), false);
        assert_eq!(nothing.as_deref(), Some("nothing has changed"));
        assert_eq!(words(&wishes, &Changes::default(), true), None);
        write("up 3\nwrong\n");
        assert_eq!(wishes.reload(), Err(vec![String::from("wrong")]));
        write("up 3\nport 9\n");
        let (changes, later) = wishes.reload().unwrap();
        assert_eq!(changes.limits.up, Some(Some(3)));
        assert_eq!(changes.limits.down, None);
        let said = words(&wishes, &changes, true);
        assert_eq!(said.as_deref(), Some("in effect from now on: up, active"));
        assert_eq!(
            changes.active,
            Some(limits::ACTIVE),
            "it is not named any more"
        );
        let said = format!(
            "{}/config: port: it is changed by the next start",
            dir.display()
        );
        assert_eq!(later, [said]);
        // Without the line in the file the command line holds again.
        write("port 9\n");
        assert_eq!(wishes.reload().unwrap().0.limits.up, Some(Some(7)));
        write(&"#".repeat(limits::CONFIG_BYTES));
        assert_eq!(
            wishes.reload().unwrap_err().len(),
            1,
            "no comments in this test"
        );
        write(&"#".repeat(limits::CONFIG_BYTES + 1));
        let why = wishes.reload().unwrap_err();
        assert!(
            why[0].ends_with("config: it is longer than 64 KiB"),
            "{why:?}"
        );
        fs::write(dir.join("config"), b"up 3\n\xff\n").unwrap();
        let why = wishes.reload().unwrap_err();
        assert!(
            why[0].ends_with("config: line 2: this is not UTF-8"),
            "{why:?}"
        );
        fs::remove_dir_all(&dir).unwrap();
    }
}
