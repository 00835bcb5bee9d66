//! The UDP tracker protocol (BEP 15). First a connection id is asked for, which proves that we
//! receive what is sent to our address; it then stands in front of announces and scrapes. Each
//! response repeats the random transaction id of its request, and may be longer than what is read
//! of it here.

use nom::Parser as _;
use nom::combinator::{complete, map, rest};
use nom::multi::many0;
use nom::number::complete::{be_i32, be_u16, be_u32, be_u64};

use super::announce::{Event, Query, Reply};
use super::compact::{self, Family};
use super::scrape::Scraped;
use super::{Malformed, Parsed, Wrong, array, finish, one_line};
use crate::base::{Duration, InfoHash, PeerId};

/// Stands where later requests have the connection id.
const MAGIC: u64 = 0x0417_2710_1980;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// What we send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Asks for a connection id.
    Connect {
        /// Chosen at random; comes back in the response.
        transaction: u32,
    },
    /// Announces.
    Announce {
        /// From the tracker's answer to `Connect`.
        connection: u64,
        /// Chosen at random; comes back in the response.
        transaction: u32,
        /// What is announced; its `tracker_id` has no place here.
        query: Query,
    },
    /// Asks for the state of swarms.
    Scrape {
        /// From the tracker's answer to `Connect`.
        connection: u64,
        /// Chosen at random; comes back in the response.
        transaction: u32,
        /// The torrents, 74 at most.
        info_hashes: Vec<InfoHash>,
    },
}

/// What a tracker sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// That of the request which it answers.
    pub transaction: u32,
    /// Its content.
    pub body: Body,
}

/// The content of a tracker's response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// A connection id, to be used within a minute.
    Connect(u64),
    /// The answer to an announce.
    Announce(Reply),
    /// The answer to a scrape, in the order of the question.
    Scrape(Vec<Scraped>),
    /// It refuses, in its words; in none where it answers an announce with nothing.
    Error(String),
}

impl Request {
    /// Appends the datagram.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Request::Connect { transaction } => header(out, MAGIC, CONNECT, *transaction),
            Request::Announce {
                connection,
                transaction,
                query,
            } => {
                header(out, *connection, ANNOUNCE, *transaction);
                encode_query(query, out);
            }
            Request::Scrape {
                connection,
                transaction,
                info_hashes,
            } => {
                header(out, *connection, SCRAPE, *transaction);
                info_hashes.iter().for_each(|hash| out.extend(hash.0));
            }
        }
    }

    /// Reads a datagram, as a tracker does.
    pub fn parse(datagram: &[u8]) -> Result<Request, Malformed> {
        finish(datagram, request(datagram)).map(|(request, _)| request)
    }
}

impl Response {
    /// Reads a datagram. The addresses in it are of the family that it came over.
    pub fn parse(datagram: &[u8], family: Family) -> Result<Response, Malformed> {
        finish(datagram, response(datagram, family)).map(|(response, _)| response)
    }

    /// The transaction of a datagram, whatever else is in it.
    pub fn transaction(datagram: &[u8]) -> Option<u32> {
        let field = datagram.get(4..8)?;
        field.try_into().ok().map(u32::from_be_bytes)
    }

    /// Appends the datagram, as a tracker does.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let transaction = self.transaction;
        match &self.body {
            Body::Connect(connection) => {
                numbers(out, [CONNECT, transaction]);
                out.extend(connection.to_be_bytes());
            }
            Body::Announce(reply) => {
                let seconds = reply.interval.map_or(0, |interval| interval.as_secs());
                let interval = u32::try_from(seconds).unwrap_or(u32::MAX);
                let leechers = reply.leechers.unwrap_or(0);
                let seeders = reply.seeders.unwrap_or(0);
                numbers(out, [ANNOUNCE, transaction, interval, leechers, seeders]);
                reply
                    .peers
                    .iter()
                    .for_each(|&peer| compact::encode(peer, out));
            }
            Body::Scrape(swarms) => {
                numbers(out, [SCRAPE, transaction]);
                for swarm in swarms {
                    numbers(out, [swarm.seeders, swarm.completed, swarm.leechers]);
                }
            }
            Body::Error(words) => {
                numbers(out, [ERROR, transaction]);
                out.extend(words.as_bytes());
            }
        }
    }
}

fn header(out: &mut Vec<u8>, connection: u64, action: u32, transaction: u32) {
    out.extend(connection.to_be_bytes());
    numbers(out, [action, transaction]);
}

fn numbers<const N: usize>(out: &mut Vec<u8>, numbers: [u32; N]) {
    out.extend(numbers.into_iter().flat_map(u32::to_be_bytes));
}

fn encode_query(query: &Query, out: &mut Vec<u8>) {
    let event = match query.event {
        None => 0,
        Some(Event::Completed) => 1,
        Some(Event::Started) => 2,
        Some(Event::Stopped) => 3,
    };
    out.extend(query.info_hash.0);
    out.extend(query.peer_id.0);
    out.extend(
        [query.downloaded, query.left, query.uploaded]
            .map(u64::to_be_bytes)
            .as_flattened(),
    );
    let address = 0; // the one that the datagram comes from
    numbers(out, [event, address, query.key, query.num_want]);
    out.extend(query.port.to_be_bytes());
}

