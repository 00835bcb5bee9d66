//! Peers found in the local network (BEP 14), one search for all torrents. Which datagrams go out,
//! and whom of those that come in to believe, is decided in `lsd`.

use std::net::SocketAddr;

use super::torrents::Torrents;
use crate::base::{InfoHash, Time};
use crate::lsd::Lsd;
use crate::torrent::{Effect, Lent};

/// The search, if the process takes part in it.
#[derive(Debug, Default)]
pub struct Nearby(Option<Box<Lsd>>);

impl Nearby {
    /// Torrents may be found in the local network from now on. `port`: where peers may dial us.
    /// `seed` decides by what we know our own datagrams.
    pub fn join(&mut self, port: u16, seed: u64) {
        self.0 = Some(Box::new(Lsd::new(port, seed)));
    }

    /// There is a network that was not there before: all torrents are announced anew.
    pub fn renew(&mut self, now: Time) {
        self.0.iter_mut().for_each(|lsd| lsd.renew(now));
    }

    /// When something is to be announced.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.0.as_ref()?.next_deadline()
    }

    /// Has the torrents of this turn take part, and announces what is due. A private torrent (BEP
    /// 27) never takes part.
    pub(super) fn plan(&mut self, torrents: &Torrents, lent: &mut Lent<'_>, now: Time) {
        let Some(lsd) = &mut self.0 else {
            return;
        };
        for torrent in lent
            .agenda
            .torrents
            .iter()
            .filter_map(|&key| torrents.get(key))
        {
            if torrent.order.lsd && torrent.life.is_among_peers() {
                lsd.want(torrent.order.info_hash, now);
            } else {
                lsd.unwant(&torrent.order.info_hash);
            }
        }
        if let Some(search) = lsd.turn(now) {
            lent.effects.push_back(Effect::Search(search));
        }
    }

    /// A datagram came to one of the groups: a peer, and the torrents of ours that it has.
    pub(super) fn receive(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        now: Time,
    ) -> Option<(SocketAddr, Vec<InfoHash>)> {
        self.0.as_mut()?.receive(from, datagram, now)
    }
}
