//! The commands' end of remote control: how the process that has a folder is found and asked.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Failure, quote};
use crate::io::disk::DiskError;
use crate::io::logging;
use crate::io::net::unix;
use crate::wire::json::{self, Json};

/// How long it may take until more of an answer comes: a busy disk keeps a torrent waiting that is
/// added.
const PATIENCE: Duration = Duration::from_secs(60);
/// After this long the user hears that there is no answer yet.
const SILENCE: Duration = Duration::from_secs(5);

/// A connection to the process that runs in a folder.
#[derive(Debug)]
pub struct Remote {
    /// The folder as it stands in messages.
    dir: String,
    stream: BufReader<UnixStream>,
    /// How long it may take until more of an answer comes; `None`: as long as it takes.
    patience: Option<Duration>,
    /// The user has heard that there is no answer yet.
    is_told: bool,
}

impl Remote {
    /// Connects to the process of this folder (none: of `$BROOKLET_DIR`, else of the current one).
    ///
    /// # Errors
    /// No process runs there, or it cannot be reached.
    pub fn connect(dir: Option<PathBuf>) -> Result<Remote, Failure> {
        let dir = dir.or_else(|| named(std::env::var_os("BROOKLET_DIR")));
        let dir = dir.unwrap_or_else(|| PathBuf::from("."));
        let shown = quote(dir.as_os_str()).into_owned();
        let stream = unix::connect(&dir).and_then(|stream| {
            stream.set_read_timeout(Some(SILENCE))?;
            stream.set_write_timeout(Some(SILENCE))?;
            Ok(stream)
        });
        match stream {
            Ok(stream) => Ok(Remote {
                dir: shown,
                stream: BufReader::new(stream),
                patience: Some(PATIENCE),
                is_told: false,
            }),
            Err(error) if is_missing(&error) && dir.is_dir() => Err(Failure::failed(format!(
                "{shown}: no brooklet runs here: start it with brooklet run {shown}, or name the \
                 folder with -C"
            ))),
            Err(error) => Err(Failure::failed(DiskError::new(&dir, error))),
        }
    }

    /// From now on an answer may take as long as it takes.
    pub fn be_patient(&mut self) {
        self.patience = None;
    }

    /// Asks for something; what comes back is the answer's result.
    ///
    /// # Errors
    /// The connection fails, or the other end says that it cannot be done, and why.
    pub fn call(&mut self, method: &str, params: Json) -> Result<Json, Failure> {
        let request = request(1, method, params);
        let answer = self.talk(&request)?;
        self.outcome(&answer)
    }