fn request(input: &[u8]) -> Parsed<'_, Request> {
    let (fields, (connection, action, transaction)) = (be_u64, be_u32, be_u32).parse(input)?;
    match action {
        CONNECT if connection == MAGIC => Ok((fields, Request::Connect { transaction })),
        ANNOUNCE => map(query, |query| Request::Announce {
            connection,
            transaction,
            query,
        })
        .parse(fields),
        SCRAPE => map(many0(complete(array)), |hashes| Request::Scrape {
            connection,
            transaction,
            info_hashes: hashes.into_iter().map(InfoHash).collect(),
        })
        .parse(fields),
        _ => Wrong::at(input, "this is no request to a tracker"),
    }
}

fn query(input: &[u8]) -> Parsed<'_, Query> {
    let (rest, (info_hash, peer_id)) = (array, array).parse(input)?;
    let (rest, (downloaded, left, uploaded)) = (be_u64, be_u64, be_u64).parse(rest)?;
    let (rest, (event, _address)) = (be_u32, be_u32).parse(rest)?;
    let (rest, (key, num_want, port)) = (be_u32, be_u32, be_u16).parse(rest)?;
    let event = match event {
        1 => Some(Event::Completed),
        2 => Some(Event::Started),
        3 => Some(Event::Stopped),
        _ => None,
    };
    let query = Query {
        info_hash: InfoHash(info_hash),
        peer_id: PeerId(peer_id),
        port,
        uploaded,
        downloaded,
        left,
        event,
        num_want,
        key,
        tracker_id: None,
    };
    Ok((rest, query))
}

fn response(input: &[u8], family: Family) -> Parsed<'_, Response> {
    let (fields, (action, transaction)) = (be_u32, be_u32).parse(input)?;
    let (rest, body) = match action {
        CONNECT => map(be_u64, Body::Connect).parse(fields)?,
        // opentracker's answer for a torrent that it does not serve.
        ANNOUNCE if fields.is_empty() => (fields, Body::Error(String::new())),
        ANNOUNCE => map(|input| reply(input, family), Body::Announce).parse(fields)?,
        SCRAPE => map(many0(scraped), Body::Scrape).parse(fields)?,
        ERROR => map(rest, |words| Body::Error(one_line(words))).parse(fields)?,
        _ => return Wrong::at(input, "this is no response of a tracker"),
    };
    Ok((rest, Response { transaction, body }))
}

fn reply(input: &[u8], family: Family) -> Parsed<'_, Reply> {
    let (addresses, (interval, leechers, seeders)) = (be_i32, be_u32, be_u32).parse(input)?;
    let (peers, found) = compact::parse_either(addresses, family);
    let reply = Reply {
        interval: u64::try_from(interval).ok().map(Duration::from_secs),
        leechers: Some(leechers),
        seeders: Some(seeders),
        peers,
        misplaced: (found != family).then_some(found),
        ..Reply::default()
    };
    Ok((&[], reply))
}

