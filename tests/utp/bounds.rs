//! Bounds that no other test here drives to.

use brooklet::base::{Duration, limits};
use brooklet::utp::{Event, Gone, Read, Reason};
use brooklet::wire::utp_packet::Kind;

use crate::talk::{Talk, packet, peer};

const MILLI: Duration = Duration::from_millis(1);

fn pass(talk: &mut Talk, time: Duration) {
    talk.passes(time.as_millis() as u64);
}

#[test]
fn calls_that_are_sent() {
    let mut talk = Talk::new();
    let key = talk.utp.connect(peer(), 5, talk.now).unwrap();
    let mut wait = limits::UTP_RESEND_FIRST;
    for _ in 0..limits::UTP_SYNS {
        assert_eq!(talk.says_one().packet.kind, Kind::Syn);
        pass(&mut talk, wait - MILLI);
        assert!(talk.says().is_empty() && talk.events().is_empty());
        pass(&mut talk, MILLI);
        wait *= 2;
    }
    assert_eq!(talk.events(), [Event::Gone(5, key, Gone::NoAnswer)]);
    assert!(talk.says().is_empty());
}

#[test]
fn a_packet_that_came_alone() {
    let mut talk = Talk::new();
    let (_, id, number) = talk.calls();
    talk.hears(
        &packet(Kind::Data, id, 100, number.wrapping_sub(1)),
        &[],
        b"1",
    );
    pass(&mut talk, limits::UTP_ACK_DELAY - MILLI);
    assert!(talk.says().is_empty());
    pass(&mut talk, MILLI);
    assert_eq!(talk.says_one().packet.ack, 100);
}

#[test]
fn an_idle_connection() {
    let mut talk = Talk::new();
    talk.is_called();
    pass(&mut talk, limits::UTP_ACK_DELAY);
    talk.says();
    for _ in 0..3 {
        pass(&mut talk, limits::UTP_KEEP_ALIVE - MILLI);
        assert!(talk.says().is_empty());
        pass(&mut talk, MILLI);
        assert_eq!(talk.says_one().packet.kind, Kind::State);
    }
}

/// What is sent is sent again so often, and then the connection is given up: that takes a minute or
/// two.
#[test]
fn a_silent_peer() {
    let mut talk = Talk::new();
    let (key, ..) = talk.calls();
    talk.utp.write(key, b"anybody?", talk.now);
    let (begun, mut said) = (talk.now, 0);
    let gone = loop {
        said += talk.says().len() as u32;
        pass(&mut talk, MILLI * 10);
        if let Some(event) = talk.utp.next_event() {
            break event;
        }
    };
    assert_eq!(gone, Event::Gone(5, key, Gone::Silent));
    let kept_open = 1;
    assert!(said - 1 - limits::UTP_SILENCES <= kept_open, "{said}");
    let seconds = talk.now.since(begun).as_millis() / 1_000;
    assert!((50..=120).contains(&seconds), "{seconds} s");
}

#[test]
fn an_end_that_is_not_acknowledged() {
    let mut talk = Talk::new();
    let (key, ..) = talk.calls();
    talk.utp.close(key, Reason::None, talk.now);
    talk.says();
    let begun = talk.now;
    while talk.now.since(begun) < limits::UTP_LINGER - MILLI {
        assert!(!talk.utp.is_empty());
        pass(&mut talk, MILLI);
    }
    pass(&mut talk, MILLI * 2);
    assert!(talk.utp.is_empty());
}

/// At first what waits is bounded; then what waits and what is under way together.
#[test]
fn bytes_that_are_to_be_sent() {
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    assert_eq!(talk.utp.room(key), limits::UTP_AHEAD);
    let most = limits::UTP_AHEAD;
    assert_eq!(talk.utp.write(key, &vec![1; most + 1], talk.now), most);
    assert_eq!(talk.utp.room(key), 0);
    // All is acknowledged at once, and what has room is written, until the window is as large as it
    // becomes; then nothing is acknowledged any more.
    let mut acked = number.wrapping_sub(1);
    for _ in 0..200 {
        loop {
            let said = talk.says();
            acked = said.last().map_or(acked, |said| said.packet.seq);
            let room = talk.utp.room(key);
            if room == 0 {
                break;
            }
            talk.utp.write(key, &vec![1; room], talk.now);
        }
        let mut ack = packet(Kind::State, id, 100, acked);
        ack.window = u32::MAX;
        ack.difference = 1_000;
        pass(&mut talk, MILLI * 10);
        talk.hears(&ack, &[], &[]);
    }
    loop {
        talk.says();
        let room = talk.utp.room(key);
        if room == 0 {
            break;
        }
        assert!(talk.utp.bytes() + room <= limits::UTP_UNSENT);
        talk.utp.write(key, &vec![1; room], talk.now);
    }
    assert!(talk.utp.bytes() <= limits::UTP_UNSENT);
    assert!(talk.utp.bytes() > limits::UTP_AHEAD * 2);
}

