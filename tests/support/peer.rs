//! Scripted peers (BEP 3) on threads of their own: they serve a torrent from memory, as well or as
//! badly as a test says.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::torrent::Torrent;

/// A TCP server on 127.0.0.1, a thread for each connection. On drop it closes them all.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    streams: Mutex<Vec<TcpStream>>,
    stopping: AtomicBool,
}

impl Server {
    /// Listens on a free port and runs `serve` for each connection; what it returns is not looked
    /// at.
    pub fn start(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (ours, serve) = (Arc::clone(&shared), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ours.stopping.load(Ordering::SeqCst) {
                    break;
                }
                ours.streams.lock().unwrap().extend(stream.try_clone());
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Server { addr, shared }
    }

    /// How many connections it has accepted so far.
    pub fn accepted(&self) -> usize {
        self.shared.streams.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.addr));
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A run of bytes in a piece, as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    /// Index of the piece.
    pub piece: u32,
    /// Offset in it.
    pub begin: u32,
    /// Bytes.
    pub len: u32,
}

/// What a peer does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Sends the block.
    Serve,
    /// Sends other bytes in its place.
    Corrupt,
    /// Says nothing, for ever.
    Hold,
    /// Closes the connection.
    Hangup,
}

/// What a peer is like.
pub struct Manners {
    /// Pieces that it says it has.
    pub has: Box<dyn Fn(u32) -> bool + Send + Sync>,
    /// What it does with each request.
    pub answer: Box<dyn Fn(Block) -> Answer + Send + Sync>,
    /// Bytes a second that it sends on each connection.
    pub rate: Option<u64>,
}

impl Default for Manners {
    /// A good seed.
    fn default() -> Manners {
        Manners {
            has: Box::new(|_| true),
            answer: Box::new(|_| Answer::Serve),
            rate: None,
        }
    }
}

/// A peer that listens.
#[derive(Debug)]
pub struct Peer {
    server: Server,
    sent: Arc<AtomicU64>,
}

impl Peer {
    /// Starts a peer of this torrent.
    pub fn start(torrent: &Arc<Torrent>, manners: Manners) -> Peer {
        let torrent = Arc::clone(torrent);
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        let server = Server::start(move |stream| serve(stream, &torrent, &manners, &counter));
        Peer { server, sent }
    }

    /// Where it listens, as `--peer` wants it.
    pub fn addr(&self) -> String {
        self.server.addr.to_string()
    }

    /// Bytes of blocks that it has sent, on all connections.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// How many connections it has accepted so far.
    pub fn accepted(&self) -> usize {
        self.server.accepted()
    }
}

/// Connects to a client and is a peer of it on the calling thread, until the connection ends.
pub fn visit(client: SocketAddr, torrent: &Torrent, manners: &Manners) -> io::Result<()> {
    serve(
        TcpStream::connect(client)?,
        torrent,
        manners,
        &AtomicU64::new(0),
    )
}

fn serve(
    mut stream: TcpStream,
    torrent: &Torrent,
    manners: &Manners,
    sent: &AtomicU64,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let port = stream.local_addr()?.port();
    greet(&mut stream, torrent, port)?;
    stream.write_all(&bitfield(torrent, &manners.has))?;
    stream.write_all(&frame(1, &[]))?;
    loop {
        let block = next_request(&mut stream)?;
        match (manners.answer)(block) {
            Answer::Hold => continue,
            Answer::Hangup => return stream.shutdown(Shutdown::Both),
            answer => stream.write_all(&piece(torrent, block, answer == Answer::Corrupt))?,
        }
        sent.fetch_add(block.len.into(), Ordering::SeqCst);
        if let Some(rate) = manners.rate {
            thread::sleep(Duration::from_secs_f64(f64::from(block.len) / rate as f64));
        }
    }
}

/// Sends our handshake, whose peer id is made of `number`, and reads theirs.
pub fn greet(stream: &mut TcpStream, torrent: &Torrent, number: u16) -> io::Result<()> {
    stream.write_all(&handshake(&torrent.info_hash, number))?;
    stream.read_exact(&mut [0; 68])
}

/// The same with the fast extension (BEP 6).
pub fn greet_fast(stream: &mut TcpStream, torrent: &Torrent, number: u16) -> io::Result<()> {
    let mut hello = handshake(&torrent.info_hash, number);
    hello[27] |= 4;
    stream.write_all(&hello)?;
    stream.read_exact(&mut [0; 68])
}

/// A `bitfield` of these pieces.
pub fn bitfield(torrent: &Torrent, has: impl Fn(u32) -> bool) -> Vec<u8> {
    let mut bits = vec![0_u8; torrent.pieces().div_ceil(8) as usize];
    for piece in (0..torrent.pieces()).filter(|&piece| has(piece)) {
        bits[piece as usize / 8] |= 0x80 >> (piece % 8);
    }
    frame(5, &bits)
}

/// Reads on until the next request.
pub fn next_request(stream: &mut TcpStream) -> io::Result<Block> {
    loop {
        if let Some((6, payload)) = read_frame(stream)? {
            return Ok(Block {
                piece: number(&payload, 0),
                begin: number(&payload, 4),
                len: number(&payload, 8),
            });
        }
    }
}

/// Ends the connection with a reset, whatever is on its way.
pub fn reset(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::connect_unspec(stream)?)
}

/// A handshake without extensions.
pub fn handshake(info_hash: &[u8; 20], number: u16) -> Vec<u8> {
    let mut out = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
    out.extend_from_slice(info_hash);
    out.extend_from_slice(format!("-ZZ0001-{number:012}").as_bytes());
    out
}

/// A message: its length, its id, its payload.
pub fn frame(id: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32 + 1).to_be_bytes().to_vec();
    out.push(id);
    out.extend_from_slice(payload);
    out
}

/// A message whose payload is made of numbers.
pub fn numbers(id: u8, payload: &[u32]) -> Vec<u8> {
    let bytes: Vec<u8> = payload.iter().flat_map(|n| n.to_be_bytes()).collect();
    frame(id, &bytes)
}

/// The `piece` message with a block, or with other bytes in its place.
pub fn piece(torrent: &Torrent, block: Block, corrupt: bool) -> Vec<u8> {
    let start = block.piece as usize * torrent.piece_length + block.begin as usize;
    let mut payload = [block.piece.to_be_bytes(), block.begin.to_be_bytes()].concat();
    payload.extend_from_slice(&torrent.bytes[start..start + block.len as usize]);
    if corrupt {
        payload[8..].iter_mut().for_each(|byte| *byte ^= 0x5a);
    }
    frame(7, &payload)
}

/// Reads a message; `None` for a keep-alive.
pub fn read_frame(stream: &mut TcpStream) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body)?;
    Ok((!body.is_empty()).then(|| (body[0], body[1..].to_vec())))
}

fn number(payload: &[u8], at: usize) -> u32 {
    let bytes = payload[at..at + 4].try_into();
    u32::from_be_bytes(bytes.unwrap_or_default())
}
