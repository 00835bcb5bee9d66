use super::*;
use std::net::IpAddr;

use crate::socks::Place;
use crate::tracker::Id;

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

/// Trackers that do not answer, and what is not theirs, keep nobody waiting.
#[test]
fn more_is_expected_only_where_trackers_alone_have_answered() {
    let mut poll = mio::Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(999)).unwrap());
    let there = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let families = Families {
        v4: true,
        v6: false,
    };
    let tokens = 0..Udp::TOKENS + 100;
    let route = Route {
        bind: Some(IpAddr::from([127, 0, 0, 1]).into()),
        proxy: None,
    };
    let registry = poll.registry();
    let mut outreach = Outreach::new(registry, tokens, 0, &route, families, waker.clone()).unwrap();
    let (mut events, now) = (Events::with_capacity(8), Time::default());
    let mut wait = |poll: &mut mio::Poll, outreach: &mut Outreach| {
        poll.poll(&mut events, Some(std::time::Duration::from_millis(20)))
            .unwrap();
        let more = outreach.expects_more(&events);
        for event in &events {
            outreach.on_event(event, poll.registry(), now, &mut |_| {});
        }
        (events.iter().count(), more)
    };
    wait(&mut poll, &mut outreach);
    for (number, listener) in (0..).zip(&there) {
        let id = Id { torrent: 0, number };
        let addr = listener.local_addr().unwrap();
        let target = Target::from(Place::Addr(addr));
        let request = b"GET / HTTP/1.1\r\n\r\n".to_vec();
        outreach
            .fetcher
            .start(id, (addr, target), request, poll.registry(), now)
            .unwrap();
    }
    let mut streams = there.each_ref().map(|it| it.accept().unwrap().0);
    // Once they are connected, nothing comes.
    while wait(&mut poll, &mut outreach).0 > 0 {}
    assert_eq!(wait(&mut poll, &mut outreach), (0, false));
    let mut answer = || std::io::Write::write_all(&mut streams[0], b"HTTP/1.1 200 OK\r\n").unwrap();
    answer();
    assert_eq!(wait(&mut poll, &mut outreach), (1, true));
    // Something else has an event, too.
    answer();
    waker.wake().unwrap();
    assert_eq!(wait(&mut poll, &mut outreach), (2, false));
    // Something is left to be read.
    answer();
    outreach.unread.push(Token(0));
    assert_eq!(wait(&mut poll, &mut outreach), (1, false));
    outreach.unread.clear();
    answer();
    let other = Id {
        torrent: 0,
        number: 1,
    };
    outreach.fetcher.abort(other, poll.registry());
    assert_eq!(
        wait(&mut poll, &mut outreach),
        (1, false),
        "one request is under way"
    );
}
