//! A connection to the client under test, as a seed, a leecher, or somebody who says nothing.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::FileExt as _;

use brooklet::base::{Block, InfoHash, PeerId};
use brooklet::mse::shield::Terms;
use brooklet::mse::{Encryption, Shield, setting, torrent_hash};
use brooklet::wire::message::{PIECE_HEADER, frame_len, piece_header};
use brooklet::wire::{Handshake, Message, handshake};
use mio::net::TcpStream;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};

use super::super::{Failure, floor::bitfield};
use super::asker::Asker;
use super::world::World;

/// What a connection may send before others have their turn.
const TURN: usize = 1 << 20;

/// What is sealed at a time.
const SEALED: usize = 256 << 10;

/// The number of `piece`.
const PIECE: u8 = 7;

/// What a peer is there for.
pub enum Role {
    Seed,
    Leecher(Asker),
    Idle,
}

/// A connection.
pub struct Peer {
    pub stream: TcpStream,
    pub number: usize,
    role: Role,
    /// Where the payload is to be RC4.
    shield: Option<Box<Shield>>,
    /// What it has sealed, and how much of that is sent.
    sealed: (Vec<u8>, usize),
    greeted: bool,
    heard: bool,
    /// The beginning of a message whose end has not come.
    cut: Vec<u8>,
    /// Data of a block that is still to come.
    coming: usize,
    /// Messages to send.
    out: Vec<u8>,
    /// Blocks to send after them.
    wanted: VecDeque<Block>,
    /// What is left of the block under way.
    offset: u64,
    left: usize,
}

impl Role {
    /// A leecher that begins with this piece.
    pub fn leecher(piece: u32) -> Role {
        Role::Leecher(Asker::new(piece))
    }
}

/// What a connection of this torrent needs where its payload is to be RC4.
pub fn shield(dialed: Option<InfoHash>) -> Box<Shield> {
    Box::new(match dialed {
        Some(torrent) => Shield::dial(torrent, setting::RC4),
        None => Shield::accept(),
    })
}

/// Begins to connect from an address of our own.
pub fn dial(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream, Failure> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddr::from((from, 0)))?;
    match rustix::net::connect(&socket, &to) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(why) => return Err(format!("{to}: {why}").into()),
    }
    Ok(TcpStream::from_std(socket.into()))
}

impl Peer {
    /// A connection that is made, or, with `shield`, has begun to be.
    pub fn new(stream: TcpStream, role: Role, number: usize, shield: Option<Box<Shield>>) -> Peer {
        // Requests must not wait for answers to others. Where that cannot be set, the connection is
        // broken and will say so.
        let _ = stream.set_nodelay(true);
        Peer {
            stream,
            number,
            role,
            shield,
            sealed: (Vec::new(), 0),
            greeted: false,
            heard: false,
            cut: Vec::new(),
            coming: 0,
            out: Vec::new(),
            wanted: VecDeque::new(),
            offset: 0,
            left: 0,
        }
    }

    /// Says that it is still there, if there is nothing else to say.
    pub fn keep_alive(&mut self) {
        if self.heard && self.left == 0 && self.out.is_empty() {
            Message::KeepAlive.encode(&mut self.out);
        }
    }

    /// Bytes that it was asked for and did not send.
    pub fn unanswered(&self) -> u64 {
        match &self.role {
            Role::Leecher(asker) => asker.outstanding_bytes(),
            _ => 0,
        }
    }

    /// Reads all that is there and sends what it can. Whether there is more to send that the socket
    /// would take; an error where the connection is gone.
    pub fn serve(
        &mut self,
        writable: bool,
        buffer: &mut [u8],
        world: &mut World,
    ) -> Result<bool, Failure> {
        if !self.greeted && writable {
            self.greet(world);
        }
        self.read(buffer, world)?;
        if let Role::Leecher(asker) = &mut self.role {
            asker.ask(world, &mut self.out);
        }
        if self.shield.is_some() {
            self.write_sealed(world)
        } else {
            self.write(world)
        }
    }

