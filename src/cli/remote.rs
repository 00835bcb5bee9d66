//! The commands' end of remote control: how the process that has a folder is found and asked.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::{Failure, quote};
use crate::io::disk::DiskError;
use crate::io::net::unix;
use crate::wire::json::{self, Json};

/// How long an answer may take: a busy disk keeps a torrent waiting that is added.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to the process that runs in a folder.
#[derive(Debug)]
pub struct Remote {
    /// The folder as it stands in messages.
    dir: String,
    stream: BufReader<UnixStream>,
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
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        match stream {
            Ok(stream) => Ok(Remote {
                dir: shown,
                stream: BufReader::new(stream),
            }),
            Err(error) if is_missing(&error) && dir.is_dir() => Err(Failure::failed(format!(
                "{shown}: no brooklet runs here: start it with brooklet run {shown}, or name the \
                 folder with -C"
            ))),
            Err(error) => Err(Failure::failed(DiskError::new(&dir, error))),
        }
    }

    /// From now on an answer may take as long as it takes.
    ///
    /// # Errors
    /// The system refuses.
    pub fn be_patient(&mut self) -> Result<(), Failure> {
        let set = self.stream.get_ref().set_read_timeout(None);
        set.map_err(|error| self.failed(&error))
    }

    /// Asks for something; what comes back is the answer's result.
    ///
    /// # Errors
    /// The connection fails, or the other end says that it cannot be done, and why.
    pub fn call(&mut self, method: &str, params: Json) -> Result<Json, Failure> {
        let request = Json::object([
            ("jsonrpc", "2.0".into()),
            ("id", Json::Whole(1)),
            ("method", method.into()),
            ("params", params),
        ]);
        let text = format!("{request}\n");
        let mut answer = String::new();
        let talk = self.stream.get_mut().write_all(text.as_bytes());
        let talk = talk.and_then(|()| self.stream.read_line(&mut answer));
        talk.map_err(|error| self.failed(&error))?;
        if answer.is_empty() {
            return Err(self.ended());
        }
        let answer =
            json::read(answer.as_bytes()).map_err(|why| self.senseless(&why.to_string()))?;
        match (answer.get("result"), answer.get("error")) {
            (Some(result), _) => Ok(result.clone()),
            (None, Some(error)) => Err(refusal(error)),
            (None, None) => Err(self.senseless("it has neither a result nor an error")),
        }
    }

    fn failed(&self, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::failed(format!(
                "{}: the brooklet that runs here does not answer",
                self.dir
            )),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => self.ended(),
            _ => Failure::failed(format!("{}: {error}", self.dir)),
        }
    }

    fn ended(&self) -> Failure {
        let dir = &self.dir;
        Failure::failed(format!(
            "{dir}: the brooklet that ran here ended before it answered"
        ))
    }

    fn senseless(&self, why: &str) -> Failure {
        let dir = &self.dir;
        Failure::failed(format!(
            "{dir}: the answer of what runs here makes no sense: {why}"
        ))
    }
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
