//! The floor: what the bytes alone cost. It receives, hashes and writes, or reads and sends, by the
//! shortest way, on one thread, and decides nothing: which block comes from whom is fixed
//! beforehand. It trusts its peers as far as that saves work.

mod get;
mod seed;

pub use seed::bitfield;

use std::io::ErrorKind;
use std::path::PathBuf;

use brooklet::base::PeerId;
use brooklet::wire::{Handshake, Metainfo};
use mio::{Events, Poll};

use super::{Failure, args::Args, torrent};

/// The only buffer for content, shared by all connections.
const BUFFER: usize = 256 * 1024;

/// `floor get TORRENT DIR PEER...` and `floor seed TORRENT DIR PORT [--sendfile]`.
pub fn main(mut args: Args) -> Result<(), Failure> {
    let verb = args.next("get or seed")?;
    let torrent = torrent::read(args.next("TORRENT")?.as_ref())?;
    let path = PathBuf::from(args.next("DIR")?).join(&torrent.name);
    match verb.as_str() {
        "get" => get::run(&torrent, &path, &args.rest()),
        "seed" => {
            let port = args.number("PORT")?;
            let sendfile = args.rest().iter().any(|word| word == "--sendfile");
            seed::run(&torrent, &path, u16::try_from(port)?, sendfile)
        }
        other => Err(format!("floor {other}: get or seed").into()),
    }
}

/// Waits for events; tracers interrupt that.
fn wait(poll: &mut Poll, events: &mut Events) -> Result<(), Failure> {
    match poll.poll(events, None) {
        Err(why) if why.kind() == ErrorKind::Interrupted => Ok(()),
        result => Ok(result?),
    }
}

/// A handshake without extensions.
fn hello(torrent: &Metainfo) -> Vec<u8> {
    let mut out = Vec::new();
    let handshake = Handshake {
        reserved: [0; 8],
        info_hash: torrent.info_hash,
        peer_id: PeerId(*b"-FL0100-floor0000000"),
    };
    handshake.encode(&mut out);
    out
}