#[test]
fn connections_at_one_time() {
    let mut talk = Talk::new();
    for owner in 0..limits::UTP_CONNECTIONS {
        assert!(talk.utp.connect(peer(), owner, talk.now).is_some());
    }
    assert!(talk.utp.connect(peer(), 0, talk.now).is_none());
    assert_eq!(talk.utp.len(), limits::UTP_CONNECTIONS);
}

/// A peer begins a connection, if it may; it acknowledges a packet of ours if it is to.
fn begins(talk: &mut Talk, place: usize, proves: bool) -> bool {
    talk.says();
    let id = 1_000 + 2 * place as u16;
    talk.hears(&packet(Kind::Syn, id, 5, 0), &[], &[]);
    let number = talk.says()[0].packet.seq;
    let ack = number.wrapping_sub(1);
    talk.hears(&packet(Kind::Data, id + 1, 6, ack), &[], b"x");
    let events = talk.events();
    let Some(&Event::Accepted(key, _)) = events.first() else {
        return false;
    };
    talk.utp.own(key, place, talk.now);
    talk.utp.write(key, b"y", talk.now);
    talk.says();
    if proves {
        talk.hears(&packet(Kind::State, id + 1, 7, number), &[], &[]);
    }
    talk.events();
    true
}

/// Few may have acknowledged nothing of ours, and none takes the places of our own calls.
#[test]
fn connections_that_peers_begin() {
    let mut talk = Talk::new();
    let most = limits::UTP_CONNECTIONS - limits::UTP_OWN;
    let mut count = 0;
    for place in 0..=most {
        count += usize::from(begins(&mut talk, place, true));
        if place % 1_000 == 0 {
            talk.passes(1_001);
        }
    }
    assert_eq!(count, most);
    assert!(talk.utp.connect(peer(), 0, talk.now).is_some());
    let mut talk = Talk::new();
    for place in 0..=limits::UTP_UNPROVEN {
        let begun = begins(&mut talk, place, false);
        assert_eq!(begun, place < limits::UTP_UNPROVEN);
    }
    // One of them is over, and leaves its place.
    talk.hears(&packet(Kind::Reset, 1_001, 0, 0), &[], &[]);
    talk.events();
    assert!(begins(&mut talk, most, false));
}

/// Packets of one size go out together, so many at a time.
#[test]
fn datagrams_at_a_time() {
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    let (mut most, mut bytes, mut out) = (0, 0, Vec::new());
    let mut acked = number.wrapping_sub(1);
    for _ in 0..100 {
        let room = talk.utp.room(key);
        talk.utp.write(key, &vec![1; room], talk.now);
        while let Some(datagrams) = talk.utp.transmit(&mut out, talk.now) {
            most = most.max(out.len().div_ceil(datagrams.each));
            bytes = bytes.max(out.len());
            acked = acked.wrapping_add(out.len().div_ceil(datagrams.each) as u16);
        }
        pass(&mut talk, MILLI * 10);
        let mut ack = packet(Kind::State, id, 100, acked);
        ack.difference = 1_000;
        talk.hears(&ack, &[], &[]);
    }
    let largest = limits::UTP_DATAGRAM_MOST;
    assert_eq!(most, limits::UTP_BATCH);
    assert!((limits::UTP_BATCH_BYTES - largest..=limits::UTP_BATCH_BYTES).contains(&bytes));
    assert_eq!(talk.utp.read(key, &mut [0; 9], talk.now), Read::Nothing);
}
