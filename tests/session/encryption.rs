//! Encrypted connections: which forms are accepted and dialed by which setting, what follows where
//! a peer does not take a form, and what is told of it.

use std::net::SocketAddr;

use brooklet::base::{Duration, InfoHash, Rng, limits};
use brooklet::mse::shield::Terms;
use brooklet::mse::{Encryption, Shield, keys};
use brooklet::peer::{EndReason, Segment};
use brooklet::session::{command, sleep};
use brooklet::torrent::Report;
use brooklet::wire::message::piece_header;

use crate::session::{Bench, PIECE};
use crate::transcript::words::{encode, message_words};

/// The other end of a connection, which speaks MSE.
struct Veiled {
    key: usize,
    shield: Shield,
    rng: Rng,
    setting: Encryption,
    initial: Vec<u8>,
    /// What has come through, not taken yet.
    heard: Vec<u8>,
    /// Whether the handshake of either end failed.
    failed: bool,
}

impl Veiled {
    /// It dials us with this offer; what it has to say at first stands in the handshake.
    fn dials(bench: &mut Bench, number: u16, offer: u32, initial: &str) -> Veiled {
        let key = bench.accepts(SocketAddr::from(([192, 0, 2, 9], number)));
        let mut shield = Shield::dial(bench.setting.local.info_hash, offer);
        let mut rng = Rng::from_seed(u64::from(number));
        shield.begin(&mut rng);
        let initial = if initial.is_empty() {
            Vec::new()
        } else {
            encode(initial, &bench.setting)
        };
        Veiled::new(bench, key, shield, Encryption::Allow, initial)
    }

    /// We have dialed it, under this key.
    fn dialed(bench: &mut Bench, key: usize, setting: Encryption) -> Veiled {
        Veiled::new(bench, key, Shield::accept(), setting, Vec::new())
    }

    fn new(
        bench: &mut Bench,
        key: usize,
        shield: Shield,
        setting: Encryption,
        initial: Vec<u8>,
    ) -> Veiled {
        bench.stops_reading(key);
        Veiled {
            key,
            shield,
            rng: Rng::from_seed(77),
            setting,
            initial,
            heard: Vec::new(),
            failed: false,
        }
    }

    /// Both ends say what they have to say, the session's bytes in parts of this many and its own
    /// too, until neither has anything left.
    fn talks(&mut self, bench: &mut Bench, part: usize) {
        loop {
            bench.turn();
            let said = self.shield.out().to_vec();
            self.shield.transmitted(said.len(), None);
            for part in said.chunks(part) {
                hand(bench, self.key, part);
            }
            let mut moved = !said.is_empty();
            while let Some(bytes) = write(bench, self.key, part) {
                moved = true;
                self.hears(&bytes, bench.setting.local.info_hash);
            }
            if !moved || self.failed {
                return;
            }
        }
    }

    fn hears(&mut self, bytes: &[u8], torrent: InfoHash) {
        let mut read = [self.shield.kept(), bytes].concat();
        let opened = self.shield.open(
            &mut read,
            Terms {
                setting: self.setting,
                torrent: &mut |_| Some(torrent),
                initial: &self.initial,
                rng: &mut self.rng,
            },
        );
        match opened {
            Ok(opened) => {
                if opened.said {
                    self.initial.clear();
                }
                self.heard.extend(&read[opened.taken..]);
            }
            Err(_) => self.failed = true,
        }
    }

    /// It says something in words.
    fn says(&mut self, bench: &mut Bench, words: &str) {
        let mut bytes = encode(words, &bench.setting);
        let len = bytes.len();
        let after = self.shield.seal(&mut bytes);
        assert_eq!(self.shield.transmitted(len, after), len);
        for part in bytes.chunks(1_000) {
            hand(bench, self.key, part);
        }
        self.talks(bench, 1_000);
    }

    /// What has come through since it was asked last, in words.
    fn words(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        if self.heard.starts_with(b"\x13BitTorrent protocol") {
            self.heard.drain(..68);
            words.push(String::from("handshake"));
        }
        while let Some(len) = self.heard.first_chunk().map(|len| u32::from_be_bytes(*len)) {
            let frame: Vec<u8> = self.heard.drain(..len as usize + 4).collect();
            words.push(message_words(&frame));
        }
        words
    }
}

