//! Whole handshakes between two shields, cut in every way, and hostile ones.

use super::super::keys::{self, KEY, Private, torrent_hash};
use super::super::setting::{PLAIN, RC4};
use super::*;
use crate::base::limits;

const TORRENT: InfoHash = InfoHash([7; 20]);
const OTHER: InfoHash = InfoHash([8; 20]);
/// What an end says first.
const HELLO: [u8; 68] = [0x42; 68];

/// One end of a connection.
struct End {
    shield: Shield,
    setting: Encryption,
    rng: Rng,
    initial: Vec<u8>,
    /// What has come through.
    heard: Vec<u8>,
}

impl End {
    fn new(shield: Shield, setting: Encryption, seed: u64) -> End {
        End {
            shield,
            setting,
            rng: Rng::from_seed(seed),
            initial: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn dialing(offer: u32, seed: u64) -> End {
        let mut end = End::new(Shield::dial(TORRENT, offer), Encryption::Allow, seed);
        end.shield.begin(&mut end.rng);
        end
    }

    fn dialed(setting: Encryption, seed: u64) -> End {
        End::new(Shield::accept(), setting, seed)
    }

    /// Bytes have come, as a loop would hand them in.
    fn hears(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let mut read = [self.shield.kept(), bytes].concat();
        let mut known = |hash: &[u8; HASH]| {
            let all = [OTHER, TORRENT];
            all.into_iter().find(|&it| torrent_hash(it) == *hash)
        };
        let terms = Terms {
            setting: self.setting,
            torrent: &mut known,
            initial: &self.initial,
            rng: &mut self.rng,
        };
        let opened = self.shield.open(&mut read, terms)?;
        if opened.said {
            self.initial.clear();
        }
        let bound = KEY + limits::MSE_PADDING + HASH;
        assert!(self.shield.kept().len() <= bound);
        self.heard.extend(&read[opened.taken..]);
        Ok(())
    }

    /// What the shield has to say of itself.
    fn says(&mut self) -> Vec<u8> {
        let out = self.shield.out().to_vec();
        assert_eq!(self.shield.transmitted(out.len(), None), 0);
        out
    }

    /// The machine behind the shield says something.
    fn sends(&mut self, bytes: &[u8]) -> Vec<u8> {
        assert!(!self.shield.is_shaking_hands());
        let mut sealed = [self.shield.out(), bytes].concat();
        let after = self.shield.seal(&mut sealed);
        assert_eq!(self.shield.transmitted(sealed.len(), after), bytes.len());
        sealed
    }
}

/// Cuts bytes into parts, each of a length that this gives.
fn parts(bytes: &[u8], mut len: impl FnMut() -> usize) -> Vec<&[u8]> {
    let (mut rest, mut parts) = (bytes, Vec::new());
    while !rest.is_empty() {
        let (part, more) = rest.split_at(len().clamp(1, rest.len()));
        parts.push(part);
        rest = more;
    }
    parts
}

/// Has two ends talk until neither has anything to say, their bytes cut into parts.
fn shake(a: &mut End, b: &mut End, mut len: impl FnMut() -> usize) -> Result<(), Refused> {
    loop {
        let (from_a, from_b) = (a.says(), b.says());
        if from_a.is_empty() && from_b.is_empty() {
            return Ok(());
        }
        for part in parts(&from_a, &mut len) {
            b.hears(part)?;
        }
        for part in parts(&from_b, &mut len) {
            a.hears(part)?;
        }
    }
}

#[test]
fn both_ends_agree_however_their_bytes_are_cut() {
    let mut rng = Rng::from_seed(5);
    let settings = [
        (3, Encryption::Allow, false),
        (3, Encryption::Prefer, true),
        (3, Encryption::Handshake, false),
        (3, Encryption::Require, true),
        (PLAIN, Encryption::Allow, false),
        (PLAIN, Encryption::Prefer, false),
        (RC4, Encryption::Allow, true),
        (RC4, Encryption::Handshake, true),
        (0xffff_fff0 | RC4, Encryption::Allow, true),
    ];
    for (seed, (offer, setting, encrypted)) in (0..).zip(settings) {
        for initial in [&[][..], &HELLO] {
            for cut in 0..12 {
                let (mut a, mut b) = (End::dialing(offer, seed), End::dialed(setting, seed + 100));
                a.initial = initial.to_vec();
                let mut len = |most: u64| match cut {
                    0 => usize::MAX,
                    1 => 1,
                    _ => rng.below(most) as usize,
                };
                assert_eq!(shake(&mut a, &mut b, || len(100)), Ok(()));
                assert!(a.initial.is_empty());
                assert_eq!(b.heard, initial);
                assert_eq!(a.shield.is_sealing(), encrypted, "{offer} {setting:?}");
                assert_eq!(b.shield.is_sealing(), encrypted);
                speak(&mut a, &mut b, encrypted, || len(300));
                speak(&mut b, &mut a, encrypted, || len(300));
            }
        }
    }
}

/// What the machine of one end says reaches that of the other.
fn speak(from: &mut End, to: &mut End, encrypted: bool, len: impl FnMut() -> usize) {
    let text: Vec<u8> = (0..1_000).map(|at| at as u8).collect();
    let sealed = from.sends(&text);
    assert_eq!(sealed != text, encrypted);
    to.heard.clear();
    for part in parts(&sealed, len) {
        to.hears(part).unwrap();
    }
    assert_eq!(to.heard, text);
}

/// A socket takes a part of what was sealed, and the rest is sealed again.
#[test]
fn what_a_socket_leaves_over_is_sealed_again() {
    let (mut a, mut b) = (End::dialing(RC4, 1), End::dialed(Encryption::Allow, 2));
    assert_eq!(shake(&mut a, &mut b, || usize::MAX), Ok(()));
    let text: Vec<u8> = (0..5_000).map(|at| (at / 7) as u8).collect();
    let (mut rng, mut rest) = (Rng::from_seed(3), &text[..]);
    while !rest.is_empty() {
        let mut sealed = rest.to_vec();
        let after = a.shield.seal(&mut sealed);
        let taken = rng.below(rest.len() as u64 + 1) as usize;
        let after = after.filter(|_| taken == rest.len());
        assert_eq!(a.shield.transmitted(taken, after), taken);
        b.hears(&sealed[..taken]).unwrap();
        rest = &rest[taken..];
    }
    assert_eq!(b.heard, text);
}

/// An end whose every byte a test chooses, against a shield that was dialed.
struct ByHand {
    end: End,
    private: Private,
}

impl ByHand {
    fn new(padding: usize) -> ByHand {
        let mut by_hand = ByHand {
            end: End::dialed(Encryption::Allow, 1),
            private: Private::new(&mut Rng::from_seed(2)),
        };
        let key = by_hand.private.public();
        by_hand.end.hears(&key).unwrap();
        // It answers before the padding is there.
        assert!(by_hand.end.shield.out().len() >= KEY);
        by_hand.end.hears(&vec![9; padding]).unwrap();
        by_hand
    }

    /// The third message for this torrent; what is encrypted of it is this.
    fn third(&self, torrent: InfoHash, plain: &[u8]) -> Vec<u8> {
        let theirs = self.end.shield.out().first_chunk().unwrap();
        let secret = self.private.secret(theirs).unwrap();
        let mut sealed = plain.to_vec();
        secret.ciphers(torrent).0.apply(&mut sealed);
        let names = [secret.mark(), secret.hide(torrent_hash(torrent))].concat();
        [names, sealed].concat()
    }
}

/// Zeros, an offer, padding behind its length, no payload.
fn offer(methods: u32, padding: u16) -> Vec<u8> {
    let mut plain = vec![0; 8];
    plain.extend(methods.to_be_bytes());
    plain.extend(padding.to_be_bytes());
    plain.resize(plain.len() + usize::from(padding) + 2, 0);
    plain
}

#[test]
fn the_longest_padding_is_taken_and_one_byte_more_is_not() {
    for padding in [0, 1, 511, 512] {
        let mut by_hand = ByHand::new(padding);
        let third = by_hand.third(TORRENT, &offer(3, padding as u16));
        assert_eq!(by_hand.end.hears(&third), Ok(()), "{padding}");
        assert!(!by_hand.end.shield.is_shaking_hands());
    }
    let mut by_hand = ByHand::new(512);
    assert_eq!(by_hand.end.hears(&[9; 19]), Ok(()));
    assert_eq!(by_hand.end.hears(&[9]), Err(Refused::Mark));
    let mut by_hand = ByHand::new(0);
    let third = by_hand.third(TORRENT, &offer(3, 513));
    assert_eq!(by_hand.end.hears(&third), Err(Refused::Padding));
    // The end that dialed looks no further for the zeros either.
    let mut asks = End::dialing(3, 3);
    let key = by_hand.private.public();
    assert_eq!(asks.hears(&[&key[..], &[9; 519]].concat()), Ok(()));
    assert_eq!(asks.hears(&[9]), Err(Refused::Constant));
}

#[test]
fn what_is_wrong_in_the_third_message_is_named() {
    let offered = offer(3, 4);
    let mut wrong = offered.clone();
    wrong[7] = 1;
    let torrent = InfoHash([9; 20]);
    for (torrent, plain, refused) in [
        (torrent, offered, Refused::Torrent),
        (TORRENT, wrong, Refused::Constant),
        (TORRENT, offer(0, 0), Refused::Method),
        (TORRENT, offer(0xffff_fffc, 0), Refused::Method),
    ] {
        for len in [1, 3, usize::MAX] {
            let mut by_hand = ByHand::new(30);
            let third = by_hand.third(torrent, &plain);
            let mut heard = parts(&third, || len).into_iter();
            let heard = heard.try_for_each(|part| by_hand.end.hears(part));
            assert_eq!(heard, Err(refused));
        }
    }
}

#[test]
fn keys_that_tell_the_secret_are_refused_by_both_ends() {
    let prime = {
        let mut prime = [0xff; KEY];
        let text = "c90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a0879\
                    8e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6\
                    f44c42e9a63a36210000000000090563";
        let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
        (0..KEY - 8).for_each(|at| prime[8 + at] = byte(at));
        prime
    };
    let last = |byte: u8| {
        let mut key = prime;
        key[KEY - 1] = byte;
        key
    };
    let mut one = [0; KEY];
    one[KEY - 1] = 1;
    for key in [
        [0; KEY],
        one,
        last(0x62),
        last(0x63),
        last(0x64),
        [0xff; KEY],
    ] {
        let mut dialed = End::dialed(Encryption::Allow, 1);
        assert_eq!(dialed.hears(&key), Err(Refused::Key));
        assert!(dialed.shield.out().is_empty(), "it is told nothing");
        assert_eq!(End::dialing(3, 1).hears(&key), Err(Refused::Key));
    }
    assert_eq!(End::dialed(Encryption::Allow, 1).hears(&last(0x61)), Ok(()));
}

#[test]
fn the_end_that_dialed_takes_one_method_that_it_has_offered() {
    for (offered, selected, outcome) in [
        (3, 1, Ok(())),
        (3, 2, Ok(())),
        (3, 0, Err(Refused::Method)),
        (3, 3, Err(Refused::Method)),
        (1, 2, Err(Refused::Method)),
        (2, 1, Err(Refused::Method)),
        (2, 0x8000_0002, Err(Refused::Method)),
    ] {
        let mut asks = End::dialing(offered, 4);
        let private = Private::new(&mut Rng::from_seed(5));
        let secret = private.secret(asks.says().first_chunk().unwrap()).unwrap();
        let mut fourth = [&[0; 8][..], &u32::to_be_bytes(selected), &[0, 3, 1, 2, 3]].concat();
        secret.ciphers(TORRENT).1.apply(&mut fourth);
        let answer = [&private.public()[..], &[6; 100], &fourth].concat();
        assert_eq!(asks.hears(&answer), outcome, "{offered} {selected}");
        assert_eq!(asks.shield.is_shaking_hands(), outcome.is_err());
    }
}

/// A handshake that breaks off at any byte is waited for, and keeps little.
#[test]
fn a_truncated_handshake_waits() {
    let mut by_hand = ByHand::new(100);
    let third = by_hand.third(TORRENT, &offer(2, 50));
    for cut in 0..third.len() {
        assert!(by_hand.end.shield.is_shaking_hands(), "{cut}");
        by_hand.end.hears(&third[cut..=cut]).unwrap();
    }
    assert!(by_hand.end.shield.is_sealing());
}

/// The first bytes of the payload may be more than a handshake, and the rest is as agreed.
#[test]
fn only_the_first_bytes_are_encrypted_where_plain_was_selected() {
    for len in [1, 50, usize::MAX] {
        let mut by_hand = ByHand::new(5);
        let mut plain = offer(PLAIN, 0);
        plain.truncate(14);
        plain.extend([0, 100]);
        plain.extend([b'x'; 100]);
        let mut third = by_hand.third(TORRENT, &plain);
        third.extend(b"clear");
        for part in parts(&third, || len) {
            by_hand.end.hears(part).unwrap();
        }
        let expected = [&[b'x'; 100][..], b"clear"].concat();
        assert_eq!(by_hand.end.heard, expected);
    }
}

/// Of 2,000 secrets that nobody looks at seven or eight begin so.
#[test]
fn no_secret_of_the_end_that_is_dialed_begins_with_a_zero_byte() {
    let private = Private::new(&mut Rng::from_seed(1));
    let key = private.public();
    for seed in 0..2_000 {
        let mut dialed = End::dialed(Encryption::Allow, seed);
        dialed.hears(&key).unwrap();
        let theirs = dialed.shield.out().first_chunk().unwrap();
        let secret = private.secret(theirs).unwrap();
        assert!(!secret.begins_with_zero(), "{seed}");
    }
}

#[test]
fn keys_and_padding_differ_from_connection_to_connection() {
    let mut rng = Rng::from_seed(1);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let mut shield = Shield::dial(TORRENT, 3);
        shield.begin(&mut rng);
        assert!((KEY..=KEY + limits::MSE_PADDING).contains(&shield.out().len()));
        assert!(seen.insert(shield.out().to_vec()));
    }
    let mut bytes = [0; 20];
    keys::fill(&mut bytes, &mut rng);
    assert_ne!(bytes[16..], [0; 4]);
}
