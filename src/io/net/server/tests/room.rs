//! What clients take of what all of them share.

use super::*;

#[test]
fn those_that_do_not_end_their_requests_keep_no_short_one_out() {
    let mut bench = Bench::new("half");
    let streams: Vec<UnixStream> = (0..4).map(|_| bench.client()).collect();
    let half = vec![b'x'; limits::CONTROL_BYTES / 2 - 1];
    let writers = streams[..2].iter().map(|stream| {
        let (mut stream, half) = (stream.try_clone().unwrap(), half.clone());
        std::thread::spawn(move || stream.write_all(&half))
    });
    for writer in writers.collect::<Vec<_>>() {
        bench.until("it is written", |_| writer.is_finished());
    }
    let buffered = |bench: &Bench| -> usize {
        let clients = bench.server.clients.iter();
        clients.map(|(_, (_, client))| client.buffered()).sum()
    };
    bench.until("all is read", |bench| buffered(bench) == 2 * half.len());
    // One of sixty bytes that comes in two parts.
    let (mut third, before) = (&streams[2], buffered(&bench));
    third.write_all(&[b'y'; 30]).unwrap();
    bench.until("its half is read", |bench| buffered(bench) == before + 30);
    third.write_all(&[b'y'; 30]).unwrap();
    third.write_all(b"\n").unwrap();
    let (key, request) = bench.request();
    assert_eq!(request, line(&format!("{}\n", "y".repeat(60))));
    bench.answer(key, Some("good"), Heard::Json);
    // A long one is too much.
    let mut fourth = &streams[3];
    fourth.set_nonblocking(true).unwrap();
    let mut sent = 0;
    let came = loop {
        sent += fourth.write(&[b'z'; 10_000]).unwrap_or(0);
        if let Some((_, request)) = bench.turn().pop() {
            break request;
        }
        assert!(
            sent <= 4 * limits::CONTROL_SHORT,
            "it is read without a bound"
        );
    };
    assert_eq!(came, Incoming::TooLong);
    assert!(sent > limits::CONTROL_SHORT);
}

#[test]
fn a_long_request_waits_for_those_that_are_worked_on() {
    let mut bench = Bench::new("at-work");
    bench.at_work = limits::CONTROL_BYTES;
    let (mut long, mut short) = (bench.client(), bench.client());
    let text = "x".repeat(limits::CONTROL_SHORT) + "\n";
    long.write_all(text.as_bytes()).unwrap();
    bench.until("it is held", |bench| !bench.server.held.is_empty());
    assert!(!bench.server.is_pending(), "nothing is to be done for it");
    short.write_all(b"short\n").unwrap();
    let (key, request) = bench.request();
    assert_eq!(request, line("short\n"));
    // It is not closed for being silent.
    bench.now = bench.now + limits::CONTROL_IDLE;
    bench.turn();
    assert_eq!(bench.server.clients.len(), 2);
    bench.at_work = limits::CONTROL_BYTES - text.len();
    bench.answer(key, Some("done"), Heard::Json);
    assert_eq!(bench.request().1, line(&text));
}

#[test]
fn no_request_is_begun_while_answers_are_not_taken() {
    let mut bench = Bench::new("unsent");
    let mut clients: Vec<UnixStream> = (0..3).map(|_| bench.client()).collect();
    let long = "x".repeat(limits::CONTROL_UNSENT / 2 + limits::MIB);
    let mut keys = Vec::new();
    for deaf in &mut clients[..2] {
        deaf.write_all(b"ask\n").unwrap();
        let (key, _) = bench.request();
        assert!(bench.server.takes(key));
        bench.server.send(key, long.clone(), bench.now);
        keys.push(key);
        bench.turn();
        assert!(
            !bench.server.takes(key),
            "it has more than a little to read"
        );
    }
    clients[2].write_all(b"honest\n").unwrap();
    bench.until("it is held", |bench| !bench.server.held.is_empty());
    assert_eq!(
        bench.server.next_deadline(),
        Some(bench.now + limits::CONTROL_STUCK)
    );
    // One of them reads, and waits for the rest of its answer.
    let reader = clients[0].try_clone().unwrap();
    let length = long.len() as u64;
    let reads =
        std::thread::spawn(move || io::copy(&mut reader.take(length), &mut io::sink()).unwrap());
    let (honest, request) = bench.request();
    assert_eq!(request, line("honest\n"));
    bench.until("it is read", |_| reads.is_finished());
    assert_eq!(reads.join().unwrap(), length);
    bench.until("it may have more", |bench| bench.server.takes(keys[0]));
    // It is asked for more again; the other one never reads, and goes.
    bench.server.send(keys[0], long.clone(), bench.now);
    bench.turn();
    assert!(!bench.server.takes(honest));
    bench.now = bench.now + (limits::CONTROL_STUCK - Duration::from_micros(1));
    bench.turn();
    assert_eq!(bench.server.clients.len(), 3);
    bench.now = bench.now + Duration::from_micros(1);
    bench.turn();
    let is_there = |key: ClientKey| bench.server.clients.contains(key.slot);
    assert!(!is_there(keys[1]) && is_there(honest));
    assert!(bench.server.takes(honest) && bench.server.takes(keys[1]));
}
