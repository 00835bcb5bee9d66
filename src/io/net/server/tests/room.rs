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
    // A long one waits, and is not closed for being silent.
    let mut fourth = streams[3].try_clone().unwrap();
    let long = "z".repeat(20 * limits::CONTROL_SHORT);
    let text = long.clone();
    let writer = std::thread::spawn(move || fourth.write_all(text.as_bytes()));
    let most = limits::CONTROL_BYTES + 2 * limits::CONTROL_SHORT;
    let is_held = |bench: &mut Bench| {
        assert!(buffered(bench) <= most, "it is read without a bound");
        !bench.server.held.is_empty()
    };
    bench.until("it waits", is_held);
    assert!(!bench.server.is_pending(), "nothing is to be done for it");
    // Those that send nothing make room for it.
    bench.now = bench.now + limits::CONTROL_IDLE;
    bench.until("it is read", |bench| buffered(bench) == long.len());
    writer.join().unwrap().unwrap();
    assert_eq!(bench.server.clients.len(), 1);
    (&streams[3]).write_all(b"\n").unwrap();
    assert_eq!(bench.request().1, line(&(long + "\n")));
}

#[test]
fn no_request_is_refused_for_what_others_send() {
    let mut bench = Bench::new("many-long");
    bench.at_work = limits::CONTROL_BYTES;
    let line = vec![b'x'; limits::CONTROL_REQUEST - 1];
    let line: std::sync::Arc<[u8]> = [&line[..], b"\n"].concat().into();
    let mut clients = Vec::new();
    let writers = (0..5).map(|_| {
        let (mut stream, line) = (bench.client(), std::sync::Arc::clone(&line));
        clients.push(stream.try_clone().unwrap());
        std::thread::spawn(move || stream.write_all(&line))
    });
    let writers: Vec<_> = writers.collect();
    bench.until("all wait", |bench| bench.server.held.len() == clients.len());
    let held: usize = bench
        .server
        .clients
        .iter()
        .map(|it| it.1.1.buffered())
        .sum();
    assert!(held <= limits::CONTROL_BYTES + limits::CONTROL_REQUEST);
    // One is begun when another ends.
    bench.at_work = limits::CONTROL_BYTES - line.len();
    bench.server.make_held_ready();
    let (mut begun, deadline) = (0, Instant::now() + DEADLINE);
    while begun < clients.len() {
        assert!(Instant::now() < deadline, "begun: {begun}");
        for (key, request) in bench.turn() {
            assert!(request == Incoming::Request(line.to_vec()));
            bench.answer(key, Some("done"), Heard::Json);
            begun += 1;
        }
    }
    for writer in writers {
        writer.join().unwrap().unwrap();
    }
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
    // Nor does it make room for others.
    let more: Vec<UnixStream> = (0..limits::CONTROL_CLIENTS)
        .map(|_| bench.client())
        .collect();
    bench.until("they have come", |bench| {
        bench.server.serial as usize == 2 + more.len()
    });
    assert_eq!(bench.server.clients.len(), limits::CONTROL_CLIENTS);
    assert_eq!(bench.server.held.len(), 1);
    bench.at_work = limits::CONTROL_BYTES - text.len();
    bench.answer(key, Some("done"), Heard::Json);
    assert_eq!(bench.request().1, line(&text));
}

#[test]
fn no_request_is_begun_while_answers_are_not_taken() {
    let mut bench = Bench::new("unsent");
    let mut clients: Vec<UnixStream> = (0..4).map(|_| bench.client()).collect();
    let long = "x".repeat(limits::CONTROL_UNSENT / 2 + limits::MIB);
    let mut keys = Vec::new();
    // The one that has most to read counts for nothing.
    for (deaf, times) in clients[..3].iter_mut().zip([4, 1, 1]) {
        deaf.write_all(b"ask\n").unwrap();
        let (key, _) = bench.request();
        assert!(bench.server.takes(key));
        for _ in 0..times {
            bench.server.send(key, long.clone(), bench.now);
        }
        keys.push(key);
        bench.turn();
        assert!(
            !bench.server.takes(key),
            "it has more than a little to read"
        );
    }
    keys.remove(0);
    clients[3].write_all(b"honest\n").unwrap();
    bench.until("it is held", |bench| !bench.server.held.is_empty());
    assert_eq!(
        bench.server.next_deadline(),
        Some(bench.now + limits::CONTROL_STUCK)
    );
    // One of the others reads half of its answer, then the rest, and waits for more.
    let half = long.len() as u64 / 2;
    let read = || {
        let reader = clients[1].try_clone().unwrap();
        std::thread::spawn(move || io::copy(&mut reader.take(half), &mut io::sink()).unwrap())
    };
    let reads = read();
    let (honest, request) = bench.request();
    assert_eq!(request, line("honest\n"));
    bench.until("half is read", |_| reads.is_finished());
    assert_eq!(reads.join().unwrap(), half);
    let kept = bench.server.clients[keys[0].slot].1.unsent() as u64;
    assert!(kept <= half, "what is sent does not count");
    let reads = read();
    bench.until("it is read", |_| reads.is_finished());
    assert_eq!(reads.join().unwrap(), half);
    bench.until("it may have more", |bench| bench.server.takes(keys[0]));
    // It is asked for more again; the other one never reads, and goes.
    bench.server.send(keys[0], long.clone(), bench.now);
    bench.turn();
    assert!(!bench.server.takes(honest));
    bench.now = bench.now + (limits::CONTROL_STUCK - Duration::from_micros(1));
    bench.turn();
    assert_eq!(bench.server.clients.len(), 4);
    bench.now = bench.now + Duration::from_micros(1);
    bench.turn();
    let is_there = |key: ClientKey| bench.server.clients.contains(key.slot);
    assert!(!is_there(keys[1]) && is_there(honest));
    assert!(bench.server.takes(honest) && bench.server.takes(keys[1]));
}
