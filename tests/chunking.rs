//! However the network cuts a stream, it means the same: handshakes, frames and whole conversations
//! are heard whole, byte by byte, cut at random and with the start of another message behind them,
//! and come to the same end. The same goes for streams that are damaged, which moreover never make
//! anything panic or remember much. What is random comes from seeds; a failure names its own.

#[path = "support/transcript.rs"]
#[allow(dead_code)]
mod transcript;

use std::collections::BTreeSet;

use brooklet::base::{Bits, Block, Holdings, InfoHash, PeerId, Rng, Time, limits};
use brooklet::peer::{Choke, EndReason, Event, FrameLimits, Input, Peer, Phase, Segment};
use brooklet::wire::handshake::LEN;
use brooklet::wire::message::{Kind, piece_header};
use brooklet::wire::{Handshake, Message};
use transcript::pair::{Heard as Told, Pair};
use transcript::words::{encode, heard_words};
use transcript::{Cut, Setting, replay, stories, whole};

/// Conversations that are made up, and damaged ones.
const CONVERSATIONS: u64 = 300;
const DAMAGED: u64 = 3_000;

/// What somebody heard: everything that can be told from outside.
#[derive(Debug, PartialEq)]
struct Heard {
    events: Vec<(String, Vec<u8>)>,
    reason: Option<EndReason>,
    phase: Phase,
    holdings: Option<Holdings>,
    choke: Option<Choke>,
    in_flight: Option<usize>,
    kept: Vec<u8>,
    answered: Vec<u8>,
}

/// Listens to a stream that comes in reads cut as `cut` says. Requests are served, and as soon as
/// it may be this side asks for the first five pieces.
fn listen(setting: &Setting, stream: &[u8], cut: Cut<'_>) -> Heard {
    let now = Time::default();
    let mut pair = Pair::accept(setting.local, ([192, 0, 2, 7], 50_001).into(), now);
    let (mut events, mut reason, mut rest) = (Vec::new(), None, stream);
    while !rest.is_empty() && reason.is_none() {
        let (read, later) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
        rest = later;
        let buffer = [pair.unparsed(), read].concat();
        let mut input = Input::new(&buffer);
        loop {
            match pair.next_event(&mut input, now) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    events.push(told(&event));
                    reason = answer(pair.peer(), &event, now).err();
                }
                Err(why) => reason = Some(why),
            }
            if reason.is_some() {
                break;
            }
        }
        assert!(
            pair.unparsed().len() < 4 + limits::BLOCK_FRAME,
            "it keeps more than a frame"
        );
    }
    // What was kept when the connection failed says nothing any more; and a bitfield that is too
    // long for any frame may be refused by its length alone, if no more has come.
    if let Some(EndReason::TooLong(_)) = reason {
        reason = Some(EndReason::BadBitfield);
    }
    let kept = if reason.is_some() {
        &[][..]
    } else {
        pair.unparsed()
    };
    Heard {
        kept: kept.to_vec(),
        answered: answers(&pair),
        phase: pair.phase().clone(),
        holdings: pair.opened().map(|peer| peer.holdings().clone()),
        choke: pair.opened().map(|peer| peer.choke_state()),
        in_flight: pair.opened().map(|peer| peer.in_flight()),
        events,
        reason,
    }
}

/// An event, and its content if it has any.
fn told(event: &Told<'_>) -> (String, Vec<u8>) {
    match event {
        Told::Event(Event::Block { data, .. }) => (heard_words(event), data.to_vec()),
        _ => (heard_words(event), Vec::new()),
    }
}

fn answer(peer: &mut Peer, event: &Told<'_>, now: Time) -> Result<(), EndReason> {
    match event {
        Told::Greeted(_) => {
            peer.introduce(&Bits::full(23), vec![1, 2]);
            peer.set_interested(true);
        }
        Told::Event(Event::Unchoked) => (0..5).for_each(|piece| peer.request(first_of(piece), now)),
        Told::Event(Event::Interested(true)) => peer.unchoke(),
        Told::Event(Event::Requested(block)) => peer.serve(*block)?,
        _ => {}
    }
    Ok(())
}

fn answers(pair: &Pair) -> Vec<u8> {
    let mut bytes = Vec::new();
    for segment in pair.transmit() {
        match segment {
            Segment::Bytes(part) => bytes.extend(part),
            Segment::Block { block, skip } => bytes.extend(&piece_header(block)[skip..]),
        }
    }
    bytes
}

/// Shorter than real ones, so that going through them byte by byte is quick.
fn first_of(piece: u32) -> Block {
    Block {
        piece,
        begin: 0,
        len: 500,
    }
}

