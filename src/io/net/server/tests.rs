mod room;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use super::*;
use crate::base::limits;

const TOKENS: Range<usize> = 100..101 + limits::CONTROL_CLIENTS;
/// What nothing here takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// A server in a folder of its own.
struct Bench {
    poll: Poll,
    server: Server,
    now: Time,
    /// Bytes of requests that are being worked on.
    at_work: usize,
    dir: Folder,
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("brooklet-server-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(dir: &Path, poll: &Poll) -> Result<Server, String> {
    Server::open(dir, poll.registry(), TOKENS)
}

impl Bench {
    fn new(name: &str) -> Bench {
        let (poll, dir) = (Poll::new().unwrap(), Folder::new(name));
        Bench {
            server: open(&dir.0, &poll).unwrap(),
            poll,
            now: Time::default(),
            at_work: 0,
            dir,
        }
    }

    fn client(&self) -> UnixStream {
        let stream = unix::connect(&self.dir.0).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// A turn of the loop: what came.
    fn turn(&mut self) -> Vec<(ClientKey, Incoming)> {
        let mut events = Events::with_capacity(64);
        let patience = if self.server.is_pending() { 0 } else { 20 };
        let _ = self
            .poll
            .poll(&mut events, Some(Duration::from_millis(patience)));
        for event in &events {
            self.server.on_event(event);
        }
        let mut came = Vec::new();
        let registry = self.poll.registry();
        while let Some(one) = self.server.next_request(registry, self.at_work, self.now) {
            came.push(one);
        }
        self.server.sweep(self.poll.registry(), self.now);
        came
    }

    /// The next request.
    fn request(&mut self) -> (ClientKey, Incoming) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let mut came = self.turn();
            assert!(came.len() <= 1, "{} at one time", came.len());
            if let Some(one) = came.pop() {
                return one;
            }
            assert!(Instant::now() < deadline, "no request");
        }
    }

    /// Answers a request.
    fn answer(&mut self, key: ClientKey, text: Option<&str>, heard: Heard) {
        let text = text.map(String::from);
        self.server.answer(key, text, heard, self.now);
    }

    /// Turns until this is so.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Bench) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "never: {what}");
            self.turn();
        }
    }
}

fn line(text: &str) -> Incoming {
    Incoming::Request(text.as_bytes().to_vec())
}