    fn greet(&mut self, world: &mut World) {
        self.greeted = true;
        if let Some(shield) = &mut self.shield {
            shield.begin(&mut world.rng);
        }
        let mut peer_id = *b"-LG0100-000000000000";
        peer_id[8..].copy_from_slice(format!("{:012}", self.number).as_bytes());
        let handshake = Handshake {
            reserved: [0; 8],
            info_hash: world.torrent.info_hash,
            peer_id: PeerId(peer_id),
        };
        handshake.encode(&mut self.out);
    }

    /// What comes after the handshakes. Not before theirs has come: aria2 hangs up on who connects
    /// and is so quick.
    fn introduce(&mut self, world: &World) {
        match self.role {
            Role::Seed => {
                let bits = bitfield(world.geometry().pieces());
                Message::Bitfield(&bits).encode(&mut self.out);
                Message::Unchoke.encode(&mut self.out);
            }
            Role::Leecher(_) => Message::Interested.encode(&mut self.out),
            Role::Idle => {}
        }
    }

    fn read(&mut self, buffer: &mut [u8], world: &mut World) -> Result<(), Failure> {
        loop {
            let before = match &self.shield {
                Some(shield) if shield.is_shaking_hands() => shield.kept(),
                _ => &self.cut,
            };
            let kept = before.len();
            buffer[..kept].copy_from_slice(before);
            let count = match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => return Err("hung up".into()),
                Ok(count) => count,
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(()),
                // Still connecting.
                Err(why) if why.kind() == ErrorKind::NotConnected => return Ok(()),
                Err(why) => return Err(why.into()),
            };
            let bytes = &mut buffer[..kept + count];
            let own = self.open(bytes, kept, world)?;
            if self
                .shield
                .as_ref()
                .is_some_and(|shield| shield.is_shaking_hands())
            {
                return Ok(());
            }
            let bytes = &bytes[own..];
            let used = self.take(bytes, world)?;
            self.cut.clear();
            self.cut.extend_from_slice(&bytes[used..]);
            if own + bytes.len() < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Opens what was read after `kept` bytes, in place; how many of all belonged to the encrypted
    /// handshake.
    fn open(&mut self, bytes: &mut [u8], kept: usize, world: &mut World) -> Result<usize, Failure> {
        let Some(shield) = &mut self.shield else {
            return Ok(0);
        };
        let from = if shield.is_shaking_hands() { 0 } else { kept };
        let ours = world.torrent.info_hash;
        let terms = Terms {
            setting: Encryption::Require,
            torrent: &mut |hash| (*hash == torrent_hash(ours)).then_some(ours),
            initial: &self.out,
            rng: &mut world.rng,
        };
        let opened = shield
            .open(&mut bytes[from..], terms)
            .map_err(|why| format!("{why:?}"))?;
        if opened.said {
            self.out.clear();
        }
        Ok(opened.taken)
    }

    /// Takes all that can be taken; how many bytes that was.
    fn take(&mut self, bytes: &[u8], world: &mut World) -> Result<usize, Failure> {
        let mut at = 0;
        if !self.heard {
            let Some(theirs) = Handshake::parse(bytes).map_err(|why| why.what)? else {
                return Ok(0);
            };
            if theirs.info_hash != world.torrent.info_hash {
                return Err("another torrent".into());
            }
            self.heard = true;
            world.greeted += 1;
            self.introduce(world);
            at = handshake::LEN;
        }
        loop {
            let data = self.coming.min(bytes.len() - at);
            if let (Role::Leecher(asker), 1..) = (&mut self.role, data) {
                asker.part(&bytes[at..at + data], world)?;
            }
            at += data;
            self.coming -= data;
            let rest = &bytes[at..];
            let Some(len) = frame_len(rest).map(|len| len as usize) else {
                return Ok(at);
            };
            if rest.get(4) == Some(&PIECE) && rest.len() >= PIECE_HEADER {
                let [piece, begin] = [5, 9].map(|at| frame_len(&rest[at..]).unwrap_or_default());
                let Some(data) = len.checked_sub(PIECE_HEADER - 4) else {
                    return Err("a piece message too short".into());
                };
                let Role::Leecher(asker) = &mut self.role else {
                    return Err("a block that nobody asked for".into());
                };
                let len = data as u32;
                asker.begins(Block { piece, begin, len }, world)?;
                self.coming = data;
                at += PIECE_HEADER;
            } else if let Some(frame) = rest.get(4..4 + len) {
                self.hear(Message::parse(frame).map_err(|why| why.what)?, world);
                at += 4 + len;
            } else {
                return Ok(at);
            }
        }
    }

    fn hear(&mut self, message: Message<'_>, world: &mut World) {
        match (message, &mut self.role) {
            (Message::Request(block), Role::Seed) => self.wanted.push_back(block),
            (Message::Cancel(block), Role::Seed) => self.wanted.retain(|wanted| *wanted != block),
            (Message::Choke, Role::Leecher(asker)) => asker.choked(true, world),
            (Message::Unchoke, Role::Leecher(asker)) => asker.choked(false, world),
            (Message::Reject(block), Role::Leecher(asker)) => asker.refused(block, world),
            _ => {}
        }
    }

    /// Sends for one turn: messages first, then block after block. Whether there is more that the
    /// socket would take.
    fn write(&mut self, world: &mut World) -> Result<bool, Failure> {
        let mut turn = 0;
        while turn < TURN {
            if self.out.is_empty() && self.left == 0 {
                let Some(block) = self.wanted.pop_front() else {
                    return Ok(false);
                };
                self.out.extend_from_slice(&piece_header(block));
                self.offset = world.geometry().offset(block);
                self.left = block.len as usize;
            }
            let sent = if self.out.is_empty() {
                rustix::fs::sendfile(
                    &self.stream,
                    &world.content,
                    Some(&mut self.offset),
                    self.left,
                )
            } else {
                rustix::net::send(&self.stream, &self.out, self.flags())
            };
            match sent {
                Ok(count) if self.out.is_empty() => {
                    self.left -= count;
                    world.sent(self.number, count);
                    turn += count;
                }
                Ok(count) => drop(self.out.drain(..count)),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::NOTCONN) => return Ok(false),
                Err(why) => return Err(why.into()),
            }
        }
        Ok(true)
    }

