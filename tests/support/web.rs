//! A web server of the test's own: each path has an answer, given byte for byte.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server on loopback, until the test ends.
#[derive(Debug)]
pub struct Web {
    /// Where it is.
    pub addr: SocketAddr,
    /// The heads of all requests so far.
    pub asked: Arc<Mutex<Vec<String>>>,
}

/// A whole answer with a body.
pub fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// An answer that leads elsewhere.
pub fn redirect(location: &str) -> Vec<u8> {
    answer("302 Found", &format!("Location: {location}\r\n"), b"")
}

impl Web {
    /// Starts it. `answers` is given the path of a request and the server's address.
    pub fn start(answers: impl Fn(&str, SocketAddr) -> Vec<u8> + Send + 'static) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heads = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &heads, |path| answers(path, addr));
            }
        });
        Web { addr, asked }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

fn serve(mut stream: TcpStream, heads: &Mutex<Vec<String>>, answers: impl Fn(&str) -> Vec<u8>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_string();
    heads.lock().unwrap().push(head);
    // A client that has heard enough hangs up.
    let _ = stream.write_all(&answers(&path));
}
