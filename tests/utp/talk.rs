//! The packets of a connection, one by one, as other clients expect them.

use std::net::SocketAddr;

use brooklet::base::{Duration, Time, limits};
use brooklet::utp::{Event, Fragments, Gone, Key, Read, Reason, Utp};
use brooklet::wire::utp_packet::{Body, Extensions, Kind, Packet};

/// An end, to which the test is the other end.
pub struct Talk {
    pub utp: Utp,
    pub now: Time,
}

/// A packet with what it carries.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub packet: Packet,
    pub sack: Vec<u8>,
    pub reason: Option<u32>,
    pub content: Vec<u8>,
    pub len: usize,
}

pub fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 6881))
}

/// A packet of the other end, whose fields matter little.
pub fn packet(kind: Kind, connection: u16, seq: u16, ack: u16) -> Packet {
    Packet {
        kind,
        connection,
        timestamp: 1_000,
        difference: 0,
        window: 1 << 20,
        seq,
        ack,
    }
}

impl Talk {
    pub fn new() -> Talk {
        Talk {
            utp: Utp::new(8 << 20, 64 << 10, 7),
            now: Time::from_micros(1_000_000),
        }
    }

    pub fn passes(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.utp.handle_timeout(self.now);
    }

    pub fn hears(&mut self, packet: &Packet, sack: &[u8], content: &[u8]) {
        let mut bytes = Vec::new();
        let extensions = Extensions {
            sack,
            ..Extensions::default()
        };
        packet.encode_with(extensions, &mut bytes);
        bytes.extend(content);
        self.utp.receive(peer(), &bytes, || true, self.now);
    }

    pub fn says(&mut self) -> Vec<Said> {
        let (mut said, mut out) = (Vec::new(), Vec::new());
        while let Some(datagrams) = self.utp.transmit(&mut out, self.now) {
            assert_eq!(datagrams.to, peer());
            for bytes in out.chunks(datagrams.each) {
                assert_taken_by_libutp(bytes);
                let (packet, body) = Packet::read(bytes).unwrap();
                let Body {
                    sack,
                    reason,
                    content,
                } = body;
                said.push(Said {
                    packet,
                    sack: sack.to_vec(),
                    reason,
                    content: content.to_vec(),
                    len: bytes.len(),
                });
            }
        }
        said
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.utp.next_event()).collect()
    }

    /// The only packet that it says.
    pub fn says_one(&mut self) -> Said {
        let mut said = self.says();
        assert_eq!(said.len(), 1, "{said:?}");
        said.remove(0)
    }

    /// A connection that we have begun and that is open: its key and the number under which its
    /// packets come, the number of its first packet, and that of ours.
    pub fn calls(&mut self) -> (Key, u16, u16) {
        let key = self.utp.connect(peer(), 5, self.now).unwrap();
        let call = self.says_one().packet;
        assert_eq!((call.kind, call.ack, call.difference), (Kind::Syn, 0, 0));
        self.passes(100);
        self.hears(
            &packet(Kind::State, call.connection, 100, call.seq),
            &[],
            &[],
        );
        assert_eq!(self.events(), [Event::Connected(5, key)]);
        assert!(self.says().is_empty(), "an answer needs none");
        (key, call.connection, call.seq.wrapping_add(1))
    }

    /// A connection that the other end has begun as 700, with the number 9: its key, and the number
    /// of our first packet.
    pub fn is_called(&mut self) -> (Key, u16) {
        self.hears(&packet(Kind::Syn, 700, 9, 0), &[], &[]);
        let answer = self.says_one().packet;
        let State {
            kind,
            connection,
            ack,
        } = State::of(&answer);
        assert_eq!((kind, connection, ack), (Kind::State, 700, 9));
        assert!(
            self.utp.is_empty() && self.events().is_empty(),
            "nothing is kept"
        );
        self.hears(
            &packet(Kind::Data, 701, 10, answer.seq.wrapping_sub(1)),
            &[],
            b"hello",
        );
        let events = self.events();
        let [Event::Accepted(key, from)] = events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(from, peer());
        self.utp.own(key, 6, self.now);
        assert_eq!(self.events(), [Event::Readable(6)]);
        (key, answer.seq)
    }
}

/// libutp takes a packet whose first extension is 3 or more for one of an older version, and drops
/// it.
pub fn assert_taken_by_libutp(datagram: &[u8]) {
    assert!(datagram[1] < 3, "{:?}", &datagram[..40.min(datagram.len())]);
}

