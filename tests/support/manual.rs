//! Parts of the manuals, printed from the code and from test data.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use sha1::{Digest as _, Sha1};

use brooklet::base::{Duration, InfoHash};
use brooklet::http::{Url, get_range};
use brooklet::peer::phase::{Step, step};
use brooklet::peer::{Capabilities, EndReason, Phase};
use brooklet::webseed::answer::Got;
use brooklet::webseed::{Answer, Content};
use brooklet::wire::announce::{Event, Query, Reply};
use brooklet::wire::extended::exchange::{REACHABLE, SEED};
use brooklet::wire::extended::punch::NOT_CONNECTED;
use brooklet::wire::lsd::Search;
use brooklet::wire::message::Kind;
use brooklet::wire::udp_tracker::{Body, Request, Response};
use brooklet::wire::{Family, HolePunch, Message, Metainfo, PeerExchange, bencode};

use crate::calls;
use crate::lookup;
use crate::proxied;
use crate::transcript::Setting;
use crate::transcript::words::{dump, encode, hex};
use crate::veiled;

/// What a manual's part of this name is to hold.
pub fn part(name: &str) -> String {
    match name {
        "torrent bytes" => fenced(&hexdump(&read(TORRENT))),
        "torrent values" => fenced(&values(&read(TORRENT))),
        "torrent hash" => fenced(&hash(&read(TORRENT))),
        "announce" => fenced(&announce()),
        "announce answer" => fenced(&values(&read(
            "torrents/wire/http_announce_reply_compact.bin",
        ))),
        "udp" => fenced(&udp()),
        "exchange" => fenced(&exchange()),
        "punch" => fenced(&punch()),
        "search" => fenced(&search()),
        "web seed" => fenced(&web_seed()),
        "encryption" => fenced(&veiled::handshake()),
        "utp" => fenced(&calls::connection()),
        "proxy" => fenced(&proxied::greeting()),
        "lookup" => fenced(&lookup::lookup()),
        "messages" => messages(),
        "legal" => legal(),
        "bounds" => bounds(),
        path => fenced(&read_text(path)),
    }
}

/// A request to a web seed, and an answer as it is read.
fn web_seed() -> String {
    let metainfo = Metainfo::parse(&read(TORRENT)).expect("it is a torrent");
    let content = Content::new(Arc::new(metainfo));
    let url = content.url("http://mirror.example/pub/", 0);
    let url = Url::parse(&url).expect("it is a URL");
    let part = content.file(0);
    let asked = 512..part.bytes.end;
    let request = get_range(&url, Some(asked.clone()));
    let (length, whole) = (asked.end - asked.start, part.bytes.end);
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {length}\r\n\
         Content-Range: bytes {}-{}/{whole}\r\n\r\n",
        asked.start,
        asked.end - 1
    );
    let lines = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\\r\\n\n");
        text.trim_end().to_string()
    };
    let mut answer = Answer::new(part, asked.clone(), asked.start, 0);
    let bytes = [head.as_bytes(), &vec![0; length as usize]].concat();
    let (mut rest, mut read) = (&bytes[..], String::new());
    while let Ok((used, got)) = answer.next(rest) {
        rest = &rest[used..];
        match got {
            Got::Nothing => break,
            Got::Head => {}
            Got::Body(at, len) => {
                read += &format!("bytes {at} to {} of the content", at + len as u64 - 1)
            }
            Got::End(persists) => {
                read += if persists {
                    "; the connection is kept"
                } else {
                    ""
                };
                break;
            }
        }
    }
    format!(
        "{}\n\n{}\n\n({read})",
        lines(&request),
        lines(head.as_bytes())
    )
}

const TORRENT: &str = "torrents/torrents/dv_ok_small.torrent";

fn read(path: &str) -> Vec<u8> {
    let path = format!("{}/testdata/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read(&path).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn read_text(path: &str) -> String {
    let whole = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&whole).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn fenced(text: &str) -> String {
    format!("```text\n{}\n```\n", text.trim_end())
}

fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_graphic() || *byte == b' '
}

fn hexdump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, part) in bytes.chunks(16).enumerate() {
        let pairs: Vec<String> = part.chunks(2).map(hex).collect();
        let letters = part.iter().map(|byte| {
            if is_plain(byte) {
                char::from(*byte)
            } else {
                '.'
            }
        });
        let letters: String = letters.collect();
        text += &format!("{:08x}: {:40} {letters}\n", line * 16, pairs.join(" "));
    }
    text
}

/// Every value of a bencoded text with its offset, as it stands there.
fn values(text: &[u8]) -> String {
    let mut lines = String::new();
    value(text, 0, 0, "", &mut lines);
    lines
}

