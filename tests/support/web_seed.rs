//! A web seed of the test's own: it has the files of a torrent, keeps connections open, and answers
//! as it is told to.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use brooklet::wire::percent;

use super::content::Content;

/// A server on loopback, until the test ends.
pub struct WebSeed {
    /// Where it is.
    pub addr: SocketAddr,
    /// All requests so far.
    pub asked: Arc<Mutex<Vec<Request>>>,
    /// Bytes of bodies that it has sent.
    pub sent: Arc<AtomicU64>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The decoded path.
    pub path: String,
    /// As it stands.
    pub head: String,
    /// The bytes that are asked for; `None`: all.
    pub range: Option<Range<usize>>,
    /// How many came before.
    pub number: usize,
}

/// What a server does about a request.
pub enum Reply {
    /// It answers as it should.
    Honest,
    /// All of the file, whatever is asked for.
    Whole,
    /// The same in chunks, until so many bytes were sent.
    Chunked,
    /// Other bytes of this file than the torrent's.
    Wrong,
    /// It closes the connection after so many bytes of the body.
    Cut(usize),
    /// So many bytes a pause.
    Slow(usize, Duration),
    /// These bytes, after which it closes the connection.
    Raw(Vec<u8>),
    /// These bytes again and again, after the first.
    Endless(Vec<u8>, Vec<u8>),
}

/// An answer without a body.
pub fn status(line: &str, fields: &str) -> Reply {
    Reply::Raw(format!("HTTP/1.1 {line}\r\n{fields}Content-Length: 0\r\n\r\n").into_bytes())
}

impl WebSeed {
    /// Starts it with these files below `/`.
    pub fn start(
        content: &Content,
        replies: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> WebSeed {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::new(AtomicU64::new(0));
        let server = Arc::new(Server {
            content: content.clone(),
            asked: Arc::clone(&asked),
            sent: Arc::clone(&sent),
            replies: Box::new(replies),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                // A client that has heard enough hangs up.
                thread::spawn(move || server.serve(stream));
            }
        });
        WebSeed { addr, asked, sent }
    }

    /// One that answers as it should.
    pub fn honest(content: &Content) -> WebSeed {
        WebSeed::start(content, |_| Reply::Honest)
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// How many requests there were so far.
    pub fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// How many of them were for this path.
    pub fn count_of(&self, path: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|request| request.path == path).count()
    }

    /// Bytes of bodies that it has sent.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed) as usize
    }
}

struct Server {
    content: Content,
    asked: Arc<Mutex<Vec<Request>>>,
    sent: Arc<AtomicU64>,
    replies: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
}

impl Server {
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        loop {
            let request = self.read(&mut stream)?;
            let file = self.file(&request.path);
            let reply = (self.replies)(&request);
            let Some(file) = file.filter(|_| !matches!(reply, Reply::Raw(_) | Reply::Endless(..)))
            else {
                match reply {
                    Reply::Raw(bytes) => self.send(&mut stream, &bytes)?,
                    Reply::Endless(first, more) => {
                        self.send(&mut stream, &first)?;
                        loop {
                            self.send(&mut stream, &more)?;
                        }
                    }
                    _ => {
                        let gone = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone";
                        stream.write_all(gone).ok()?;
                        continue;
                    }
                }
                return None;
            };
            let ranged = match reply {
                Reply::Whole | Reply::Chunked => None,
                _ => request.range.clone(),
            };
            let body = file[ranged.clone().unwrap_or(0..file.len())].to_vec();
            let mut head = match &ranged {
                Some(range) => format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{}/{}\r\n",
                    range.start,
                    range.end - 1,
                    file.len()
                ),
                None => String::from("HTTP/1.1 200 OK\r\n"),
            };
            if let Reply::Chunked = reply {
                head += "Transfer-Encoding: chunked\r\n\r\n";
                stream.write_all(head.as_bytes()).ok()?;
                // Chunks that no block fits.
                for chunk in body.chunks(10_007) {
                    let line = format!("{:x}\r\n", chunk.len());
                    let bytes = [line.as_bytes(), chunk, b"\r\n"].concat();
                    self.send(&mut stream, &bytes)?;
                }
                stream.write_all(b"0\r\n\r\n").ok()?;
                continue;
            }
            head += &format!("Content-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).ok()?;
            match reply {
                Reply::Cut(most) => {
                    self.send(&mut stream, &body[..most.min(body.len())])?;
                    return None;
                }
                Reply::Slow(bytes, pause) => {
                    for part in body.chunks(bytes) {
                        self.send(&mut stream, part)?;
                        thread::sleep(pause);
                    }
                }
                Reply::Wrong => {
                    let wrong: Vec<u8> = body.iter().map(|byte| !byte).collect();
                    self.send(&mut stream, &wrong)?;
                }
                _ => self.send(&mut stream, &body)?,
            }
        }
    }

    fn send(&self, stream: &mut TcpStream, bytes: &[u8]) -> Option<()> {
        for part in bytes.chunks(16 * 1024) {
            stream.write_all(part).ok()?;
            self.sent.fetch_add(part.len() as u64, Ordering::Relaxed);
        }
        Some(())
    }

    fn read(&self, stream: &mut TcpStream) -> Option<Request> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return None,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        let path = String::from_utf8_lossy(&percent::decode(path)).into_owned();
        let range = head
            .lines()
            .find_map(|line| line.strip_prefix("Range: bytes="));
        let range = range.and_then(|range| range.split_once('-'));
        let range = range.map(|(first, last)| {
            let last: usize = last.parse().unwrap();
            first.parse().unwrap()..last + 1
        });
        let mut asked = self.asked.lock().unwrap();
        let request = Request {
            path,
            head,
            range,
            number: asked.len(),
        };
        asked.push(request.clone());
        Some(request)
    }

    /// The file of a path: below the torrent's name, or that itself.
    fn file(&self, path: &str) -> Option<&Vec<u8>> {
        let name = &self.content.name;
        let mut files = self.content.files.iter();
        let found = files.find(|(below, _)| match below.as_str() {
            "" => path.ends_with(&format!("/{name}")),
            below => path.ends_with(&format!("/{name}/{below}")),
        });
        found.map(|(_, bytes)| bytes)
    }
}
