//! The only place that says which message may come when: one exhaustive match from the phase of a
//! connection and the kind of a message to what happens. PROTOCOL.md's table is printed from it.

use super::end_reason::EndReason;
use crate::wire::message::Kind;

/// How far a connection is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// We dialed; the network has not answered.
    Dialing,
    /// Connected; the peer's handshake is not whole yet.
    Greeting,
    /// Greeted; the peer has not said yet what it has.
    Opening,
    /// Messages flow.
    Open,
    /// Over; nothing counts any more.
    Closing(EndReason),
}

/// What both ends agreed on in their handshakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capabilities {
    /// The fast extension (BEP 6).
    pub fast: bool,
    /// The extension protocol (BEP 10).
    pub extended: bool,
    /// Both are nodes of the DHT (BEP 5), and the peer has not said yet where its node is.
    pub dht: bool,
}

/// What becomes of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// It counts.
    Take,
    /// It counts, and the connection moves on.
    Enter(Phase),
    /// It is dropped.
    Ignore(Why),
    /// It ends the connection.
    Refuse(EndReason),
}

/// Why a message is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// An unknown kind of message. It may belong to an extension that its sender thinks we have.
    Unknown,
    /// It belongs to an extension on which the two ends did not agree, or is a second `port`; it
    /// does no harm.
    NotAgreed,
    /// The connection is over.
    Over,
}

/// What becomes of a message of this kind in this phase.
pub fn step(phase: &Phase, kind: Kind, caps: Capabilities) -> Step {
    match phase {
        Phase::Dialing => Step::Refuse(EndReason::OutOfPlace(kind)),
        Phase::Greeting => match kind {
            Kind::Handshake => Step::Enter(Phase::Opening),
            _ => Step::Refuse(EndReason::OutOfPlace(kind)),
        },
        Phase::Opening => opening(kind, caps),
        Phase::Open => open(kind, caps),
        Phase::Closing(_) => Step::Ignore(Why::Over),
    }
}

/// BEP 3: a bitfield "is only ever sent as the first message", and BEP 6 says the same of the
/// messages that replace it. Messages that say nothing about pieces do not count as the first:
/// clients send their extension handshake or DHT port in front of it.
fn opening(kind: Kind, caps: Capabilities) -> Step {
    match kind {
        Kind::Bitfield => Step::Enter(Phase::Open),
        Kind::HaveAll | Kind::HaveNone if caps.fast => Step::Enter(Phase::Open),
        Kind::KeepAlive | Kind::Extended | Kind::Port | Kind::Unknown => open(kind, caps),
        _ => match open(kind, caps) {
            Step::Take => Step::Enter(Phase::Open),
            other => other,
        },
    }
}

fn open(kind: Kind, caps: Capabilities) -> Step {
    match kind {
        Kind::Handshake => Step::Refuse(EndReason::OutOfPlace(kind)),
        // aria2 sends a bitfield, or have all, in place of many haves. It means the same as these
        // haves.
        Kind::KeepAlive
        | Kind::Bitfield
        | Kind::Choke
        | Kind::Unchoke
        | Kind::Interested
        | Kind::NotInterested
        | Kind::Have
        | Kind::Request
        | Kind::Piece
        | Kind::Cancel => Step::Take,
        Kind::HaveAll | Kind::HaveNone | Kind::Suggest | Kind::Reject | Kind::AllowedFast => {
            if caps.fast {
                Step::Take
            } else {
                Step::Refuse(EndReason::NotAgreed(kind))
            }
        }
        Kind::Extended if caps.extended => Step::Take,
        Kind::Port if caps.dht => Step::Take,
        Kind::Port | Kind::Extended => Step::Ignore(Why::NotAgreed),
        Kind::Unknown => Step::Ignore(Why::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Capabilities = Capabilities {
        fast: true,
        extended: true,
        dht: true,
    };
    const PLAIN: Capabilities = Capabilities {
        fast: false,
        extended: false,
        dht: false,
    };

    #[test]
    fn a_bitfield_opens_and_may_come_again() {
        // BEP 3: "'bitfield' is only ever sent as the first message." aria2 sends another.
        assert_eq!(
            step(&Phase::Opening, Kind::Bitfield, PLAIN),
            Step::Enter(Phase::Open)
        );
        assert_eq!(step(&Phase::Open, Kind::Bitfield, FAST), Step::Take);
        assert_eq!(
            step(&Phase::Opening, Kind::Have, PLAIN),
            Step::Enter(Phase::Open)
        );
        assert_eq!(
            step(&Phase::Opening, Kind::Extended, PLAIN),
            Step::Ignore(Why::NotAgreed)
        );
        assert_eq!(step(&Phase::Opening, Kind::Extended, FAST), Step::Take);
        assert_eq!(step(&Phase::Opening, Kind::Port, FAST), Step::Take);
        assert_eq!(
            step(&Phase::Open, Kind::Port, PLAIN),
            Step::Ignore(Why::NotAgreed)
        );
        assert_eq!(step(&Phase::Opening, Kind::KeepAlive, PLAIN), Step::Take);
    }

    #[test]
    fn fast_messages_need_the_agreement() {
        // BEP 6: the extension is enabled "only if both ends of the connection set this bit".
        for kind in [
            Kind::HaveAll,
            Kind::HaveNone,
            Kind::Suggest,
            Kind::Reject,
            Kind::AllowedFast,
        ] {
            assert_eq!(
                step(&Phase::Opening, kind, PLAIN),
                Step::Refuse(EndReason::NotAgreed(kind))
            );
        }
        assert_eq!(
            step(&Phase::Opening, Kind::HaveAll, FAST),
            Step::Enter(Phase::Open)
        );
        assert_eq!(step(&Phase::Open, Kind::Reject, FAST), Step::Take);
        assert_eq!(step(&Phase::Open, Kind::HaveAll, FAST), Step::Take);
    }

    #[test]
    fn nothing_but_a_handshake_greets() {
        assert_eq!(
            step(&Phase::Greeting, Kind::Handshake, PLAIN),
            Step::Enter(Phase::Opening)
        );
        assert!(matches!(
            step(&Phase::Greeting, Kind::Choke, PLAIN),
            Step::Refuse(_)
        ));
        assert!(matches!(
            step(&Phase::Open, Kind::Handshake, PLAIN),
            Step::Refuse(_)
        ));
        // Nothing can come before there is a connection.
        assert_eq!(
            step(&Phase::Dialing, Kind::Handshake, PLAIN),
            Step::Refuse(EndReason::OutOfPlace(Kind::Handshake))
        );
        let over = Phase::Closing(EndReason::Silent);
        assert_eq!(step(&over, Kind::Piece, FAST), Step::Ignore(Why::Over));
    }
}
