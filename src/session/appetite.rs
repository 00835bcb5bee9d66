//! Whether a peer is read from, and how much at a time. If we stop reading, the TCP window fills
//! and the peer stops sending. We stop while too many requests of the peer wait, while the disk is
//! behind, and while the peer's torrent is being woken up: the loop then says that the disk is
//! behind (`disk_load` in `io/receive.rs`).

use crate::base::limits;
use crate::peer::Peer;
use crate::torrent::Slot;

/// How far the disk is behind what peers sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DiskLoad {
    /// No more should be read from peers that owe us blocks.
    pub full: bool,
    /// Nothing should be read from any peer: a peer that owes us no block may still send one that
    /// was on its way.
    pub overfull: bool,
}

/// What to do with a peer that has sent something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appetite {
    /// Read this many bytes at most.
    Read(usize),
    /// Do not read before some of what it asked for is sent.
    AfterUploads,
    /// Do not read before the disk has caught up, or the peer's torrent is awake, or a limit allows
    /// a web seed to be read.
    AfterDisk,
}

impl Appetite {
    /// The appetite for what the other end of this connection sends.
    pub(super) fn of(slot: &Slot, disk: DiskLoad) -> Appetite {
        if let Some(pull) = slot.web() {
            let (turn, most) = (pull.turn, pull.appetite());
            return match turn.allowance {
                _ if disk.full || disk.overfull => Appetite::AfterDisk,
                0 if turn.limited => Appetite::AfterDisk,
                allowance if turn.limited => Appetite::Read(most.min(allowance as usize)),
                _ => Appetite::Read(most),
            };
        }
        let peer = slot.member().map(|member| &member.peer);
        let owes = peer.is_some_and(|peer| peer.in_flight() > 0);
        if peer.is_some_and(Peer::is_upload_queue_full) {
            Appetite::AfterUploads
        } else if disk.overfull || owes && disk.full {
            Appetite::AfterDisk
        } else if owes {
            Appetite::Read(limits::READ)
        } else if peer.is_some() {
            Appetite::Read(limits::ASKING_READ)
        } else {
            Appetite::Read(limits::GREETING_READ)
        }
    }
}
