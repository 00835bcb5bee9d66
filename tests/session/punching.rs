//! Hole punching (BEP 55): whom we ask for a rendezvous, whom we have call each other, and whom we
//! call when we are told to.

use std::net::SocketAddr;

use brooklet::base::{Duration, PeerKey, limits};
use brooklet::peer::EndReason;
use brooklet::session::Command::Pause;
use brooklet::session::command;
use brooklet::torrent::Source;
use brooklet::wire::extended::exchange::{HOLE_PUNCH, UTP};
use brooklet::wire::extended::punch::{NO_SELF, NO_SUCH_PEER, NO_SUPPORT, NOT_CONNECTED};
use brooklet::wire::{ExtendedGreeting, HolePunch, PeerExchange};

use crate::exchange::{THEIRS, addr, greets, says, wanting};
use crate::session::Bench;

/// Our number for messages about hole punching, and that of the peers of these tests.
const OURS: u8 = 3;
const PUNCH: u8 = 9;

/// A download that exchanges peers and speaks uTP.
fn bench() -> Bench {
    of(true)
}

fn of(public: bool) -> Bench {
    Bench::getter_with(4, &[], |config, order| {
        config.utp = Some(1 << 20);
        order.pex = public;
        order.metadata_size = std::num::NonZeroU32::new(7).filter(|_| public);
    })
}

/// A peer at 192.0.2.`number` dials us, listens at port 7000, and speaks of hole punching.
fn joins(bench: &mut Bench, number: u8) -> PeerKey {
    let from = SocketAddr::from(([192, 0, 2, number], 50_001));
    joins_from(bench, number, from, Some(PUNCH))
}

fn joins_from(bench: &mut Bench, number: u8, from: SocketAddr, punch: Option<u8>) -> PeerKey {
    let key = bench.accepts(from);
    let said = ExtendedGreeting {
        port: Some(7000),
        punch,
        your_ip: Some([203, 0, 113, 77].into()),
        ..wanting()
    };
    greets(bench, key, number, &said);
    key
}

/// What a peer was told about hole punching since this was called last.
fn told(bench: &mut Bench, key: PeerKey) -> Vec<HolePunch> {
    let heard = bench.hears_extended(key).into_iter();
    let heard = heard.filter(|(id, _)| *id == PUNCH);
    heard
        .map(|(_, it)| HolePunch::parse(&it).unwrap())
        .collect()
}

fn tells(bench: &mut Bench, key: PeerKey, message: HolePunch) {
    let mut payload = Vec::new();
    message.encode(&mut payload);
    says(bench, key, OURS, &payload);
    bench.turn();
}

/// Whom we call over uTP, each packet counted, since this was called last.
fn calls(bench: &mut Bench) -> Vec<SocketAddr> {
    let (mut out, now, mut to) = (Vec::new(), bench.now, Vec::new());
    let utp = bench.session.utp.as_mut().unwrap();
    while let Some(datagrams) = utp.transmit(&mut out, now) {
        assert!(
            out[0] == 0x41 || out[0] == 0x31,
            "a call, or the end of one"
        );
        to.extend((out[0] == 0x41).then_some(datagrams.to));
    }
    to
}

/// A second goes by, and what is to be called is.
fn second(bench: &mut Bench) -> Vec<SocketAddr> {
    bench.wait(Duration::from_secs(1));
    let called = calls(bench);
    while brooklet::session::streams::next(&mut bench.session, bench.now).is_some() {}
    bench.turn();
    called
}

fn names(bench: &mut Bench, key: PeerKey, named: SocketAddr, flags: u8) {
    crate::exchange::names(bench, key, &[(named, flags)]);
    bench.wait(Duration::from_secs(1));
}

#[test]
fn we_offer_it_where_utp_is_spoken() {
    for (utp, punch) in [(true, Some(OURS)), (false, None)] {
        let mut bench = bench();
        if !utp {
            bench.session.utp = None;
        }
        let key = joins(&mut bench, 1);
        let heard = bench.hears_extended(key);
        let said = ExtendedGreeting::parse(&heard[0].1).unwrap();
        assert_eq!(said.punch, punch);
    }
}

/// An address that a peer has named answers neither over TCP nor over uTP: the peer is asked, once,
/// if it is said that hole punching is spoken there.
#[test]
fn who_named_an_address_that_does_not_answer_is_asked() {
    for (flags, asked) in [(HOLE_PUNCH | UTP, 1), (UTP, 0)] {
        let mut bench = bench();
        let relay = joins(&mut bench, 1);
        let named = addr("198.51.100.1:6881");
        names(&mut bench, relay, named, flags);
        let mut all = Vec::new();
        for _ in 0..100 {
            second(&mut bench);
            all.extend(told(&mut bench, relay));
            bench.says(relay, "keep-alive");
        }
        assert_eq!(all, vec![HolePunch::Rendezvous(named); asked]);
    }
}

