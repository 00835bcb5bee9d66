//! The tracker: answers every announce with the peers that the client is to connect to, and notes
//! where the client listens.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

use mio::net::TcpStream;

use super::super::Failure;
use super::world::World;
use super::{PEER_PORT, address};

/// A connection to the tracker.
pub struct Visitor {
    pub stream: TcpStream,
    from: SocketAddr,
    request: Vec<u8>,
}

impl Visitor {
    /// Somebody who just connected.
    pub fn new(stream: TcpStream, from: SocketAddr) -> Visitor {
        Visitor {
            stream,
            from,
            request: Vec::new(),
        }
    }

    /// Reads on; answers once the request is whole. An error where the connection is to be closed.
    pub fn serve(&mut self, world: &mut World) -> Result<(), Failure> {
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err("hung up".into()),
                Ok(count) => self.request.extend_from_slice(&bytes[..count]),
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(why) => return Err(why.into()),
            }
            if self.request.ends_with(b"\r\n\r\n") {
                let answer = self.answer(world);
                self.stream.write_all(&answer)?;
                return Err("answered".into());
            }
        }
    }

    fn answer(&mut self, world: &mut World) -> Vec<u8> {
        let request = String::from_utf8_lossy(&self.request);
        let target = request.split(' ').nth(1).unwrap_or_default();
        let value = |name: &str| {
            let fields = target.split(['?', '&']);
            let mut values = fields.filter_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            values.next()
        };
        let port = value("port").and_then(|port| port.parse().ok());
        let left = value("left").and_then(|left| left.parse().ok());
        if let (Some(port), Some(left)) = (port, left) {
            if value("event") != Some("stopped") {
                world.announced(SocketAddr::new(self.from.ip(), port), left);
            }
        }
        let peers: Vec<u8> = world
            .listed()
            .flat_map(|number| {
                let mut entry = address(number).octets().to_vec();
                entry.extend(PEER_PORT.to_be_bytes());
                entry
            })
            .collect();
        let mut body = format!("d8:intervali1800e5:peers{}:", peers.len()).into_bytes();
        body.extend_from_slice(&peers);
        body.push(b'e');
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend_from_slice(&body);
        answer
    }
}