    /// As [`Peer::write`], through the shield: blocks are read and sealed.
    fn write_sealed(&mut self, world: &mut World) -> Result<bool, Failure> {
        let mut turn = 0;
        while turn < TURN {
            if self.sealed.1 == self.sealed.0.len() {
                self.seal(world)?;
            }
            let (bytes, from) = &mut self.sealed;
            if bytes.is_empty() {
                return Ok(false);
            }
            match rustix::net::send(&self.stream, &bytes[*from..], SendFlags::NOSIGNAL) {
                Ok(count) => {
                    *from += count;
                    turn += count;
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::NOTCONN) => return Ok(false),
                Err(why) => return Err(why.into()),
            }
        }
        Ok(true)
    }

    /// Puts together what is to be sent next.
    fn seal(&mut self, world: &mut World) -> Result<(), Failure> {
        let Some(shield) = &mut self.shield else {
            return Ok(());
        };
        let bytes = &mut self.sealed.0;
        bytes.clear();
        bytes.extend_from_slice(shield.out());
        if !shield.is_shaking_hands() {
            bytes.append(&mut self.out);
            while bytes.len() < SEALED {
                let Some(block) = self.wanted.pop_front() else {
                    break;
                };
                bytes.extend_from_slice(&piece_header(block));
                let from = bytes.len();
                bytes.resize(from + block.len as usize, 0);
                let offset = world.geometry().offset(block);
                world.content.read_exact_at(&mut bytes[from..], offset)?;
                world.sent(self.number, block.len as usize);
            }
        }
        let after = shield.seal(bytes);
        shield.transmitted(bytes.len(), after);
        self.sealed.1 = 0;
        Ok(())
    }

    /// Messages go into one packet with the data after them.
    fn flags(&self) -> SendFlags {
        match self.left {
            0 => SendFlags::NOSIGNAL,
            _ => SendFlags::NOSIGNAL | SendFlags::MORE,
        }
    }
}