/// It is asked as soon as TCP is refused and uTP not answered, or uTP alone while TCP still waits.
#[test]
fn it_is_asked_as_soon_as_utp_is_not_answered() {
    for refuses in [true, false] {
        let mut bench = bench();
        let relay = joins(&mut bench, 1);
        let named = addr("198.51.100.1:6881");
        names(&mut bench, relay, named, HOLE_PUNCH);
        let key = bench.dialled(named).expect("it is dialed");
        if refuses {
            let reason = EndReason::Network("it refused the connection".into());
            bench.session.handle_closed(key, reason, bench.now);
        }
        let begun = bench.now;
        while told(&mut bench, relay).is_empty() {
            second(&mut bench);
        }
        let most = if refuses { 3 } else { 5 };
        assert!(bench.now.since(begun) <= Duration::from_secs(most));
        assert_eq!(bench.is_gone(key), refuses);
    }
}

/// Told to call, we do so at once, again a second later, over uTP alone; the dial that is under way
/// makes room for that.
#[test]
fn who_is_told_to_call_calls_at_once() {
    let mut bench = bench();
    let relay = joins(&mut bench, 1);
    let there = addr("198.51.100.1:6881");
    names(&mut bench, relay, there, 0);
    let dial = bench.dialled(there).expect("it is dialed");
    calls(&mut bench);
    tells(&mut bench, relay, HolePunch::Connect(there));
    assert_eq!(calls(&mut bench), [there]);
    assert!(bench.is_gone(dial));
    assert_eq!(bench.dialled(there), None, "TCP leads nowhere");
    // Told again meanwhile, we go on.
    tells(&mut bench, relay, HolePunch::Connect(there));
    assert_eq!(calls(&mut bench), []);
    assert_eq!(second(&mut bench), [there]);
    for _ in 0..5 {
        assert_eq!(second(&mut bench), []);
    }
    assert_eq!(bench.session.connections(), 1);
    assert_eq!(told(&mut bench, relay), [], "it is not asked in turn");
    bench.session.assert_invariants();
}

/// What peer exchange may not name, hole punching may not, either.
#[test]
fn nobody_is_called_whom_nobody_may_name() {
    let mut bench = bench();
    let relay = joins(&mut bench, 1);
    joins(&mut bench, 2);
    let named = [
        "127.0.0.1:1",
        "10.0.0.1:1",
        "192.168.1.1:80",
        "169.254.169.254:80",
        "224.0.0.1:1",
        "198.51.100.1:0",
        "[::1]:1",
        "[fe80::1]:1",
        // It, we, and a peer that is connected, where it is and where it listens.
        "192.0.2.1:7000",
        "203.0.113.77:6881",
        "192.0.2.2:50001",
        "192.0.2.2:7000",
    ];
    for named in named {
        tells(&mut bench, relay, HolePunch::Connect(addr(named)));
        assert_eq!(calls(&mut bench), [], "{named}");
    }
    tells(
        &mut bench,
        relay,
        HolePunch::Connect(addr("[2001:db8::1]:1")),
    );
    assert_eq!(calls(&mut bench), [addr("[2001:db8::1]:1")]);
    let pause = Pause(bench.torrent);
    command::perform(&mut bench.session, pause, bench.now).unwrap();
    bench.turn();
    assert_eq!(bench.session.connections(), 0);
}

/// Without uTP nobody is called, over TCP neither; a seed calls like others.
#[test]
fn nobody_is_called_without_utp() {
    for utp in [true, false] {
        let mut bench = Bench::seeder(4);
        bench.begins(|config, _| config.utp = Some(1 << 20));
        bench.turn();
        let relay = joins(&mut bench, 1);
        let there = addr("198.51.100.1:6881");
        if utp {
            tells(&mut bench, relay, HolePunch::Connect(there));
            assert_eq!(calls(&mut bench), []);
            bench
                .session
                .add_peers(bench.torrent, &[there], Source::Tracker, bench.now);
            tells(&mut bench, relay, HolePunch::Connect(there));
            assert_eq!(calls(&mut bench), [there]);
        } else {
            bench.session.utp = None;
            tells(&mut bench, relay, HolePunch::Connect(there));
            assert_eq!(bench.session.connections(), 1);
        }
    }
}

/// BEP 27: only hosts that a tracker has named are called.
#[test]
fn a_private_torrent_calls_only_who_is_of_it() {
    let mut bench = of(false);
    let relay = joins(&mut bench, 1);
    let (known, stranger) = (addr("198.51.100.1:6881"), addr("198.51.100.2:6881"));
    bench
        .session
        .add_peers(bench.torrent, &[known], Source::Tracker, bench.now);
    tells(&mut bench, relay, HolePunch::Connect(stranger));
    assert_eq!(calls(&mut bench), []);
    // Its router gave it another port.
    let known = addr("198.51.100.1:7777");
    tells(&mut bench, relay, HolePunch::Connect(known));
    assert_eq!(calls(&mut bench), [known]);
}

