//! A session of TLS, as a client. All of a process share what they resume sessions by.

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, OnceLock};

use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, ClientConnection, Error};

use super::trust;
use super::verdict::Verifier;
use crate::io::net::socket::unless_blocked;

/// A session with a server.
#[derive(Debug)]
pub struct Tls {
    session: ClientConnection,
}

/// What came of a read of the socket.
enum Came {
    Something,
    Nothing,
    End,
}

impl Tls {
    /// One with the server of this name, which its certificate must have.
    ///
    /// # Errors
    /// There are no certificates to trust in, or no certificate can have this name.
    pub fn new(name: &str) -> io::Result<Tls> {
        let server = ServerName::try_from(name.to_owned());
        let server = server.map_err(|_| io::Error::other("no certificate can have its name"))?;
        let session = ClientConnection::new(config()?, server);
        let session = session.map_err(|error| io::Error::other(words(&error)))?;
        Ok(Tls { session })
    }

    /// Goes on with the handshake. Whether it is done.
    ///
    /// # Errors
    /// There can be no session: which certificate is not good and why, or what the server does.
    pub fn finish(&mut self, socket: &mut TcpStream) -> io::Result<bool> {
        loop {
            self.flush(socket)?;
            if !self.session.is_handshaking() {
                return Ok(true);
            }
            match self.pull(socket)? {
                Came::Something => {}
                Came::Nothing => return Ok(false),
                Came::End => return Err(io::Error::other("it closed the connection before TLS")),
            }
        }
    }

    /// Reads as much as there is and fits: the number of bytes, 0 at the end. `None`: nothing is
    /// there now. Less than fits means that the socket is drained.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn read(&mut self, socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut got = 0;
        loop {
            match self.session.reader().read(&mut buffer[got..]) {
                Ok(0) => return Ok(Some(got)),
                Ok(n) => got += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Many servers close the connection without a word. HTTP says itself where a body
                // ends, or what is in it does.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(got)),
                Err(error) => return Err(error),
            }
            if got == buffer.len() {
                return Ok(Some(got));
            }
            self.flush(socket)?;
            match self.pull(socket)? {
                Came::Something => {}
                Came::Nothing => return Ok((got > 0).then_some(got)),
                Came::End => return Ok(Some(got)),
            }
        }
    }

    /// Writes once: the number of bytes taken. `None`: none can be taken now. What the socket does
    /// not take goes out with the next call.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn write(&mut self, socket: &mut TcpStream, bytes: &[u8]) -> io::Result<Option<usize>> {
        self.flush(socket)?;
        let n = self.session.writer().write(bytes)?;
        self.flush(socket)?;
        Ok((n > 0).then_some(n))
    }

    fn flush(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        while self.session.wants_write() {
            if unless_blocked(|| self.session.write_tls(socket))?.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn pull(&mut self, socket: &mut TcpStream) -> io::Result<Came> {
        match unless_blocked(|| self.session.read_tls(socket))? {
            None => return Ok(Came::Nothing),
            Some(0) => return Ok(Came::End),
            Some(_) => {}
        }
        match self.session.process_new_packets() {
            Ok(_) => Ok(Came::Something),
            Err(error) => {
                // The server hears why, if it can.
                let _ = self.flush(socket);
                Err(io::Error::other(words(&error)))
            }
        }
    }
}

/// What all sessions are made with.
fn config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new(trust::roots()?, Arc::clone(&provider))?;
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| words(&error))?;
        // It judges as that of the library does, and says more of what it refuses.
        let builder = builder.dangerous();
        let builder = builder.with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    });
    config.clone().map_err(io::Error::other)
}

/// Why there can be no session.
fn words(error: &Error) -> String {
    match error {
        // Those of our verifier.
        Error::General(why) => why.clone(),
        Error::InvalidMessage(_) => String::from("it does not speak TLS"),
        Error::PeerIncompatible(_) => String::from("it speaks only TLS that is too old"),
        Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            String::from("it speaks no TLS that we do")
        }
        Error::AlertReceived(alert) => format!("it refuses TLS ({alert:?})"),
        other => format!("TLS: {other}"),
    }
}
