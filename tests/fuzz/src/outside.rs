//! What lies between the tracker machine and its trackers: look-ups, connections and datagrams, of
//! which anything may come.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use brooklet::base::Duration;
use brooklet::tracker::{Action, Id, Input};
use brooklet::wire::announce::Reply;
use brooklet::wire::udp_tracker::{Body, Request, Response};

use super::script::Script;

/// Trackers of every kind.
pub const URLS: &[&str] = &[
    "http://192.0.2.1:6969/announce",
    "udp://192.0.2.2:80",
    "http://tracker.example/announce?passkey=1",
    "udp://[2001:db8::1]:6969/announce",
    "udp://tracker.example:1337/announce",
    "http://user:secret@192.0.2.3/a",
    "https://tracker.example/announce",
];

/// Heads and bodies that an HTTP tracker's answer may be made of.
pub const HEADS: &[&str] = &[
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.9/announce\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n",
];
pub const BODIES: &[&str] = &[
    "d8:intervali60e5:peers6:abcdefe",
    "d14:failure reason4:gone8:retry in5:nevere",
    "d8:intervali0e12:min intervali9223372036854775807e5:peers0:e",
    "17\r\nd8:intervali1e5:peers0:e\r\n0\r\n\r\n",
    "d5:peersld2:ip9:127.0.0.14:porti6881eee11:tracker id1:xe",
];

/// What the machine asked for and has not got.
#[derive(Default)]
pub struct Outside {
    lookups: Vec<Id>,
    links: Vec<Id>,
    datagrams: Vec<(SocketAddr, Vec<u8>)>,
}

impl Outside {
    /// Takes note of what the machine wants.
    pub fn perform(&mut self, action: Action) {
        match action {
            Action::Resolve { id, host, .. } => {
                let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
                assert!(host.chars().all(plain), "{host:?}");
                self.lookups.push(id);
            }
            Action::Connect { id, request, .. } => {
                let request = String::from_utf8(request).expect("a request is ASCII");
                let head = request.strip_suffix("\r\n\r\n").expect("a request ends");
                let clean = |line: &str| {
                    !line.is_empty() && !line.contains(|c: char| !(' '..='~').contains(&c))
                };
                assert!(
                    head.starts_with("GET /") && head.split("\r\n").all(clean),
                    "{head:?}"
                );
                self.links.push(id);
            }
            // It may have been closed in the same turn.
            Action::Abort { id } | Action::Release { id, .. } => {
                self.links.retain(|&link| link != id);
            }
            Action::Datagram { to, bytes } => {
                assert!(Request::parse(&bytes).is_ok());
                self.datagrams.push((to, bytes));
            }
        }
    }

    /// Connections that the machine has not closed, nor anybody else.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// Something happens outside, which `hear` is told.
    pub fn happen(&mut self, script: &mut Script<'_>, hear: &mut dyn FnMut(Input<'_>)) {
        match script.below(7) {
            0 if !self.lookups.is_empty() => {
                let id = self.lookups.swap_remove(script.below(self.lookups.len()));
                let found = &found(script);
                hear(Input::Resolved { id, found });
            }
            1 => {
                if let Some(id) = script.pick(&self.links) {
                    hear(Input::Connected { id });
                }
            }
            2 => {
                if let Some(id) = script.pick(&self.links) {
                    let head = script.pick(HEADS).unwrap_or_default();
                    let body = script.pick(BODIES).unwrap_or_default();
                    let bytes = [head, body].concat();
                    let bytes = bytes.as_bytes();
                    hear(Input::Bytes { id, bytes });
                }
            }
            3 => {
                if let Some(id) = script.pick(&self.links) {
                    let bytes = script.bytes();
                    hear(Input::Bytes { id, bytes });
                }
            }
            4 if !self.links.is_empty() => {
                let id = self.links.swap_remove(script.below(self.links.len()));
                let how = &if script.flag() {
                    Err("reset".to_string())
                } else {
                    Ok(())
                };
                hear(Input::Closed { id, how });
            }
            5 if !self.datagrams.is_empty() => {
                let (to, asked) = self
                    .datagrams
                    .swap_remove(script.below(self.datagrams.len()));
                let bytes = &answer(script, &asked);
                hear(Input::Datagram { from: to, bytes });
            }
            6 if !self.datagrams.is_empty() => {
                let (to, _) = self
                    .datagrams
                    .swap_remove(script.below(self.datagrams.len()));
                let why = "no route";
                hear(Input::Undeliverable { to, why });
            }
            _ => {}
        }
    }
}

fn found(script: &mut Script<'_>) -> Result<Vec<IpAddr>, String> {
    let v4 = IpAddr::from(Ipv4Addr::new(192, 0, 2, 77));
    let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    match script.below(6) {
        0 => Ok(vec![v4]),
        1 => Ok(vec![v4, v6]),
        2 => Ok(vec![v6]),
        3 => Ok(Vec::new()),
        4 => Ok((0..9)
            .map(|last| Ipv4Addr::new(192, 0, 2, last).into())
            .collect()),
        _ => Err("no such name".to_string()),
    }
}

/// The answer to a datagram, of the right transaction, mostly.
fn answer(script: &mut Script<'_>, asked: &[u8]) -> Vec<u8> {
    let transaction = match Request::parse(asked) {
        Ok(
            Request::Connect { transaction }
            | Request::Announce { transaction, .. }
            | Request::Scrape { transaction, .. },
        ) => transaction,
        Err(_) => 0,
    };
    let body = match script.below(6) {
        0 => Body::Connect(script.byte().into()),
        1 => Body::Announce(Reply {
            interval: Some(Duration::from_secs(script.number().into())),
            peers: vec![SocketAddr::from(([192, 0, 2, script.byte()], 6881))],
            ..Reply::default()
        }),
        2 => Body::Scrape(Vec::new()),
        3 => Body::Error(String::from_utf8_lossy(script.bytes()).into_owned()),
        _ => return [&transaction.to_be_bytes()[..], script.bytes()].concat(),
    };
    let mut bytes = Vec::new();
    Response { transaction, body }.encode(&mut bytes);
    bytes
}
