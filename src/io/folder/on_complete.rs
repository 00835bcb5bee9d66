//! The command that is run for each torrent that was downloaded: without a shell, by a thread that
//! waits for it, a few at one time.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use mio::Waker;
use rustix::fs::{Access, access};

use crate::base::{InfoHash, limits};
use crate::io::channel::{Receiver, Sender, channel};
use crate::io::net::tcp;
use crate::torrent::Torrent;

/// What a service manager tells this process, and not its children.
const OURS: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// When a command that was not run is run.
const LATER: &str = "tried again at the next start, and at SIGHUP";

/// Runs the command.
#[derive(Debug)]
pub struct OnComplete {
    /// The program; `None`: nothing is run.
    pub program: Option<PathBuf>,
    waker: Arc<Waker>,
    waiting: VecDeque<Subject>,
    /// Torrents whose command a thread is starting.
    starting: Vec<InfoHash>,
    running: usize,
    told: Sender<(InfoHash, News)>,
    hears: Receiver<(InfoHash, News)>,
}

/// What is to be noted of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// It was started for this torrent.
    Started(InfoHash),
    /// It went wrong: a line for the user.
    Failed(String),
}

/// What a thread tells of its command.
#[derive(Debug)]
enum News {
    Started,
    /// It has ended, or could not be started; what went wrong: a line for the user.
    Over(Option<String>),
}

/// A torrent that was downloaded.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// The folder that its content lies in.
    pub dir: PathBuf,
    /// The torrent.
    pub info_hash: InfoHash,
    /// Bytes of its files.
    pub size: u64,
}

impl Subject {
    /// A torrent whose content lies in this folder. `None`: all of it was there before, and it is
    /// not recorded (`unrun`) that the command is to be run for it.
    pub fn of(torrent: &Torrent, dir: &Path, unrun: bool) -> Option<Subject> {
        let downloaded = (torrent.order.earlier + torrent.totals()).down;
        (unrun || downloaded > 0).then(|| Subject {
            name: torrent.order.name.clone(),
            dir: dir.to_path_buf(),
            info_hash: torrent.order.info_hash,
            size: torrent.order.size,
        })
    }
}

impl OnComplete {
    /// Nothing is to be run yet. `waker` is the loop's.
    pub fn new(program: Option<PathBuf>, waker: Arc<Waker>) -> OnComplete {
        let (told, hears) = channel();
        OnComplete {
            program,
            waker,
            waiting: VecDeque::new(),
            starting: Vec::new(),
            running: 0,
            told,
            hears,
        }
    }

    /// What keeps the program from being run, as a line for the user.
    pub fn trouble(&self) -> Option<String> {
        let program = self.program.as_deref()?;
        let why = obstacle(program)?;
        Some(format!("on-complete: {}: {why}", program.display()))
    }

    /// A torrent is complete: the command is run for it as soon as may be. Until
    /// [`Note::Started`] it is kept as one whose command was not run: at the end of the process
    /// those that wait are dropped, and the next start adds them again.
    pub fn add(&mut self, subject: Subject) {
        let torrent = subject.info_hash;
        let mut waiting = self.waiting.iter();
        let is_known =
            self.starting.contains(&torrent) || waiting.any(|subject| subject.info_hash == torrent);
        if self.program.is_some() && !is_known {
            self.waiting.push_back(subject);
        }
    }

    /// Starts commands that wait. What is to be noted of these and of earlier ones comes back.
    pub fn turn(&mut self) -> Vec<Note> {
        let mut notes = self.hear();
        if self.program.is_none() {
            self.waiting.clear();
        }
        while self.running < limits::COMMANDS {
            let (Some(subject), Some(program)) = (self.waiting.pop_front(), &self.program) else {
                break;
            };
            let torrent = subject.info_hash;
            match self.start_command(subject, program.clone()) {
                Ok(()) => {
                    self.running += 1;
                    self.starting.push(torrent);
                }
                Err(line) => notes.push(Note::Failed(line)),
            }
        }
        notes
    }

    /// What is to be noted of commands that were started, or have ended.
    fn hear(&mut self) -> Vec<Note> {
        let mut notes = Vec::new();
        while let Ok(news) = self.hears.try_recv() {
            self.take(news, &mut notes);
        }
        notes
    }

    fn take(&mut self, (torrent, news): (InfoHash, News), notes: &mut Vec<Note>) {
        self.starting.retain(|it| *it != torrent);
        match news {
            News::Started => notes.push(Note::Started(torrent)),
            News::Over(wrong) => {
                self.running -= 1;
                notes.extend(wrong.map(Note::Failed));
            }
        }
    }

