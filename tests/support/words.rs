//! The words of a story: messages and events as text, and back.

use brooklet::base::{Block, InfoHash, PeerId};
use brooklet::peer::Event;
use brooklet::wire::{Handshake, Message, MetadataMessage, handshake};

use super::Setting;
use super::extending;
use super::pair::Heard;

/// The bytes of a message in words.
pub fn encode(said: &str, setting: &Setting) -> Vec<u8> {
    let mut bytes = Vec::new();
    let name = name(said);
    let data;
    let message = match name {
        _ if said.starts_with("raw ") => return hex_bytes(&said[4..]),
        _ if said.starts_with("handshake ") => {
            greeting(&said[10..], setting).encode(&mut bytes);
            return bytes;
        }
        _ if said.starts_with("bitfield ") => {
            data = hex_bytes(&said[9..]);
            Message::Bitfield(&data)
        }
        "piece" => {
            let block = block(said);
            data = setting.block(block);
            let Block { piece, begin, .. } = block;
            let data = &data[..];
            Message::Piece { piece, begin, data }
        }
        "extended" => Message::Extended {
            id: number(said) as u8,
            payload: {
                let text = said.split_once(", ").map_or("", |(_, text)| text);
                data = extending::payload(text, setting).unwrap_or_else(|| text.into());
                &data
            },
        },
        "keep-alive" => Message::KeepAlive,
        "choke" => Message::Choke,
        "unchoke" => Message::Unchoke,
        "interested" => Message::Interested,
        "not interested" => Message::NotInterested,
        "have" => Message::Have(number(said)),
        "request" => Message::Request(block(said)),
        "cancel" => Message::Cancel(block(said)),
        "reject request" => Message::Reject(block(said)),
        "port" => Message::Port(number(said) as u16),
        "suggest piece" => Message::Suggest(number(said)),
        "have all" => Message::HaveAll,
        "have none" => Message::HaveNone,
        "allowed fast" => Message::AllowedFast(number(said)),
        "unknown" => Message::Unknown(number(said) as u8),
        _ => panic!("no such message: {said}"),
    };
    message.encode(&mut bytes);
    bytes
}

/// `fast -XX0000-abcdefghijkl`, or `plain` or `extended`, perhaps with `for another torrent` behind it.
fn greeting(words: &str, setting: &Setting) -> Handshake {
    let mut words = words.splitn(3, ' ');
    let kind = words.next();
    let name = words
        .next()
        .and_then(|name| name.as_bytes().try_into().ok());
    let name = PeerId(name.expect("a peer id of twenty bytes"));
    let mut greeting = Handshake::with_fast(setting.local.info_hash, name);
    match kind {
        Some("fast") => {}
        // The extension protocol (BEP 10) as well.
        Some("extended") => greeting.reserved[5] |= 0x10,
        _ => greeting.reserved = [0; 8],
    }
    if words.next() == Some("for another torrent") {
        greeting.info_hash = InfoHash([0xaa; 20]);
    }
    greeting
}

/// The words in front of the first number.
pub fn name(text: &str) -> &str {
    let end = text.find(|c: char| c.is_ascii_digit());
    text[..end.unwrap_or(text.len())].trim()
}

/// All numbers in it.
pub fn numbers(text: &str) -> Vec<u32> {
    let digits = text.split(|c: char| !c.is_ascii_digit());
    digits.filter_map(|number| number.parse().ok()).collect()
}

/// The only number in it.
pub fn number(text: &str) -> u32 {
    match numbers(text)[..] {
        [number, ..] => number,
        [] => panic!("a number is missing: {text}"),
    }
}

/// `3 at 16384, 16384 bytes`.
pub fn block(text: &str) -> Block {
    match numbers(text)[..] {
        [piece, begin, len] => Block { piece, begin, len },
        _ => panic!("three numbers name a block: {text}"),
    }
}

/// The same the other way.
pub fn words(block: Block) -> String {
    let Block { piece, begin, len } = block;
    format!("{piece} at {begin}, {len} bytes")
}

