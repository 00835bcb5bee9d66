//! Remote control in the loop: requests come from the server, commands go to the session, answers
//! go back. A torrent that is to be added is handed to the library, which answers with what became
//! of it.

use std::collections::VecDeque;
use std::path::Path;

use mio::Registry;
use mio::event::Event;

use super::records::Version;
use crate::base::{Now, limits};
use crate::io::clock;
use crate::io::net::{ClientKey, Incoming, Server};
use crate::io::tokens;
use crate::rpc::{About, Add, Added, Exchange, Memory, Step, Trouble, World};
use crate::session::{Refused, Session, command, view};

/// What is said where a request is not read.
const TOO_LONG: &str = "the request is too long";

/// Saves what a command has changed. `Some`: the version with which [`Control::on_kept`] is called
/// when that is on disk; `None`: nothing is to be saved.
pub type Keep<'a> = &'a mut dyn FnMut(&mut Session) -> Option<Version>;

/// What became of commands.
type Outcomes = Vec<Result<(), Refused>>;

/// Names a torrent that is to be added.
pub type Ticket = u64;

/// Remote control.
#[derive(Debug)]
pub struct Control {
    server: Server,
    about: About,
    memory: Memory,
    /// Torrents that are to be added and were not handed out.
    adds: VecDeque<(Ticket, Add)>,
    /// Exchanges that wait for their torrent to be added.
    waiting: Vec<(Ticket, ClientKey, Exchange)>,
    /// Exchanges that wait for what they have changed to be kept, and what became of their
    /// commands.
    unkept: Vec<(Version, ClientKey, Exchange, Outcomes)>,
    /// Torrents that were to be added so far.
    tickets: Ticket,
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
            adds: VecDeque::new(),
            waiting: Vec::new(),
            unkept: Vec::new(),
            tickets: 0,
        })
    }

    /// Notes what the poll says of a socket of remote control.
    pub fn on_event(&mut self, event: &Event) {
        self.server.on_event(event);
    }

    /// Answers requests, and does what they ask for: a bounded number in one turn. No client is
    /// told that something has changed before it is kept, see [`Control::on_kept`].
    pub fn turn(&mut self, registry: &Registry, session: &mut Session, keep: Keep<'_>, now: Now) {
        for _ in 0..limits::CONTROL_CLIENTS {
            let Some((client, incoming)) = self.server.next_request(registry, now) else {
                break;
            };
            let exchange = match incoming {
                Incoming::Request(text) => Exchange::begin(&text),
                Incoming::TooLong => Exchange::refuse(TOO_LONG),
            };
            self.go_on(client, exchange, session, keep, now);
        }
        self.server.sweep(registry, now);
    }

    /// All changes up to this version are on disk: the clients that made them are answered.
    pub fn on_kept(&mut self, kept: Version, session: &mut Session, keep: Keep<'_>, now: Now) {
        let (told, later) = std::mem::take(&mut self.unkept)
            .into_iter()
            .partition(|(version, ..)| *version <= kept);
        self.unkept = later;
        let told: Vec<(Version, ClientKey, Exchange, Outcomes)> = told;
        for (_, client, mut exchange, outcomes) in told {
            exchange.performed(&outcomes);
            self.go_on(client, exchange, session, keep, now);
        }
    }

    /// The next torrent that is to be added; [`Control::added`] is to be called for each.
    pub fn next_add(&mut self) -> Option<(Ticket, Add)> {
        self.adds.pop_front()
    }

    /// Answers the client that asked for a torrent with what became of it.
    pub fn added(
        &mut self,
        ticket: Ticket,
        outcome: Result<Added, Trouble>,
        session: &mut Session,
        keep: Keep<'_>,
        now: Now,
    ) {
        let place = self.waiting.iter().position(|(other, ..)| *other == ticket);
        if let Some(place) = place {
            let (_, client, mut exchange) = self.waiting.swap_remove(place);
            exchange.added(outcome);
            self.go_on(client, exchange, session, keep, now);
        }
    }

    /// Whether the next turn has something to do though nothing happens.
    pub fn is_pending(&self) -> bool {
        self.server.is_pending() || !self.adds.is_empty()
    }

    /// When there is something to do though nothing happens.
    pub fn next_deadline(&self) -> Option<Now> {
        self.server.next_deadline()
    }

    /// Takes the steps of an exchange until it is answered or has to wait.
    fn go_on(
        &mut self,
        client: ClientKey,
        mut exchange: Exchange,
        session: &mut Session,
        keep: Keep<'_>,
        now: Now,
    ) {
        loop {
            let view = view::of(session, now);
            let peers = |torrent: &view::TorrentView| view::peers(session, torrent.key, now);
            let ways = |torrent: &view::TorrentView| view::ways(session, torrent.key);
            let world = World {
                about: &self.about,
                view: &view,
                peers: &peers,
                ways: &ways,
                now,
                unix: clock::unix(),
            };
            match exchange.next(&mut self.memory, world) {
                Step::Command(commands) => {
                    let perform = |command| command::perform(session, command, now);
                    let outcomes: Outcomes = commands.into_iter().map(perform).collect();
                    if let Some(version) = keep(session) {
                        self.unkept.push((version, client, exchange, outcomes));
                        return;
                    }
                    exchange.performed(&outcomes);
                }
                Step::Add(add) => {
                    self.tickets += 1;
                    self.adds.push_back((self.tickets, add));
                    self.waiting.push((self.tickets, client, exchange));
                    return;
                }
                Step::Answer(answer) => {
                    let heard = exchange.heard();
                    return self.server.answer(client, answer.as_deref(), heard);
                }
            }
        }
    }
}