/// Hands bytes to the session as a loop does: behind what it has kept.
fn hand(bench: &mut Bench, key: usize, bytes: &[u8]) {
    let Some(kept) = bench.session.unparsed(key) else {
        return;
    };
    let mut read = [kept, bytes].concat();
    let mut input = bench.session.open(key, &mut read);
    while let Some(write) = bench.session.receive(key, &mut input, bench.now) {
        let start = bench.setting.local.geometry.offset(write.block) as usize;
        bench.disk[start..start + write.data.len()].copy_from_slice(write.data);
        bench
            .session
            .handle_written(write.torrent, &[(write.block, write.data)]);
    }
}

/// Writes to a socket that takes no more than this; what it took.
fn write(bench: &mut Bench, key: usize, most: usize) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::new();
    for segment in bench.session.transmit(key) {
        match segment {
            Segment::Bytes(part) => bytes.extend(part),
            Segment::Block { block, skip } => {
                let start = bench.setting.local.geometry.offset(block) as usize;
                let data = &bench.disk[start..start + block.len as usize];
                bytes.extend(&[&piece_header(block)[..], data].concat()[skip..]);
            }
        }
    }
    if bytes.is_empty() {
        return None;
    }
    let sealed = bench.session.seal(key, &mut bytes).bytes();
    let taken = sealed.len().min(most);
    bench.session.transmitted(key, taken, bench.now);
    bytes.truncate(taken);
    Some(bytes)
}

fn getter(setting: Encryption) -> Bench {
    Bench::getter_with(4, &[0], |config, _| config.us.encryption = setting)
}

/// Whether the session has reported a peer that is connected, and whether encrypted.
fn connected(bench: &Bench) -> Option<bool> {
    bench.reports.iter().rev().find_map(|report| match report {
        Report::Connected { encrypted, .. } => Some(*encrypted),
        _ => None,
    })
}

const HELLO: &str = "handshake fast -TR3000-abcdefghijkl";

#[test]
fn each_setting_accepts_the_forms_that_it_names() {
    // What becomes of plain ones, and of encrypted ones that offer plain payload, RC4, both:
    // the payload.
    let table = [
        (Encryption::Off, true, [None, None, None]),
        (
            Encryption::Allow,
            true,
            [Some(false), Some(true), Some(false)],
        ),
        (
            Encryption::Prefer,
            true,
            [Some(false), Some(true), Some(true)],
        ),
        (
            Encryption::Handshake,
            false,
            [Some(false), Some(true), Some(false)],
        ),
        (Encryption::Require, false, [None, Some(true), Some(true)]),
    ];
    for (setting, plain, offers) in table {
        let mut bench = getter(setting);
        let key = bench.accepts(SocketAddr::from(([192, 0, 2, 8], 1)));
        bench.says(key, HELLO);
        assert_eq!(connected(&bench), plain.then_some(false), "{setting:?}");
        for (offer, payload) in (1..).zip(offers) {
            // Also with bits that nobody knows, in parts, and with the BitTorrent handshake behind
            // the encrypted one instead of in it.
            for (part, more, initial) in [(usize::MAX, 0, HELLO), (1, 0xf0, HELLO), (7, 0, "")] {
                let mut bench = getter(setting);
                let mut peer = Veiled::dials(&mut bench, 2, offer | more, initial);
                peer.talks(&mut bench, part);
                let case = format!("{setting:?}, offer {offer}");
                assert_eq!(bench.is_gone(peer.key), payload.is_none(), "{case}");
                let Some(encrypted) = payload else {
                    assert_eq!(connected(&bench), None);
                    continue;
                };
                assert_eq!(peer.shield.is_sealing(), encrypted, "{case}");
                if initial.is_empty() {
                    peer.says(&mut bench, HELLO);
                }
                assert_eq!(connected(&bench), Some(true), "{case}");
                assert_eq!(peer.words()[0], "handshake");
                peer.says(&mut bench, "have all");
                peer.says(&mut bench, "unchoke");
                let asked = peer.words();
                assert!(asked.contains(&String::from("interested")), "{asked:?}");
                for request in asked.iter().filter(|said| said.starts_with("request ")) {
                    peer.says(&mut bench, &request.replace("request ", "piece "));
                }
                let got = 2 * PIECE as usize;
                assert_eq!(bench.disk[..got], bench.setting.content[..got]);
            }
        }
    }
}

