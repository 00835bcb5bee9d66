//! The shields of connections: which of them begin with an encrypted handshake, and what becomes of
//! those on which one end does not take the other one's form. See [`crate::mse`].

use super::torrents::Torrents;
use crate::base::{Duration, Host, PeerKey, Rng, SortedMap, Time, limits};
use crate::mse::keys::KEY;
use crate::mse::shield::Terms;
use crate::mse::{Encryption, Rc4, Refused, Shield};
use crate::peer::{EndReason, Greeting};
use crate::torrent::{Machine, Slot, Transport};
use crate::wire::Foreign;
use crate::wire::handshake::PROTOCOL;

/// So many bytes that another protocol begins with are no random key: less than one key in a
/// million begins like that.
const WORD: usize = 4;
/// The same of a line of text.
const LINE: usize = 8;
/// The same of text that does not end yet.
const TEXT: usize = 16;

/// What the shields of all connections share.
#[derive(Debug)]
pub(super) struct Shielding {
    /// Makes keys and padding.
    pub rng: Rng,
    /// The cipher of the connection that was sealed last, for what follows if so many bytes go.
    after: Option<(PeerKey, usize, Rc4)>,
    exchanges: Exchanges,
}

/// Keys of peers that dialed us which were answered within a second, since an answer costs more
/// than all else that a stranger can have.
#[derive(Debug, Default)]
struct Exchanges {
    begun: Time,
    all: u32,
    hosts: SortedMap<Host, u32>,
}

impl Exchanges {
    /// Whether one more of this host may be answered. `since`: when it connected.
    fn admit(&mut self, host: Host, since: Time) -> bool {
        if since.since(self.begun) >= Duration::from_secs(1) {
            *self = Exchanges {
                begun: since,
                ..Exchanges::default()
            };
        }
        if self.all >= limits::MSE_KEYS {
            return false;
        }
        let its = self.hosts.get_or_insert_with(host, || 0);
        if *its >= limits::MSE_KEYS_HOST {
            return false;
        }
        *its += 1;
        self.all += 1;
        true
    }
}

impl Shielding {
    /// That of a session with this seed.
    pub(super) fn new(seed: u64) -> Shielding {
        Shielding {
            // Not the numbers that others draw from the same seed.
            rng: Rng::from_seed(seed ^ 0x6d73_6500),
            after: None,
            exchanges: Exchanges::default(),
        }
    }

    /// Takes what belongs to an encrypted handshake off what was read, and decrypts what follows it
    /// in place. How many bytes were taken.
    pub(super) fn open(
        &mut self,
        slot: &mut Slot,
        (torrents, setting): (&Torrents, Encryption),
        bytes: &mut [u8],
    ) -> usize {
        if let Machine::Greeting(greeting) = &mut slot.machine {
            match look(greeting, slot.shield.as_deref(), bytes, setting) {
                Ok(true) => {
                    greeting.yield_unparsed();
                    slot.shield = Some(Box::new(Shield::accept()));
                }
                Ok(false) => {}
                Err(reason) => {
                    greeting.refuse(reason);
                    return 0;
                }
            }
        }
        let kept = match slot.handshaking() {
            Some(_) => 0,
            None => slot.unparsed().len(),
        };
        let (Some(shield), Some(bytes)) = (&mut slot.shield, bytes.get_mut(kept..)) else {
            return 0;
        };
        if let Machine::Greeting(greeting) = &mut slot.machine {
            let answered = !greeting.is_outbound() && shield.awaits_key() && bytes.len() >= KEY;
            let (host, since) = (Host::of(greeting.addr()), greeting.since());
            if answered && !self.exchanges.admit(host, since) {
                greeting.refuse(EndReason::KeyFlood);
                return 0;
            }
        }
        let initial = match &slot.machine {
            Machine::Greeting(greeting) => greeting.transmit(),
            Machine::Peer(_) | Machine::Web(_) => &[],
        };
        let terms = Terms {
            setting,
            torrent: &mut |hidden| torrents.reveal(hidden),
            initial,
            rng: &mut self.rng,
        };
        let opened = shield.open(bytes, terms);
        let Machine::Greeting(greeting) = &mut slot.machine else {
            return 0;
        };
        match opened {
            Ok(opened) => {
                if opened.said {
                    greeting.said_handshake();
                }
                opened.taken
            }
            Err(refused) => {
                greeting.refuse(reason_of(refused));
                0
            }
        }
    }

    /// Encrypts what is to be sent, in place, if that is agreed on.
    pub(super) fn seal(&mut self, key: PeerKey, slot: &Slot, bytes: &mut [u8]) {
        let after = slot.shield.as_deref().and_then(|it| it.seal(bytes));
        self.after = after.map(|after| (key, bytes.len(), after));
    }

    /// So many bytes of what was sealed were sent: how many of them the machine said.
    pub(super) fn transmitted(&mut self, key: PeerKey, slot: &mut Slot, bytes: usize) -> usize {
        let Some(shield) = &mut slot.shield else {
            return bytes;
        };
        let after = self.after.take();
        let after = after.filter(|(of, all, _)| (*of, *all) == (key, bytes));
        shield.transmitted(bytes, after.map(|(_, _, after)| after))
    }
}