/// What comes until the end.
fn rest(mut stream: &UnixStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_folder_has_one_process_and_its_socket_one_user() {
    let bench = Bench::new("place");
    let dir = bench.dir.0.clone();
    let path = dir.join("control");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let other = Poll::new().unwrap();
    let refused = open(&dir, &other).unwrap_err();
    assert!(
        refused.ends_with("another brooklet runs here already"),
        "{refused}"
    );
    assert!(
        unix::connect(&dir).is_ok(),
        "the socket in use is left alone"
    );
    let Bench {
        server,
        dir: folder,
        ..
    } = bench;
    drop(server);
    assert!(!path.exists());
    // What a dead process left behind is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let refused = unix::connect(&dir).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let server = open(&dir, &other).unwrap();
    assert!(unix::connect(&dir).is_ok());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "no draft is left");
    drop(server);
    // What is no socket is somebody's.
    fs::write(&path, "mine").unwrap();
    let refused = open(&dir, &other).unwrap_err();
    assert!(
        refused.ends_with("this is no socket: move it away"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    let missing = unix::connect(&dir.join("none")).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    drop(folder);
}

#[test]
fn a_long_path_is_no_obstacle() {
    let folder = Folder::new("long");
    let dir = folder.0.join("x".repeat(120));
    fs::create_dir(&dir).unwrap();
    let poll = Poll::new().unwrap();
    let server = open(&dir, &poll).unwrap();
    assert!(unix::connect(&dir).is_ok());
    drop(server);
    assert_eq!(
        unix::connect(&dir).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
}

#[test]
fn a_request_is_a_line_and_waits_for_the_answer_of_the_last() {
    let mut bench = Bench::new("lines");
    let mut stream = bench.client();
    stream.write_all(b"{\"a\"").unwrap();
    bench.until("the client is there", |bench| {
        bench.server.clients.len() == 1
    });
    assert_eq!(bench.turn(), []);
    stream.write_all(b":1}\n\n \nsecond\nlast").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let (key, first) = bench.request();
    assert_eq!(first, line("{\"a\":1}\n"));
    assert_eq!(bench.turn(), [], "one at a time");
    bench.answer(key, Some("one"), Heard::Json);
    assert_eq!(bench.request(), (key, line("second\n")));
    bench.answer(key, None, Heard::Json);
    assert_eq!(bench.request(), (key, line("last")));
    bench.answer(key, Some("three"), Heard::Json);
    bench.until("all is said", |bench| bench.server.clients.is_empty());
    assert_eq!(rest(&stream), "one\nthree\n");
    // Whoever comes next in the same place does not get its answers.
    let next = bench.client();
    next.shutdown(Shutdown::Write).unwrap();
    bench.answer(key, Some("late"), Heard::Json);
    bench.until("it has come and gone", |bench| {
        bench.server.serial == 2 && bench.server.clients.is_empty()
    });
    assert_eq!(rest(&next), "");
}

#[test]
fn a_client_is_closed_after_its_last_answer() {
    let mut bench = Bench::new("garbage");
    let mut stream = bench.client();
    stream.write_all(b"garbage\nmore garbage\n").unwrap();
    let (key, _) = bench.request();
    bench.answer(key, Some("error"), Heard::Unread);
    bench.until("it is closed", |bench| bench.server.clients.is_empty());
    let mut text = String::new();
    // The rest of its bytes were not read, so the end may be a reset.
    let _ = stream.read_to_string(&mut text);
    assert_eq!(text, "error\n");
}

#[test]
fn a_client_may_send_a_line_that_is_no_json_but_not_only_such() {
    let mut bench = Bench::new("only-garbage");
    let stream = bench.client();
    let mut answer = |heard| {
        (&stream).write_all(b"line\n").unwrap();
        let (key, _) = bench.request();
        bench.answer(key, Some("answer"), heard);
    };
    for _ in 0..limits::CONTROL_GARBAGE - 1 {
        answer(Heard::Garbage);
    }
    answer(Heard::Json);
    for _ in 0..limits::CONTROL_GARBAGE {
        answer(Heard::Garbage);
    }
    bench.until("it is closed", |bench| bench.server.clients.is_empty());
    assert_eq!(
        rest(&stream),
        "answer\n".repeat(2 * limits::CONTROL_GARBAGE)
    );
}

#[test]
fn a_request_has_its_length() {
    let mut bench = Bench::new("long-request");
    let longest = vec![b'x'; limits::CONTROL_REQUEST];
    let write = |stream: &UnixStream, bytes: &[u8]| {
        let (mut stream, bytes) = (stream.try_clone().unwrap(), bytes.to_vec());
        std::thread::spawn(move || stream.write_all(&bytes))
    };
    let stream = bench.client();
    let writer = write(&stream, &[&longest, &b"\n"[..]].concat());
    let (key, first) = bench.request();
    assert_eq!(first, Incoming::Request([&longest, &b"\n"[..]].concat()));
    writer.join().unwrap().unwrap();
    bench.answer(key, None, Heard::Json);
    let more = vec![b'x'; longest.len() + 1];
    let writer = write(&stream, &more);
    assert_eq!(bench.request(), (key, Incoming::TooLong));
    bench.answer(key, Some("too long"), Heard::Unread);
    bench.until("it is closed", |bench| bench.server.clients.is_empty());
    writer.join().unwrap().unwrap();
}

#[test]
fn a_client_that_hangs_up_is_known_and_its_request_is_read() {
    let mut bench = Bench::new("gone");
    let mut stream = bench.client();
    stream.write_all(b"first\nsecond\n").unwrap();
    let (key, _) = bench.request();
    assert!(bench.server.has(key));
    stream.shutdown(Shutdown::Write).unwrap();
    bench.turn();
    assert!(bench.server.has(key), "it may still read");
    drop(stream);
    bench.until("it is gone", |bench| !bench.server.has(key));
    bench.answer(key, None, Heard::Json);
    assert_eq!(bench.request(), (key, line("second\n")));
}

#[test]
fn a_client_that_never_reads_delays_no_other_and_is_closed() {
    let mut bench = Bench::new("deaf");
    let mut deaf = bench.client();
    deaf.write_all(b"first\nsecond\n").unwrap();
    let (key, _) = bench.request();
    bench.answer(key, Some(&"x".repeat(4 * limits::MIB)), Heard::Json);
    assert_eq!(bench.turn(), [], "its second request waits");
    let mut other = bench.client();
    other.write_all(b"hello\n").unwrap();
    let (other_key, request) = bench.request();
    assert_eq!(request, line("hello\n"));
    bench.answer(other_key, Some("hello"), Heard::Json);
    bench.turn();
    assert_eq!(
        bench.server.next_deadline(),
        Some(Time::default() + limits::CONTROL_IDLE)
    );
    bench.now = Time::default() + (limits::CONTROL_IDLE - Duration::from_micros(1));
    bench.turn();
    assert_eq!(bench.server.clients.len(), 2);
    other.write_all(b"again\n").unwrap();
    let (other_key, _) = bench.request();
    bench.now = Time::default() + limits::CONTROL_IDLE;
    bench.turn();
    assert_eq!(
        bench.server.clients.len(),
        1,
        "the one that waits for our answer stays"
    );
    bench.answer(other_key, Some("again"), Heard::Json);
    bench.turn();
    other.shutdown(Shutdown::Write).unwrap();
    bench.until("both are gone", |bench| bench.server.clients.is_empty());
    assert_eq!(rest(&other), "hello\nagain\n");
    assert!(!bench.server.is_pending());
    assert_eq!(bench.server.next_deadline(), None);
}

#[test]
fn the_client_that_was_silent_for_the_longest_time_makes_room() {
    let mut bench = Bench::new("crowd");
    let mut first = bench.client();
    bench.until("it is there", |bench| bench.server.clients.len() == 1);
    bench.now = bench.now + Duration::from_secs(1);
    let mut others: Vec<UnixStream> = Vec::new();
    for number in 2..=limits::CONTROL_CLIENTS {
        others.push(bench.client());
        bench.until("it is there", |bench| bench.server.clients.len() == number);
    }
    bench.now = bench.now + Duration::from_secs(1);
    first.write_all(b"here\n").unwrap();
    let (key, _) = bench.request();
    bench.answer(key, Some("here"), Heard::Json);
    bench.turn();
    let one_more = bench.client();
    bench.until("it has come", |bench| {
        bench.server.serial as usize == limits::CONTROL_CLIENTS + 1
    });
    assert_eq!(bench.server.clients.len(), limits::CONTROL_CLIENTS);
    first.shutdown(Shutdown::Write).unwrap();
    bench.until("it has gone", |bench| {
        bench.server.clients.len() < limits::CONTROL_CLIENTS
    });
    assert_eq!(rest(&first), "here\n");
    drop(one_more);
    let gone = |mut stream: &UnixStream| {
        stream.set_nonblocking(true).unwrap();
        matches!(stream.read(&mut [0]), Ok(0))
    };
    assert_eq!(others.iter().filter(|stream| gone(stream)).count(), 1);
}
