//! What stories tell of extensions (BEP 10): our handshake, metadata (BEP 9), peer exchange
//! (BEP 11).

use std::net::SocketAddr;

use brooklet::base::{CLIENT_NAME, Time, limits};
use brooklet::peer::Peer;
use brooklet::wire::{ExtendedGreeting, Extension, Message, MetadataMessage, PeerExchange};

use super::Setting;
use super::words::{hex, numbers};

/// Does what a story says, if it is about extensions.
pub fn act(peer: &mut Peer, what: &str, setting: &Setting, now: Time) -> bool {
    let number = || numbers(what)[0];
    let size = setting.info.len() as u32;
    match what.trim_end_matches(|c: char| c.is_ascii_digit()).trim() {
        "extend" => peer.extend(greeting(peer, None)),
        "extend with metadata" => peer.extend(greeting(peer, Some(size))),
        "ask for metadata" => drop(peer.say_metadata(MetadataMessage::Request(number()))),
        "reject metadata" => drop(peer.say_metadata(MetadataMessage::Reject(number()))),
        "send metadata" => {
            peer.queue_metadata(number());
            let piece = peer.next_metadata(now).expect("a block that may be read");
            peer.answer_metadata(piece, data(piece, setting));
        }
        _ => match what.strip_prefix("name ") {
            Some(peers) => drop(peer.say_exchange(&exchange(peers))),
            None => return false,
        },
    }
    true
}

/// What a session says of a torrent that it downloads.
fn greeting(peer: &Peer, metadata_size: Option<u32>) -> ExtendedGreeting {
    ExtendedGreeting {
        exchange: Some(Extension::Exchange.ours()),
        metadata: Some(Extension::Metadata.ours()),
        punch: None,
        metadata_size,
        port: Some(6881),
        encryption: None,
        queue: Some(limits::UPLOADS_FULL as u32),
        upload_only: None,
        client: Some(CLIENT_NAME.to_string()),
        your_ip: Some(peer.addr().ip()),
    }
}

/// The only block of the metadata.
fn data(piece: u32, setting: &Setting) -> MetadataMessage<'_> {
    MetadataMessage::Data {
        piece,
        total: Some(setting.info.len() as u32),
        data: &setting.info,
    }
}

/// What a peer says under one of our numbers: `2, metadata 0` or `1, names +ADDR FLAGS -ADDR`.
pub fn payload(said: &str, setting: &Setting) -> Option<Vec<u8>> {
    let mut payload = Vec::new();
    if let Some(piece) = said.strip_prefix("metadata ") {
        data(piece.parse().ok()?, setting).encode(&mut payload);
        return Some(payload);
    }
    exchange(said.strip_prefix("names ")?).encode(&mut payload);
    Some(payload)
}

/// `+203.0.113.5:6881 12` for a new one with its flags, `-203.0.113.5:6881` for one that is gone.
fn exchange(words: &str) -> PeerExchange {
    let addr = |text: &str| -> SocketAddr { text.parse().expect("an address and port") };
    let mut named = PeerExchange::default();
    let mut words = words.split(' ');
    while let Some(word) = words.next() {
        match word.split_at(1) {
            ("+", new) => {
                let flags = words.next().and_then(|it| u8::from_str_radix(it, 16).ok());
                named.added.push((addr(new), flags.expect("flags")));
            }
            (_, gone) => named.dropped.push(addr(gone)),
        }
    }
    named
}

/// The payload of an extended message's frame: what is no text in hexadecimal, and of a block of
/// metadata how long it is.
pub fn dump(frame: &[u8]) -> Option<String> {
    let Ok(Message::Extended { payload, .. }) = Message::parse(frame.get(4..)?) else {
        return None;
    };
    let block = match MetadataMessage::parse(payload) {
        Ok(MetadataMessage::Data { data, .. }) => data.len(),
        _ => 0,
    };
    let (dictionary, _) = payload.split_at(payload.len() - block);
    let mut text = format!("  {}", bencoded(dictionary));
    if block > 0 {
        text += &format!(" ({block} bytes of the info dictionary)");
    }
    Some(text)
}

/// A bencoded text as it stands, but for strings that are no text: those in hexadecimal.
pub fn bencoded(mut rest: &[u8]) -> String {
    let mut text = String::new();
    while let Some(&first) = rest.first() {
        // A string, of which the length is known, or a byte that says what follows.
        let colon = rest.iter().position(|byte| !byte.is_ascii_digit());
        let head = colon.filter(|&at| at > 0 && rest[at] == b':');
        let head = head.and_then(|at| rest.split_at_checked(at + 1));
        let Some((head, more)) = head else {
            text.push(char::from(first));
            rest = &rest[1..];
            continue;
        };
        let (string, more) = more.split_at(more.len().min(length(head)));
        text += &String::from_utf8_lossy(head);
        if string.iter().copied().all(is_plain) {
            text += &String::from_utf8_lossy(string);
        } else {
            text += &format!("<{}>", hex(string));
        }
        rest = more;
    }
    text
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
}

/// The number in `6:`.
fn length(head: &[u8]) -> usize {
    let digits = std::str::from_utf8(head).unwrap_or_default();
    let digits = digits.trim_end_matches(':');
    digits.parse().unwrap_or(usize::MAX)
}
