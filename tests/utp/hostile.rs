//! Packets that no honest peer sends: whatever comes, memory stays bounded, others are served, and
//! nothing is sent that is longer than what it answers.

use std::net::SocketAddr;

use brooklet::base::{Rng, limits};
use brooklet::utp::{Event, Key, Reason};
use brooklet::wire::utp_packet::Kind;

use crate::talk::{Talk, packet, peer};

/// A call from the address with this number.
fn forged(talk: &mut Talk, number: u32) -> u32 {
    let mut bytes = Vec::new();
    packet(Kind::Syn, number as u16, 1, 0).encode(&mut bytes);
    let from = SocketAddr::from((
        [10, (number >> 16) as u8, (number >> 8) as u8, number as u8],
        1,
    ));
    talk.utp.receive(from, &bytes, || true, talk.now);
    let (mut out, mut answers) = (Vec::new(), 0);
    while let Some(datagrams) = talk.utp.transmit(&mut out, talk.now) {
        assert_eq!(datagrams.to, from);
        assert!(out.len() <= bytes.len());
        answers += 1;
    }
    answers
}

/// A hundred thousand calls from forged addresses leave nothing behind, and one that is honest is
/// served among them, while what we end ourselves is told to the other end.
#[test]
fn a_flood_of_calls_fills_nothing() {
    let mut talk = Talk::new();
    for number in 0..100_000_u32 {
        forged(&mut talk, number);
        if number % 5_000 == 0 {
            talk.passes(1_001);
        }
        assert!(talk.utp.is_empty());
    }
    for number in 0..2_000 {
        forged(&mut talk, number);
    }
    talk.is_called();
    talk.passes(1_001);
    talk.says();
    let mut answers = 0;
    for number in 0..2 * limits::UTP_ANSWERS {
        let from = SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 1));
        let mut bytes = Vec::new();
        packet(Kind::Syn, number as u16, 1, 0).encode(&mut bytes);
        talk.utp.receive(from, &bytes, || true, talk.now);
        answers += u32::from(talk.utp.transmit(&mut Vec::new(), talk.now).is_some());
    }
    assert_eq!(answers, limits::UTP_ANSWERS);
    let key = talk.utp.connect(peer(), 5, talk.now).unwrap();
    talk.says();
    talk.utp.close(key, Reason::None, talk.now);
    assert_eq!(talk.says_one().packet.kind, Kind::Reset);
}

/// Who did not get our answer cannot name its number.
#[test]
fn a_caller_that_is_not_where_it_says_gets_in_by_chance_only() {
    let mut talk = Talk::new();
    let mut opened = 0;
    for ack in 0..=u16::MAX {
        talk.hears(&packet(Kind::Data, 701, 10, ack), &[], b"x");
        opened += talk
            .events()
            .iter()
            .filter(|it| matches!(it, Event::Accepted(..)))
            .count();
    }
    let most = usize::from(limits::UTP_FIRST) * 2;
    assert!((1..=most).contains(&opened), "{opened} of 65,536");
    let mut refused = 0;
    let mut out = Vec::new();
    while talk.utp.transmit(&mut out, talk.now).is_some() {
        refused += 1;
    }
    assert!(refused <= limits::UTP_STRAYS + most as u32, "{refused}");
}

#[test]
fn acknowledgements_of_what_was_never_sent_are_ignored() {
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    talk.utp.write(key, b"ping", talk.now);
    talk.says();
    for ahead in 1..30_000 {
        talk.hears(
            &packet(Kind::State, id, 100, number.wrapping_add(ahead)),
            &[],
            &[],
        );
        talk.hears(
            &packet(Kind::Data, id, 100, number.wrapping_add(ahead)),
            &[],
            b"x",
        );
    }
    talk.hears(
        &packet(Kind::State, id, 100, number.wrapping_sub(1)),
        &[255; 252],
        &[],
    );
    assert!(talk.events().is_empty() && talk.says().is_empty());
    talk.passes(1_001);
    assert_eq!(talk.says_one().content, b"ping");
}

