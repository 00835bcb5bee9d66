//! UDP trackers that are forged, or silent.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use super::client::Client;

#[test]
fn over_udp_only_the_tracker_is_believed() {
    let tracker = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = tracker.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        loop {
            let (n, from) = tracker.recv_from(&mut buffer).unwrap();
            let request = &buffer[..n];
            let (action, transaction) = (request[11], &request[12..16]);
            let answer = match action {
                0 => [&[0, 0, 0, 0], transaction, &[1, 2, 3, 4, 5, 6, 7, 8]].concat(),
                _ => [
                    &[0, 0, 0, 1],
                    transaction,
                    &[0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 0, 9],
                ]
                .concat(),
            };
            let mut forged = answer.clone();
            forged[4] ^= 1;
            for lie in [&forged[..], b"", b"\0\0\0\x01", &[0xff; 1500]] {
                tracker.send_to(lie, from).unwrap();
            }
            let error = [&[0, 0, 0, 3], transaction, b"a stranger's lie"].concat();
            stranger.send_to(&error, from).unwrap();
            thread::sleep(Duration::from_millis(50));
            tracker.send_to(&answer, from).unwrap();
        }
    });
    let mut client = Client::new(&[&[&format!("udp://{addr}/announce")]], 4001);
    client.start();
    assert_eq!(client.report(1).1, Ok(vec!["1.2.3.4:9".parse().unwrap()]));
}

/// The system reports that nothing listens there (ICMP), over either family.
#[test]
fn over_udp_a_closed_port_is_no_silence() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let closed = UdpSocket::bind(address).unwrap().local_addr().unwrap();
        let url = format!("udp://{closed}/announce");
        let mut client = Client::new(&[&[&url]], 4001);
        assert_eq!(client.failure(), "nothing listens on its port", "{url}");
        let took = client.began.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
        let mut client = Client::scraper(&[&[&url]]);
        let outcome = client.report(1).1;
        assert_eq!(outcome, Err(String::from("nothing listens on its port")));
    }
}

#[test]
fn over_udp_silence_is_met_with_patience() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("udp://{}", silent.local_addr().unwrap());
    let mut client = Client::hurried(&[&[&url]], 4001, 20);
    assert_eq!(client.failure(), "no answer");
    let seconds = client.began.elapsed().as_secs_f64();
    assert!((2.2..12.0).contains(&seconds), "45 s: {seconds} s");
    silent.set_nonblocking(true).unwrap();
    let mut datagrams = 0;
    while silent.recv_from(&mut [0; 2048]).is_ok() {
        datagrams += 1;
    }
    assert_eq!(datagrams, 2);
    assert!(client.turns < 20, "{} turns", client.turns);
}