/// A seed sends blocks through the cipher, whatever part of them a socket takes.
#[test]
fn blocks_that_are_sent_are_sealed() {
    for part in [100, 5_000, usize::MAX] {
        let mut bench = Bench::seeder(2);
        let mut peer = Veiled::dials(&mut bench, 3, 2, HELLO);
        peer.talks(&mut bench, part);
        peer.says(&mut bench, "interested");
        bench.wait(Duration::from_secs(10));
        peer.talks(&mut bench, part);
        assert!(peer.words().contains(&String::from("unchoke")));
        peer.says(&mut bench, "request 1 at 0, 16384 bytes");
        peer.talks(&mut bench, part);
        let start = PIECE as usize;
        let block = &bench.setting.content[start..start + 16_384];
        let heard = &peer.heard;
        assert!(
            heard.windows(block.len()).any(|part| part == block),
            "{part}"
        );
    }
}

/// We dial a peer that takes certain forms until it is connected or nothing more is tried within
/// three seconds. The forms that were dialed, encrypted or not, and whether one was taken.
fn dialing(bench: &mut Bench, addr: SocketAddr, theirs: Encryption) -> (Vec<bool>, bool) {
    let mut forms = Vec::new();
    let mut key = bench.dials(addr);
    loop {
        bench.session.handle_connected(key, bench.now);
        let mut peer = Veiled::dialed(bench, key, theirs);
        bench.turn();
        // What it says first tells the form.
        let first = write(bench, key, usize::MAX).expect("the end that dialed speaks first");
        let plain = first.starts_with(b"\x13BitTorrent protocol");
        forms.push(!plain);
        if plain && theirs.takes_plain() {
            hand(bench, key, &encode(HELLO, &bench.setting));
            bench.turn();
            return (forms, connected(bench) == Some(false));
        }
        if !plain && theirs.takes_encrypted() {
            peer.hears(&first, bench.setting.local.info_hash);
            peer.talks(bench, 50);
            if !peer.failed {
                peer.says(bench, HELLO);
                return (forms, connected(bench) == Some(true));
            }
        }
        bench
            .session
            .handle_closed(key, EndReason::Closed, bench.now);
        bench.turn();
        let begun = bench.now;
        let again = loop {
            if let Some(key) = bench.dialled(addr) {
                break Some(key);
            }
            if bench.now.since(begun) > Duration::from_secs(3) {
                break None;
            }
            bench.wait(Duration::from_millis(50));
        };
        match again {
            Some(again) => key = again,
            None => return (forms, false),
        }
    }
}

#[test]
fn each_setting_dials_until_a_form_is_taken() {
    let addr = SocketAddr::from(([192, 0, 2, 1], 6881));
    for (_, ours) in Encryption::ALL {
        for (_, theirs) in Encryption::ALL {
            let mut bench = getter(ours);
            let (forms, taken) = dialing(&mut bench, addr, theirs);
            let plain = ours.takes_plain() && theirs.takes_plain();
            let encrypted = ours.takes_encrypted() && theirs.takes_encrypted();
            assert_eq!(
                taken,
                plain || encrypted,
                "{ours:?} dials {theirs:?}: {forms:?}"
            );
            let expected: &[bool] = match (ours, theirs) {
                (Encryption::Off, _) => &[false],
                (Encryption::Allow, Encryption::Handshake | Encryption::Require) => &[false, true],
                (Encryption::Allow, _) => &[false],
                (Encryption::Prefer, Encryption::Off) => &[true, false],
                (Encryption::Prefer, _) => &[true],
                // Plain payload was offered first.
                (Encryption::Handshake, Encryption::Off | Encryption::Require) => &[true, true],
                (Encryption::Handshake, _) => &[true],
                (Encryption::Require, _) => &[true],
            };
            assert_eq!(forms, expected, "{ours:?} dials {theirs:?}");
        }
    }
}

