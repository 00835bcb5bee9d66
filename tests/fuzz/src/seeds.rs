//! A first corpus for each target: what testdata/ has for it, and some scripts by chance for those
//! that read a script.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use brooklet::base::limits::UNSENT;
use brooklet::base::{PeerId, Rng};
use brooklet::peer::Local;
use brooklet::wire::Metainfo;

use super::outside::{BODIES, HEADS};
use super::transcript::{Setting, words};

/// Larger files make a fuzzer slow, and it learns nothing from them.
const MOST: usize = 40_000;
/// Scripts by chance for each target that reads one, and their bytes.
const SCRIPTS: u64 = 60;
const SCRIPT: u64 = 400;

/// For `json`: requests of remote control in both forms, and values of all kinds.
const JSON: [&str; 6] = [
    r#"{"jsonrpc":"2.0","method":"torrent_get","params":{"fields":["id","name"]},"id":1}"#,
    r#"{"method":"session-set","arguments":{"speed-limit-down":100},"tag":null}"#,
    r#"[{"a":[true,false,null,-0.5e+3,12345678901234567890]}, "\ud83c\udfb5\n\\ é"]"#,
    "[[[[]]],{},\"\"]",
    " 0 ",
    r#"{"a":{"a":{"a":[1.0,1]}},"b":2}"#,
];

/// For `krpc`: the examples of BEP 5, messages of real clients, and a file of nodes.
const KRPC: [&[u8]; 8] = [
    b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
    b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:wantl2:n42:n6ee1:q9:get_peers2:roi1e1:t2:aa1:y1:qe",
    b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
    b"d1:rd2:id20:abcdefghij01234567895:nodes26:abcdefghij0123456789axje.u5:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
    b"d2:ip6:axje.u1:rd2:id20:abcdefghij01234567898:intervali21600e3:numi1e7:samples20:mnopqrstuvwxyz123456e1:t2:aa1:v4:LT\x02\x0e1:y1:re",
    b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
    b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t4:aaaa1:v4:bk\x01\x001:y1:qe",
    b"brooklet DHT nodes 1\nid4 0303030303030303030303030303030303030303\nnode 0303030303030303030303030303030303030303 192.0.2.7:6881\n",
];

/// For `extended`: what libtorrent and Transmission say, and the examples of BEP 9.
const EXTENDED: [&[u8]; 6] = [
    b"d12:complete_agoi-1e1:md11:lt_donthavei7e10:share_modei8e11:upload_onlyi3e12:ut_holepunchi4e11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei81991e4:reqqi2000e11:upload_onlyi1e1:v19:libtorrent/2.0.14.06:yourip4:\x0a\x00\x00\x01e",
    b"d1:ei1e4:ipv616:aaaaaaaaaaaaaaaa1:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei81991e1:pi6103e4:reqqi2000e1:v18:Transmission 4.1.4e",
    b"d8:msg_typei0e5:piecei0ee",
    b"d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx",
    b"d5:added12:\x0a\x00\x00\x01\x1a\xe1\x0a\x00\x00\x02\x1a\xe27:added.f2:\x02\x086:added618:aaaaaaaaaaaaaaaabb8:added6.f1:\x107:dropped6:\x0a\x00\x00\x03\x00\x078:dropped60:e",
    b"d5:added5:\x0a\x00\x00\x01\x1ae",
];

/// For `lsd`: what libtorrent, Transmission and aria2 say.
const LSD: [&[u8]; 3] = [
    b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: abababababababababababababababababababab\r\ncookie: 1a2b3c4d\r\n\r\n\r\n",
    b"BT-SEARCH * HTTP/1.1\r\nHost: [ff15::efc0:988f]:6771\r\nPort: 51413\r\nInfohash: ABABABABABABABABABABABABABABABABABABABAB\r\ncookie: a1B2c3D4e5F6\r\n\r\n\r\n",
    b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6104\r\nInfohash: 0101010101010101010101010101010101010101\r\n\r\n\r\n",
];

/// Seeds by target.
pub type Seeds = BTreeMap<&'static str, Vec<Vec<u8>>>;

