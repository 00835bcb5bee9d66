//! Remote control in the loop: requests come from the server, commands go to the session, answers
//! go back. A torrent that is to be added is handed to the library, which answers with what became
//! of it.

use std::collections::VecDeque;
use std::path::Path;

use mio::Registry;
use mio::event::Event;

use super::records::Version;
use crate::base::{InfoHash, Now, limits};
use crate::io::clock;
use crate::io::net::{ClientKey, Incoming, Server};
use crate::io::tokens;
use crate::rpc::{About, Add, Added, Exchange, Memory, Step, Trouble, World};
use crate::session::{Command, Refused, Session, command, view};

/// What is said where a request is not read.
const TOO_LONG: &str = "the request is too long";

/// Saves what a command has changed. `Some`: the version with which [`Control::on_kept`] is called
/// when that is on disk; `None`: nothing is to be saved.
pub type Keep<'a> = &'a mut dyn FnMut(&mut Session) -> Option<Version>;

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
    unkept: Vec<Unkept>,
    /// Torrents that were to be added so far.
    tickets: Ticket,
}

/// An exchange that waits for what it has changed to be kept.
#[derive(Debug)]
struct Unkept {
    /// All of it is kept with this version.
    version: Version,
    client: ClientKey,
    exchange: Exchange,
    /// What is not done of what it asked for, and why: a line each.
    refused: Vec<String>,
    /// The torrents whose content it had deleted: it waits for that, too.
    going: Vec<InfoHash>,
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

    /// Takes note of which torrents that clients had deleted do not go any more, as `goes` says,
    /// and of what could not be deleted of them.
    pub fn on_deleted(&mut self, goes: impl Fn(&InfoHash) -> bool, failed: &[(InfoHash, String)]) {
        for waiting in &mut self.unkept {
            let own = failed.iter().filter(|(it, _)| waiting.going.contains(it));
            waiting.refused.extend(own.map(|(_, why)| why.clone()));
            waiting.going.retain(&goes);
        }
    }

    /// All changes up to this version are on disk, or were refused by it for this reason: the
    /// clients that made them are answered, once what they had deleted is gone.
    pub fn on_kept(
        &mut self,
        (kept, refusal): (Version, Option<String>),
        session: &mut Session,
        keep: Keep<'_>,
        now: Now,
    ) {
        let is_done = |it: &Unkept| it.version <= kept && it.going.is_empty();
        let unkept = std::mem::take(&mut self.unkept).into_iter();
        let (told, later): (Vec<Unkept>, _) = unkept.partition(is_done);
        self.unkept = later;
        for mut told in told {
            let lost = |why: &String| format!("it is done, but not kept for the next start: {why}");
            told.refused.extend(refusal.as_ref().map(lost));
            told.exchange.performed(&told.refused);
            self.go_on(told.client, told.exchange, session, keep, now);
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
                    let done = perform(&commands, session, now);
                    let version = keep(session);
                    if version.is_some() || !done.going.is_empty() {
                        self.unkept.push(Unkept {
                            version: version.unwrap_or_default(),
                            client,
                            exchange,
                            refused: done.refused,
                            going: done.going,
                        });
                        return;
                    }
                    exchange.performed(&done.refused);
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

/// What became of commands.
#[derive(Debug, Default)]
struct Done {
    /// What is not done, and why: a line each. A torrent that is gone is left out.
    refused: Vec<String>,
    /// The torrents whose content is being deleted.
    going: Vec<InfoHash>,
}

/// Performs commands in this order.
fn perform(commands: &[Command], session: &mut Session, now: Now) -> Done {
    let mut done = Done::default();
    for &command in commands {
        let torrent = command
            .torrent()
            .and_then(|torrent| session.torrent(torrent));
        let name = torrent.map(|it| (it.life.number, it.order.name.clone(), it.order.info_hash));
        match (command::perform(session, command, now), name) {
            (Err(Refused::Ending), Some((number, name, _))) => {
                let line = format!("{number}, {name}: it is being stopped");
                done.refused.push(line);
            }
            (Ok(()), Some((.., info_hash))) if command.deletes() => done.going.push(info_hash),
            _ => {}
        }
    }
    done
}
