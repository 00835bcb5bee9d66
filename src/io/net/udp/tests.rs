use super::*;
use mio::Poll;

/// So many trackers have a socket of their own, and so hear of a refusal; those past them are
/// asked all the same.
#[test]
fn so_many_trackers_have_a_socket_of_their_own() {
    let poll = Poll::new().unwrap();
    let (registry, ip) = (poll.registry(), IpAddr::from(Ipv4Addr::LOCALHOST));
    let families = Families {
        v4: true,
        v6: false,
    };
    let mut udp = Udp::open(0, Some(ip.into()), families, 0, registry).unwrap();
    let there = std::net::UdpSocket::bind((ip, 0)).unwrap();
    let port = there.local_addr().unwrap().port();
    let mut ask = |last: usize| {
        let to = SocketAddr::from(([127, 0, 0, 1 + last as u8], port));
        udp.ask(to, b"question", registry, Time::default()).unwrap()
    };
    for last in 0..limits::TRACKER_SOCKETS {
        assert_eq!(ask(last), Some(ip));
    }
    assert_eq!(ask(limits::TRACKER_SOCKETS), None);
    assert_eq!(ask(0), Some(ip), "the first still has its own");
}

/// What comes at once waits in the socket, as much as the system allows.
#[test]
fn so_much_waits_in_the_socket() {
    let most = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap();
    let most = most.trim().parse::<usize>().unwrap();
    let socket = open(SocketAddr::from(([127, 0, 0, 1], 0)), None).unwrap();
    let room = sockopt::socket_recv_buffer_size(&socket).unwrap();
    // Linux counts what it takes beside the bytes, and doubles what it is asked for.
    assert_eq!(room, 2 * limits::UDP_BUFFER.min(most));
}

/// The common socket for IPv4 on the loopback interface, and its address.
fn alone(poll: &Poll) -> (Udp, SocketAddr) {
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    let families = Families {
        v4: true,
        v6: false,
    };
    let udp = Udp::open(0, Some(ip.into()), families, 0, poll.registry()).unwrap();
    let addr = udp.open[0].as_ref().unwrap().socket.local_addr().unwrap();
    (udp, addr)
}

/// So many datagrams are read by one call. One that is longer than the bound is dropped: what is
/// left of it after a cut would be taken for the whole.
#[test]
fn datagrams_are_read_together() {
    let poll = Poll::new().unwrap();
    let (mut udp, there) = alone(&poll);
    let from = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut buffer = vec![0; limits::DATAGRAMS_AT_ONCE * limits::DATAGRAMS_BYTES];
    for (len, heard) in [
        (limits::DATAGRAM, true),
        (limits::DATAGRAM + 1, false),
        (65_507, false),
    ] {
        for _ in 0..=limits::DATAGRAMS_AT_ONCE {
            from.send_to(&vec![7; len], there).unwrap();
        }
        for read in [limits::DATAGRAMS_AT_ONCE, 1] {
            let mut lens = Vec::new();
            let hear = &mut |_, bytes: &[u8]| lens.push(bytes.len());
            assert_eq!(udp.receive(Token(0), &mut buffer, hear), Received::Some);
            assert_eq!(lens, vec![len; if heard { read } else { 0 }]);
        }
    }
}

/// Datagrams of a batch stay apart, whether they may be cut on their way or not.
#[test]
fn as_many_datagrams_arrive_as_were_sent() {
    let poll = Poll::new().unwrap();
    let (udp, _) = alone(&poll);
    let there = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    there
        .set_read_timeout(Some(std::time::Duration::from_secs(5)))
        .unwrap();
    let to = there.local_addr().unwrap();
    for fragments in [Fragments::Usual, Fragments::Allowed] {
        let batch = Datagrams {
            to,
            each: 600,
            fragments,
        };
        assert_eq!(udp.send_batch(batch, &[7; 1_000]).unwrap(), 1_000);
        let mut buffer = [0; 2_000];
        for len in [600, 400] {
            assert_eq!(there.recv(&mut buffer).unwrap(), len, "{fragments:?}");
        }
    }
}

/// Runs of datagrams that came as one: how many there were in each.
fn runs(udp: &Udp, most: usize) -> Vec<usize> {
    let common = udp.open[0].as_ref().unwrap();
    let (mut runs, mut buffer) = (Vec::new(), vec![0; limits::DATAGRAMS_BYTES]);
    let begun = std::time::Instant::now();
    while runs.iter().sum::<usize>() < most && begun.elapsed().as_secs() < 5 {
        let mut about = [RecvMeta::default()];
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let read = common
            .state
            .recv((&common.socket).into(), &mut parts, &mut about);
        if read.is_ok() {
            runs.push(about[0].len.div_ceil(about[0].stride));
        }
    }
    runs
}

/// What the system does not take as one is sent one by one, and what comes later as one again.
#[test]
fn a_batch_that_is_refused_does_not_end_batches() {
    let poll = Poll::new().unwrap();
    let ((udp, _), (other, to)) = (alone(&poll), alone(&poll));
    let batch = Datagrams {
        to,
        each: 10,
        fragments: Fragments::Usual,
    };
    assert_eq!(udp.send_batch(batch, &[7; 100]).unwrap(), 100);
    assert_eq!(runs(&other, 10), [10], "the system takes ten as one");
    // It takes no more than 128 as one.
    assert_eq!(udp.send_batch(batch, &[7; 2_000]).unwrap(), 2_000);
    assert_eq!(runs(&other, 200), [1; 200]);
    for _ in 0..ONE_BY_ONE {
        assert_eq!(udp.send_batch(batch, &[7; 100]).unwrap(), 100);
        assert_eq!(runs(&other, 10), [1; 10]);
    }
    assert_eq!(udp.send_batch(batch, &[7; 100]).unwrap(), 100);
    assert_eq!(runs(&other, 10), [10]);
}

/// An error concerns an earlier datagram: only when nothing is left may reading end, since the
/// system tells of what comes only once.
#[test]
fn errors_do_not_end_the_reading() {
    for (kind, read) in [
        (io::ErrorKind::WouldBlock, Received::Nothing),
        (io::ErrorKind::ConnectionRefused, Received::Some),
        (io::ErrorKind::HostUnreachable, Received::Some),
        (io::ErrorKind::OutOfMemory, Received::Some),
    ] {
        assert_eq!(not_read(&kind.into()), read, "{kind}");
    }
}
