//! UDP: answers that others send in a tracker's name, answers of no kind, and floods.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use brooklet::base::limits;

use super::{KIB, Swarm};
use crate::support::bench::SOON;

/// A UDP tracker that does what a script says.
struct Udp {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// A request, and the sockets to answer it with: the tracker's own, and a stranger's.
struct Request<'a> {
    bytes: &'a [u8],
    from: SocketAddr,
    own: &'a UdpSocket,
    other: &'a UdpSocket,
}

impl Udp {
    fn start(script: impl Fn(&Request<'_>) + Send + 'static) -> Udp {
        let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (own, other) = (socket(), socket());
        let addr = own.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok((n, from)) = own.recv_from(&mut buffer) {
                heard.lock().unwrap().push(buffer[..n].to_vec());
                script(&Request {
                    bytes: &buffer[..n],
                    from,
                    own: &own,
                    other: &other,
                });
            }
        });
        Udp { addr, asked }
    }

    fn url(&self) -> String {
        format!("udp://{}/announce", self.addr)
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Request<'_> {
    fn is_connect(&self) -> bool {
        self.bytes.len() == 16
    }

    /// A response to it: its transaction id under this action.
    fn response(&self, action: u8, rest: &[u8]) -> Vec<u8> {
        [&[0, 0, 0, action], &self.bytes[12..16], rest].concat()
    }

    /// What a good tracker answers, with this interval and these peers.
    fn good(&self, interval: u32, peers: &[SocketAddr]) -> Vec<u8> {
        if self.is_connect() {
            return self.response(0, &[7; 8]);
        }
        let mut rest = interval.to_be_bytes().to_vec();
        rest.extend([0; 8]);
        let body = super::reply(0, peers);
        let list = body.len() - 1 - 6 * peers.len();
        rest.extend(&body[list..body.len() - 1]);
        self.response(1, &rest)
    }

    fn send(&self, bytes: &[u8]) {
        let _ = self.own.send_to(bytes, self.from);
    }
}

fn good_peer(swarm: &Swarm) -> SocketAddr {
    swarm.peer.addr().parse().unwrap()
}