struct State {
    kind: Kind,
    connection: u16,
    ack: u16,
}

impl State {
    fn of(packet: &Packet) -> State {
        State {
            kind: packet.kind,
            connection: packet.connection,
            ack: packet.ack,
        }
    }
}

fn read(talk: &mut Talk, key: Key) -> Vec<u8> {
    let mut buffer = [0; 4096];
    match talk.utp.read(key, &mut buffer, talk.now) {
        Read::Bytes(n, _) => buffer[..n].to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn our_call_counts_up_and_the_answer_uses_no_number() {
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    assert_eq!(talk.utp.write(key, b"ping", talk.now), 4);
    let said = talk.says_one();
    let Packet {
        kind,
        connection,
        seq,
        ack,
        ..
    } = said.packet;
    assert_eq!(
        (kind, connection, seq),
        (Kind::Data, id.wrapping_add(1), number)
    );
    assert_eq!((ack, &said.content[..]), (99, &b"ping"[..]));
    // The other end's first packet has the number of its answer.
    talk.hears(&packet(Kind::Data, id, 100, number), &[], b"pong");
    assert_eq!(talk.events(), [Event::Readable(5)]);
    assert_eq!(read(&mut talk, key), b"pong");
    assert_eq!(talk.utp.read(key, &mut [0; 9], talk.now), Read::Nothing);
}

#[test]
fn a_call_that_comes_again_is_answered_in_the_same_way() {
    let mut talk = Talk::new();
    let call = packet(Kind::Syn, 700, 9, 0);
    talk.hears(&call, &[], &[]);
    talk.hears(&call, &[], &[]);
    let said = talk.says();
    assert_eq!(said.len(), 2);
    assert_eq!(said[0], said[1]);
    // And so after a while: both answers count.
    talk.passes(limits::UTP_COOKIES.as_millis() as u64);
    for said in &said {
        talk.hears(
            &packet(Kind::Data, 701, 10, said.packet.seq.wrapping_sub(1)),
            &[],
            b"x",
        );
    }
    assert_eq!(talk.events().len(), 1);
    // Once it is open, a call of before is not answered.
    talk.hears(&call, &[], &[]);
    let said = talk.says_one();
    assert_eq!(
        (said.packet.kind, said.packet.connection),
        (Kind::State, 700)
    );
    assert_eq!(said.packet.ack, 10);
}

/// Content that is in more than one packet, the first of which is lost.
#[test]
fn the_first_packet_after_a_call_may_be_late() {
    let mut talk = Talk::new();
    talk.hears(&packet(Kind::Syn, 700, 9, 0), &[], &[]);
    let ack = talk.says_one().packet.seq.wrapping_sub(1);
    talk.hears(&packet(Kind::Data, 701, 11, ack), &[], b"b");
    let events = talk.events();
    let [Event::Accepted(key, _)] = events[..] else {
        panic!("{events:?}");
    };
    talk.utp.own(key, 6, talk.now);
    assert_eq!(talk.says_one().sack, [1, 0, 0, 0]);
    talk.hears(&packet(Kind::Data, 701, 10, ack), &[], b"a");
    assert_eq!(read(&mut talk, key), b"ab");
}

/// A copy of the packet that opened a connection comes when that has ended: it opens none again, and
/// that of another call does. How many are remembered is bounded, and how long.
#[test]
fn a_late_copy_opens_no_connection_again() {
    let mut talk = Talk::new();
    let (_, number) = talk.is_called();
    let first = packet(Kind::Data, 701, 10, number.wrapping_sub(1));
    talk.passes(50);
    talk.says();
    talk.hears(&packet(Kind::Reset, 701, 0, 0), &[], &[]);
    talk.events();
    assert!(talk.utp.is_empty());
    talk.hears(&first, &[], b"again");
    assert!(talk.utp.is_empty() && talk.events().is_empty());
    assert_eq!(talk.says_one().packet.kind, Kind::Reset);
    let mut opened = 0;
    for call in 0..limits::UTP_ENDED as u16 + 1 {
        let (id, seq) = (1_000 + 2 * call, 5 + call);
        talk.passes(5);
        talk.hears(&packet(Kind::Syn, id, seq, 0), &[], &[]);
        let answer = talk.says_one().packet;
        let data = packet(Kind::Data, id + 1, seq + 1, answer.seq.wrapping_sub(1));
        for copy in 0..2 {
            talk.hears(&data, &[], b"x");
            opened += talk.events().len();
            assert_eq!(talk.utp.is_empty(), copy == 1);
            talk.hears(&packet(Kind::Reset, id + 1, 0, 0), &[], &[]);
            talk.says();
        }
    }
    assert_eq!(opened, limits::UTP_ENDED + 1);
    // The first of all is forgotten by now.
    talk.passes(1_001);
    talk.hears(&first, &[], b"again");
    assert_eq!(talk.events().len(), 1);
    talk.hears(&packet(Kind::Reset, 701, 0, 0), &[], &[]);
    talk.says();
    // By then our answer has another number: it is another connection.
    talk.passes(2 * limits::UTP_COOKIES.as_millis() as u64);
    talk.is_called();
}

/// What is written after our handshake goes into another packet than that, however little it is.
#[test]
fn a_packet_ends_where_it_is_told_to() {
    let mut talk = Talk::new();
    let (key, _) = talk.is_called();
    talk.says();
    talk.utp.write(key, b"handshake", talk.now);
    talk.utp.end_packet(key);
    talk.utp.write(key, b"bitfield", talk.now);
    talk.utp.write(key, b"unchoke", talk.now);
    let said = talk.says();
    let said: Vec<&[u8]> = said.iter().map(|said| &said.content[..]).collect();
    assert_eq!(said, [&b"handshake"[..], b"bitfieldunchoke"]);
}

#[test]
fn a_peer_that_calls_is_heard_and_answered() {
    let mut talk = Talk::new();
    let (key, number) = talk.is_called();
    assert_eq!(read(&mut talk, key), b"hello");
    talk.utp.write(key, b"answer", talk.now);
    let said = talk.says_one();
    assert_eq!(
        (said.packet.connection, said.packet.seq, said.packet.ack),
        (700, number, 10)
    );
    // What was not acknowledged comes again, after longer and longer.
    for wait in [1_000, 2_000, 4_000] {
        talk.passes(wait - 1);
        assert!(talk.says().is_empty());
        talk.passes(2);
        assert_eq!(talk.says_one().content, b"answer");
    }
    talk.hears(&packet(Kind::State, 701, 11, number), &[], &[]);
    talk.passes(20_000);
    assert!(talk.says().is_empty());
}

/// A call comes twice, a second apart, and is given up after two more; a refusal
/// ends it at once.
#[test]
fn a_call_that_is_not_answered_is_given_up() {
    let mut talk = Talk::new();
    let key = talk.utp.connect(peer(), 5, talk.now).unwrap();
    let first = talk.says_one().packet;
    talk.passes(1_000);
    let again = talk.says_one().packet;
    assert_eq!((again.seq, again.connection), (first.seq, first.connection));
    talk.passes(1_999);
    assert!(talk.events().is_empty());
    talk.passes(2);
    assert_eq!(talk.events(), [Event::Gone(5, key, Gone::NoAnswer)]);
    assert!(talk.utp.is_empty() && talk.says().is_empty());
    let key = talk.utp.connect(peer(), 6, talk.now).unwrap();
    let call = talk.says_one().packet;
    talk.hears(&call.refusal(7), &[], &[]);
    assert_eq!(talk.events(), [Event::Gone(6, key, Gone::Refused)]);
}

/// TCP was faster: the peer is told that the call is void.
#[test]
fn a_call_that_is_taken_back_is_reset() {
    let mut talk = Talk::new();
    let key = talk.utp.connect(peer(), 5, talk.now).unwrap();
    let call = talk.says_one().packet;
    talk.utp.close(key, Reason::None, talk.now);
    let said = talk.says_one().packet;
    assert_eq!(
        (said.kind, said.connection),
        (Kind::Reset, call.connection.wrapping_add(1))
    );
    assert!(talk.utp.is_empty() && talk.events().is_empty());
}

#[test]
fn a_lone_packet_is_acknowledged_after_a_while_and_two_at_once() {
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    let ack = number.wrapping_sub(1);
    talk.hears(&packet(Kind::Data, id, 100, ack), &[], b"1");
    assert!(talk.says().is_empty());
    talk.passes(39);
    assert!(talk.says().is_empty());
    talk.passes(2);
    let said = talk.says_one().packet;
    assert_eq!((said.kind, said.ack), (Kind::State, 100));
    for seq in 101..105 {
        talk.hears(&packet(Kind::Data, id, seq, ack), &[], b"x");
    }
    assert_eq!(
        talk.says_one().packet.ack,
        104,
        "once for all that came together"
    );
    // What we send acknowledges, too.
    talk.hears(&packet(Kind::Data, id, 105, ack), &[], b"x");
    talk.utp.write(key, b"y", talk.now);
    let said = talk.says_one().packet;
    assert_eq!((said.kind, said.ack), (Kind::Data, 105));
    talk.passes(100);
    assert!(talk.says().is_empty());
}

#[test]
fn a_gap_is_named_at_once() {
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    let ack = number.wrapping_sub(1);
    talk.hears(&packet(Kind::Data, id, 102, ack), &[], b"c");
    let said = talk.says_one();
    assert_eq!(
        (said.packet.ack, &said.sack[..]),
        (99, &[0b10, 0, 0, 0][..])
    );
    talk.hears(&packet(Kind::Data, id, 101, ack), &[], b"b");
    assert_eq!(talk.says_one().sack, [0b11, 0, 0, 0]);
    talk.hears(&packet(Kind::Data, id, 100, ack), &[], b"a");
    let said = talk.says_one();
    assert_eq!((said.packet.ack, said.sack.len()), (102, 0));
    assert_eq!(read(&mut talk, key), b"abc");
}

#[test]
fn what_others_overtook_is_sent_again_at_once() {
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    assert_eq!(talk.utp.write(key, &[1; 2_000], talk.now), 2_000);
    assert_eq!(talk.says().len(), 4);
    // Three acknowledgements that say the same, without naming what came.
    let ack = packet(Kind::State, id, 100, number);
    talk.hears(&ack, &[], &[]);
    let sent = talk.says().len();
    for _ in 0..2 {
        talk.hears(&ack, &[], &[]);
        assert!(talk.says().is_empty(), "{sent}");
    }
    talk.hears(&ack, &[], &[]);
    assert_eq!(talk.says()[0].packet.seq, number.wrapping_add(1));
    // The same with what came.
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    talk.utp.write(key, &[1; 2_000], talk.now);
    talk.says();
    let ack = packet(Kind::State, id, 100, number.wrapping_sub(1));
    talk.hears(&ack, &[0b111, 0, 0, 0], &[]);
    assert_eq!(talk.says()[0].packet.seq, number);
}

/// A peer that takes less than a packet is sent that much; one that takes nothing is asked again.
#[test]
fn small_windows_are_kept_to() {
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    let mut ack = packet(Kind::State, id, 100, number.wrapping_sub(1));
    ack.window = 300;
    talk.hears(&ack, &[], &[]);
    talk.utp.write(key, &[1; 1_000], talk.now);
    assert_eq!(talk.says_one().content.len(), 300);
    ack.ack = number;
    ack.window = 0;
    talk.hears(&ack, &[], &[]);
    assert!(talk.says().is_empty());
    for _ in 0..20 {
        talk.passes(30_000);
        let asked = talk.says();
        let content: Vec<&Said> = asked
            .iter()
            .filter(|said| !said.content.is_empty())
            .collect();
        assert_eq!(content.len(), 1, "{asked:?}");
        // It is not taken, and that is said.
        talk.hears(&ack, &[], &[]);
    }
    ack.window = 1 << 20;
    talk.hears(&ack, &[], &[]);
    talk.passes(30_000);
    let sent: usize = talk.says().iter().map(|said| said.content.len()).sum();
    assert_eq!(sent, 528, "what was asked with comes first");
    assert!(talk.events().is_empty());
}

#[test]
fn room_that_was_used_up_is_told_of_again() {
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    let ack = number.wrapping_sub(1);
    let mut seq = 100;
    let told = loop {
        talk.hears(&packet(Kind::Data, id, seq, ack), &[], &[7; 1_400]);
        seq += 1;
        let said = talk.says();
        match said.last().map(|said| said.packet.window) {
            Some(window) if window < 1_400 => break window,
            _ => assert!(seq < 10_000),
        }
    };
    assert!(told < 1_400);
    let kept = talk.utp.bytes();
    talk.hears(&packet(Kind::Data, id, seq, ack), &[], &[7; 1_400]);
    assert_eq!(talk.utp.bytes(), kept, "there is no room for it");
    talk.says();
    let mut buffer = vec![0; 2 << 20];
    talk.utp.read(key, &mut buffer, talk.now);
    assert!(talk.says_one().packet.window > 1 << 20);
}

/// A peer nearby needs little room to be kept busy, and what it sends at once beyond that overruns
/// our socket: Transmission then sends one packet in half a second. One far away needs more.
#[test]
fn room_grows_with_the_way_to_the_peer() {
    let trip = limits::UTP_WINDOW_TRIP.as_millis() as u64;
    let windows = [1, trip / 2, trip * 4].map(|millis| {
        let mut talk = Talk::new();
        let (key, id, number) = talk.calls();
        talk.utp.write(key, b"hello", talk.now);
        talk.says();
        talk.passes(millis);
        talk.hears(&packet(Kind::Data, id, 100, number), &[], b"hello");
        talk.passes(40);
        talk.says_one().packet.window
    });
    // Five bytes are not read, and the call was answered after a whole such trip.
    let whole = limits::UTP_WINDOW / 1_000 * 1_000;
    let told = [limits::UTP_WINDOW_LEAST, whole / 2, whole].map(|room| room as u32 - 5);
    assert_eq!(windows, told);
}

#[test]
fn both_ends_end_it_and_say_why() {
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    talk.utp.write(key, b"last words", talk.now);
    talk.utp.close(key, Reason::Duplicate, talk.now);
    let said = talk.says();
    assert_eq!(said[0].content, b"last words");
    assert_eq!((said[1].packet.kind, said[1].reason), (Kind::Fin, Some(1)));
    talk.hears(
        &packet(Kind::State, id, 100, number.wrapping_add(1)),
        &[],
        &[],
    );
    assert!(talk.utp.is_empty());
    // The other end says so first.
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    let ack = number.wrapping_sub(1);
    talk.hears(&packet(Kind::Fin, id, 101, ack), &[], &[]);
    talk.says();
    assert_eq!(
        talk.utp.read(key, &mut [0; 9], talk.now),
        Read::Nothing,
        "one is missing"
    );
    talk.hears(&packet(Kind::Data, id, 100, ack), &[], b"x");
    assert_eq!(talk.says_one().packet.ack, 101);
    assert_eq!(read(&mut talk, key), b"x");
    assert_eq!(talk.utp.read(key, &mut [0; 9], talk.now), Read::End);
    talk.utp.close(key, Reason::None, talk.now);
    assert_eq!(talk.says_one().packet.kind, Kind::Fin);
    talk.passes(10_001);
    assert!(
        talk.utp.is_empty(),
        "it is forgotten though the end is not acknowledged"
    );
}

#[test]
fn an_idle_connection_is_kept_open_and_a_silent_one_given_up() {
    let mut talk = Talk::new();
    let (key, ..) = talk.calls();
    for _ in 0..3 {
        talk.passes(28_000);
        assert!(talk.says().is_empty());
        talk.passes(1_001);
        assert_eq!(talk.says_one().packet.kind, Kind::State);
    }
    talk.utp.write(key, b"anybody?", talk.now);
    let mut said = 0;
    for _ in 0..120 {
        said += talk.says().len();
        talk.passes(1_000);
    }
    assert_eq!(talk.events(), [Event::Gone(5, key, Gone::Silent)]);
    assert!((6..9).contains(&said), "{said}");
}

#[test]
fn a_reset_ends_it_under_either_number() {
    for of in [0, 1] {
        let mut talk = Talk::new();
        let (key, id, _) = talk.calls();
        talk.hears(&packet(Kind::Reset, id.wrapping_add(of), 0, 0), &[], &[]);
        assert_eq!(talk.events(), [Event::Gone(5, key, Gone::Reset)]);
    }
}

/// The packet that tries a size is padded, so that it can come again without that.
#[test]
fn a_packet_that_is_too_large_is_sent_again_smaller() {
    let mut talk = Talk::new();
    let (key, ..) = talk.calls();
    talk.utp.write(key, &[1; 10_000], talk.now);
    let mut out = Vec::new();
    let datagrams = talk.utp.transmit(&mut out, talk.now).unwrap();
    assert_eq!(
        (datagrams.each, datagrams.fragments),
        (1_472, Fragments::Never)
    );
    talk.utp.on_too_large(peer(), &out, talk.now);
    let said = talk.says();
    let again = said
        .iter()
        .find(|said| said.packet.seq == Packet::parse(&out).unwrap().seq);
    assert_eq!(
        again.map(|said| (said.len, said.content.len())),
        Some((548, 528))
    );
    assert!(
        said.iter().any(|said| said.len == 1_009),
        "the next size is tried"
    );
}