fn scraped(input: &[u8]) -> Parsed<'_, Scraped> {
    map(
        (be_u32, be_u32, be_u32),
        |(seeders, completed, leechers)| Scraped {
            seeders,
            completed,
            leechers,
        },
    )
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(request: &Request) -> Vec<u8> {
        let mut out = Vec::new();
        request.encode(&mut out);
        out
    }

    fn announce() -> Request {
        Request::Announce {
            connection: 0x0102_0304_0506_0708,
            transaction: 0x0a0b_0c0d,
            query: Query {
                info_hash: InfoHash([0x11; 20]),
                peer_id: PeerId([0x22; 20]),
                port: 0x1ae1,
                uploaded: 3,
                downloaded: 1,
                left: 2,
                event: Some(Event::Started),
                num_want: 80,
                key: 0x0c0f_fee0,
                tracker_id: None,
            },
        }
    }

    /// The tables of BEP 15, offset by offset.
    #[test]
    fn requests_are_laid_out_as_in_bep_15() {
        let connect = encoded(&Request::Connect { transaction: 7 });
        assert_eq!(
            connect,
            [
                0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0, 0, 0, 7
            ]
        );
        let bytes = encoded(&announce());
        assert_eq!(bytes.len(), 98);
        let field = |at: usize, len: usize| {
            bytes[at..at + len]
                .iter()
                .fold(0, |sum, &byte| (sum << 8) | u64::from(byte))
        };
        assert_eq!(field(0, 8), 0x0102_0304_0506_0708, "connection_id");
        assert_eq!(
            (field(8, 4), field(12, 4)),
            (1, 0x0a0b_0c0d),
            "action, transaction_id"
        );
        assert_eq!(
            (&bytes[16..36], &bytes[36..56]),
            (&[0x11; 20][..], &[0x22; 20][..])
        );
        assert_eq!(
            (field(56, 8), field(64, 8), field(72, 8)),
            (1, 2, 3),
            "downloaded, left, uploaded"
        );
        assert_eq!((field(80, 4), field(84, 4)), (2, 0), "event, IP address");
        assert_eq!(
            (field(88, 4), field(92, 4), field(96, 2)),
            (0x0c0f_fee0, 80, 0x1ae1),
            "key, num_want, port"
        );
        let hashes = vec![InfoHash([1; 20]), InfoHash([2; 20])];
        let scrape = encoded(&Request::Scrape {
            connection: 1,
            transaction: 2,
            info_hashes: hashes,
        });
        assert_eq!(
            scrape[..16],
            [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2]
        );
        assert_eq!(
            (scrape[16..36] == [1; 20], scrape[36..] == [2; 20]),
            (true, true)
        );
    }

    #[test]
    fn responses_are_laid_out_as_in_bep_15() {
        let parse = |bytes: &[u8]| {
            Response::parse(bytes, Family::V4).map(|response| (response.transaction, response.body))
        };
        let connect = [0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 99];
        assert_eq!(
            parse(&connect),
            Ok((7, Body::Connect(0x0102_0304_0506_0708))),
            "longer than needed"
        );
        let announce =
            b"\0\0\0\x01\0\0\0\x07\0\0\x07\x08\0\0\0\x02\0\0\0\x03\x01\x02\x03\x04\x1a\xe1\x05";
        let reply = Reply {
            interval: Some(Duration::from_secs(1800)),
            leechers: Some(2),
            seeders: Some(3),
            peers: vec!["1.2.3.4:6881".parse().unwrap()],
            ..Reply::default()
        };
        assert_eq!(parse(announce), Ok((7, Body::Announce(reply))));
        let scrape = b"\0\0\0\x02\0\0\0\x07\0\0\0\x05\0\0\0\x06\0\0\0\x07";
        let swarm = Scraped {
            seeders: 5,
            completed: 6,
            leechers: 7,
        };
        assert_eq!(parse(scrape), Ok((7, Body::Scrape(vec![swarm]))));
        assert_eq!(
            parse(b"\0\0\0\x03\0\0\0\x07no"),
            Ok((7, Body::Error(String::from("no"))))
        );
        assert!(parse(b"\0\0\0\x04\0\0\0\x07").is_err(), "no such action");
        let nothing = b"\0\0\0\x01\0\0\0\x07";
        assert_eq!(parse(nothing), Ok((7, Body::Error(String::new()))));
        assert_eq!(Response::transaction(nothing), Some(7));
        assert_eq!(Response::transaction(&nothing[..7]), None);
        let negative = b"\0\0\0\x01\0\0\0\x07\xff\xff\xff\xff\0\0\0\0\0\0\0\0";
        let Ok((_, Body::Announce(reply))) = parse(negative) else {
            panic!("a negative interval is no reason to refuse");
        };
        assert_eq!(reply.interval, None);
    }

    /// `bittorrent-tracker` answers over IPv6 with the addresses of IPv4 peers.
    #[test]
    fn ipv4_peers_in_an_answer_over_ipv6_are_read_as_such() {
        let answer =
            b"\0\0\0\x01\0\0\0\x07\0\0\x07\x08\0\0\0\x02\0\0\0\x03\x5b\x02\x03\x04\x1a\xe1";
        for (family, misplaced) in [(Family::V4, None), (Family::V6, Some(Family::V4))] {
            let Ok(Body::Announce(reply)) = Response::parse(answer, family).map(|it| it.body)
            else {
                panic!("it is an answer");
            };
            assert_eq!(reply.peers, ["91.2.3.4:6881".parse().unwrap()]);
            assert_eq!(reply.misplaced, misplaced);
        }
    }

    #[test]
    fn what_is_encoded_parses_to_the_same() {
        for request in [
            Request::Connect { transaction: 9 },
            announce(),
            Request::Scrape {
                connection: 1,
                transaction: 2,
                info_hashes: vec![InfoHash([7; 20]); 3],
            },
        ] {
            let bytes = encoded(&request);
            assert_eq!(Request::parse(&bytes), Ok(request));
            for cut in 0..bytes.len().min(16) {
                assert!(Request::parse(&bytes[..cut]).is_err());
            }
        }
        let reply = Reply {
            interval: Some(Duration::from_secs(60)),
            leechers: Some(1),
            seeders: Some(2),
            peers: vec!["[2001:db8::1]:1".parse().unwrap(); 3],
            ..Reply::default()
        };
        for body in [
            Body::Connect(5),
            Body::Announce(reply),
            Body::Scrape(vec![Scraped::default(); 2]),
            Body::Error(String::from("later")),
        ] {
            let response = Response {
                transaction: 3,
                body,
            };
            let mut bytes = Vec::new();
            response.encode(&mut bytes);
            assert_eq!(Response::parse(&bytes, Family::V6), Ok(response));
        }
    }
}