    /// What is to be noted at the end of the process: commands that are being started are waited
    /// for, a bounded time, so that none is run again that was run.
    pub fn finish(&mut self) -> Vec<Note> {
        self.waiting.clear();
        let until = Instant::now() + limits::STARTING_COMMANDS;
        let mut notes = self.hear();
        while !self.starting.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(news) = self.hears.recv_timeout(left) else {
                break;
            };
            self.take(news, &mut notes);
        }
        self.starting.clear();
        notes
    }

    /// # Errors
    /// There is no thread for it: a line for the user.
    fn start_command(&self, subject: Subject, program: PathBuf) -> Result<(), String> {
        let what = format!("on-complete: {}: {}", program.display(), subject.name);
        let unrun =
            |what: &str, error: &io::Error| format!("{what}: {}: {LATER}", tcp::plain(error));
        let torrent = subject.info_hash;
        let (told, waker, said) = (self.told.clone(), Arc::clone(&self.waker), what.clone());
        let work = move || {
            let tell = |news| {
                // The loop may be gone.
                let _ = told.send((torrent, news));
                let _ = waker.wake();
            };
            let status = match start(&program, &subject) {
                Ok(mut child) => {
                    tell(News::Started);
                    child.wait()
                }
                Err(error) => return tell(News::Over(Some(unrun(&said, &error)))),
            };
            tell(News::Over(match status {
                Ok(status) if status.success() => None,
                Ok(status) => Some(format!("{said}: {status}")),
                Err(error) => Some(format!("{said}: {}", tcp::plain(&error))),
            }));
        };
        let begun = thread::Builder::new()
            .name("on-complete".into())
            .spawn(work);
        begun.map(drop).map_err(|error| unrun(&what, &error))
    }
}

/// What keeps a program from being run.
fn obstacle(program: &Path) -> Option<&'static str> {
    let places = places(program);
    let may_run = |path: &PathBuf| access(path, Access::EXEC_OK).is_ok();
    let files: Vec<&PathBuf> = places.iter().filter(|path| path.is_file()).collect();
    let text = program.to_string_lossy();
    let first = text.split_once(' ').map(|(first, _)| Path::new(first));
    if files.iter().any(|path| may_run(path)) {
        None
    } else if !files.is_empty() {
        Some("it may not be executed: chmod +x")
    } else if places.iter().any(|path| path.is_dir()) {
        Some("this is a folder")
    } else if first.is_some_and(|first| self::places(first).iter().any(|path| path.is_file())) {
        Some("no such program: it is run without arguments: put them in a script")
    } else {
        Some("no such program")
    }
}