/// All seeds, from this folder of test data; the same each time.
pub fn all(testdata: &Path) -> Seeds {
    let files = |folder: &str| files(&testdata.join("torrents").join(folder));
    let malformed = files("malformed");
    let torrents: Vec<Vec<u8>> = files("torrents").into_iter().chain(malformed).collect();
    let (wire, texts) = (files("wire"), texts(testdata));
    let said = said(testdata);
    let mut seeds = Seeds::new();
    let mut add = |target, more: &[Vec<u8>]| {
        let short = more.iter().filter(|seed| seed.len() <= MOST).cloned();
        seeds.entry(target).or_default().extend(short);
    };
    add("metainfo", &torrents);
    add("bencode", &[&texts[..], &torrents, &wire].concat());
    add("announce", &[&texts[..], &wire].concat());
    add("resume", &texts);
    add("json", &JSON.map(|text| text.as_bytes().to_vec()));
    add("udp_tracker", &datagrams());
    add("extended", &EXTENDED.map(<[u8]>::to_vec));
    add("lsd", &LSD.map(<[u8]>::to_vec));
    add("krpc", &KRPC.map(<[u8]>::to_vec));
    add("socks", &proxies());
    add("http", &answers(&wire));
    add("webseed", &ranges());
    add("wire", &streams(&wire, &said));
    add("peer", &dialogues(said));
    for target in [
        "session", "peer", "trackers", "resume", "dht", "exchange", "greeting", "utp",
    ] {
        add(target, &scripts(target.len() as u64));
    }
    add("exchange", &exchanges());
    // Honest encrypted handshakes: each setting, what is offered, and the parts that they come in.
    let honest = |number: u8| vec![2, number % 5, number / 5 + 1, 7 * number + 1];
    add("greeting", &(0..15).map(honest).collect::<Vec<_>>());
    seeds
}

/// The files of a folder.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).expect("testdata is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .filter_map(|path| fs::read(path).ok())
        .collect()
}

/// The table of bencoded texts.
fn texts(testdata: &Path) -> Vec<Vec<u8>> {
    let table =
        fs::read_to_string(testdata.join("torrents/BENCODE.tsv")).expect("the table is there");
    let hex = |row: &str| {
        let digits = row.split('\t').next()?.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()
    };
    table.lines().skip(1).filter_map(hex).collect()
}

/// What peers say in the stories: in each line one message.
fn said(testdata: &Path) -> Vec<Vec<Vec<u8>>> {
    let torrent =
        fs::read(testdata.join("torrents/torrents/wt_leaves.torrent")).expect("it is there");
    let meta = Metainfo::parse(&torrent).expect("it is a torrent");
    let setting = Setting {
        local: Local {
            info_hash: meta.info_hash,
            peer_id: PeerId(*b"-bk0100-ABCDEFGHIJKL"),
            dht: false,
            geometry: meta.geometry,
            unsent: UNSENT,
        },
        content: Vec::new(),
        info: b"d4:name4:seede".to_vec(),
    };
    let lines = |story: &Vec<u8>| {
        let text = String::from_utf8_lossy(story).into_owned();
        let said = text.lines().filter_map(|line| line.strip_prefix("< "));
        said.map(|line| words::encode(line.trim(), &setting))
            .collect()
    };
    files(&testdata.join("transcripts"))
        .iter()
        .map(lines)
        .collect()
}

/// For `wire`: bytes of a bitfield, cuts, and the stream itself.
fn streams(wire: &[Vec<u8>], said: &[Vec<Vec<u8>>]) -> Vec<Vec<u8>> {
    let stories = said.iter().map(|said| said.concat());
    let streams: Vec<Vec<u8>> = stories
        .chain(wire.iter().cloned())
        .chain(said.concat())
        .collect();
    streams
        .iter()
        .map(|stream| [&[3, 2, 7, 100], &stream[..]].concat())
        .collect()
}

/// For `peer`: the stories as scripts. The blocks in them are cut short: a part of a script has 255
/// bytes at most.
fn dialogues(said: Vec<Vec<Vec<u8>>>) -> Vec<Vec<u8>> {
    let dialogue = |said: Vec<Vec<u8>>| {
        // The first torrent, much may wait, they call us; they greet us; then each message, in
        // cuts.
        let mut script = vec![0, 255, 0, 0, 0, 0, 7, 2, 5, 90];
        for message in said {
            let len = message.len().min(255);
            script.extend([3, len as u8]);
            script.extend(&message[..len]);
        }
        script
    };
    said.into_iter().map(dialogue).collect()
}

/// For `http`: which question, cuts, and an answer.
fn answers(wire: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    for head in HEADS {
        let bodies = BODIES.iter().map(|body| body.as_bytes());
        for body in bodies.chain(wire.iter().map(|body| &body[..])) {
            for scrape in [0, 1] {
                answers.push([&[scrape, 1, 9], head.as_bytes(), body].concat());
            }
        }
    }
    answers
}