/// The form that a peer has taken is the first when it is dialed again; where no form was taken,
/// the wait is that of a failure.
#[test]
fn what_worked_is_remembered_and_what_did_not_counts_once() {
    let addr = SocketAddr::from(([192, 0, 2, 1], 6881));
    let mut bench = getter(Encryption::Allow);
    assert_eq!(
        dialing(&mut bench, addr, Encryption::Require),
        (vec![false, true], true)
    );
    let key = (0..50).find(|&key| bench.session.peer(key).is_some());
    bench
        .session
        .handle_closed(key.unwrap(), EndReason::Closed, bench.now);
    bench.turn();
    let again = loop {
        bench.wait(Duration::from_secs(1));
        match bench.dialled(addr) {
            Some(again) => break again,
            None => assert!(bench.now.as_micros() < 100_000_000, "it is dialed again"),
        }
    };
    bench.session.handle_connected(again, bench.now);
    bench.stops_reading(again);
    bench.turn();
    let first = write(&mut bench, again, usize::MAX).unwrap();
    assert!(!first.starts_with(b"\x13"), "what worked is tried first");

    let mut bench = getter(Encryption::Allow);
    for form in [false, true] {
        let key = if form {
            bench.dialled(addr).expect("the other form follows at once")
        } else {
            bench.dials(addr)
        };
        bench.session.handle_connected(key, bench.now);
        bench
            .session
            .handle_closed(key, EndReason::Closed, bench.now);
        bench.turn();
        bench.wait(Duration::from_millis(200));
    }
    bench.wait(limits::REDIAL / 2);
    assert!(
        bench.dialled(addr).is_none(),
        "it waits as after one failure"
    );
    bench.wait(limits::REDIAL);
    assert!(bench.dialled(addr).is_some());
}

#[test]
fn a_silent_peer_is_dialed_in_the_other_form_and_then_waited_for() {
    let addr = SocketAddr::from(([192, 0, 2, 1], 6881));
    let mut bench = getter(Encryption::Allow);
    let plain = bench.dials(addr);
    bench.session.handle_connected(plain, bench.now);
    bench.turn();
    bench.wait(limits::FORM_TIME + Duration::from_millis(100));
    assert!(bench.is_gone(plain));
    bench.wait(Duration::from_millis(100));
    let encrypted = bench.dialled(addr).expect("it is dialed again");
    bench.session.handle_connected(encrypted, bench.now);
    bench.stops_reading(encrypted);
    bench.turn();
    bench.wait(limits::HANDSHAKE_TIME - Duration::from_secs(1));
    assert!(!bench.is_gone(encrypted));
    bench.wait(Duration::from_secs(2));
    assert!(bench.is_gone(encrypted));
    // One that has said something has all of its time.
    let other = SocketAddr::from(([192, 0, 2, 2], 6881));
    let slow = bench.dials(other);
    bench.session.handle_connected(slow, bench.now);
    bench.hands(slow, b"\x13Bit");
    bench.wait(limits::FORM_TIME + Duration::from_secs(1));
    assert!(!bench.is_gone(slow));
}

#[test]
fn a_peer_waits_encrypted_until_its_torrent_is_awake() {
    let mut bench = Bench::seeder(2);
    bench.wait(Duration::from_secs(600));
    assert!(sleep::fall_asleep(&mut bench.session, bench.torrent));
    let mut peer = Veiled::dials(&mut bench, 5, 2, HELLO);
    peer.talks(&mut bench, 64);
    assert!(sleep::waits(&bench.session, peer.key));
    assert_eq!(bench.waking, [bench.torrent]);
    let order = bench.order();
    sleep::wake_up(&mut bench.session, bench.torrent, order, bench.now);
    hand(&mut bench, peer.key, b"");
    peer.talks(&mut bench, 64);
    assert_eq!(peer.words()[0], "handshake");
    assert_eq!(connected(&bench), Some(true));
}

/// Where it is preferred, peers hear of that in `e` of the extended handshake.
#[test]
fn peers_hear_what_we_prefer() {
    let said = [false, false, true, true, true];
    for ((_, setting), said) in Encryption::ALL.into_iter().zip(said) {
        let mut bench = getter(setting);
        let offer = if setting == Encryption::Off { 0 } else { 2 };
        let heard = if offer == 0 {
            let key = bench.accepts(SocketAddr::from(([192, 0, 2, 9], 6)));
            bench.says(key, "handshake extended -TR3000-abcdefghijkl");
            let said = bench.hears_extended(key);
            said.into_iter().flat_map(|(_, payload)| payload).collect()
        } else {
            let mut peer = Veiled::dials(
                &mut bench,
                6,
                offer,
                "handshake extended -TR3000-abcdefghijkl",
            );
            peer.talks(&mut bench, 500);
            peer.heard
        };
        let e = heard.windows(6).any(|part| part == b"d1:ei1");
        assert_eq!(e, said, "{setting:?}");
    }
}

