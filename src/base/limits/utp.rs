//! The bounds of uTP (BEP 29).

use super::super::time::Duration;
use super::{KIB, MIB};

// uTP

/// Queueing delay that a sender aims for (BEP 29): more would be felt by others on the same line.
pub const UTP_TARGET: Duration = Duration::from_millis(100);
/// Bytes that the window grows by in a round trip at most (BEP 29), past slow start.
pub const UTP_GAIN: u32 = 3_000;
/// Minutes over which the least delay is remembered (BEP 29): clocks of the two ends drift apart,
/// and routes change.
pub const UTP_DELAY_MINUTES: usize = 13;
/// Least delays of the last samples of which the smallest counts: a single late packet is no queue.
pub const UTP_DELAY_SAMPLES: usize = 4;
/// How far the base delay may follow the clock of the other end at a time, in microseconds: a
/// larger step is no drift.
pub const UTP_DRIFT: u32 = 10_000;
/// A sender that has met its own queue empties it for two round trips after this many times as long
/// as that took, so that connections begun later see the line without a queue, too.
pub const UTP_BETWEEN_DRAINS: u32 = 25;
/// The same at least.
pub const UTP_BETWEEN_DRAINS_LEAST: Duration = Duration::from_secs(5);
/// Bytes of a UDP datagram that every IPv4 path takes: 576 less the heads of IP and UDP.
pub const UTP_DATAGRAM_LEAST: usize = 548;
/// Bytes of the largest datagram that is tried over IPv4: what Ethernet takes.
pub const UTP_DATAGRAM_MOST: usize = 1_472;
/// The same over IPv6, where every path takes 1,280 bytes.
pub const UTP_DATAGRAM_LEAST_V6: usize = 1_232;
/// No larger one is tried over IPv6: the socket never cuts a datagram there, so that what was sent
/// in larger ones could not be sent again after a path took less.
pub const UTP_DATAGRAM_MOST_V6: usize = UTP_DATAGRAM_LEAST_V6;
/// The search for the largest datagram ends when it is known so well, in bytes.
pub const UTP_DATAGRAM_STEP: usize = 16;
/// A size counts as too large after so many lost packets of it: one may have been lost by chance.
pub const UTP_PROBES: u32 = 2;
/// A larger datagram is tried again after this long: the route may have changed.
pub const UTP_PROBE_AGAIN: Duration = Duration::from_secs(600);
/// A packet is sent again after this long at least (BEP 29).
pub const UTP_RESEND_LEAST: Duration = Duration::from_millis(500);
/// A packet is sent again after this long as long as no round trip was measured (BEP 29).
pub const UTP_RESEND_FIRST: Duration = Duration::from_secs(1);
/// Longest wait before a packet is sent again: the wait doubles each time.
pub const UTP_RESEND_MOST: Duration = Duration::from_secs(30);
/// Times in a row that all packets under way were lost before the connection is given up: a minute
/// of silence, so that it outlasts a router that starts anew.
pub const UTP_SILENCES: u32 = 6;
/// Packets that open a connection, the second after a second, and then two more are waited for, if
/// none is answered: libtorrent sends one and rqbit one.
pub const UTP_SYNS: u32 = 2;
/// Packets that came after a missing one before that counts as lost: fewer are reordering.
pub const UTP_REORDERED: usize = 3;
/// Where packets were seen to be overtaken by more than that, so many more may overtake one before
/// it counts as lost.
pub const UTP_REORDERED_MOST: u64 = 256;
/// After so many packets in order that number becomes a quarter smaller: the path may have changed.
pub const UTP_REORDERED_FOR: u32 = 4_096;
/// A packet that came alone is acknowledged after this long, unless something is sent before:
/// shorter than the 500 ms after which it would be sent again, long enough for an answer.
pub const UTP_ACK_DELAY: Duration = Duration::from_millis(40);
/// Something is sent after this long, so that routers in between keep the way open: some forget it
/// after half a minute.
pub const UTP_KEEP_ALIVE: Duration = Duration::from_secs(29);
/// How long a connection that we have closed waits for the other end to have got everything.
pub const UTP_LINGER: Duration = Duration::from_secs(10);
/// Bytes that the other end may send beyond what was read: a round trip of 300 ms at 50 Mbit/s.
/// libtorrent offers half of it.
pub const UTP_WINDOW: usize = 2 * MIB;
/// The shortest round trip for which all of [`UTP_WINDOW`] is offered; for a shorter one as much
/// less. What a peer nearby sends at once would overrun the socket.
pub const UTP_WINDOW_TRIP: Duration = Duration::from_millis(100);
/// Bytes that are offered in any case, as Transmission offers.
pub const UTP_WINDOW_LEAST: usize = 256 * KIB;
/// Bytes that may wait in the UDP socket, as far as the system allows: windows of several peers,
/// with what the system takes beside the bytes of a packet.
pub const UDP_BUFFER: usize = 2 * MIB;
/// Bytes that wait to be sent in front of what is under way: one large block, so that a write need
/// not be cut in many.
pub const UTP_AHEAD: usize = 160 * KIB;
/// Bytes that wait to be sent, or are under way, of one connection at most, while others need no
/// memory.
pub const UTP_UNSENT: usize = 3 * MIB;
/// The part of `--memory` that is divided among the connections over uTP: one in so many bytes.
pub const UTP_PART: u64 = 4;
/// Packets beyond a gap that are kept: as many as [`UTP_WINDOW`] holds of usual ones, so that those
/// of one byte take little memory.
pub const UTP_EARLY: usize = 1_536;
/// Memory that a packet beyond a gap takes beside its bytes.
pub const UTP_EARLY_COST: usize = 32;
/// Packets that are under way at most: numbers of packets have 16 bits, and half of them is told
/// from the other half.
pub const UTP_UNDER_WAY: usize = 8_192;
/// Calls that are answered a second. An answer is no longer than the call, so an attacker gains
/// nothing by having us send it to a victim, and nothing is remembered for it: there may be so many
/// that a flood of forged calls on a slow line keeps no honest caller out. Half a megabyte of
/// answers may wait to be sent.
pub const UTP_ANSWERS: u32 = 10_000;
/// Packets that are refused a second, since they belong to no connection.
pub const UTP_STRAYS: u32 = 50;
/// A number by which a caller proves that it got our answer counts for this long, and once more.
pub const UTP_COOKIES: Duration = Duration::from_secs(30);
/// Packets after a call of which the first to come opens the connection: each is looked for by
/// hashes, and makes it likelier that a forged one is right: by one in 32,768.
pub const UTP_FIRST: u16 = 4;
/// Connections that peers began and that ended in the last two periods of [`UTP_COOKIES`] which are
/// remembered, so that a late copy of a packet does not open one again: 48 bytes each.
pub const UTP_ENDED: usize = 512;
/// Connections at one time that end or have just begun, beside those of peers: each takes half a
/// kilobyte.
pub const UTP_CONNECTIONS: usize = 2_048;
/// Places among [`UTP_CONNECTIONS`] that are kept for our own calls.
pub const UTP_OWN: usize = 512;
/// Connections at one time that peers began and that have acknowledged no packet of ours: one that
/// forges its address gets in by chance (one packet in 8,192), and never does. An honest peer does
/// so within a round trip.
pub const UTP_UNPROVEN: usize = 64;
/// Datagrams that are handed to the system at a time: what it takes as one with segments.
pub const UTP_BATCH: usize = 44;
/// Bytes of them.
pub const UTP_BATCH_BYTES: usize = 65_000;
/// What the system had no room for is sent after this long: a millisecond's worth is soon sent.
pub const SEND_AGAIN: Duration = Duration::from_millis(1);
/// A dial goes over uTP, too, when TCP was not answered for this long.
pub const UTP_AFTER_TCP: Duration = Duration::from_secs(1);
/// The same where another peer says that uTP is spoken there (BEP 11), or uTP was spoken before.
pub const UTP_AFTER_TCP_KNOWN: Duration = Duration::from_millis(250);
/// When TCP has failed, a call over uTP is given up after this long and twice the time that TCP
/// took: one that refuses TCP is there, and answers at once if it speaks uTP.
pub const UTP_AFTER_REFUSED: Duration = Duration::from_millis(500);
