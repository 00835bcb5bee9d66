//! What we ask an HTTP tracker and what it answers (BEP 3, 7, 23, 31, 48). The question is the
//! query of a URL, the answer one bencoded dictionary.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::bencode::{Dict, Value, decode_nearest};
use super::compact::{self, Family};
use super::retry::{self, Retry, seconds};
use super::{Malformed, one_line, percent};
use crate::base::{Duration, InfoHash, PeerId, limits};

/// What happened since the last announce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// This is the first one.
    Started,
    /// The last piece came in, during this run.
    Completed,
    /// This is the last one.
    Stopped,
}

/// An announce, over HTTP or UDP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Ourselves.
    pub peer_id: PeerId,
    /// The port that we listen on.
    pub port: u16,
    /// Bytes of content sent since `started`.
    pub uploaded: u64,
    /// Bytes of content received since `started`.
    pub downloaded: u64,
    /// Bytes of content still to come.
    pub left: u64,
    /// What happened.
    pub event: Option<Event>,
    /// How many peers we would like to hear of.
    pub num_want: u32,
    /// Known to us and the tracker only: it knows us by it when our address changes.
    pub key: u32,
    /// What this tracker gave us to send back; HTTP only.
    pub tracker_id: Option<Vec<u8>>,
}

/// Most queries are shorter than this, in bytes.
const USUAL_QUERY: usize = 320;

/// A tracker's answer to an announce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It knows the torrent.
    Reply(Reply),
    /// It refuses.
    Failure {
        /// Why, in its words.
        reason: String,
        /// When to come again: by `retry in` (BEP 31), `min interval` or `interval`.
        retry: Option<Retry>,
    },
}

/// What a tracker knows. Times are as it sent them, however long; negative ones are `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reply {
    /// When to announce next.
    pub interval: Option<Duration>,
    /// Never announce sooner than this.
    pub min_interval: Option<Duration>,
    /// To be sent back with later announces.
    pub tracker_id: Option<Vec<u8>>,
    /// Peers that have everything.
    pub seeders: Option<u32>,
    /// Peers that have not.
    pub leechers: Option<u32>,
    /// Words for the user.
    pub warning: Option<String>,
    /// Peers of both families, [`limits::REPLY_PEERS`] at most.
    pub peers: Vec<SocketAddr>,
    /// The family of addresses that came where those of the other are due.
    pub misplaced: Option<Family>,
    /// Entries that name no address: host names for the most part.
    pub unreadable: usize,
    /// Where it sees us (BEP 24; HTTP only).
    pub external: Option<IpAddr>,
}

impl Query {
    /// The URL to get: the announce URL and the query, joined by `&` where it has a query already.
    pub fn url(&self, announce: &str) -> String {
        let mut url = joined(announce, "info_hash=");
        url.reserve(USUAL_QUERY);
        percent::encode(&self.info_hash.0, &mut url);
        url.push_str("&peer_id=");
        percent::encode(&self.peer_id.0, &mut url);
        let _ = write!(
            url,
            "&port={}&uploaded={}&downloaded={}&left={}&numwant={}&key={:08x}&compact=1",
            self.port, self.uploaded, self.downloaded, self.left, self.num_want, self.key
        );
        match self.event {
            Some(Event::Started) => url.push_str("&event=started"),
            Some(Event::Completed) => url.push_str("&event=completed"),
            Some(Event::Stopped) => url.push_str("&event=stopped"),
            None => {}
        }
        if let Some(id) = &self.tracker_id {
            url.push_str("&trackerid=");
            percent::encode(id, &mut url);
        }
        url
    }
}