/// The tracker's answer comes after lies; it alone counts, and it completes the download.
fn believed(swarm: &Swarm, lies: impl Fn(&Request<'_>) + Send + 'static) {
    let good = good_peer(swarm);
    let tracker = Udp::start(move |request| {
        lies(request);
        thread::sleep(Duration::from_millis(30));
        request.send(&request.good(1800, &[good]));
    });
    let mut download = swarm.get(&[&tracker.url()], &[]);
    assert_eq!(download.peers(&tracker.url(), SOON), 1);
    download.complete();
    assert!(tracker.asked() <= 4, "{} requests", tracker.asked());
    download.end();
}

#[test]
fn only_the_tracker_itself_is_believed() {
    let swarm = Swarm::new(51);
    let stranger = SocketAddr::from(([192, 0, 2, 66], 6881));
    // The right transaction from another port of the same host.
    believed(&swarm, move |request| {
        let lies = [
            request.good(1, &[stranger; 10]),
            request.response(3, b"a stranger's lie"),
            request.response(0, &[9; 8]),
        ];
        for lie in lies {
            request.other.send_to(&lie, request.from).unwrap();
        }
    });
    // Other transactions from the right address.
    believed(&swarm, move |request| {
        let mut lie = request.good(1, &[stranger; 10]);
        for number in 0..2000_u32 {
            lie[4..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
            let own = lie[4..8] == request.bytes[12..16];
            if !own {
                request.send(&lie);
            }
        }
    });
}

#[test]
fn what_is_no_response_is_passed_over() {
    let swarm = Swarm::new(52);
    // Too short: every beginning of the answer to come, but those that are an answer by themselves.
    believed(&swarm, |request| {
        let whole = request.good(1, &[]);
        let least = if request.is_connect() { 16 } else { 20 };
        // Eight bytes are opentracker's refusal of an announce.
        let short = (0..least).filter(|&len| request.is_connect() || len != 8);
        short.for_each(|len| request.send(&whole[..len]));
    });
    // Actions that were not asked for, or do not exist; the answer to an announce before there is a
    // connection.
    believed(&swarm, |request| {
        let early = if request.is_connect() { 1 } else { 0 };
        for action in [early, 2, 4, 255] {
            request.send(&request.response(action, &[1; 60]));
        }
        request.send(&[0xff; 1400]);
    });
    // The connection id once more, again and again.
    believed(&swarm, |request| {
        if !request.is_connect() {
            (0..1000).for_each(|_| request.send(&request.response(0, &[8; 8])));
        }
    });
}

#[test]
fn huge_datagrams_are_cut() {
    let swarm = Swarm::new(53);
    let good = good_peer(&swarm);
    let tracker = Udp::start(move |request| {
        let peers = vec![good; if request.is_connect() { 0 } else { 10_000 }];
        request.send(&request.good(1800, &peers));
    });
    let mut download = swarm.get(&[&tracker.url()], &[]);
    assert_eq!(download.peers(&tracker.url(), SOON), 1000);
    download.complete();
    download.end();
    let words = "\x1b[2J\r\nbrooklet: forged\u{202e}".repeat(4 * KIB);
    let tracker = Udp::start(move |request| {
        request.send(&request.response(3, &words.as_bytes()[..60_000]));
    });
    let error = swarm.failure(&tracker.url(), SOON);
    // The first of the two hundred is a blank by now, the last is one, and blanks at the ends are
    // left out.
    assert_eq!(error.chars().count(), 198);
}

#[test]
fn an_error_with_each_answer_ends_it() {
    let swarm = Swarm::new(54);
    let tracker = Udp::start(|request| {
        request.send(&if request.is_connect() {
            request.good(0, &[])
        } else {
            request.response(3, b"no more")
        });
    });
    assert_eq!(swarm.failure(&tracker.url(), SOON), "no more");
    assert_eq!(tracker.asked(), 2);
}

#[test]
fn whatever_interval_it_names_it_is_not_asked_again() {
    let swarm = Swarm::new(55);
    for interval in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
        let tracker = Udp::start(move |request| request.send(&request.good(interval, &[])));
        let mut download = swarm.meanwhile(&tracker.url());
        assert_eq!(download.peers(&tracker.url(), SOON), 0);
        download.end();
        // A connection id, then `started`, `completed` and `stopped` under it.
        assert!(tracker.asked() <= 4, "{} requests", tracker.asked());
    }
}

/// Datagrams by the hundred thousand, before, between and after the answers: the download goes on,
/// and when they are over so is the work.
#[test]
fn a_storm_of_replies_passes() {
    let swarm = Swarm::new(56);
    let good = good_peer(&swarm);
    let stormed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&stormed);
    let tracker = Udp::start(move |request| {
        let answer = request.good(0, &[good]);
        let mut wrong = answer.clone();
        wrong[4] ^= 0xff;
        let storm = |bytes: &[u8]| (0..25_000).for_each(|_| request.send(bytes));
        storm(&wrong);
        request.send(&answer);
        storm(&answer);
        // Those that came while the buffer was full are lost, the answer perhaps among them.
        request.send(&answer);
        count.fetch_add(50_000, Ordering::SeqCst);
    });
    let mut download = swarm.meanwhile(&tracker.url());
    assert_eq!(download.peers(&tracker.url(), 2 * SOON), 1);
    let used = download.child.cpu();
    assert!(used < Duration::from_secs(8), "{used:?} of processor time");
    assert!(stormed.load(Ordering::SeqCst) >= 50_000);
    download.end();
}

#[test]
fn a_closed_port_costs_nothing() {
    let swarm = Swarm::new(57);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("udp://{}/announce", socket.local_addr().unwrap());
    drop(socket);
    swarm.meanwhile(&url).end();
}

/// Two hundred URLs of one host, each of which fails at once: it is asked a few times at once, then
/// now and then. None of them is passed over.
#[test]
fn many_urls_of_one_host_are_no_flood() {
    let swarm = Swarm::new(58);
    let http = super::Tracker::saying(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec());
    let udp = Udp::start(|request| request.send(&request.response(3, b"busy")));
    for (base, asked) in [
        (http.url(), &(|| http.asked()) as &dyn Fn() -> usize),
        (udp.url(), &|| udp.asked()),
    ] {
        let urls: Vec<String> = (0..200).map(|number| format!("{base}?{number}")).collect();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let began = Instant::now();
        let mut download = swarm.get(&urls, &["--peer", &swarm.peer.addr()]);
        download.complete();
        let waited = download.failure(urls[limits::TRACKER_VISITS as usize + 1], SOON);
        assert!(waited.contains("503") || waited == "busy", "{waited}");
        let spaced = began.elapsed().as_secs() / limits::VISIT_GAP.as_secs();
        let most = limits::TRACKER_VISITS as usize + spaced as usize + 1;
        assert!(
            (12..=most).contains(&asked()),
            "{base}: {} of {most}",
            asked()
        );
        download.end();
    }
}