/// One that is told too often, or tells too often, is ignored.
#[test]
fn so_many_are_called_at_once() {
    let mut bench = bench();
    let relay = joins(&mut bench, 1);
    let mut called = 0;
    for second in 0..30 {
        for number in 0..10_u8 {
            let there = SocketAddr::from(([198, 51, second, number], 6881));
            tells(&mut bench, relay, HolePunch::Connect(there));
        }
        called += calls(&mut bench).len();
        bench.wait(Duration::from_secs(5));
        calls(&mut bench);
        while brooklet::session::streams::next(&mut bench.session, bench.now).is_some() {}
        bench.turn();
    }
    let most = limits::PUNCH_AT_ONCE + 150 / limits::PUNCH_GAP.as_secs() as u32;
    assert!(
        (most as usize / 2..=most as usize).contains(&called),
        "{called}"
    );
}

/// Two peers of ours are told of each other, where each is seen.
#[test]
fn two_peers_are_told_to_call_each_other() {
    let mut bench = bench();
    let (one, two) = (joins(&mut bench, 1), joins(&mut bench, 2));
    // It is known at the port at which it listens, and from which its connection comes.
    for there in ["192.0.2.2:7000", "192.0.2.2:50001"] {
        tells(&mut bench, one, HolePunch::Rendezvous(addr(there)));
        let connect = |there| [HolePunch::Connect(addr(there))];
        assert_eq!(told(&mut bench, one), connect("192.0.2.2:7000"));
        assert_eq!(told(&mut bench, two), connect("192.0.2.1:7000"));
    }
}

#[test]
fn who_cannot_be_led_to_another_is_told_why() {
    let mut bench = bench();
    let one = joins(&mut bench, 1);
    joins_from(&mut bench, 2, addr("192.0.2.2:50001"), None);
    joins_from(&mut bench, 3, addr("10.0.0.3:50001"), Some(PUNCH));
    joins_from(&mut bench, 4, addr("[2001:db8::4]:50001"), Some(PUNCH));
    for (to, code) in [
        ("192.0.2.2:7000", NO_SUPPORT),
        ("192.0.2.9:7000", NOT_CONNECTED),
        ("192.0.2.1:7000", NO_SELF),
        ("192.0.2.1:50001", NO_SELF),
        ("203.0.113.77:6881", NO_SELF),
        ("224.0.0.1:7000", NO_SUCH_PEER),
        ("192.0.2.9:0", NO_SUCH_PEER),
        // One inside our network, whom nobody outside reaches, and one of the other family.
        ("10.0.0.3:7000", NO_SUCH_PEER),
        ("[2001:db8::4]:7000", NO_SUCH_PEER),
    ] {
        let to = addr(to);
        tells(&mut bench, one, HolePunch::Rendezvous(to));
        assert_eq!(told(&mut bench, one), [HolePunch::Error(to, code)]);
    }
}

/// Peers of another torrent do not count, and one that knows nothing of it gets no answer.
#[test]
fn who_could_not_be_answered_is_not() {
    let mut bench = bench();
    let mute = joins_from(&mut bench, 1, addr("192.0.2.1:50001"), None);
    let two = joins(&mut bench, 2);
    tells(
        &mut bench,
        mute,
        HolePunch::Rendezvous(addr("192.0.2.2:7000")),
    );
    assert_eq!(
        (told(&mut bench, mute), told(&mut bench, two)),
        (vec![], vec![])
    );
    assert!(!bench.is_gone(mute));
}

/// Nobody has us flood a peer, nor has many of us flood it, nor gets more than few answers.
#[test]
fn nobody_has_us_flood_another() {
    let mut bench = bench();
    let victim = joins(&mut bench, 100);
    let crowd: Vec<PeerKey> = (1..9).map(|number| joins(&mut bench, number)).collect();
    let (mut heard, mut answers) = (0, 0);
    for _ in 0..60 {
        for &key in &crowd {
            for _ in 0..5 {
                let there = addr("192.0.2.100:7000");
                tells(&mut bench, key, HolePunch::Rendezvous(there));
            }
            bench.says(key, "keep-alive");
            let told = told(&mut bench, key);
            answers += usize::from(key == crowd[0]) * told.len();
        }
        bench.says(victim, "keep-alive");
        heard += told(&mut bench, victim).len();
        bench.wait(Duration::from_secs(1));
    }
    let most = limits::PUNCH_AT_ONCE + 60 / limits::PUNCH_GAP.as_secs() as u32;
    assert!(
        (most as usize - 2..=most as usize).contains(&heard),
        "{heard}"
    );
    assert!(answers <= most as usize, "{answers}");
}

/// Others are told by peer exchange who can be reached so.
#[test]
fn peers_that_speak_of_it_are_named_with_a_flag() {
    let mut bench = bench();
    let one = joins(&mut bench, 1);
    joins_from(&mut bench, 2, addr("192.0.2.2:50001"), None);
    joins(&mut bench, 3);
    bench.wait(limits::PEX_SOON);
    let heard = bench.hears_extended(one).into_iter();
    let heard = heard.filter(|(id, _)| *id == THEIRS);
    let heard: Vec<_> = heard
        .map(|(_, it)| PeerExchange::parse(&it).unwrap().added)
        .collect();
    let added = [
        (addr("192.0.2.2:7000"), 0),
        (addr("192.0.2.3:7000"), HOLE_PUNCH | UTP),
    ];
    assert_eq!(heard, [added]);
}
