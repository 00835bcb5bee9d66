//! Peers over uTP: what happened to their connections is noted beside those over TCP, and what is
//! to be sent goes to the socket, as many datagrams at a time as the system takes.

use mio::Registry;

use super::net::{Outreach, PeerSocket, PeerSockets, tcp};
use crate::base::Time;
use crate::peer::EndReason;
use crate::session::Session;
use crate::session::streams::{self, Stream};

/// Batches that are sent in one turn.
const BATCHES: usize = 256;

/// Takes what happened to connections over uTP.
pub(super) fn hear(
    session: &mut Session,
    sockets: &mut PeerSockets,
    registry: &Registry,
    now: Time,
) {
    while let Some(stream) = streams::next(session, now) {
        let (key, up) = match stream {
            Stream::Up(key, call) => (key, Some(call)),
            Stream::Readable(key) | Stream::Writable(key) => (key, None),
        };
        if let Some(call) = up {
            // TCP was not answered.
            sockets.close(registry, key);
            let socket = PeerSocket::new(tcp::Way::Utp(call));
            if let Err(error) = sockets.add(registry, key, socket) {
                let reason = EndReason::Network(tcp::plain(&error));
                session.handle_closed(key, reason, now);
            }
        }
        let Some(socket) = sockets.get(key) else {
            continue;
        };
        if matches!(stream, Stream::Readable(_)) {
            socket.readable = true;
            if !socket.queued {
                socket.queued = true;
                sockets.unread.push(key);
            }
        } else {
            socket.writable = true;
            sockets.unwritten.push(key);
        }
    }
}

/// Sends what is due over uTP. Returns whether more is due.
pub(super) fn send(session: &mut Session, outreach: &mut Outreach, now: Time) -> bool {
    let Some(utp) = &mut session.utp else {
        return false;
    };
    for _ in 0..BATCHES {
        if !outreach.send_held(now) {
            return false;
        }
        let Some(datagrams) = utp.transmit(outreach.batch(), now) else {
            return false;
        };
        if outreach.send_batch(datagrams, now).is_err() {
            utp.on_too_large(datagrams.to, outreach.batch(), now);
        }
    }
    true
}