/// What a connection reports.
pub fn heard_words(heard: &Heard<'_>) -> String {
    match heard {
        Heard::Greeted(name) => format!("event greeted {name:?}"),
        Heard::Event(event) => event_words(event),
    }
}

/// What a peer's machine reports.
pub fn event_words(event: &Event<'_>) -> String {
    match event {
        Event::Holdings(_) => "event holdings".to_string(),
        Event::LongBitfield(bytes) => format!("event long bitfield, {bytes} bytes"),
        Event::Have(piece) => format!("event have {piece}"),
        Event::Choked(dropped) => {
            let dropped: Vec<String> = dropped
                .iter()
                .map(|&block| format!("; back {}", words(block)))
                .collect();
            format!("event choked{}", dropped.concat())
        }
        Event::Unchoked => "event unchoked".to_string(),
        Event::Interested(true) => "event interested".to_string(),
        Event::Interested(false) => "event not interested".to_string(),
        Event::Requested(block) => format!("event requested {}", words(*block)),
        Event::Block { block, .. } => format!("event block {}", words(*block)),
        Event::Rejected(block) => format!("event rejected {}", words(*block)),
        Event::Allowed(piece) => format!("event allowed {piece}"),
        Event::Extended => "event extended".to_string(),
        Event::Node(port) => format!("event node {port}"),
        Event::Exchange(said) => {
            let (new, gone) = (said.added.len(), said.dropped.len());
            format!("event exchange {new} new, {gone} gone")
        }
        Event::Metadata(message) => match message {
            MetadataMessage::Data { piece, data, .. } => {
                format!("event metadata {piece}, {} bytes", data.len())
            }
            other => format!("event metadata {other:?}").to_lowercase(),
        },
        Event::Punch(message) => format!("event punch {message:?}").to_lowercase(),
    }
}

/// A frame that we send.
pub fn message_words(frame: &[u8]) -> String {
    match Message::parse(&frame[4..]).expect("what we send can be read") {
        Message::Bitfield(bits) => format!("bitfield {}", hex(bits)),
        message => message.to_string(),
    }
}

/// A handshake that we send.
pub fn handshake_words(bytes: &[u8]) -> String {
    let greeting = Handshake::parse(bytes).unwrap().unwrap();
    let fast = if greeting.fast() { "fast" } else { "plain" };
    format!("handshake {fast} {:?}", greeting.peer_id)
}

/// A message's bytes, a field at a time.
pub fn dump(bytes: &[u8]) -> Vec<String> {
    let fields = |sizes: &[usize]| -> Vec<String> {
        let (mut fields, mut rest) = (Vec::new(), bytes);
        for &size in sizes {
            let (field, more) = rest.split_at(size.min(rest.len()));
            fields.push(hex(field));
            rest = more;
        }
        match rest.len() {
            0 => {}
            1..=32 => fields.push(hex(rest)),
            more => fields.push(format!("({more} bytes of content)")),
        }
        fields
    };
    if bytes.starts_with(handshake::PROTOCOL) {
        let lines = fields(&[1, 19, 8, 20]);
        return vec![
            format!("  {} {} {}", lines[0], lines[1], lines[2]),
            format!("  {}", lines[3]),
            format!("  {}", lines[4]),
        ];
    }
    if let Some(told) = extending::dump(bytes) {
        let [len, number, id] = [&bytes[..4], &bytes[4..5], &bytes[5..6]].map(hex);
        return vec![format!("  {len} {number} {id}"), told];
    }
    let sizes: &[usize] = match bytes.get(4) {
        Some(6 | 8 | 16) => &[4, 1, 4, 4, 4],
        Some(7) => &[4, 1, 4, 4],
        _ => &[4, 1],
    };
    let fields: Vec<String> = fields(sizes)
        .into_iter()
        .filter(|field| !field.is_empty())
        .collect();
    vec![format!("  {}", fields.join(" "))]
}

pub fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn hex_bytes(digits: &str) -> Vec<u8> {
    let digits: String = digits.split_whitespace().collect();
    (0..digits.len() / 2)
        .map(|place| u8::from_str_radix(&digits[2 * place..][..2], 16).expect("hexadecimal digits"))
        .collect()
}
