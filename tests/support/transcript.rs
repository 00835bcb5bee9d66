//! Replays a story about one connection against the peer machine. A story is a text: what happens
//! (a line each, below), and under each such line what the machine does about it. The first kind is
//! written by hand, the second by the machine:
//!
//! ```text
//! # a remark
//! dial 192.0.2.7:6881              we call somebody            accept 192.0.2.7:50001     somebody calls us
//! connected                        the network answered        closed                     the other end hung up
//! outbound fast 192.0.2.7:6881     dial, connected, and both handshakes; inbound plain …  accept and both handshakes
//! outbound extended 192.0.2.7:6881  the same; the peer speaks the extension protocol, too
//! at 1.5s                          time goes by until then     socket takes 100 bytes     … and then no more
//! < request 3 at 0, 16384 bytes    the peer says this          < raw 00 00 00             … or these bytes
//! 600 times < request 3 at %, 1 bytes                          … so often, % counting from 0
//! ! interested                     we do this                  ? room                     what is it now?
//!
//! > unchoke                        we said this                event, ended, late, lost   what the machine reports
//!   00000001 01                    a message's bytes           timer 90s                  it was woken at that time
//! ```
//!
//! All stories are about the torrent of *Leaves of Grass*: 23 pieces of 16 KiB, the last shorter.
//! We are `-bk0100-ABCDEFGHIJKL`.

#[path = "extending.rs"]
pub mod extending;
#[path = "pair.rs"]
pub mod pair;
#[path = "words.rs"]
pub mod words;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use brooklet::base::{Bits, Block, Duration, PeerId, Time, limits};
use brooklet::peer::{EndReason, Input, Local, Peer, Redial, Segment, allowed_fast_set};
use brooklet::wire::message::{frame_len, piece_header};
use brooklet::wire::{Metainfo, bencode, handshake};
use pair::Pair;
use words::{
    block, dump, encode, handshake_words, heard_words, message_words, name, number, numbers, words,
};

/// How the bytes of each read are cut: from the number of bytes that are left to the number of the
/// next read.
pub type Cut<'c> = &'c mut dyn FnMut(usize) -> usize;

/// Everything comes in one read.
pub fn whole(left: usize) -> usize {
    left
}

/// The names and texts of all stories.
pub fn stories() -> Vec<(String, String)> {
    let folder = data("transcripts");
    let mut stories: Vec<(String, String)> = fs::read_dir(&folder)
        .unwrap_or_else(|why| panic!("{folder}: {why}"))
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_string();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    stories.sort();
    stories
}

/// The file of a story.
pub fn path_of(name: &str) -> String {
    data(&format!("transcripts/{name}.txt"))
}

/// The torrent that all stories are about, its content, and who we are.
pub struct Setting {
    /// What every connection of the torrent says of us.
    pub local: Local,
    /// The content.
    pub content: Vec<u8>,
    /// The `info` dictionary.
    pub info: Vec<u8>,
}

impl Setting {
    /// Reads it.
    pub fn load() -> Setting {
        let torrent = fs::read(data("torrents/torrents/wt_leaves.torrent")).unwrap();
        let content = data("torrents/content/Leaves of Grass by Walt Whitman.epub");
        let meta = Metainfo::parse(&torrent).unwrap();
        let (root, _) = bencode::decode(&torrent).unwrap();
        let info = root.dict().and_then(|root| root.get("info")?.dict());
        Setting {
            local: Local {
                info_hash: meta.info_hash,
                peer_id: PeerId(*b"-bk0100-ABCDEFGHIJKL"),
                dht: false,
                geometry: meta.geometry,
                unsent: limits::UNSENT,
            },
            content: fs::read(content).unwrap(),
            info: info.expect("a dictionary").raw().to_vec(),
        }
    }

    /// The bytes of a block; zeros where it lies outside the content.
    pub fn block(&self, block: Block) -> Vec<u8> {
        let start = self.local.geometry.offset(block) as usize;
        let rest = self.content.get(start..).unwrap_or_default();
        let mut bytes = rest[..rest.len().min(block.len as usize)].to_vec();
        bytes.resize(block.len as usize, 0);
        bytes
    }
}

/// Plays what happens in a story and returns the story with what the machine does about it.
pub fn replay(story: &str, setting: &Setting, cut: Cut<'_>) -> String {
    let mut stage = Stage {
        setting,
        cut,
        pair: None,
        now: Time::default(),
        socket: None,
        sent: Vec::new(),
        greeted: false,
        out: Vec::new(),
    };
    let mut text = String::new();
    for line in story.lines().filter(|line| !is_output(line)) {
        stage.play(line);
        for line in [line.to_string()].into_iter().chain(stage.out.drain(..)) {
            text += &line;
            text += "\n";
        }
    }
    text
}

fn is_output(line: &str) -> bool {
    let marks = [
        "  ", "> ", "= ", "event ", "ended ", "late ", "lost ", "timer ", "back ",
    ];
    marks.iter().any(|mark| line.starts_with(mark))
}

fn data(path: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    folder.join(path).display().to_string()
}

