//! A message of KRPC: the dictionary around a query, a reply or an error.

use std::net::SocketAddr;

use super::failure::Failure;
use super::query::Query;
use super::reply::Reply;
use crate::base::limits;
use crate::wire::bencode::{self, Value};
use crate::wire::compact::{self, Family};
use crate::wire::{Malformed, one_line};

/// A message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// `t`: of any length, chosen by the querier.
    pub transaction: &'a [u8],
    /// What it is.
    pub body: Body<'a>,
    /// `v`: the client and its version, if it says.
    pub version: Option<&'a [u8]>,
    /// `ip` of an answer (BEP 42): where the node sees us. The port is 0 if it does not say.
    pub external: Option<SocketAddr>,
    /// `ro` (BEP 43): the sender cannot be reached, and is not to be remembered.
    pub read_only: bool,
}

/// The content of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body<'a> {
    /// `q`.
    Query(Query<'a>),
    /// `r`.
    Reply(Reply<'a>),
    /// `e`.
    Failure(Failure<'a>),
}

/// Why a datagram is no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable<'a> {
    /// It is not KRPC at all.
    Malformed(Malformed),
    /// It is a query that cannot be answered; the querier is sent this error.
    Query {
        /// That of the query.
        transaction: &'a [u8],
        /// The answer.
        failure: Failure<'static>,
    },
}

impl<'a> Message<'a> {
    /// Reads a datagram. Bytes behind the dictionary are ignored.
    ///
    /// # Errors
    /// It is no message; [`Unreadable`] says whether its sender gets an error.
    pub fn parse(datagram: &'a [u8]) -> Result<Message<'a>, Unreadable<'a>> {
        let malformed = |what| Unreadable::Malformed(Malformed { what, at: 0 });
        let (value, _) = bencode::decode_nearest(datagram).map_err(Unreadable::Malformed)?;
        let Some(dict) = value.dict() else {
            return Err(malformed("a message is a dictionary"));
        };
        let [t, y, q, a, r, e, v, ip, ro] =
            dict.pick(["t", "y", "q", "a", "r", "e", "v", "ip", "ro"]);
        let transaction = t.and_then(Value::bytes).unwrap_or_default();
        if transaction.len() > limits::KRPC_TRANSACTION {
            return Err(malformed("a transaction id is too long"));
        }
        let body = match y.and_then(Value::bytes) {
            Some(b"q") => {
                let method = q.and_then(Value::bytes);
                let args = a.and_then(Value::dict);
                let (Some(method), Some(args)) = (method, args) else {
                    return Err(malformed("a query has no method or no arguments"));
                };
                Body::Query(
                    Query::read(method, args).map_err(|failure| Unreadable::Query {
                        transaction,
                        failure,
                    })?,
                )
            }
            Some(b"r") => {
                let reply = r.and_then(Value::dict).and_then(Reply::read);
                Body::Reply(reply.ok_or(malformed("a reply has no id"))?)
            }
            Some(b"e") => Body::Failure(Failure::read(e.unwrap_or(Value::Int(0)))),
            _ => return Err(malformed("neither query nor reply nor error")),
        };
        Ok(Message {
            transaction,
            body,
            version: v.and_then(Value::bytes),
            external: ip.and_then(Value::bytes).and_then(external),
            read_only: ro.and_then(Value::int).unwrap_or(0) != 0,
        })
    }

    /// Appends the datagram.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut keys = vec![("t", bencode::bytes(self.transaction))];
        match &self.body {
            Body::Query(query) => {
                keys.push(("a", query.write()));
                keys.push(("q", bencode::bytes(query.method())));
                keys.push(("y", bencode::bytes("q")));
            }
            Body::Reply(reply) => {
                keys.push(("r", reply.write()));
                keys.push(("y", bencode::bytes("r")));
            }
            Body::Failure(failure) => {
                keys.push(("e", failure.write()));
                keys.push(("y", bencode::bytes("e")));
            }
        }
        keys.extend(self.version.map(|version| ("v", bencode::bytes(version))));
        if let Some(addr) = self.external {
            let mut ip = Vec::new();
            compact::encode(addr, &mut ip);
            keys.push(("ip", bencode::bytes(ip)));
        }
        if self.read_only {
            keys.push(("ro", bencode::int(1)));
        }
        out.extend(bencode::dict(keys));
    }

    /// The client for a user: two letters and the bytes of its version.
    pub fn client(&self) -> Option<String> {
        let version = self.version?;
        let (name, rest) = version.split_at_checked(2)?;
        let numbers: Vec<String> = rest.iter().take(2).map(u8::to_string).collect();
        Some(format!("{} {}", one_line(name), numbers.join(".")))
    }
}

/// An address with a port, or without one as in old versions of BEP 42.
fn external(bytes: &[u8]) -> Option<SocketAddr> {
    let family = match bytes.len() {
        4 | 6 => Family::V4,
        16 | 18 => Family::V6,
        _ => return None,
    };
    compact::parse(&[bytes, &[0, 0]].concat(), family)
        .into_iter()
        .next()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
