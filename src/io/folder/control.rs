//! Remote control in the loop: requests come from the server, commands go to the session, answers
//! go back. A torrent that is to be added is handed to the library, which answers with what became
//! of it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use mio::Registry;
use mio::event::Event;

use super::records::Version;
use crate::base::{InfoHash, Time, limits};
use crate::io::clock;
use crate::io::net::{ClientKey, Incoming, Server};
use crate::io::tokens;
use crate::rpc::{About, Add, Added, Exchange, Memory, Step, Trouble, World};
use crate::session::{Command, Refused, Session, View, command, view};

/// What is said where a request is not read.
const TOO_LONG: &str = "the request is too long";

/// What is said where a torrent is to begin or to be paused and all of them end.
pub const ENDING: &str = "the process is ending: repeat this once it is started again";

/// What remote control needs of the folder.
pub trait Folder {
    /// Saves what a command has changed. `Some`: the version with which [`Control::on_kept`] is
    /// called when that is on disk; `None`: nothing is to be saved.
    fn keep(&mut self, session: &Session) -> Option<Version>;

    /// Where the content of a torrent lies that has a folder of its own for it.
    fn own_dir(&self, torrent: &InfoHash) -> Option<PathBuf>;
}

/// Names a torrent that is to be added: the exchange that asks for it, and its place there.
pub type Ticket = (u64, usize);

/// Remote control.
#[derive(Debug)]
pub struct Control {
    server: Server,
    about: About,
    memory: Memory,
    /// Exchanges that can go on, in the order of their turns.
    ready: VecDeque<Open>,
    /// Exchanges that wait for what they have asked for.
    waiting: Vec<Open>,
    /// Torrents that are to be added and were not handed out.
    adds: VecDeque<(Ticket, Add)>,
    /// Exchanges so far.
    serial: u64,
}

/// An exchange that has not ended.
#[derive(Debug)]
struct Open {
    /// Its number.
    serial: u64,
    client: ClientKey,
    exchange: Exchange,
    /// Commands were performed for it; what is not done of them, and why: a line each.
    refused: Option<Vec<String>>,
    /// What it has changed is kept with this version.
    version: Version,
    /// That version is on disk, or was refused.
    is_settled: bool,
    /// Why the disk refused it, and later ones since.
    refusal: Option<String>,
    /// The torrents whose content it had deleted: it waits for that, too.
    going: Vec<InfoHash>,
}

impl Open {
    /// What it has changed last is kept with this version.
    fn wait_for(&mut self, version: Version) {
        self.version = version;
        (self.is_settled, self.refusal) = (false, None);
    }

    /// Its version, or a later one, is on disk, or was refused for this reason. Each one has all
    /// that earlier ones have, so what is on disk stays there whatever is refused later.
    fn settle(&mut self, refusal: Option<&str>) {
        if !self.is_settled || refusal.is_none() {
            self.refusal = refusal.map(String::from);
        }
        self.is_settled = true;
    }
}

/// What one turn has to do with.
#[derive(Default)]
struct Turn {
    /// What there is, until a command changes it.
    view: Option<View>,
    /// Bytes of requests and answers so far.
    bytes: usize,
}

impl Control {
    /// Takes a folder for this process, and listens on its socket.
    ///
    /// # Errors
    /// Why not, as a line for the user: another process has it, or the disk refuses.
    pub fn open(dir: &Path, about: About, registry: &Registry) -> Result<Control, String> {
        Ok(Control {
            server: Server::open(dir, registry, tokens::CONTROL)?,
            about,
            memory: Memory::default(),
            ready: VecDeque::new(),
            waiting: Vec::new(),
            adds: VecDeque::new(),
            serial: 0,
        })
    }

    /// Notes what the poll says of a socket of remote control.
    pub fn on_event(&mut self, event: &Event) {
        self.server.on_event(event);
    }

    /// Answers requests, and does what they ask for: a bounded number and so many bytes in one
    /// turn, of all clients in turns. No client is told that something has changed before it is
    /// kept, see [`Control::on_kept`].
    pub fn turn(
        &mut self,
        registry: &Registry,
        session: &mut Session,
        folder: &mut dyn Folder,
        now: Time,
    ) {
        let mut turn = Turn::default();
        for _ in 0..limits::CONTROL_CLIENTS {
            self.take_request(registry, &mut turn, now);
            let takes = |open: &Open| self.server.takes(open.client);
            let next = self.ready.iter().position(takes);
            let Some(open) = next.and_then(|place| self.ready.remove(place)) else {
                break;
            };
            self.go_on(open, session, folder, &mut turn, now);
            if turn.bytes >= limits::CONTROL_TURN {
                break;
            }
        }
        self.server.sweep(registry, now);
    }