/// Looks at what a peer that has not greeted us has sent so far. Whether it has just begun an
/// encrypted handshake.
///
/// # Errors
/// The connection is to end.
fn look(
    greeting: &mut Greeting,
    shield: Option<&Shield>,
    bytes: &[u8],
    setting: Encryption,
) -> Result<bool, EndReason> {
    if !bytes.is_empty() {
        greeting.hear();
    }
    let (begun, outbound) = (shield.is_some(), greeting.is_outbound());
    if shield.is_some_and(|it| !it.awaits_key()) || outbound && !begun {
        return Ok(false);
    }
    let plain = bytes
        .iter()
        .zip(PROTOCOL)
        .all(|(theirs, ours)| theirs == ours);
    let whole = bytes.len() >= PROTOCOL.len();
    if outbound {
        // It answers as if it had been dialed without encryption.
        let refused = plain && whole;
        return if refused {
            Err(EndReason::NotBitTorrent)
        } else {
            Ok(false)
        };
    }
    if plain && !begun {
        let refused = whole && !setting.takes_plain();
        return if refused {
            Err(EndReason::Unencrypted)
        } else {
            Ok(false)
        };
    }
    let foreign = Foreign::of(bytes);
    let certain = match foreign {
        Foreign::Http | Foreign::Tls | Foreign::Ssh => bytes.len() >= WORD,
        Foreign::Text => bytes.len() >= TEXT || bytes.len() >= LINE && bytes.ends_with(b"\n"),
        Foreign::Encrypted | Foreign::Utp | Foreign::Unknown => false,
    };
    greeting.suspect(foreign);
    if !setting.takes_encrypted() || certain {
        return Err(EndReason::NotBitTorrent);
    }
    Ok(!begun)
}

fn reason_of(refused: Refused) -> EndReason {
    match refused {
        Refused::Key | Refused::Mark => EndReason::NotBitTorrent,
        Refused::Torrent => EndReason::NotServed,
        Refused::Constant => EndReason::Encryption("its keys are others"),
        Refused::Method => EndReason::Encryption("there is no method that both ends take"),
        Refused::Padding => EndReason::Encryption("its padding is too long"),
    }
}

/// Why a connection ends: if the peer has not taken the form in which it was dialed, it is dialed
/// in the other one, or once more with other keys; if it has taken none over TCP, it is called over
/// `utp`, where that is spoken.
pub(super) fn why(
    slot: &Slot,
    (torrents, setting): (&mut Torrents, Encryption),
    utp: bool,
    reason: EndReason,
) -> EndReason {
    let untaken = match (slot.greeting(), &slot.shield) {
        (None, _) => false,
        (Some(_), Some(shield)) => shield.is_shaking_hands(),
        (Some(greeting), None) => !greeting.was_heard() || reason == EndReason::NotBitTorrent,
    };
    let hung_up = matches!(
        reason,
        EndReason::Closed
            | EndReason::Network(_)
            | EndReason::HandshakeTimeout
            | EndReason::NotBitTorrent
            | EndReason::Encryption(_)
    );
    let dialed = slot.is_outbound() && !slot.is_dialing();
    let (addr, torrent) = (slot.addr(), slot.torrent);
    let torrent = torrent.filter(|_| dialed && untaken && hung_up);
    let torrent = torrent.and_then(|torrent| torrents.get_mut(torrent));
    let Some(torrent) = torrent.filter(|it| it.life.is_among_peers()) else {
        return reason;
    };
    let silent = reason == EndReason::HandshakeTimeout;
    // What is no BitTorrent at all over TCP is none over uTP.
    let hung_up = silent || matches!(reason, EndReason::Closed | EndReason::Network(_));
    let may_call = utp && hung_up && slot.way.transport == Transport::Tcp;
    let misread = slot.shield.as_deref().is_some_and(Shield::is_misread);
    if misread && torrent.candidates.try_other_keys(addr) {
        EndReason::OtherKeys
    } else if torrent.candidates.try_other_form(addr, setting) {
        EndReason::OtherForm(Box::new(reason))
    } else if may_call && torrent.candidates.try_utp(addr, silent) {
        EndReason::OtherWay(Box::new(reason))
    } else {
        reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_keys_are_answered_in_a_second() {
        let host = |last: u8| Host::of(([192, 0, 2, last], 1).into());
        let mut exchanges = Exchanges::default();
        let mut flood = |last: u8, since: Time| {
            let admitted = (0..limits::MSE_KEYS_HOST + 1)
                .filter(|_| exchanges.admit(host(last), since))
                .count();
            admitted as u32
        };
        let begun = Time::default() + Duration::from_secs(9);
        let all: u32 = (0..100).map(|last| flood(last, begun)).sum();
        assert_eq!(all, limits::MSE_KEYS);
        assert_eq!(flood(200, begun + Duration::from_millis(999)), 0);
        let later = begun + Duration::from_secs(1);
        assert_eq!(flood(1, later), limits::MSE_KEYS_HOST);
    }
}
