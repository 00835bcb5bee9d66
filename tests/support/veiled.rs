//! A whole encrypted handshake, byte by byte, for the manual.

use brooklet::base::{InfoHash, PeerId, Rng};
use brooklet::mse::shield::Terms;
use brooklet::mse::{Encryption, Shield, keys};
use brooklet::wire::Handshake;

use crate::transcript::words::hex;

/// Seeds whose paddings are short.
const SEEDS: (u64, u64) = (2275, 2844);
const TORRENT: InfoHash = InfoHash(*b"abcdefghijklmnopqrst");

/// The messages of both ends, each with its parts.
pub fn handshake() -> String {
    let (mut ours, mut theirs) = (Rng::from_seed(SEEDS.0), Rng::from_seed(SEEDS.1));
    let (mut a, mut b) = (Shield::dial(TORRENT, 3), Shield::accept());
    let mut hello = Vec::new();
    Handshake::ours(TORRENT, PeerId(*b"-bk0100-ABCDEFGHIJKL")).encode(&mut hello);
    a.begin(&mut ours);
    let first = say(&mut a);
    hear(&mut b, &first, &hello, &mut theirs);
    let second = say(&mut b);
    hear(&mut a, &second, &hello, &mut ours);
    let third = say(&mut a);
    hear(&mut b, &third, &hello, &mut theirs);
    let fourth = say(&mut b);
    // The same numbers again: what only the two ends know.
    let private = keys::Private::new(&mut Rng::from_seed(SEEDS.0));
    assert_eq!(private.public()[..], first[..keys::KEY]);
    let secret = private.secret(second.first_chunk().unwrap()).unwrap();
    let (mut from_a, mut from_b) = secret.ciphers(TORRENT);

    let mut text = String::from("A to B\n");
    key("Ya", "PadA", &first, &mut text);
    text += "B to A\n";
    key("Yb", "PadB", &second, &mut text);
    text += "A to B\n";
    let (hashes, sealed) = third.split_at(2 * keys::HASH);
    let (mark, name) = hashes.split_at(keys::HASH);
    part("HASH('req1', S)", mark, None, &mut text);
    part(
        "HASH('req2', SKEY) xor HASH('req3', S)",
        name,
        None,
        &mut text,
    );
    let mut plain = sealed.to_vec();
    from_a.apply(&mut plain);
    let pad = usize::from(u16::from_be_bytes([plain[12], plain[13]]));
    let names = [
        ("VC", 8),
        ("crypto_provide: plaintext (1) and RC4 (2)", 4),
        ("len(PadC)", 2),
        ("PadC", pad),
        ("len(IA)", 2),
        ("IA: the BitTorrent handshake", hello.len()),
    ];
    parts(&names, sealed, &plain, &mut text);
    text += "B to A\n";
    let mut plain = fourth.clone();
    from_b.apply(&mut plain);
    let pad = usize::from(u16::from_be_bytes([plain[12], plain[13]]));
    let names = [
        ("VC", 8),
        ("crypto_select: RC4", 4),
        ("len(PadD)", 2),
        ("PadD", pad),
    ];
    parts(&names, &fourth, &plain, &mut text);
    text
}

fn say(shield: &mut Shield) -> Vec<u8> {
    let said = shield.out().to_vec();
    shield.transmitted(said.len(), None);
    said
}

fn hear(shield: &mut Shield, bytes: &[u8], initial: &[u8], rng: &mut Rng) {
    let mut read = [shield.kept(), bytes].concat();
    let terms = Terms {
        setting: Encryption::Prefer,
        torrent: &mut |_| Some(TORRENT),
        initial,
        rng,
    };
    shield.open(&mut read, terms).expect("both are honest");
}

fn key(name: &str, padding: &str, bytes: &[u8], text: &mut String) {
    let (key, pad) = bytes.split_at(keys::KEY);
    part(name, key, None, text);
    part(padding, pad, None, text);
}

/// Parts of these names and lengths, which are all that was encrypted.
fn parts(names: &[(&str, usize)], sealed: &[u8], plain: &[u8], text: &mut String) {
    let mut at = 0;
    for (name, len) in names {
        let range = at..at + len;
        part(name, &sealed[range.clone()], Some(&plain[range]), text);
        at += len;
    }
    assert_eq!(at, sealed.len());
}

fn part(name: &str, bytes: &[u8], plain: Option<&[u8]>, text: &mut String) {
    *text += &format!("  {name}: {} bytes\n", bytes.len());
    for line in bytes.chunks(32) {
        *text += &format!("    {}\n", hex(line));
    }
    if let Some(plain) = plain {
        for (number, line) in plain.chunks(32).enumerate() {
            let sign = if number == 0 { "=" } else { " " };
            *text += &format!("  {sign} {}\n", hex(line));
        }
    }
}