fn value(text: &[u8], at: usize, depth: usize, key: &str, lines: &mut String) -> usize {
    let mut line = |at: usize, words: &str| {
        *lines += &format!("{at:5}  {}{words}\n", "  ".repeat(depth));
    };
    // A key stands in one line with its value.
    let start = at - key.len();
    let space = if key.is_empty() { "" } else { " " };
    if !matches!(text[at], b'd' | b'l') {
        let end = end_of(text, at);
        line(start, &format!("{key}{space}{}", scalar(&text[at..end])));
        return end;
    }
    let open = char::from(text[at]);
    line(start, &format!("{key}{space}{open}"));
    let mut next = at + 1;
    while text[next] != b'e' {
        let key = match open {
            'd' => scalar(&text[next..end_of(text, next)]),
            _ => String::new(),
        };
        next = value(text, next + key.len(), depth + 1, &key, lines);
    }
    *lines += &format!("{next:5}  {}e\n", "  ".repeat(depth));
    next + 1
}

fn end_of(text: &[u8], at: usize) -> usize {
    let (_, rest) = bencode::decode(&text[at..]).unwrap();
    text.len() - rest.len()
}

/// A number or string as it stands; bytes that are no text in hexadecimal.
fn scalar(raw: &[u8]) -> String {
    let colon = raw.iter().position(|&byte| byte == b':');
    let (length, bytes) = raw.split_at(colon.map_or(0, |colon| colon + 1));
    let length = String::from_utf8_lossy(length);
    if bytes.iter().all(is_plain) {
        format!("{length}{}", String::from_utf8_lossy(bytes))
    } else {
        format!("{length}<{}>", hex(bytes))
    }
}

fn hash(text: &[u8]) -> String {
    let root = bencode::decode(text).unwrap().0.dict().unwrap();
    let info = root.get("info").unwrap().dict().unwrap().raw();
    let start = text.len() - info.len() - 1;
    assert_eq!(
        &text[start..text.len() - 1],
        info,
        "info comes last in this torrent"
    );
    let end = start + info.len();
    format!(
        "SHA-1 of bytes {start}..{end}: {}",
        hex(&Sha1::digest(info))
    )
}

fn query() -> Query {
    let local = Setting::load().local;
    Query {
        info_hash: local.info_hash,
        peer_id: local.peer_id,
        port: 6881,
        uploaded: 0,
        downloaded: 0,
        left: local.geometry.size(),
        event: Some(Event::Started),
        num_want: 80,
        key: 0x1234_abcd,
        tracker_id: None,
    }
}

fn announce() -> String {
    let url = query().url("http://tracker.example/announce");
    url.replace('&', "\n    &").replace('?', "\n    ?")
}

fn udp() -> String {
    const CONNECTION: u64 = 0x0011_2233_4455_6677;
    let (connect, announce) = (0x0a0b_0c0d, 0x1a1b_1c1d);
    let mut text = String::new();
    let mut tell = |who: &str, bytes: &[u8], fields: &[(usize, &str)]| {
        text += &format!("{who}, {} bytes\n", bytes.len());
        let mut rest = bytes;
        for (size, name) in fields {
            let (field, more) = rest.split_at(*size);
            text += &format!("  {:40} {name}\n", hex(field));
            rest = more;
        }
        assert!(
            rest.is_empty(),
            "{who}: {} bytes without a name",
            rest.len()
        );
    };
    let request = |request: Request| {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        bytes
    };
    let response = |transaction: u32, body: Body| {
        let mut bytes = Vec::new();
        let response = Response { transaction, body };
        response.encode(&mut bytes);
        assert_eq!(Response::parse(&bytes, Family::V4), Ok(response));
        bytes
    };
    tell(
        "we ask for a connection id",
        &request(Request::Connect {
            transaction: connect,
        }),
        &[
            (8, "a fixed number"),
            (4, "action 0: connect"),
            (4, "transaction, at random"),
        ],
    );
    tell(
        "the tracker gives one",
        &response(connect, Body::Connect(CONNECTION)),
        &[
            (4, "action 0"),
            (4, "the same transaction"),
            (8, "connection id"),
        ],
    );
    tell(
        "we announce",
        &request(Request::Announce {
            connection: CONNECTION,
            transaction: announce,
            query: query(),
        }),
        &[
            (8, "connection id"),
            (4, "action 1: announce"),
            (4, "transaction"),
            (20, "info hash"),
            (20, "peer id"),
            (8, "downloaded"),
            (8, "left"),
            (8, "uploaded"),
            (4, "event: 0 none, 1 completed, 2 started, 3 stopped"),
            (4, "our address: 0, the one that this comes from"),
            (4, "key"),
            (4, "peers wanted"),
            (2, "port"),
        ],
    );
    let peers = ["192.0.2.7:6881", "198.51.100.20:51413"];
    let peers: Vec<SocketAddr> = peers.iter().map(|addr| addr.parse().unwrap()).collect();
    let reply = Reply {
        interval: Some(Duration::from_secs(1800)),
        leechers: Some(1),
        seeders: Some(2),
        peers,
        ..Reply::default()
    };
    tell(
        "the tracker answers",
        &response(announce, Body::Announce(reply)),
        &[
            (4, "action 1"),
            (4, "the same transaction"),
            (4, "interval: 1800 s"),
            (4, "leechers"),
            (4, "seeders"),
            (6, "192.0.2.7:6881"),
            (6, "198.51.100.20:51413"),
        ],
    );
    text
}

