//! What reaches the port of the built program from those that do not greet it over TCP: datagrams
//! of uTP, and connections of other protocols.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};

use support::bench::{Bench, SOON, checked, listening};

/// The packet that opens a uTP connection (BEP 29): type 4 and version 1, an extension, the
/// connection's number, two times, a window, the packet's number, no acknowledgement.
fn syn(extension: u8, connection: [u8; 2], seq: [u8; 2]) -> Vec<u8> {
    let mut packet = vec![0x41, extension];
    packet.extend(connection);
    packet.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0x10, 0, 0]);
    packet.extend(seq);
    packet.extend([0, 0]);
    packet
}

/// Transmission 4.1 turns to TCP at once when its SYN is refused, and after 21 seconds otherwise.
#[test]
fn without_utp_a_call_is_refused_at_once() {
    for (verb, local) in [
        ("seed", "127.0.0.1"),
        ("get", "127.0.0.1"),
        ("seed", "::1"),
        ("get", "::1"),
    ] {
        let bench = Bench::new(301, 100_000);
        if verb == "seed" {
            bench.fill();
        }
        let mut child = bench.run(verb, &["--bind", local, "--no-utp"]);
        let port = listening(&mut child).port();
        checked(&mut child);
        let socket = UdpSocket::bind((local, 0)).unwrap();
        socket.connect((local, port)).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        let selective = [0, 4, 0, 0, 0, 0];
        for packet in [
            syn(0, [0x12, 0x34], [0xab, 0xcd]),
            [syn(1, [0x12, 0x34], [0xab, 0xcd]), selective.to_vec()].concat(),
        ] {
            socket.send(&packet).unwrap();
            let mut answer = [0; 100];
            let len = socket.recv(&mut answer).expect("it is answered");
            // Type 3, reset, of that connection and for that packet, and no more bytes than came.
            assert_eq!((len, answer[0]), (20, 0x31), "{verb} {local}");
            assert_eq!(answer[2..4], [0x12, 0x34]);
            assert_eq!(answer[18..20], [0xab, 0xcd]);
        }
        child.signal("TERM");
        assert_eq!(child.code(SOON), 143);
    }
}

/// Opens a connection, says this, and waits until the other end hangs up.
fn says(to: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let end = stream.read(&mut [0]);
    assert!(
        !matches!(end, Ok(1)),
        "nobody is greeted who does not greet"
    );
}

#[test]
fn incoming_connections_that_do_not_greet_are_counted_in_the_log() {
    for (verb, encryption) in [("seed", "off"), ("get", "allow")] {
        let bench = Bench::new(302, 100_000);
        if verb == "seed" {
            bench.fill();
        }
        let mut child = bench.run(verb, &["-v", "--encryption", encryption]);
        let addr = listening(&mut child);
        checked(&mut child);
        // Every second byte of the powers of 3 modulo 257: as evenly spread as random ones.
        let powers = std::iter::successors(Some(1_u32), |power| Some(power * 9 % 257));
        let key: Vec<u8> = powers.skip(3).take(96).map(|power| power as u8).collect();
        let kind = if encryption == "off" {
            says(addr, &key);
            "1 encrypted (MSE)"
        } else {
            // A key of our own, and padding; it does not go on.
            let mut stream = TcpStream::connect(addr).unwrap();
            stream.set_read_timeout(Some(SOON)).unwrap();
            stream.write_all(&key).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert!((96..=96 + 512).contains(&answer.len()));
            "1 closed within the handshake"
        };
        says(addr, b"PATCH / HTTP/1.1\r\nHost: a\r\n\r\n");
        says(addr, b"");
        for kind in [kind, "1 HTTP", "1 closed without a word"] {
            let line = child.line(kind, SOON);
            assert!(line.contains("incoming connections that failed"), "{line}");
        }
        child.signal("TERM");
        assert_eq!(child.code(SOON), 143);
    }
}