/// What a peer might say: a handshake, what it has, then anything that is legal.
fn conversation(setting: &Setting, rng: &mut Rng) -> Vec<u8> {
    let fast = rng.below(2) == 0;
    let mut stream = Vec::new();
    let mut greeting =
        Handshake::with_fast(setting.local.info_hash, PeerId(*b"-TR3000-abcdefghijkl"));
    if !fast {
        greeting.reserved = [0; 8];
    }
    greeting.encode(&mut stream);
    let mut say = |words: &str| stream.extend(encode(words, setting));
    match (fast, rng.below(3)) {
        (true, 0) => say("have all"),
        (true, 1) => say("have none"),
        (_, 2) => {}
        _ => say("bitfield f0f0f0"),
    }
    for _ in 0..rng.below(40) {
        let piece = rng.below(23);
        match rng.below(if fast { 16 } else { 12 }) {
            0 => say("keep-alive"),
            1 => say("choke"),
            2 | 3 => say("unchoke"),
            4 => say("interested"),
            5 => say("not interested"),
            6 => say(&format!("have {piece}")),
            7 => say(&format!(
                "request {piece} at {}, 500 bytes",
                rng.below(1000)
            )),
            8 => say(&format!("cancel {piece} at {}, 500 bytes", rng.below(1000))),
            9 => say("extended 0, d1:md6:ut_pexi1eee"),
            10 => say(&format!("unknown {}", 30 + rng.below(200))),
            11 => say(&format!("piece {} at 0, 500 bytes", rng.below(5))),
            12 => say(&format!("suggest piece {piece}")),
            13 => say(&format!("allowed fast {piece}")),
            14 => say(&format!("reject request {} at 0, 500 bytes", rng.below(5))),
            _ => say("port 6881"),
        }
    }
    stream
}

/// Bytes changed, left out, put in or said twice; lengths that cannot be.
fn damage(stream: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..=rng.below(3) {
        let place = rng.below(stream.len() as u64) as usize;
        let end = (place + 1 + rng.below(30) as usize).min(stream.len());
        match rng.below(6) {
            0 => stream[place] ^= 1 << rng.below(8),
            1 => stream[place] = rng.bits32() as u8,
            2 => drop(stream.drain(place..end)),
            3 => {
                let again = stream[place..end].to_vec();
                stream.splice(place..place, again);
            }
            4 => stream.truncate(place),
            _ => {
                let lengths = [[0xff; 4], [0, 0x10, 0, 1], [0, 0, 0x40, 0x0a], [0, 0, 0, 0]];
                stream.splice(place..place, lengths[rng.below(4) as usize]);
            }
        }
        if stream.is_empty() {
            return;
        }
    }
}

/// Hears a stream in all ways; what was heard.
fn hear_in_all_ways(setting: &Setting, stream: &[u8], rng: &mut Rng, name: &str) -> Heard {
    let at_once = listen(setting, stream, &mut whole);
    assert_eq!(
        listen(setting, stream, &mut |_| 1),
        at_once,
        "{name}, byte by byte"
    );
    let mut random = |left: usize| 1 + rng.below(left.min(700) as u64) as usize;
    assert_eq!(
        listen(setting, stream, &mut random),
        at_once,
        "{name}, cut at random"
    );
    at_once
}

#[test]
fn a_handshake_means_the_same_however_it_comes() {
    let mut rng = Rng::from_seed(1);
    for round in 0..2_000 {
        let mut stream = Vec::new();
        Handshake::with_fast(
            InfoHash(*b"abcdefghijklmnopqrst"),
            PeerId::generate(&mut rng),
        )
        .encode(&mut stream);
        stream.extend((0..rng.below(9)).map(|byte| byte as u8));
        if round % 2 == 1 {
            damage(&mut stream, &mut rng);
        }
        let end = Handshake::parse(&stream);
        for length in 0..stream.len() {
            let so_far = Handshake::parse(&stream[..length]);
            // Undecided until all is there or a byte is wrong; then decided for good.
            assert!(
                so_far == Ok(None) || so_far == end,
                "round {round}, {length} bytes"
            );
            assert!(
                length < LEN || so_far == end,
                "round {round}, {length} bytes"
            );
        }
    }
}