/// A sample of each kind in words, what it means, and the BEP that says so.
const SAMPLES: [(&str, &str, &str); 18] = [
    ("keep-alive", "the sender is still there", "3"),
    ("choke", "the sender will not answer requests", "3"),
    ("unchoke", "the sender will answer requests", "3"),
    (
        "interested",
        "the sender wants something that the receiver has",
        "3",
    ),
    (
        "not interested",
        "the sender wants nothing that the receiver has",
        "3",
    ),
    ("have 1", "the sender has verified this piece", "3"),
    (
        "bitfield fffffe",
        "all that the sender has: a bit a piece, the first one highest",
        "3",
    ),
    (
        "request 1 at 16384, 16384 bytes",
        "piece, offset in it, length: send me these bytes",
        "3",
    ),
    (
        "piece 1 at 16384, 4 bytes",
        "piece, offset in it, and the bytes themselves",
        "3",
    ),
    (
        "cancel 1 at 16384, 16384 bytes",
        "the request is withdrawn",
        "3",
    ),
    ("port 6881", "UDP port of the sender's DHT node", "5"),
    ("suggest piece 1", "advice: ask me for this one", "6"),
    ("have all", "the sender has every piece", "6"),
    ("have none", "the sender has no piece", "6"),
    (
        "reject request 1 at 16384, 16384 bytes",
        "the request will not be answered",
        "6",
    ),
    (
        "allowed fast 1",
        "this piece may be asked for even while choked",
        "6",
    ),
    (
        "extended 0, d1:mdee",
        "a message of an extension: its number, and a payload",
        "10",
    ),
    ("unknown 99", "any other number", "3"),
];

/// What is announced to the local network, as we send it over IPv4.
fn search() -> String {
    let hash = "d2474e86c95b19b8bcfdb92bc12c9d44667cfa36";
    let search = Search {
        port: 6881,
        info_hashes: InfoHash::from_hex(hash).into_iter().collect(),
        cookie: Some(String::from("5e1f0a9c")),
    };
    let text = search.encode(Family::V4);
    text.replace("\r\n", "\\r\\n\n")
}

/// A message of peer exchange as we send it.
fn exchange() -> String {
    let addr = |text: &str| text.parse().unwrap();
    let message = PeerExchange {
        added: vec![
            (addr("203.0.113.5:6881"), SEED | REACHABLE),
            (addr("198.51.100.7:51413"), 0),
            (addr("[2001:db8::9]:6881"), REACHABLE),
        ],
        dropped: vec![addr("192.0.2.30:6889")],
    };
    let mut payload = Vec::new();
    message.encode(&mut payload);
    values(&payload)
}

/// Messages of hole punching: what one peer asks of another, what the two ends are told, and an
/// error.
fn punch() -> String {
    let (one, two) = ("203.0.113.5:6881", "[2001:db8::9]:6882");
    let addr = |text: &str| text.parse().unwrap();
    let messages = [
        HolePunch::Rendezvous(addr(one)),
        HolePunch::Connect(addr(one)),
        HolePunch::Connect(addr(two)),
        HolePunch::Error(addr(one), NOT_CONNECTED),
    ];
    let line = |message: HolePunch| {
        let mut payload = Vec::new();
        message.encode(&mut payload);
        let (head, rest) = payload.split_at(2);
        let (ip, rest) = rest.split_at(rest.len() - 6);
        let (port, code) = rest.split_at(2);
        let (kind, family) = (hex(&head[..1]), hex(&head[1..]));
        format!(
            "{kind} {family} {} {} {}  {message:?}\n",
            hex(ip),
            hex(port),
            hex(code)
        )
    };
    messages.into_iter().map(line).collect()
}

fn messages() -> String {
    let setting = Setting::load();
    let mut table =
        String::from("| message | number | an example | meaning | BEP |\n|---|---|---|---|---|\n");
    let mut kinds = vec![Kind::Handshake];
    for (sample, meaning, bep) in SAMPLES {
        let bytes = encode(sample, &setting);
        let kind = Message::parse(&bytes[4..]).unwrap().kind();
        let number = bytes.get(4).map_or("–".to_string(), u8::to_string);
        let dump = dump(&bytes).concat();
        table += &format!(
            "| {kind} | {number} | `{}` | {meaning} | {bep} |\n",
            dump.trim().replace("  ", " ")
        );
        kinds.push(kind);
    }
    assert_eq!(kinds, Kind::ALL, "a sample of each kind, in order");
    table
}

