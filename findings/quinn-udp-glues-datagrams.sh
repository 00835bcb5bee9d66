#!/usr/bin/env bash
# crate quinn-udp 0.5.16, on Linux.
# Guess: `UdpSocketState::new(&socket)` looks at what the system can do, for later sends and reads
# through it. Who never uses it, or drops it, reads datagrams from the socket as before: one a call.
# Seen: it switches the coalescing of what comes (UDP_GRO) on for the socket, and that outlives it.
# A plain read then brings several datagrams of one sender as one, without a mark where each ends; a
# buffer of one datagram's size would lose the others. Code that shares a socket with it (a tracker's
# or a DHT's answers beside uTP) has to read by its calls, and cut by the `stride` that they tell.
# Output: three datagrams of 100 bytes, read plainly: before [100, 100, 100]; after [300]
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "glue"
version = "0.0.0"
edition = "2021"

[dependencies]
quinn-udp = { version = "=0.5.16", default-features = false }

[workspace]
TOML
cat > src/main.rs <<'RUST'
use std::net::UdpSocket;
use std::time::Duration;

use quinn_udp::{Transmit, UdpSocketState};

/// Lengths of what plain reads bring, after three datagrams of 100 bytes went out in one call.
fn lengths(receiver: &UdpSocket, state: &UdpSocketState, sender: &UdpSocket) -> Vec<usize> {
    let transmit = Transmit {
        destination: receiver.local_addr().unwrap(),
        ecn: None,
        contents: &[7; 300],
        segment_size: Some(100),
        src_ip: None,
    };
    state.send(sender.into(), &transmit).unwrap();
    let (mut buffer, mut lengths) = ([0; 2000], Vec::new());
    while lengths.iter().sum::<usize>() < 300 {
        let (length, _) = receiver.recv_from(&mut buffer).unwrap();
        lengths.push(length);
    }
    lengths
}

fn main() {
    let new = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let (sender, receiver) = (new(), new());
    let state = UdpSocketState::new((&sender).into()).unwrap();
    receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let before = lengths(&receiver, &state, &sender);
    drop(UdpSocketState::new((&receiver).into()).unwrap());
    receiver.set_nonblocking(false).unwrap();
    let after = lengths(&receiver, &state, &sender);
    println!("before {before:?}; after {after:?}");
}
RUST
CARGO_PROFILE_DEV_DEBUG=0 cargo build -q --target-dir target
seen=$(target/debug/glue)
echo "three datagrams of 100 bytes, read plainly: $seen"
[ "$seen" = "before [100, 100, 100]; after [300]" ]
