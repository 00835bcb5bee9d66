//! Encrypted handshakes: an honest one whose bytes are changed, and any bytes at all, from both
//! ends. Cut anywhere they come to the same, little is kept, and only an unchanged one succeeds.

use brooklet::base::{InfoHash, Rng, limits};
use brooklet::mse::shield::Terms;
use brooklet::mse::{Encryption, Refused, Shield, keys};

/// What is sent in the place of, or behind, an honest handshake.
struct Script<'a> {
    setting: Encryption,
    offer: u32,
    cut: usize,
    bytes: &'a [u8],
}

const TORRENT: InfoHash = InfoHash([0xab; 20]);
const HELLO: [u8; 68] = [0x19; 68];
/// Seeds of the two ends.
const SEEDS: (u64, u64) = (1, 2);
/// The most that may be kept: the longest padding, and what must stand behind it.
const KEPT: usize = limits::MSE_PADDING + keys::HASH;

/// Fails where a promise is broken.
pub fn run(bytes: &[u8]) {
    let [role, setting, offer, cut, bytes @ ..] = bytes else {
        return;
    };
    let script = Script {
        setting: Encryption::ALL[usize::from(*setting) % Encryption::ALL.len()].1,
        offer: u32::from(*offer),
        cut: usize::from(*cut).max(1),
        bytes,
    };
    match role % 3 {
        0 => both(&script, &mut || Shield::accept()),
        1 => both(&script, &mut || dialing(&script)),
        _ => changed(&script),
    }
}

fn dialing(script: &Script<'_>) -> Shield {
    let mut shield = Shield::dial(TORRENT, script.offer);
    shield.begin(&mut Rng::from_seed(SEEDS.0));
    shield
}

/// An end, what has come through it, and why it has given up.
struct End {
    shield: Shield,
    rng: Rng,
    heard: Vec<u8>,
    refused: Option<Refused>,
}

impl End {
    fn new(shield: Shield) -> End {
        End {
            shield,
            rng: Rng::from_seed(SEEDS.1),
            heard: Vec::new(),
            refused: None,
        }
    }

    fn hears(&mut self, bytes: &[u8], setting: Encryption) {
        if self.refused.is_some() {
            return;
        }
        let mut read = [self.shield.kept(), bytes].concat();
        let known = keys::torrent_hash(TORRENT);
        let terms = Terms {
            setting,
            torrent: &mut |hash| (*hash == known).then_some(TORRENT),
            initial: &HELLO,
            rng: &mut self.rng,
        };
        match self.shield.open(&mut read, terms) {
            Ok(opened) => {
                assert!(opened.taken <= read.len());
                self.heard.extend(&read[opened.taken..]);
            }
            Err(refused) => self.refused = Some(refused),
        }
        assert!(self.shield.kept().len() <= KEPT);
    }
}

/// Any bytes, whole and cut.
fn both(script: &Script<'_>, shield: &mut dyn FnMut() -> Shield) {
    let (mut whole, mut cut) = (End::new(shield()), End::new(shield()));
    whole.hears(script.bytes, script.setting);
    for part in script.bytes.chunks(script.cut) {
        cut.hears(part, script.setting);
    }
    assert_eq!(whole.refused, cut.refused);
    assert_eq!(whole.shield.out(), cut.shield.out());
    if whole.refused.is_none() {
        assert_eq!(whole.heard, cut.heard);
        assert_eq!(whole.shield.kept(), cut.shield.kept());
        let long = script.bytes.len() >= keys::KEY + KEPT;
        assert!(!long || !whole.shield.is_shaking_hands() || whole.shield.kept().len() < KEPT);
    }
}

/// An honest handshake, of which the script changes bytes: pairs of a place and of what is added.
fn changed(script: &Script<'_>) {
    let (mut a, mut b) = (End::new(dialing(script)), End::new(Shield::accept()));
    let mut said = 0;
    let mut is_changed = false;
    for _ in 0..2 {
        let mut out = a.shield.out().to_vec();
        a.shield.transmitted(out.len(), None);
        for pair in script.bytes.chunks_exact(3) {
            let place = usize::from(u16::from_le_bytes([pair[0], pair[1]]));
            let byte = place.checked_sub(said).and_then(|at| out.get_mut(at));
            if let Some(byte) = byte {
                *byte ^= pair[2];
                is_changed |= pair[2] != 0;
            }
        }
        said += out.len();
        for part in out.chunks(script.cut) {
            b.hears(part, script.setting);
        }
        let back = b.shield.out().to_vec();
        b.shield.transmitted(back.len(), None);
        a.hears(&back, script.setting);
    }
    let agreed = !a.shield.is_shaking_hands() && !b.shield.is_shaking_hands();
    let takes = script.setting.select(script.offer).is_some();
    if is_changed {
        return;
    }
    assert_eq!(agreed, takes);
    if agreed {
        assert_eq!(b.heard, HELLO);
        assert_eq!(a.shield.is_sealing(), b.shield.is_sealing());
    }
}