fn legal() -> String {
    const PLAIN: Capabilities = Capabilities {
        fast: false,
        extended: false,
        dht: false,
    };
    const FAST: Capabilities = Capabilities {
        fast: true,
        extended: true,
        dht: true,
    };
    let columns = [
        ("Dialing", Phase::Dialing, PLAIN),
        ("Greeting", Phase::Greeting, PLAIN),
        ("Opening, plain", Phase::Opening, PLAIN),
        ("Opening, all agreed", Phase::Opening, FAST),
        ("Open, plain", Phase::Open, PLAIN),
        ("Open, all agreed", Phase::Open, FAST),
        ("Closing", Phase::Closing(EndReason::Closed), PLAIN),
    ];
    let names: Vec<&str> = columns.iter().map(|(name, ..)| *name).collect();
    let mut table = format!(
        "| message | {} |\n|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for kind in Kind::ALL {
        let cells = columns
            .iter()
            .map(|(_, phase, caps)| match step(phase, kind, *caps) {
                Step::Take => "taken".to_string(),
                Step::Enter(next) => format!("taken → {next:?}"),
                Step::Ignore(_) => "skipped".to_string(),
                Step::Refuse(EndReason::NotAgreed(_)) => "hang up: not agreed".to_string(),
                Step::Refuse(_) => "hang up".to_string(),
            });
        table += &format!("| {kind} | {} |\n", cells.collect::<Vec<_>>().join(" | "));
    }
    table
}

/// Every constant of `base/limits.rs`, with its reason.
fn bounds() -> String {
    let (mut table, mut reason) = (String::new(), Vec::new());
    let files = [
        "src/base/limits.rs",
        "src/base/limits/trackers.rs",
        "src/base/limits/encryption.rs",
        "src/base/limits/disk.rs",
        "src/base/limits/metadata.rs",
        "src/base/limits/dht.rs",
        "src/base/limits/finding.rs",
        "src/base/limits/utp.rs",
        "src/base/limits/proxy.rs",
        "src/base/limits/unattended.rs",
    ];
    let text: String = files.map(read_text).concat();
    for line in text.lines() {
        let line = line.trim();
        if let Some(words) = line.strip_prefix("/// ") {
            reason.push(words.replace("[`", "`").replace("`]", "`"));
        } else if let Some(section) = line.strip_prefix("// ") {
            table += &format!("\n**{section}**\n\n| bound | value | reason |\n|---|---|---|\n");
        } else if let Some((name, value)) = line
            .strip_prefix("pub const ")
            .and_then(|line| line.split_once(": "))
        {
            let reason = std::mem::take(&mut reason).join(" ");
            let value = value
                .split_once(" = ")
                .map_or("", |(_, value)| value.trim_end_matches(';'));
            if !matches!(name, "KIB" | "MIB") {
                table += &format!("| `{name}` | {} | {reason} |\n", amount(value));
            }
        }
    }
    table.trim_start().to_string()
}

/// A constant's value as people write it.
fn amount(value: &str) -> String {
    let inner = |of: &str| value.strip_prefix(of)?.strip_suffix(')');
    if let Some(seconds) = inner("Duration::from_secs(") {
        let factors = seconds
            .split('*')
            .map(|factor| factor.trim().parse::<u64>().unwrap());
        return match factors.product::<u64>() {
            hours if hours % 3600 == 0 => format!("{} h", hours / 3600),
            minutes if minutes % 60 == 0 && minutes > 120 => format!("{} min", minutes / 60),
            seconds => format!("{seconds} s"),
        };
    }
    if let Some(millis) = inner("Duration::from_millis(") {
        return format!("{millis} ms");
    }
    if let Some(micros) = inner("Duration::from_micros(") {
        return format!("{micros} µs");
    }
    let value = value
        .replace(" * 1024 * 1024", " MiB")
        .replace(" * 1024", " KiB")
        .replace(" * KIB", " KiB")
        .replace(" * MIB", " MiB")
        .replace(" as u64", "")
        .replace(" as usize", "");
    let value = with_commas(&value);
    match value.as_str() {
        "MIB" => "1 MiB".to_string(),
        _ => value,
    }
}

/// Digits are grouped by commas; underscores in names stay.
fn with_commas(value: &str) -> String {
    let chars: Vec<char> = value.chars().collect();
    let is_digit =
        |at: Option<usize>| at.is_some_and(|at| chars.get(at).is_some_and(char::is_ascii_digit));
    let between = |at: usize| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1));
    let places = chars.iter().enumerate();
    places
        .map(|(at, &c)| if c == '_' && between(at) { ',' } else { c })
        .collect()
}