/// A peer that answers with this key, after which it hangs up: as rtorrent does where the secret
/// begins with a zero byte, which it leaves out.
fn hangs_up_on_the_secret(bench: &mut Bench, key: usize) {
    bench.session.handle_connected(key, bench.now);
    bench.stops_reading(key);
    bench.turn();
    let first = write(bench, key, usize::MAX).expect("the end that dialed speaks first");
    let theirs = first.first_chunk().expect("it begins with a key");
    let mut rng = Rng::from_seed(key as u64);
    let unlucky = loop {
        let private = keys::Private::new(&mut rng);
        if private.secret(theirs).unwrap().begins_with_zero() {
            break private.public();
        }
    };
    hand(bench, key, &unlucky);
    bench.turn();
    assert!(write(bench, key, usize::MAX).is_some(), "message 3");
    bench
        .session
        .handle_closed(key, EndReason::Closed, bench.now);
    bench.turn();
    bench.wait(Duration::from_millis(200));
}

#[test]
fn a_secret_that_begins_with_zero_is_exchanged_for_another_once() {
    let addr = SocketAddr::from(([192, 0, 2, 1], 6881));
    let mut bench = getter(Encryption::Prefer);
    let first = bench.dials(addr);
    hangs_up_on_the_secret(&mut bench, first);
    let again = bench.dialled(addr).expect("it is dialed again at once");
    hangs_up_on_the_secret(&mut bench, again);
    // Bad luck twice is no bad luck: the other form follows.
    let plain = bench.dialled(addr).expect("the other form follows");
    bench.session.handle_connected(plain, bench.now);
    bench.stops_reading(plain);
    bench.turn();
    let first = write(&mut bench, plain, usize::MAX).unwrap();
    assert!(first.starts_with(b"\x13"));

    let mut bench = getter(Encryption::Require);
    let first = bench.dials(addr);
    hangs_up_on_the_secret(&mut bench, first);
    let again = bench.dialled(addr).expect("it is dialed again at once");
    hangs_up_on_the_secret(&mut bench, again);
    assert!(bench.dialled(addr).is_none(), "it waits as after a failure");
}

/// Our handshake is told in words where it goes out as a part of the encrypted one, too, and once.
#[test]
fn a_handshake_inside_the_encrypted_one_is_told() {
    for size in [1, 7, 100, 2_000] {
        let addr = SocketAddr::from(([192, 0, 2, 1], 6881));
        let mut bench = getter(Encryption::Require);
        command::trace(&mut bench.session);
        let key = bench.dials(addr);
        bench.session.handle_connected(key, bench.now);
        let mut peer = Veiled::dialed(&mut bench, key, Encryption::Require);
        peer.talks(&mut bench, size);
        peer.says(&mut bench, HELLO);
        let told = bench.traced.iter().filter(|(_, ours, _)| *ours);
        let told = told.filter(|(_, _, words)| words == "handshake").count();
        assert_eq!(told, 1, "{size}: {:?}", bench.traced);
    }
}

/// Exchanges of keys cost more than anything else that a stranger can have of us.
#[test]
fn strangers_have_so_many_keys_exchanged_a_second() {
    let mut bench = Bench::seeder(2);
    let mut number = 0;
    let mut flood = |bench: &mut Bench, host: u8, keys: u32| {
        let mut answered = 0;
        for _ in 0..keys {
            number += 1;
            let key = bench.accepts(SocketAddr::from(([192, 0, 2, host], number)));
            bench.stops_reading(key);
            let number = (1..).map(|at: u8| at.wrapping_mul(151));
            hand(bench, key, &number.take(keys::KEY).collect::<Vec<u8>>());
            bench.turn();
            answered += u32::from(write(bench, key, usize::MAX).is_some());
            if !bench.is_gone(key) {
                bench
                    .session
                    .handle_closed(key, EndReason::Closed, bench.now);
                bench.turn();
            }
        }
        answered
    };
    let most = limits::MSE_KEYS_HOST;
    assert_eq!(flood(&mut bench, 1, most + 20), most);
    assert_eq!(flood(&mut bench, 2, 5), 5, "another host has its own");
    bench.wait(Duration::from_millis(1_100));
    assert_eq!(flood(&mut bench, 1, 5), 5);
    let hosts = (10..).take((limits::MSE_KEYS / most) as usize + 1);
    let all: u32 = hosts.map(|host| flood(&mut bench, host, most)).sum();
    assert_eq!(all, limits::MSE_KEYS - 5, "and all of them together");
}
