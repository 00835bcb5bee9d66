use super::*;

#[test]
fn a_public_name_leads_to_no_local_node() {
    let may_be = |host, by, ip: &str| may_be_node(host, by, ip.parse().unwrap());
    for ip in [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.0.1",
        "::1",
        "fd00::1",
        "::ffff:10.1.2.3",
    ] {
        for by in [NamedBy::Usage, NamedBy::Torrent] {
            assert!(!may_be("router.example", by, ip), "{ip}");
            assert!(may_be(ip, by, ip), "no name leads there");
        }
        assert!(may_be("router.example", NamedBy::User, ip));
    }
    for ip in ["203.0.113.7", "2001:db8::7"] {
        assert!(may_be("router.example", NamedBy::Usage, ip));
    }
}
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