/// For `webseed`: blocks that are wanted, cuts, and an answer.
fn ranges() -> Vec<Vec<u8>> {
    let heads = [
        "206 P\r\nContent-Range: bytes 0-16483/16484\r\nContent-Length: 16484",
        "206 P\r\nContent-Range: bytes 0-16483/16484\r\nTransfer-Encoding: chunked",
        "206 P\r\nContent-Range: bytes 0-16383/16484\r\nContent-Length: 16384",
        "206 P\r\nContent-Range: bytes 16384-49158/49159\r\nContent-Length: 32775",
        "200 OK\r\nContent-Length: 49159",
        "200 OK\r\nTransfer-Encoding: chunked",
        "200 OK\r\nConnection: close",
        "302 Found\r\nLocation: /x",
        "503 Busy\r\nRetry-After: 7",
    ];
    let mut seeds = Vec::new();
    for (number, head) in heads.iter().enumerate() {
        for wanted in [[0, 1, 2], [4, 5, 1], [3, 3, 3]] {
            let head = format!("HTTP/1.1 {head}\r\n\r\n");
            let body: Vec<u8> = (0..3_000_u32).map(|at| (at ^ (at >> 4)) as u8).collect();
            let chunks = [b"bb8\r\n", &body[..], b"\r\n0\r\n\r\n"].concat();
            let body = if head.contains("chunked") {
                chunks
            } else {
                body
            };
            let start = [&wanted[..], &[number as u8, 2, 9, 200]].concat();
            seeds.push([&start[..], head.as_bytes(), &body].concat());
        }
    }
    seeds
}

/// For `socks`: the kind of request, cuts, and what proxies answer with and without a login, with
/// each kind of place, and where they refuse; then datagrams that come through them.
fn proxies() -> Vec<Vec<u8>> {
    let long = [&b"\x03\xff"[..], &[b'x'; 255], b"\x1a\xe1"].concat();
    let places: [&[u8]; 4] = [
        b"\x01\xc0\x00\x02\x01\x1a\xe1",
        b"\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1",
        b"\x03\x09t.example\x1a\xe1",
        &long,
    ];
    let mut all = Vec::new();
    for place in places {
        for kind in 0..4 {
            let start: &[u8] = [&b"\x05\x00"[..], b"\x05\x02\x01\x00"][usize::from(kind & 1)];
            all.push([&[kind, 1, 3], start, b"\x05\x00\x00", place, b"more"].concat());
        }
        all.push([b"\0\0\0", place, b"content"].concat());
        all.push([place, b"content"].concat());
    }
    let refusals: [&[u8]; 5] = [
        b"\x05\xff",
        b"\x05\x02\x01\x01",
        b"\x05\x00\x05\x07",
        b"\x05\x00\x05\x00\x00\x09\x00",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ];
    all.extend(refusals.map(|refusal| [&[1, 2, 1], refusal].concat()));
    all
}

/// For `exchange`: each message of peer exchange, then dials.
fn exchanges() -> Vec<Vec<u8>> {
    let messages = EXTENDED.iter().filter(|it| it.starts_with(b"d5:added"));
    let script = |message: &&[u8]| {
        let head = [1, 0, 3, message.len() as u8];
        [&head[..], message, &[5, 15, 7, 0, 0, 4, 5, 15]].concat()
    };
    messages.map(script).collect()
}

fn datagrams() -> Vec<Vec<u8>> {
    let (requests, responses) = super::datagrams::datagrams();
    let mut datagrams = vec![Vec::new(); requests.len() + responses.len()];
    for (request, out) in requests.iter().zip(&mut datagrams) {
        request.encode(out);
    }
    for (response, out) in responses.iter().zip(&mut datagrams[requests.len()..]) {
        response.encode(out);
    }
    datagrams
}

/// Scripts by chance, the same each time. Small bytes are more likely, as they mean more.
fn scripts(seed: u64) -> Vec<Vec<u8>> {
    let mut rng = Rng::from_seed(seed);
    let mut byte = move || {
        let most = [32, 256][rng.below(2) as usize];
        rng.below(most) as u8
    };
    let mut script = |number: u64| (0..SCRIPT * number / SCRIPTS).map(|_| byte()).collect();
    (1..=SCRIPTS).map(&mut script).collect()
}