    /// Asks for the same with each of these parameters in one request, at most
    /// [`CONTROL_BATCH`](crate::base::limits::CONTROL_BATCH) of them; what comes back are the
    /// results, or why it cannot be done.
    ///
    /// # Errors
    /// The connection fails, or what comes makes no sense.
    pub fn call_all(
        &mut self,
        method: &str,
        all: Vec<Json>,
    ) -> Result<Vec<Result<Json, Failure>>, Failure> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let places = 0..all.len() as i64;
        let requests = places.clone().zip(all);
        let requests = requests.map(|(place, params)| request(place, method, params));
        let whole = self.talk(&Json::List(requests.collect()))?;
        let answers = match whole.items() {
            Some(answers) => answers,
            // It has refused the request as a whole.
            None => return Err(self.outcome(&whole).err().unwrap_or_else(|| self.lost())),
        };
        let is_of = |answer: &Json, place| answer.get("id").and_then(Json::whole) == Some(place);
        let outcome = |place| {
            let answer = answers.iter().find(|answer| is_of(answer, place));
            self.outcome(answer.ok_or_else(|| self.lost())?)
        };
        Ok(places.map(outcome).collect())
    }

    /// Sends a text, and waits for the answer.
    fn talk(&mut self, text: &Json) -> Result<Json, Failure> {
        let text = format!("{text}\n");
        let mut unsent = text.as_bytes();
        while !unsent.is_empty() {
            let sent = self.wait(|stream| match stream.get_mut().write(unsent) {
                // It takes no more, but may have said why.
                Err(error) if is_end(&error) => Ok(unsent.len()),
                other => other,
            })?;
            unsent = &unsent[sent..];
        }
        let mut answer = Vec::new();
        while answer.last() != Some(&b'\n') {
            let read = self.wait(|stream| {
                let part = stream.fill_buf()?;
                answer.extend_from_slice(part);
                let read = part.len();
                stream.consume(read);
                Ok(read)
            })?;
            if read == 0 {
                return Err(self.ended());
            }
        }
        json::read(&answer).map_err(|why| self.senseless(&why.to_string()))
    }

    /// Tries until it is done, or has taken too long.
    fn wait(
        &mut self,
        mut attempt: impl FnMut(&mut BufReader<UnixStream>) -> io::Result<usize>,
    ) -> Result<usize, Failure> {
        let begun = Instant::now();
        let is_late = |patience| begun.elapsed() >= patience;
        loop {
            match attempt(&mut self.stream) {
                Ok(done) => return Ok(done),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) && !self.patience.is_some_and(is_late) => {
                    if !std::mem::replace(&mut self.is_told, true) {
                        let dir = logging::printable(&self.dir);
                        let time = SILENCE.as_secs();
                        logging::say(&format!(
                            "{dir}: the brooklet that runs here has not answered for {time} s: \
                             waiting"
                        ));
                    }
                }
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    fn outcome(&self, answer: &Json) -> Result<Json, Failure> {
        match (answer.get("result"), answer.get("error")) {
            (Some(result), _) => Ok(result.clone()),
            (None, Some(error)) => Err(refusal(error)),
            (None, None) => Err(self.lost()),
        }
    }

    fn failed(&self, error: &io::Error) -> Failure {
        match error.kind() {
            _ if is_timeout(error) => Failure::failed(format!(
                "{}: the brooklet that runs here does not answer",
                self.dir
            )),
            _ if is_end(error) => self.ended(),
            _ => Failure::failed(format!("{}: {error}", self.dir)),
        }
    }

    fn ended(&self) -> Failure {
        let dir = &self.dir;
        Failure::failed(format!(
            "{dir}: the brooklet that ran here ended before it answered"
        ))
    }

    fn lost(&self) -> Failure {
        self.senseless("it has neither a result nor an error")
    }

    fn senseless(&self, why: &str) -> Failure {
        let dir = &self.dir;
        Failure::failed(format!(
            "{dir}: the answer of what runs here makes no sense: {why}"
        ))
    }
}

fn request(id: i64, method: &str, params: Json) -> Json {
    Json::object([
        ("jsonrpc", "2.0".into()),
        ("id", Json::Whole(id)),
        ("method", method.into()),
        ("params", params),
    ])
}

fn is_timeout(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
    kinds.contains(&error.kind())
}

/// Whether the other end has closed the connection.
fn is_end(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
    kinds.contains(&error.kind())
}

fn named(variable: Option<OsString>) -> Option<PathBuf> {
    variable
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn is_missing(error: &io::Error) -> bool {
    let missing = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
    missing.contains(&error.kind())
}

/// The other end's words, with the exit code that they stand for.
fn refusal(error: &Json) -> Failure {
    let detail = error.get("data").and_then(|data| data.get("error_string"));
    let words = detail.or_else(|| error.get("message")).and_then(Json::text);
    let words = words.unwrap_or("it cannot be done");
    match error.get("code").and_then(Json::whole) {
        Some(4) => Failure::invalid(words),
        _ => Failure::failed(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::thread;

    /// A connection with such patience, and its other end.
    fn pair(patience: Duration) -> (Remote, UnixStream) {
        let (stream, other) = UnixStream::pair().unwrap();
        let often = Some(Duration::from_millis(100));
        stream.set_read_timeout(often).unwrap();
        stream.set_write_timeout(often).unwrap();
        let remote = Remote {
            dir: "dir".into(),
            stream: BufReader::new(stream),
            patience: Some(patience),
            is_told: true,
        };
        (remote, other)
    }

    #[test]
    fn an_answer_counts_that_comes_before_all_is_sent() {
        let (mut remote, mut other) = pair(Duration::from_secs(20));
        let says = |answer: &'static str| {
            thread::spawn(move || {
                other.read_exact(&mut [0; 1000]).unwrap();
                other.write_all(answer.as_bytes()).unwrap();
            })
        };
        let long = Json::from("x".repeat(8 << 20).as_str());
        let end = says("{\"error\":{\"message\":\"too long\"}}\n");
        let answer = remote.talk(&long).unwrap();
        let failure = remote.outcome(&answer).unwrap_err();
        assert_eq!(failure.message.as_deref(), Some("too long"));
        end.join().unwrap();
        // Half an answer is none.
        let (mut remote, mut other) = pair(Duration::from_secs(20));
        other.write_all(b"{\"result\"").unwrap();
        drop(other);
        let failure = remote.talk(&long).unwrap_err();
        let ended = "dir: the brooklet that ran here ended before it answered";
        assert_eq!(failure.message.as_deref(), Some(ended));
    }

    #[test]
    fn patience_begins_anew_with_each_part_of_an_answer() {
        let (mut remote, mut other) = pair(Duration::from_secs(3));
        let slow = thread::spawn(move || {
            for part in [&b"{\"result\""[..], b":", b"1}\n"] {
                thread::sleep(Duration::from_millis(1500));
                other.write_all(part).unwrap();
            }
            other
        });
        let answer = remote.talk(&Json::Null).unwrap();
        assert_eq!(remote.outcome(&answer).unwrap(), Json::Whole(1));
        let _silent = slow.join().unwrap();
        remote.patience = Some(Duration::ZERO);
        let failure = remote.talk(&Json::Null).unwrap_err();
        let silent = "dir: the brooklet that runs here does not answer";
        assert_eq!(failure.message.as_deref(), Some(silent));
    }

    #[test]
    fn a_refusal_has_its_words_and_its_exit_code() {
        let failure = |text: &str| {
            let failure = refusal(&json::read(text.as_bytes()).unwrap());
            (failure.code, failure.message.unwrap_or_default())
        };
        let bad = r#"{"code":4,"data":{"error_string":"a: torn"},"message":"unrecognized info"}"#;
        assert_eq!(failure(bad), (3, String::from("a: torn")));
        let method = r#"{"code":-32601,"message":"Method not found"}"#;
        assert_eq!(failure(method), (1, String::from("Method not found")));
        assert_eq!(failure("{}"), (1, String::from("it cannot be done")));
    }
}
