//! The floor: what the bytes alone cost. It receives, hashes and writes, or reads and sends, by the shortest way, on one thread, and
//! decides nothing: which block comes from whom is fixed beforehand. It trusts its peers as far as that saves work.

mod get;
mod seed;

pub use seed::bitfield;

use std::path::PathBuf;

use brooklet::base::id::PeerId;
use brooklet::wire::handshake::Handshake;
use brooklet::wire::metainfo::Metainfo;

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