impl Answer {
    /// Reads the body of an HTTP response. Bytes behind the dictionary are ignored: some trackers
    /// end it with a newline.
    pub fn parse(body: &[u8]) -> Result<Answer, Malformed> {
        let answer = dictionary(body)?;
        let [
            failure,
            peers,
            peers6,
            interval,
            min_interval,
            tracker_id,
            complete,
            incomplete,
            warning,
            external_ip,
        ] = answer.pick([
            "failure reason",
            "peers",
            "peers6",
            "interval",
            "min interval",
            "tracker id",
            "complete",
            "incomplete",
            "warning message",
            "external ip",
        ]);
        if let Some(reason) = failure.and_then(Value::bytes) {
            return Ok(Answer::Failure {
                reason: one_line(reason),
                retry: retry::beside_failure(answer),
            });
        }
        let mut named = Named::default();
        for (list, due) in [(peers, Family::V4), (peers6, Family::V6)] {
            if let Some(list) = list {
                named.take(list, due);
            }
        }
        named.peers.truncate(limits::REPLY_PEERS);
        Ok(Answer::Reply(Reply {
            interval: interval.and_then(seconds),
            min_interval: min_interval.and_then(seconds),
            tracker_id: tracker_id
                .and_then(Value::bytes)
                .filter(|id| id.len() <= limits::TRACKER_ID)
                .map(<[u8]>::to_vec),
            seeders: complete.and_then(Value::int).map(count),
            leechers: incomplete.and_then(Value::int).map(count),
            warning: warning.and_then(Value::bytes).map(one_line),
            peers: named.peers,
            misplaced: named.misplaced,
            unreadable: named.unreadable,
            external: external_ip.and_then(Value::bytes).and_then(external),
        }))
    }
}

/// The dictionary that a tracker's answer is.
pub(super) fn dictionary(body: &[u8]) -> Result<Dict<'_>, Malformed> {
    let (value, _) = decode_nearest(body)?;
    value.dict().ok_or(Malformed {
        what: "the answer is no dictionary",
        at: 0,
    })
}

/// A URL with one more part of the query, the fragment left out.
pub(super) fn joined(url: &str, part: &str) -> String {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let joint = match url.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{url}{joint}{part}")
}