struct Stage<'s, 'c> {
    setting: &'s Setting,
    cut: Cut<'c>,
    pair: Option<Pair>,
    now: Time,
    /// Bytes that the socket still takes; `None`: any number.
    socket: Option<usize>,
    /// Bytes sent that no whole message has been made of yet.
    sent: Vec<u8>,
    /// Our handshake has been sent.
    greeted: bool,
    out: Vec<String>,
}

impl Stage<'_, '_> {
    fn play(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" | "#" => {}
            "dial" => self.meet(Pair::dial(self.setting.local, addr(rest), self.now)),
            "accept" => self.meet(Pair::accept(self.setting.local, addr(rest), self.now)),
            "connected" => {
                let now = self.now;
                self.pair().handle_connected(now);
            }
            "outbound" | "inbound" => self.begin_greeted(word, rest),
            "closed" => self.end(EndReason::Closed),
            "at" => self.pass_time(rest),
            "socket" => self.socket = numbers(rest).first().map(|&n| n as usize),
            "<" => self.hear(rest),
            "!" => self.command(rest),
            "?" => self.tell(rest),
            _ => self.repeat(line),
        }
        self.flush();
    }

    fn pair(&mut self) -> &mut Pair {
        self.pair.as_mut().expect("no connection: dial or accept")
    }

    fn meet(&mut self, pair: Pair) {
        (self.pair, self.greeted, self.socket) = (Some(pair), false, None);
        self.sent.clear();
    }

    /// What the first stories tell at length.
    fn begin_greeted(&mut self, direction: &str, rest: &str) {
        let (caps, addr) = rest
            .split_once(' ')
            .expect("fast, plain or extended, and an address");
        match direction {
            "outbound" => {
                self.play(&format!("dial {addr}"));
                self.play("connected");
            }
            _ => self.play(&format!("accept {addr}")),
        }
        self.play(&format!("< handshake {caps} -TR3000-abcdefghijkl"));
        self.out.clear();
    }

    fn end(&mut self, reason: EndReason) {
        let again = match reason.redial() {
            Redial::Later => "dial again later",
            Redial::Never => "never dial again",
        };
        self.out.push(format!("ended {reason}; {again}"));
        for block in self.pair().close(reason) {
            self.out.push(format!("back {}", words(block)));
        }
    }

    /// Time goes by; the machine is woken whenever it asked to be.
    fn pass_time(&mut self, until: &str) {
        let seconds: f64 = until.trim_end_matches('s').parse().expect("at SECONDS");
        let until = Time::default() + Duration::from_secs_f64(seconds);
        loop {
            let now = self.now;
            let Some(pair) = self.pair.as_mut().filter(|pair| !pair.is_closing()) else {
                break;
            };
            let Some(due) = pair.next_deadline(now).filter(|&due| due <= until) else {
                break;
            };
            assert!(due > now, "a deadline that does not move on");
            self.now = due;
            let (woken, [late, lost]) = pair.handle_timeout(due);
            let place = self.out.len();
            if let Err(reason) = woken {
                self.end(reason);
            }
            for block in late {
                self.out.push(format!("late {}", words(block)));
            }
            for block in lost {
                self.out.push(format!("lost {}", words(block)));
            }
            self.flush();
            if self.out.len() > place {
                self.out.insert(place, format!("timer {}", seconds_of(due)));
            }
        }
        self.now = until;
    }

    fn hear(&mut self, said: &str) {
        let bytes = encode(said, self.setting);
        if !said.starts_with("raw ") {
            self.out.extend(dump(&bytes));
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() && self.pair.as_ref().is_some_and(|pair| !pair.is_closing()) {
            let part = (self.cut)(rest.len()).clamp(1, rest.len());
            let (read, later) = rest.split_at(part);
            self.feed(read);
            rest = later;
        }
    }

    /// One read: what is kept of a cut frame, then the new bytes.
    fn feed(&mut self, read: &[u8]) {
        let now = self.now;
        let buffer = [self.pair().unparsed(), read].concat();
        let mut input = Input::new(&buffer);
        loop {
            match self.pair().next_event(&mut input, now) {
                Ok(Some(event)) => self.out.push(heard_words(&event)),
                Ok(None) => break,
                Err(reason) => return self.end(reason),
            }
        }
    }

    fn command(&mut self, what: &str) {
        let (now, local) = (self.now, self.setting.local);
        let (pieces, setting) = (local.geometry.pieces(), self.setting);
        let peer = self.pair().peer();
        let mut done = Ok(());
        match name(what) {
            "interested" => peer.set_interested(true),
            "not interested" => peer.set_interested(false),
            "choke" => peer.choke(),
            "unchoke" => peer.unchoke(),
            "have" => peer.have(number(what)),
            "request" => peer.request(block(what), now),
            "cancel" => peer.cancel(block(what)),
            "serve" => done = peer.serve(block(what)),
            "refuse" => done = peer.refuse(block(what)),
            "introduce all" => introduce(peer, &local, &Bits::full(pieces)),
            "introduce none" => introduce(peer, &local, &Bits::new(pieces)),
            "introduce pieces" => {
                let mut held = Bits::new(pieces);
                for piece in numbers(what) {
                    held.set(piece);
                }
                introduce(peer, &local, &held);
            }
            _ if extending::act(peer, what, setting, now) => {}
            _ => panic!("no such command: {what}"),
        }
        if let Err(reason) = done {
            self.end(reason);
        }
    }

    fn tell(&mut self, what: &str) {
        let now = self.now;
        let pair = self.pair();
        let answer = match what {
            "phase" => format!("{:?}", pair.phase()),
            "holdings" => format!(
                "{} of {} pieces",
                pair.peer().holdings().count(),
                pair.peer().holdings().pieces()
            ),
            "room" => format!("{} more blocks", pair.peer().room(now)),
            "in flight" => format!("{} requests", pair.peer().in_flight()),
            "waiting" => format!("{} blocks to send", pair.peer().uploads_waiting()),
            "snubbing" => format!("{}", pair.peer().is_snubbing(now)),
            "allowed" => match pair.peer().allowed() {
                None => "any piece".to_string(),
                Some(pieces) => format!("only pieces {pieces:?}"),
            },
            "kept" => format!("{} bytes of a cut frame", pair.unparsed().len()),
            "deadline" => match pair.next_deadline(now) {
                None => "none".to_string(),
                Some(at) => seconds_of(at),
            },
            "totals" => format!(
                "{} bytes down, {} up",
                pair.peer().down().total(),
                pair.peer().up().total()
            ),
            _ => panic!("no such question: {what}"),
        };
        self.out.push(format!("= {answer}"));
    }

    /// `N times LINE`: of many repetitions that end alike, only the first is told.
    fn repeat(&mut self, line: &str) {
        let (times, line) = line.split_once(" times ").expect("no such line");
        let times: u32 = times.parse().expect("N times");
        let (mut told, mut alike, mut last) = (Vec::new(), 0, Vec::new());
        for number in 0..times {
            if self.pair().is_closing() {
                told.push(format!("  (that was number {number})"));
                break;
            }
            self.play(&line.replace('%', &number.to_string()));
            let said = std::mem::take(&mut self.out);
            let shape: Vec<String> = said
                .iter()
                .filter(|line| !line.starts_with(' '))
                .map(|line| shape(line))
                .collect();
            if number > 0 && shape == last {
                alike += 1;
                continue;
            }
            told.extend(more(&mut alike));
            told.extend(said);
            last = shape;
        }
        told.extend(more(&mut alike));
        self.out = told;
    }

    /// Sends what the machine wants to send, as far as the socket takes it, and tells the messages
    /// that are complete.
    fn flush(&mut self) {
        let now = self.now;
        let Some(pair) = self.pair.as_mut().filter(|_| self.socket != Some(0)) else {
            return;
        };
        let mut bytes: Vec<u8> = Vec::new();
        for segment in pair.transmit() {
            match segment {
                Segment::Bytes(part) => bytes.extend(part),
                Segment::Block { block, skip } => {
                    let frame = [&piece_header(block)[..], &self.setting.block(block)].concat();
                    bytes.extend(&frame[skip..]);
                }
            }
        }
        if let Some(room) = &mut self.socket {
            bytes.truncate(*room);
            *room -= bytes.len();
        }
        if bytes.is_empty() {
            return;
        }
        pair.transmitted(bytes.len(), now);
        self.sent.extend(bytes);
        while let Some(frame) = self.next_sent() {
            let message = match frame.len() {
                handshake::LEN if !self.greeted => handshake_words(&frame),
                _ => message_words(&frame),
            };
            self.greeted = true;
            self.out.push(format!("> {message}"));
            self.out.extend(dump(&frame));
        }
        if !self.sent.is_empty() {
            let whole = frame_len(&self.sent).map_or(4, |len| len as usize + 4);
            let begun = format!(
                "  ({} of {whole} bytes of the next are gone)",
                self.sent.len()
            );
            self.out.push(begun);
        }
    }

    fn next_sent(&mut self) -> Option<Vec<u8>> {
        let len = if !self.greeted {
            handshake::LEN
        } else {
            frame_len(&self.sent)? as usize + 4
        };
        (self.sent.len() >= len).then(|| self.sent.drain(..len).collect())
    }
}

/// What `session` does once a peer has greeted us.
fn introduce(peer: &mut Peer, local: &Local, held: &Bits) {
    let (ip, pieces) = (peer.addr().ip(), local.geometry.pieces());
    let mut allowed = allowed_fast_set(ip, local.info_hash, pieces, limits::ALLOWED_FAST);
    allowed.retain(|&piece| held.get(piece));
    peer.introduce(held, allowed);
}

fn shape(line: &str) -> String {
    line.replace(|c: char| c.is_ascii_digit(), "")
}

fn more(alike: &mut u32) -> Option<String> {
    let count = std::mem::take(alike);
    (count > 0).then(|| format!("  (and {count} times more like that)"))
}

fn seconds_of(at: Time) -> String {
    format!("{}s", at.as_micros() as f64 / 1e6)
}

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address and port")
}