#[test]
fn packets_of_one_byte_and_packets_far_ahead_take_little() {
    let mut talk = Talk::new();
    let (key, id, number) = talk.calls();
    let ack = number.wrapping_sub(1);
    for ahead in 1..30_000_u16 {
        talk.hears(&packet(Kind::Data, id, 100 + ahead, ack), &[], b"x");
        for said in talk.says() {
            assert!(said.len <= 100, "an acknowledgement is short");
        }
    }
    assert!(talk.utp.bytes() <= (limits::UTP_EARLY + 1) * (limits::UTP_EARLY_COST + 1));
    talk.hears(&packet(Kind::Data, id, 100, ack), &[], b"x");
    assert_eq!(talk.events(), [Event::Readable(5)]);
    let mut buffer = [0; 4_096];
    let expected = brooklet::utp::Read::Bytes(limits::UTP_EARLY + 1, false);
    assert_eq!(talk.utp.read(key, &mut buffer, talk.now), expected);
    assert_eq!(talk.utp.bytes(), 0);
}

/// Many peers that send and are not read share the memory: each has its share, and no more together
/// than that and what there is.
#[test]
fn memory_is_shared() {
    let mut talk = Talk::new();
    let mut ends: Vec<(Key, u16, u16)> = Vec::new();
    for _ in 0..200 {
        ends.push(talk.calls());
    }
    for seq in 0..1_500 {
        for &(_, id, number) in &ends {
            let ack = number.wrapping_sub(1);
            talk.hears(&packet(Kind::Data, id, 100 + seq, ack), &[], &[7; 1_400]);
        }
        talk.says();
        talk.events();
        assert!(
            talk.utp.bytes() <= (8 << 20) + 200 * (64 << 10) + 1_400 * 200,
            "{}",
            talk.utp.bytes()
        );
    }
    assert!(talk.utp.bytes() >= 200 * (60 << 10));
}

/// Anything at all, in any order: nothing panics, and what is kept stays bounded.
#[test]
fn nonsense_is_survived() {
    for seed in 0..200 {
        let mut rng = Rng::from_seed(seed);
        let mut talk = Talk::new();
        let (_, called) = talk.is_called();
        talk.passes(50);
        talk.says();
        let (key, id, number) = talk.calls();
        for _ in 0..400 {
            let near =
                |rng: &mut Rng, of: u16| of.wrapping_add(rng.below(20) as u16).wrapping_sub(5);
            let kinds = [
                Kind::Data,
                Kind::Data,
                Kind::Data,
                Kind::State,
                Kind::State,
                Kind::Fin,
                Kind::Syn,
                Kind::Reset,
            ];
            let usual = if rng.below(50) == 0 { 8 } else { 5 };
            let kind = kinds[rng.below(usual) as usize];
            let ours = rng.below(2) == 0;
            let (id, seq, ack) = if ours {
                (id, 100, number)
            } else {
                (701, 10, called)
            };
            let mut it = packet(
                kind,
                near(&mut rng, id),
                near(&mut rng, seq),
                near(&mut rng, ack),
            );
            it.connection = if rng.below(10) > 0 { id } else { it.connection };
            it.window = [0, 1, 500, 1 << 20, u32::MAX][rng.below(5) as usize];
            (it.timestamp, it.difference) = (rng.bits32(), rng.bits32());
            let sack: Vec<u8> = (0..rng.below(9)).map(|_| rng.bits32() as u8).collect();
            let content = vec![7; rng.below(1_500) as usize];
            talk.hears(&it, &sack, &content);
            if rng.below(3) == 0 {
                let len = rng.below(50_000) as usize;
                talk.utp.write(key, &vec![1; len], talk.now);
            }
            if rng.below(3) == 0 {
                talk.utp.read(key, &mut [0; 5_000], talk.now);
            }
            if rng.below(10) == 0 {
                talk.passes(rng.below(5_000));
            }
            talk.events();
            for said in talk.says() {
                assert!(said.len <= limits::UTP_DATAGRAM_MOST);
            }
            assert!(talk.utp.bytes() <= 8 << 20);
        }
        for _ in 0..200 {
            talk.passes(1_000);
            talk.says();
        }
    }
    assert_eq!(peer().port(), 6881);
}
