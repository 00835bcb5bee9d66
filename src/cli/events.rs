//! `--json`: what happens in a run, one JSON object a line.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::InfoHash;
use crate::torrent::Report;
use crate::wire::json::{Object, quoted};

/// The report as a line of JSON, without its end; `None` for what is no event. `info_hash`: the
/// torrent that it is about.
pub fn event(report: &Report, info_hash: Option<InfoHash>, at: SystemTime) -> Option<String> {
    let object = match report {
        Report::Start { .. } => started(report, at),
        Report::Metadata { .. } => described(report, at),
        Report::Checked { have, pieces, .. } => event_of("checked", at)
            .plain("have", have)
            .plain("pieces", pieces),
        Report::Tracker { url, outcome, .. } => tracker(url, outcome, at),
        Report::Dht { nodes, peers } => event_of("dht", at)
            .plain("nodes", nodes)
            .plain("peers", peers),
        Report::Connected {
            addr,
            client,
            encrypted,
            transport,
        } => event_of("peer", at)
            .text("addr", addr.to_string().as_str())
            .text("state", "connected")
            .text("client", client.as_str())
            .plain("encrypted", encrypted)
            .text("transport", transport.name()),
        Report::Disconnected {
            addr,
            reason,
            encrypted,
        } => event_of("peer", at)
            .text("addr", addr.to_string().as_str())
            .text("state", "disconnected")
            .text("reason", reason.as_str())
            .plain("encrypted", encrypted),
        Report::WebSeed { .. } | Report::WebSeedOver { .. } => web_seed(report, at),
        Report::Progress(progress) => event_of("progress", at)
            .plain("done", progress.done)
            .plain("size", progress.size)
            .plain("down_rate", progress.down_rate)
            .plain("up_rate", progress.up_rate)
            .plain("peers", progress.peers),
        Report::Piece { index, ok } => event_of("piece", at).plain("index", index).plain("ok", ok),
        Report::Complete {
            seconds,
            downloaded,
            uploaded,
        } => event_of("complete", at)
            .raw("seconds", &decimal(*seconds))
            .plain("downloaded", downloaded)
            .plain("uploaded", uploaded),
        Report::Stopped { reason } => event_of("stopped", at).text("reason", reason.as_str()),
        Report::Error(message) => event_of("error", at).text("message", message.as_str()),
        Report::Unbegun(info_hash, message) => {
            return event(&Report::Error(message.clone()), Some(*info_hash), at);
        }
        Report::TrackerWarning { .. }
        | Report::Waiting { .. }
        | Report::Written(_)
        | Report::Invalid
        | Report::Alone(_)
        | Report::Warning(_)
        | Report::FailedIncoming(_) => return None,
    };
    let object = match (report, info_hash) {
        (Report::Start { .. }, _) | (_, None) => object,
        (_, Some(info_hash)) => object.text("info_hash", info_hash.to_string().as_str()),
    };
    Some(object.finish())
}

/// The `start` event. Of a torrent of which only the info hash is known, size and pieces are
/// `null`.
fn started(report: &Report, at: SystemTime) -> Object {
    let object = event_of("start", at);
    let known = |number: Option<u64>| {
        number.map_or_else(|| String::from("null"), |number| number.to_string())
    };
    match report {
        Report::Start {
            name,
            info_hash,
            content,
            port,
        } => object
            .text("name", name.as_str())
            .text("info_hash", info_hash.to_string().as_str())
            .plain("size", known(content.map(|(size, _)| size)))
            .plain("pieces", known(content.map(|(_, pieces)| pieces.into())))
            .plain("port", port),
        _ => object,
    }
}

/// The `tracker` event.
fn tracker(url: &str, outcome: &Result<usize, String>, at: SystemTime) -> Object {
    let object = event_of("tracker", at).text("url", url);
    let object = object.plain("ok", outcome.is_ok());
    match outcome {
        Ok(peers) => object.plain("peers", peers),
        Err(why) => object.text("error", why.as_str()),
    }
}

/// The `peer` event of a web seed.
fn web_seed(report: &Report, at: SystemTime) -> Object {
    let object = event_of("peer", at);
    let object = match report {
        Report::WebSeed { addr, url } => object
            .text("addr", addr.to_string().as_str())
            .text("state", "connected")
            .text("client", url.as_str()),
        Report::WebSeedOver { addr, reason } => object
            .text("addr", addr.to_string().as_str())
            .text("state", "disconnected")
            .text("reason", reason.as_str()),
        _ => object,
    };
    object.text("transport", "http").plain("encrypted", false)
}

/// The `metadata` event.
fn described(report: &Report, at: SystemTime) -> Object {
    let object = event_of("metadata", at);
    match report {
        Report::Metadata {
            name,
            size,
            pieces,
            seconds,
        } => object
            .text("name", name.as_str())
            .plain("size", size)
            .plain("pieces", pieces)
            .raw("seconds", &decimal(*seconds)),
        _ => object,
    }
}

