//! A build without `https`: there is no such connection.

use std::io;

use mio::net::TcpStream;

/// None can be made.
#[derive(Debug)]
pub enum Tls {}

impl Tls {
    /// None is made: URLs that need one are refused before.
    pub fn new(_name: &str) -> io::Result<Tls> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// See the build with `https`.
    pub fn finish(&mut self, _socket: &mut TcpStream) -> io::Result<bool> {
        match *self {}
    }

    /// See the build with `https`.
    pub fn read(&mut self, _: &mut TcpStream, _: &mut [u8]) -> io::Result<Option<usize>> {
        match *self {}
    }

    /// See the build with `https`.
    pub fn write(&mut self, _: &mut TcpStream, _: &[u8]) -> io::Result<Option<usize>> {
        match *self {}
    }
}