    /// Takes the next request, if there is one.
    fn take_request(&mut self, registry: &Registry, turn: &mut Turn, now: Time) {
        let open = self.ready.iter().chain(&self.waiting);
        let at_work = open.map(|open| open.exchange.weight()).sum();
        let Some((client, incoming)) = self.server.next_request(registry, at_work, now) else {
            return;
        };
        let exchange = match incoming {
            Incoming::Request(text) => Exchange::new(&text),
            Incoming::TooLong => Exchange::refuse(TOO_LONG),
        };
        turn.bytes += exchange.weight();
        self.serial += 1;
        self.ready.push_back(Open {
            serial: self.serial,
            client,
            exchange,
            refused: None,
            version: Version::default(),
            is_settled: false,
            refusal: None,
            going: Vec::new(),
        });
    }

    /// Takes note of which torrents that clients had deleted do not go any more, as `goes` says,
    /// and of what could not be deleted of them.
    pub fn on_deleted(&mut self, goes: impl Fn(&InfoHash) -> bool, failed: &[(InfoHash, String)]) {
        for waiting in &mut self.waiting {
            let own = failed.iter().filter(|(it, _)| waiting.going.contains(it));
            let refused = waiting.refused.iter_mut();
            refused.for_each(|lines| lines.extend(own.clone().map(|(_, why)| why.clone())));
            waiting.going.retain(&goes);
        }
    }

    /// All changes up to this version are on disk, or were refused by it for this reason: the
    /// exchanges that made them go on, once what they had deleted is gone.
    pub fn on_kept(&mut self, kept: Version, refusal: Option<&str>) {
        let settled = self.waiting.iter_mut().filter(|it| it.version <= kept);
        settled.for_each(|open| open.settle(refusal));
        let is_done = |it: &Open| it.is_settled && it.going.is_empty() && !it.exchange.is_adding();
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (done, later): (Vec<Open>, _) = waiting.partition(is_done);
        self.waiting = later;
        for mut open in done {
            let lost = |why| format!("it is done, but not kept for the next start: {why}");
            let lost = open.refusal.take().map(lost);
            if let Some(mut refused) = open.refused.take() {
                refused.extend(lost);
                open.exchange.performed(&refused);
            } else if let Some(why) = &lost {
                open.exchange.not_kept(why);
            }
            self.ready.push_back(open);
        }
    }

    /// The next torrent that is to be added; [`Control::added`] is to be called for each.
    pub fn next_add(&mut self) -> Option<(Ticket, Add)> {
        self.adds.pop_front()
    }

    /// Whether there is one.
    pub fn has_adds(&self) -> bool {
        !self.adds.is_empty()
    }

    /// What became of a torrent. Its client hears of it once this version is kept.
    pub fn added(
        &mut self,
        (serial, place): Ticket,
        outcome: Result<Added, Trouble>,
        version: Version,
    ) {
        let open = self.waiting.iter_mut().find(|open| open.serial == serial);
        if let Some(open) = open {
            open.exchange.added(place, outcome);
            open.wait_for(version);
        }
    }

    /// Whether a client is connected.
    pub fn has_clients(&self) -> bool {
        self.server.has_clients()
    }

    /// Whether a client has gone since this was last asked.
    pub fn take_gone(&mut self) -> bool {
        self.server.take_gone()
    }

    /// Whether somebody waits for this torrent, or wants no answer.
    pub fn wants(&self, (serial, place): Ticket) -> bool {
        let open = self.waiting.iter().find(|open| open.serial == serial);
        open.is_some_and(|it| self.server.has(it.client) || !it.exchange.tells(place))
    }

    /// Whether the next turn has something to do though nothing happens.
    pub fn is_pending(&self) -> bool {
        let mut ready = self.ready.iter();
        self.server.is_pending() || ready.any(|open| self.server.takes(open.client))
    }

    /// When there is something to do though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        self.server.next_deadline()
    }

    /// Takes a step of an exchange.
    fn go_on(
        &mut self,
        mut open: Open,
        session: &mut Session,
        folder: &mut dyn Folder,
        turn: &mut Turn,
        now: Time,
    ) {
        let view = turn
            .view
            .take()
            .unwrap_or_else(|| view::snapshot(session, now));
        let peers = |torrent: &view::TorrentView| view::peers(session, torrent.key, now);
        let ways = |torrent: &view::TorrentView| view::ways(session, torrent.key, now);
        let dir = |torrent: &view::TorrentView| {
            let dir = folder.own_dir(&torrent.info_hash);
            dir.map(|dir| dir.to_string_lossy().into_owned())
        };
        let world = World {
            about: &self.about,
            view: &view,
            peers: &peers,
            ways: &ways,
            dir: &dir,
            now,
            unix: clock::unix(),
        };
        match open.exchange.next(&mut self.memory, world) {
            Step::Command(commands) => {
                let done = perform(&commands, session, now);
                let version = folder.keep(session);
                if version.is_some() || !done.going.is_empty() {
                    open.wait_for(version.unwrap_or_default());
                    (open.refused, open.going) = (Some(done.refused), done.going);
                    self.waiting.push(open);
                } else {
                    open.exchange.performed(&done.refused);
                    self.ready.push_back(open);
                }
                return;
            }
            Step::Add(adds) => {
                let adds = adds.into_iter();
                let adds = adds.map(|(place, add)| ((open.serial, place), add));
                self.adds.extend(adds);
                self.waiting.push(open);
            }
            Step::Part(text) => {
                turn.bytes += text.len();
                self.server.send(open.client, text, now);
                self.ready.push_back(open);
            }
            Step::Answer(answer) => {
                turn.bytes += answer.as_ref().map_or(0, String::len);
                let heard = open.exchange.heard();
                self.server.answer(open.client, answer, heard, now);
            }
        }
        turn.view = Some(view);
    }
}