/// Where a program is looked for.
fn places(program: &Path) -> Vec<PathBuf> {
    if program.components().count() > 1 || program.is_absolute() {
        return vec![program.to_path_buf()];
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let folders = std::env::split_paths(&path);
    folders.map(|folder| folder.join(program)).collect()
}

/// Not a part of the closure that calls it: `rare.txt` names it.
#[inline(never)]
fn start(program: &PathBuf, subject: &Subject) -> io::Result<Child> {
    // Standard output is for results; the command's output is none.
    let says = io::stderr().as_fd().try_clone_to_owned();
    let says = says.map_or_else(|_| Stdio::null(), Stdio::from);
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(says);
    for name in OURS {
        command.env_remove(name);
    }
    let dir = subject.dir.canonicalize();
    command
        .env("BROOKLET_NAME", &subject.name)
        .env("BROOKLET_DIR", dir.as_ref().unwrap_or(&subject.dir))
        .env("BROOKLET_INFO_HASH", subject.info_hash.to_string())
        .env("BROOKLET_SIZE", subject.size.to_string());
    command.spawn()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tokens;
    use mio::{Events, Poll};
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    #[test]
    fn only_so_many_run_at_one_time_and_failures_are_said() {
        let dir = std::env::temp_dir().join(format!("brooklet-complete-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let gate = dir.join("gate");
        let made = Command::new("mkfifo").arg(&gate).status().unwrap();
        assert!(made.success());
        // Says that it runs, waits until it may end, and fails.
        let script = "#!/bin/sh\necho \"$BROOKLET_NAME $BROOKLET_SIZE\" >> \"$BROOKLET_DIR/runs\"\n\
                      read line < \"$BROOKLET_DIR/gate\"\nexit 3\n";
        let program = dir.join("command");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut poll = Poll::new().unwrap();
        let waker = tokens::waker(&poll).unwrap();
        let mut commands = OnComplete::new(Some(program), waker);
        let all = limits::COMMANDS + 1;
        let subject = |size: u64| Subject {
            name: String::from("a b"),
            dir: dir.clone(),
            info_hash: InfoHash([size as u8; 20]),
            size,
        };
        (0..all as u64).for_each(|size| commands.add(subject(size)));
        // One that waits is not added twice.
        (0..all as u64).for_each(|size| commands.add(subject(size)));
        let mut notes = commands.turn();
        assert_eq!(
            (commands.running, commands.waiting.len()),
            (limits::COMMANDS, 1)
        );
        // Opened for both, it waits for nobody.
        let mut opened = fs::File::options()
            .read(true)
            .write(true)
            .open(&gate)
            .unwrap();
        opened.write_all("\n".repeat(all).as_bytes()).unwrap();
        let (mut started, mut lines) = (Vec::new(), Vec::new());
        let mut events = Events::with_capacity(8);
        let deadline = Instant::now() + Duration::from_secs(30);
        while lines.len() < all {
            assert!(Instant::now() < deadline, "{lines:?}");
            // Signals of other tests interrupt it.
            if let Err(error) = poll.poll(&mut events, Some(Duration::from_millis(100))) {
                assert_eq!(error.kind(), io::ErrorKind::Interrupted);
            }
            notes.extend(commands.turn());
            for note in notes.drain(..) {
                match note {
                    Note::Started(torrent) => started.push(torrent),
                    Note::Failed(line) => lines.push(line),
                }
            }
            assert!(commands.running <= limits::COMMANDS);
        }
        let failed = "command: a b: exit status: 3";
        assert!(lines[0].ends_with(failed), "{lines:?}");
        let unlike = |it: &InfoHash| started.iter().filter(|other| *other == it).count() == 1;
        assert!(started.len() == all && started.iter().all(unlike));
        let runs = fs::read_to_string(dir.join("runs")).unwrap();
        assert_eq!(runs.lines().count(), all, "{runs}");
        fs::remove_dir_all(&dir).unwrap();
    }

    /// The note of a command that was run would be missing at the next start.
    #[test]
    fn commands_that_are_being_started_at_the_end_are_noted() {
        let dir = std::env::temp_dir().join(format!("brooklet-started-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let poll = Poll::new().unwrap();
        let waker = tokens::waker(&poll).unwrap();
        let mut commands = OnComplete::new(Some(PathBuf::from("true")), waker);
        let subject = |number: u8| Subject {
            name: String::from("a"),
            dir: dir.clone(),
            info_hash: InfoHash([number; 20]),
            size: 1,
        };
        (0..=limits::COMMANDS as u8).for_each(|number| commands.add(subject(number)));
        let mut notes = commands.turn();
        notes.extend(commands.finish());
        let count = notes.iter().filter(|it| matches!(it, Note::Started(_)));
        assert_eq!(count.count(), limits::COMMANDS, "{notes:?}");
        assert_eq!(commands.finish(), [], "none is begun any more");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_command_whose_disk_does_not_answer_is_waited_for_once() {
        let poll = Poll::new().unwrap();
        let waker = tokens::waker(&poll).unwrap();
        let mut commands = OnComplete::new(Some(PathBuf::from("true")), waker);
        commands.starting.push(InfoHash([1; 20]));
        for least in [limits::STARTING_COMMANDS, Duration::ZERO] {
            let began = Instant::now();
            assert_eq!(commands.finish(), []);
            let took = began.elapsed();
            assert!(
                took >= least && took < least + Duration::from_secs(1),
                "{took:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_run_is_known_before() {
        let dir = std::env::temp_dir().join(format!("brooklet-program-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let program = dir.join("command");
        let why = |program: &Path| obstacle(program);
        assert_eq!(why(&program), Some("no such program"));
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(why(&program), Some("it may not be executed: chmod +x"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(why(&program), None);
        assert_eq!(why(&dir), Some("this is a folder"));
        let with_argument = PathBuf::from(format!("{} argument", program.display()));
        assert!(
            why(&with_argument)
                .unwrap()
                .contains("put them in a script")
        );
        // Found by the variable of the environment, as it is when it is run.
        assert_eq!(why(Path::new("sh")), None);
        assert_eq!(
            why(Path::new("brooklet-no-such-program")),
            Some("no such program")
        );
        fs::remove_dir_all(&dir).unwrap();
    }
}
