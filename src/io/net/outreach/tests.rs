use super::*;

/// What the system has no room for is tried again after so long.
#[test]
fn what_is_held_is_sent_later() {
    let poll = mio::Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(999)).unwrap());
    let there = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let ip = there.local_addr().unwrap().ip();
    let families = Families {
        v4: true,
        v6: false,
    };
    let (registry, tokens) = (poll.registry(), 0..Udp::TOKENS + 100);
    let route = Route {
        bind: Some(ip.into()),
        proxy: None,
    };
    let mut outreach = Outreach::new(registry, tokens, 0, &route, families, waker).unwrap();
    let (to, again) = (
        there.local_addr().unwrap(),
        Time::default() + limits::SEND_AGAIN,
    );
    let (each, fragments) = (4, crate::utp::Fragments::Usual);
    let datagrams = Datagrams {
        to,
        each,
        fragments,
    };
    outreach.batch().extend(b"sentheld");
    let done = 4;
    outreach.held = Some(Held {
        datagrams,
        done,
        again,
    });
    assert_eq!(outreach.next_deadline(), Some(again));
    assert!(!outreach.send_held(Time::default()) && outreach.send_held(again));
    let mut buffer = [0; 9];
    assert_eq!(
        (there.recv(&mut buffer).unwrap(), &buffer[..4]),
        (4, &b"held"[..])
    );
}