/// The `error` event.
pub fn error(message: &str, at: SystemTime) -> String {
    event_of("error", at).text("message", message).finish()
}

fn event_of(name: &str, at: SystemTime) -> Object {
    // A clock before 1970 is wrong anyway.
    let time = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = format!("{}.{:03}", time.as_secs(), time.subsec_millis());
    Object::new().raw("event", &quoted(name)).raw("time", &time)
}

/// JSON has no word for what is not a finite number.
fn decimal(value: f64) -> String {
    let value = if value.is_finite() { value } else { 0.0 };
    format!("{value:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::InfoHash;
    use crate::torrent::Progress;
    use crate::torrent::Transport;
    use std::net::SocketAddr;
    use std::time::Duration;

    /// The fields in their order, after `event` and `time`.
    #[test]
    fn every_event_has_the_fields_of_the_manual() {
        let addr = SocketAddr::from(([10, 0, 0, 1], 6881));
        let name = String::from("a\"\u{1b}[2J\n");
        let hash = "00000000000000000000000000000000000000ff";
        let info_hash = InfoHash::from_hex(hash).unwrap();
        let (url, text) = (String::from("http://t/announce"), String::from("x"));
        let progress = Progress {
            done: 1,
            size: 2,
            down_rate: 3,
            up_rate: 4,
            peers: 5,
            web_seeds: 0,
            checking: Some((6, 7)),
        };
        for (report, fields) in [
            (
                Report::Start {
                    name: String::new(),
                    info_hash,
                    content: None,
                    port: 6881,
                },
                format!(
                    r#""start",T,"name":"","info_hash":"{hash}","size":null,"pieces":null,"port":6881"#
                ),
            ),
            (
                Report::Start {
                    name,
                    info_hash,
                    content: Some((7, 2)),
                    port: 6881,
                },
                format!(
                    r#""start",T,"name":"a\"\u001b[2J\n","info_hash":"{hash}","size":7,"pieces":2,"port":6881"#
                ),
            ),
            (
                Report::Checked {
                    have: 1,
                    pieces: 2,
                    missing: 3,
                },
                String::from(r#""checked",T,"have":1,"pieces":2"#),
            ),
            (
                Report::Tracker {
                    url: url.clone(),
                    outcome: Ok(3),
                    remark: None,
                },
                String::from(r#""tracker",T,"url":"http://t/announce","ok":true,"peers":3"#),
            ),
            (
                Report::Tracker {
                    url,
                    outcome: Err(text.clone()),
                    remark: None,
                },
                String::from(r#""tracker",T,"url":"http://t/announce","ok":false,"error":"x""#),
            ),
            (
                Report::Dht { nodes: 8, peers: 3 },
                String::from(r#""dht",T,"nodes":8,"peers":3"#),
            ),
            (
                Report::Connected {
                    addr,
                    client: text.clone(),
                    encrypted: true,
                    transport: Transport::Utp,
                },
                String::from(
                    r#""peer",T,"addr":"10.0.0.1:6881","state":"connected","client":"x","encrypted":true,"transport":"utp""#,
                ),
            ),
            (
                Report::Disconnected {
                    addr,
                    reason: text.clone(),
                    encrypted: false,
                },
                String::from(
                    r#""peer",T,"addr":"10.0.0.1:6881","state":"disconnected","reason":"x","encrypted":false"#,
                ),
            ),
            (
                Report::Progress(progress),
                String::from(
                    r#""progress",T,"done":1,"size":2,"down_rate":3,"up_rate":4,"peers":5"#,
                ),
            ),
            (
                Report::Piece {
                    index: 9,
                    ok: false,
                },
                String::from(r#""piece",T,"index":9,"ok":false"#),
            ),
            (
                Report::Complete {
                    seconds: 1.5,
                    downloaded: 2,
                    uploaded: 3,
                },
                String::from(r#""complete",T,"seconds":1.500,"downloaded":2,"uploaded":3"#),
            ),
            (
                Report::Stopped {
                    reason: text.clone(),
                },
                String::from(r#""stopped",T,"reason":"x""#),
            ),
            (
                Report::Error(text.clone()),
                String::from(r#""error",T,"message":"x""#),
            ),
        ] {
            let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_042);
            let fields = fields.replace(",T", r#","time":1700000000.042"#);
            assert_eq!(
                event(&report, None, at),
                Some(format!(r#"{{"event":{fields}}}"#))
            );
        }
        assert_eq!(event(&Report::Warning(text), None, UNIX_EPOCH), None);
    }

    #[test]
    fn numbers_are_always_json() {
        assert_eq!(decimal(f64::NAN), "0.000");
        let before = UNIX_EPOCH - Duration::from_secs(9);
        assert!(error("m", before).contains(r#""time":0.000,"#));
    }
}