#[test]
fn frames_are_the_same_however_they_come() {
    let mut rng = Rng::from_seed(2);
    for round in 0..300 {
        let frames: Vec<Vec<u8>> = (0..rng.below(20))
            .map(|_| {
                (0..rng.below(300))
                    .map(|_| 6 + rng.below(200) as u8)
                    .collect()
            })
            .collect();
        let trailing: Vec<u8> = (0..rng.below(4)).map(|_| 0).collect();
        let mut stream = Vec::new();
        for frame in &frames {
            stream.extend((frame.len() as u32).to_be_bytes());
            stream.extend(frame);
        }
        stream.extend(&trailing);
        for most in [1, 50, 5000] {
            let (mut read, mut kept, mut rest) = (Vec::new(), Vec::new(), &stream[..]);
            while !rest.is_empty() {
                let (part, later) = rest.split_at((1 + rng.below(most) as usize).min(rest.len()));
                rest = later;
                kept.extend(part);
                let mut input = Input::new(&kept);
                while let Some(frame) = input.next_frame(FrameLimits::of(24)).unwrap() {
                    read.push(frame.to_vec());
                }
                kept = input.rest().to_vec();
            }
            assert_eq!((&read, &kept), (&frames, &trailing), "round {round}");
        }
    }
}

#[test]
fn a_conversation_means_the_same_however_it_comes() {
    let setting = Setting::load();
    let mut blocks = 0;
    for seed in 0..CONVERSATIONS {
        let mut rng = Rng::from_seed(seed);
        let stream = conversation(&setting, &mut rng);
        let name = format!("conversation {seed}");
        let heard = hear_in_all_ways(&setting, &stream, &mut rng, &name);
        assert_eq!(heard.reason, None, "{name}");
        blocks += heard
            .events
            .iter()
            .filter(|(event, _)| event.starts_with("event block"))
            .count();

        // The start of one more message changes nothing but what is kept.
        let more = encode("request 3 at 0, 16384 bytes", &setting);
        let trailing = &more[..1 + rng.below(16) as usize];
        let longer = [&stream[..], trailing].concat();
        let with_trailing = hear_in_all_ways(&setting, &longer, &mut rng, &name);
        assert_eq!(with_trailing.kept, trailing, "{name}");
        let kept = Vec::new();
        assert_eq!(
            Heard {
                kept,
                ..with_trailing
            },
            heard,
            "{name} with the start of another message"
        );
    }
    assert!(
        blocks > 100,
        "only {blocks} blocks came: these are no conversations"
    );
}

#[test]
fn stories_end_the_same_however_they_are_told() {
    let setting = Setting::load();
    let mut rng = Rng::from_seed(3);
    for (name, told) in stories() {
        assert_eq!(
            replay(&told, &setting, &mut |_| 1),
            told,
            "{name}, byte by byte"
        );
        let mut random = |left: usize| 1 + rng.below(left.min(5000) as u64) as usize;
        assert_eq!(
            replay(&told, &setting, &mut random),
            told,
            "{name}, cut at random"
        );
    }
}

#[test]
fn damaged_conversations_end_the_same_however_they_come() {
    let setting = Setting::load();
    let (mut refused, mut survived) = (0, 0);
    for seed in 0..DAMAGED {
        let mut rng = Rng::from_seed(1_000_000 + seed);
        let mut stream = conversation(&setting, &mut rng);
        damage(&mut stream, &mut rng);
        let heard = hear_in_all_ways(
            &setting,
            &stream,
            &mut rng,
            &format!("damaged conversation {seed}"),
        );
        match heard.reason {
            Some(_) => refused += 1,
            None => survived += 1,
        }
    }
    assert!(
        refused > 100 && survived > 100,
        "{refused} refused, {survived} survived"
    );
}

#[test]
fn noise_is_refused_or_skipped() {
    let setting = Setting::load();
    let greeting = encode("handshake fast -TR3000-abcdefghijkl", &setting);
    let mut kinds = BTreeSet::new();
    for seed in 0..DAMAGED {
        let mut rng = Rng::from_seed(2_000_000 + seed);
        let noise: Vec<u8> = (0..rng.below(2_000)).map(|_| rng.bits32() as u8).collect();
        let reason = listen(&setting, &noise, &mut whole).reason;
        assert!(
            noise.is_empty() || reason == Some(EndReason::NotBitTorrent),
            "noise {seed}"
        );

        // Behind a handshake, in frames of the right length: any message, with any content.
        let mut stream = greeting.clone();
        for _ in 0..30 {
            let length = [1, 5, 13, 17, rng.below(40)][rng.below(5) as usize];
            stream.extend((length as u32).to_be_bytes());
            stream.extend((0..length).map(|place| match place {
                0 => rng.below(22) as u8,
                _ => [0, rng.bits32() as u8][rng.below(2) as usize],
            }));
        }
        hear_in_all_ways(
            &setting,
            &stream,
            &mut rng,
            &format!("noise {seed} in frames"),
        );
        let frame = &stream[greeting.len() + 4..][..1];
        kinds.insert(Message::parse(frame).map_or(Kind::Unknown, |message| message.kind()));
    }
    assert!(kinds.len() > 5, "{kinds:?}");
}