/// A number of peers, however absurd.
pub(super) fn count(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

/// BEP 24: the four or sixteen bytes of an address.
fn external(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// The peers of an answer, as they are read.
#[derive(Default)]
struct Named {
    peers: Vec<SocketAddr>,
    misplaced: Option<Family>,
    unreadable: usize,
}

impl Named {
    /// Takes a list that is due to be of this family where it is compact. Some trackers send the
    /// long form as a dictionary with a number for each peer.
    fn take(&mut self, list: Value<'_>, due: Family) {
        match list {
            Value::Bytes(bytes) => {
                let (peers, family) = compact::parse_either(bytes, due);
                if family != due {
                    self.misplaced = Some(family);
                }
                self.peers.extend(peers);
            }
            Value::List(list) => list.iter().for_each(|peer| self.take_long(peer)),
            Value::Dict(dict) => dict.iter().for_each(|(_, peer)| self.take_long(peer)),
            Value::Int(_) => self.skip(),
        }
    }

    fn take_long(&mut self, peer: Value<'_>) {
        match peer.dict().and_then(address) {
            Some(addr) if self.peers.len() < limits::REPLY_PEERS => self.peers.push(addr),
            Some(_) => {}
            None => self.skip(),
        }
    }

    fn skip(&mut self) {
        self.unreadable = self.unreadable.saturating_add(1);
    }
}

/// A peer in BEP 3's long form. Its `ip` may be a host name; no tracker in use sends one, and a
/// name look-up for every entry would let a tracker make us flood name servers.
fn address(peer: Dict<'_>) -> Option<SocketAddr> {
    let [ip, port] = peer.pick(["ip", "port"]);
    let ip = std::str::from_utf8(ip?.bytes()?).ok()?;
    let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
    let ip: IpAddr = bare.unwrap_or(ip).parse().ok()?;
    Some(SocketAddr::new(ip, u16::try_from(port?.int()?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> Query {
        Query {
            info_hash: InfoHash(
                *b"\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78\x9a",
            ),
            peer_id: PeerId(*b"-bk0100-abcdefghijkl"),
            port: 6881,
            uploaded: 1,
            downloaded: 2,
            left: u64::MAX,
            event: None,
            num_want: 80,
            key: 0xab,
            tracker_id: None,
        }
    }

    fn reply(body: &[u8]) -> Reply {
        match Answer::parse(body) {
            Ok(Answer::Reply(reply)) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_query_carries_every_field() {
        let started = Query {
            event: Some(Event::Started),
            tracker_id: Some(b"a b".to_vec()),
            ..query()
        };
        assert_eq!(
            started.url("http://t/announce"),
            "http://t/announce?info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A\
             &peer_id=-bk0100-abcdefghijkl&port=6881&uploaded=1&downloaded=2\
             &left=18446744073709551615&numwant=80&key=000000ab&compact=1\
             &event=started&trackerid=a%20b"
        );
        let url = query().url("http://t/announce?pass=x#frag");
        assert!(
            url.starts_with("http://t/announce?pass=x&info_hash=%12")
                && url.ends_with("&compact=1")
        );
        assert!(
            query()
                .url("http://t/a?")
                .starts_with("http://t/a?info_hash=")
        );
        assert!(
            query()
                .url("http://t/a?b&")
                .starts_with("http://t/a?b&info_hash=")
        );
    }

    #[test]
    fn a_reply_in_either_form_names_its_peers() {
        let compact = reply(
            b"d8:completei4e10:incompletei3e8:intervali1800e12:min intervali60e5:peers7:\x01\x02\x03\x04\x1a\xe1x\
            6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x0910:tracker id2:\xff!15:warning message4:a\nb\x1be\n",
        );
        assert_eq!(
            compact,
            Reply {
                interval: Some(Duration::from_secs(1800)),
                min_interval: Some(Duration::from_secs(60)),
                tracker_id: Some(vec![0xff, b'!']),
                seeders: Some(4),
                leechers: Some(3),
                warning: Some(String::from("a b ")),
                peers: vec![
                    "1.2.3.4:6881".parse().unwrap(),
                    "[2001:db8::1]:9".parse().unwrap()
                ],
                ..Reply::default()
            }
        );
        let long = reply(
            b"d5:peersld2:ip7:1.2.3.47:peer id1:x4:porti6881eed2:ip3:::14:porti1eed2:ip9:localhost4:porti1ee\
            d2:ip7:1.2.3.44:porti65536ee1:xd2:ip7:1.2.3.4eee",
        );
        let expected = ["1.2.3.4:6881", "[::1]:1"].map(|addr| addr.parse().unwrap());
        assert_eq!((long.peers, long.unreadable), (expected.to_vec(), 4));
        let numbered = reply(b"d5:peersd1:0d2:ip5:[::1]4:porti1ee1:1d2:ip9:localhost4:porti1eeee");
        assert_eq!(numbered.peers, ["[::1]:1".parse().unwrap()]);
        assert_eq!(numbered.unreadable, 1);
        let mixed = b"d5:peers18:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x09e";
        let mixed = reply(mixed);
        assert_eq!(mixed.peers, ["[2001:db8::1]:9".parse().unwrap()]);
        assert_eq!(mixed.misplaced, Some(Family::V6));
        let mixed = reply(b"d6:peers66:\x01\x02\x03\x04\x1a\xe1e");
        assert_eq!(mixed.peers, ["1.2.3.4:6881".parse().unwrap()]);
        assert_eq!(mixed.misplaced, Some(Family::V4));
        assert_eq!(reply(b"de"), Reply::default());
        // BEP 24.
        let seen = reply(b"d11:external ip4:\x05\x06\x07\x08e").external;
        assert_eq!(seen, Some(IpAddr::from([5, 6, 7, 8])));
        assert_eq!(reply(b"d11:external ip3:abce").external, None);
        // Peers in no form that there is are none, and the rest counts.
        let strange = reply(b"d8:intervali60e5:peersd1:a6:\x01\x02\x03\x04\x1a\xe1ee");
        assert_eq!(
            (strange.peers, strange.interval),
            (Vec::new(), Some(Duration::from_secs(60)))
        );
    }

    #[test]
    fn absurd_numbers_are_bounded() {
        let absurd = reply(
            b"d8:completei-1e10:incompletei9223372036854775807e8:intervali-5e12:min intervali9223372036854775807ee",
        );
        assert_eq!((absurd.seeders, absurd.leechers), (Some(0), Some(u32::MAX)));
        assert_eq!(absurd.interval, None);
        assert_eq!(
            absurd.min_interval,
            Some(Duration::from_secs(i64::MAX as u64))
        );
        let many = reply(
            &[
                b"d5:peers60000:",
                vec![1; 60000].as_slice(),
                b"6:peers618:",
                &[1; 18],
                b"e",
            ]
            .concat(),
        );
        assert_eq!(many.peers.len(), limits::REPLY_PEERS);
    }

    #[test]
    fn what_is_no_dictionary_is_refused() {
        for body in [
            &b""[..],
            b"<html>",
            b"le",
            b"4:spam",
            b"d8:interval",
            b"i1e",
        ] {
            assert!(Answer::parse(body).is_err(), "{}", body.escape_ascii());
        }
    }
}