/// What became of commands.
#[derive(Debug, Default)]
struct Done {
    /// What is not done, and why: a line each. A torrent that is gone is left out.
    refused: Vec<String>,
    /// The torrents whose content is being deleted.
    going: Vec<InfoHash>,
}

/// Performs commands in this order.
fn perform(commands: &[Command], session: &mut Session, now: Time) -> Done {
    let mut done = Done::default();
    for &command in commands {
        let torrent = command.torrent().and_then(|it| session.torrent(it));
        let name = torrent.map(|it| (it.life.number, it.order.name.clone(), it.order.info_hash));
        match (command::perform(session, command, now), name) {
            (Err(Refused::Ending), Some((number, name, _))) => {
                let line = format!("{number}, {name}: it is being stopped");
                done.refused.push(line);
            }
            (Err(Refused::AllEnding), _) => {
                // Once for all of them.
                done.refused.retain(|line| line != ENDING);
                done.refused.push(String::from(ENDING));
            }
            (Ok(()), Some((.., info_hash))) if command.deletes() => done.going.push(info_hash),
            _ => {}
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::PeerId;
    use crate::io::net::unix;
    use crate::session::Config;
    use crate::torrent::{Then, Us};
    use crate::tracker::Families;
    use mio::{Events, Poll};
    use std::io::{Read as _, Write as _};
    use std::time::{Duration, Instant};

    use crate::mse::Encryption;

    /// A folder in which nothing is kept.
    struct Nothing;

    impl Folder for Nothing {
        fn keep(&mut self, _: &Session) -> Option<Version> {
            None
        }

        fn own_dir(&self, _: &InfoHash) -> Option<PathBuf> {
            None
        }
    }

    fn session() -> Session {
        let us = Us {
            peer_id: PeerId(*b"-BK0100-abcdefghijkl"),
            port: 6881,
            key: 1,
            families: Families { v4: true, v6: true },
            allow_local: false,
            encryption: Encryption::Off,
            share: limits::MIB,
            heartbeat: false,
        };
        let config = Config {
            us,
            max_peers: 4,
            metadata: limits::MIB,
            utp: None,
            down: None,
            up: None,
            active: None,
            after_stay: Then::Pause,
        };
        Session::new(config, 1, Time::default())
    }

    #[test]
    fn a_turn_ends_amid_a_batch() {
        let dir = std::env::temp_dir().join(format!("brooklet-control-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut poll = Poll::new().unwrap();
        let about = About {
            config_dir: String::new(),
            download_dir: String::new(),
            peer_port: 6881,
            peer_limit: 4,
        };
        let mut control = Control::open(&dir, about, poll.registry()).unwrap();
        let (mut session, now) = (session(), Time::default());
        let mut client = unix::connect(&dir).unwrap();
        client.set_nonblocking(true).unwrap();
        // Each answer has the id of its request.
        let id = "x".repeat(20_000);
        let request = format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"session_stats"}}"#);
        let count = limits::CONTROL_TURN / id.len() + 4;
        assert!(count <= limits::CONTROL_BATCH);
        let text = format!("[{}]\n", vec![request; count].join(","));
        let (mut unsent, mut answer) = (text.as_bytes(), Vec::new());
        let (mut first, deadline) = (None, Instant::now() + Duration::from_secs(30));
        while answer.last() != Some(&b'\n') {
            assert!(Instant::now() < deadline, "{} bytes came", answer.len());
            unsent = &unsent[client.write(unsent).unwrap_or(0)..];
            let mut events = Events::with_capacity(8);
            let timeout = Duration::from_millis(u64::from(!control.is_pending()) * 10);
            let _ = poll.poll(&mut events, Some(timeout));
            events.iter().for_each(|event| control.on_event(event));
            control.turn(poll.registry(), &mut session, &mut Nothing, now);
            if first.is_none() && !control.ready.is_empty() {
                // Has it sent what there is.
                control.server.next_request(poll.registry(), 0, now);
            }
            let mut buffer = vec![0; 4 * limits::MIB];
            while let Ok(read @ 1..) = client.read(&mut buffer) {
                answer.extend_from_slice(&buffer[..read]);
            }
            first = first.or((!control.ready.is_empty()).then_some(answer.len()));
        }
        // The turn in which so long a request came ends with its first answer.
        let first = first.unwrap();
        assert!(first > id.len() && first < 2 * id.len(), "{first} bytes");
        let answers = crate::wire::json::read(&answer).unwrap();
        assert_eq!(answers.items().map(<[_]>::len), Some(count));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
