//! Standard error, shared by log lines and the progress lines. Everything that is written there
//! comes through here, so that a log line never tears a progress line, and so that nothing a
//! torrent, a tracker or a peer says can move the cursor, forge a line or change a colour: control
//! characters, and what cannot be seen, are escaped on the way out.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record};
use simplelog::{ConfigBuilder, WriteLogger};

pub use crate::base::{is_unsafe, printable};

/// The progress lines on the terminal now; none if there are none. The lock also keeps two threads
/// from writing at once.
static STATUS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Erases the progress lines, before the first of which the cursor stands, and the rows below: a
/// window that was made narrower may have folded a line into several.
const ERASE: &str = "\r\x1b[J";
/// Columns and rows that are assumed for a window of unknown size.
const COLUMNS: usize = 80;
const ROWS: usize = 24;
/// What does not fit the window is cut by the terminal, not wrapped.
const WRAP_OFF: &str = "\x1b[?7l";
/// See [`WRAP_OFF`].
const WRAP_ON: &str = "\x1b[?7h";

/// Starts the log: the macros of `log`, from any thread, write lines to standard error from here
/// on.
///
/// Errors and warnings begin with the program's name; what `-v` adds begins with the time of day
/// (UTC).
pub fn init(level: LevelFilter) {
    let config = ConfigBuilder::new()
        .set_max_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .set_time_level(LevelFilter::Off)
        .build();
    let lines = Lines {
        inner: WriteLogger::new(level, config, Output::default()),
        colour: colour(),
    };
    log::set_max_level(level);
    // Only a second call fails, and then the first one's logger goes on.
    let _ = log::set_boxed_logger(Box::new(lines));
}

/// Whether standard error is a terminal on which a line can be redrawn.
pub fn terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// Whether standard error may be coloured: it is a terminal, and `NO_COLOR` is unset or empty.
pub fn colour() -> bool {
    terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The line that says why the program ends: `brooklet: WHAT: WHY`.
pub fn fatal(message: &str) {
    say(&format!(
        "{} {}",
        paint("brooklet:", RED, colour()),
        printable(message)
    ));
}

/// Writes one line above the progress lines. The text is written as it is: what comes from outside
/// has gone through [`printable()`].
pub fn say(line: &str) {
    let status = status();
    let text = if status.is_empty() {
        format!("{line}\n")
    } else {
        format!("{ERASE}{line}\n{}", drawn(&status))
    };
    put(&text);
}

/// Draws the progress lines, in place of the last ones; none takes them away. Only for a
/// [`terminal`].
pub fn draw(lines: &[String]) {
    let mut status = status();
    if *status == lines {
        return;
    }
    lines.clone_into(&mut status);
    put(&format!("{ERASE}{}", drawn(&status)));
}

/// Draws the progress lines anew, as the window may have changed.
pub fn redraw() {
    let status = status();
    if !status.is_empty() {
        put(&format!("{ERASE}{}", drawn(&status)));
    }
}

/// Columns of the terminal that may be filled: in some, the last one would begin a new row.
pub fn columns() -> usize {
    let window = rustix::termios::tcgetwinsize(io::stderr()).ok();
    let columns = window.map(|size| usize::from(size.ws_col));
    columns.filter(|&columns| columns > 0).unwrap_or(COLUMNS) - 1
}

/// Rows of the terminal.
pub fn rows() -> usize {
    let window = rustix::termios::tcgetwinsize(io::stderr()).ok();
    let rows = window.map(|size| usize::from(size.ws_row));
    rows.filter(|&rows| rows > 0).unwrap_or(ROWS)
}

const RED: u8 = 31;
const YELLOW: u8 = 33;

fn paint(text: &str, code: u8, colour: bool) -> Cow<'_, str> {
    if colour {
        Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
    } else {
        Cow::Borrowed(text)
    }
}

fn status() -> MutexGuard<'static, Vec<String>> {
    // A thread that panicked while it held the lock has not left the text half changed.
    STATUS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn drawn(status: &[String]) -> String {
    if status.is_empty() {
        return String::new();
    }
    // When a window is made narrower, the cursor moves along with the line that it is in.
    let columns = columns();
    let fitting = |line: &String| line.chars().take(columns).collect::<String>();
    let lines: Vec<String> = status.iter().map(fitting).collect();
    let back = match lines.len() - 1 {
        0 => String::new(),
        rows => format!("\x1b[{rows}A"),
    };
    format!("{WRAP_OFF}{}{WRAP_ON}{back}\r", lines.join("\r\n"))
}

fn put(text: &str) {
    // One write, so that no other process's output comes between. If it fails, there is no place
    // left to say so.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Gives each record its final text, then leaves it to simplelog.
struct Lines {
    inner: Box<WriteLogger<Output>>,
    colour: bool,
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let message = record.args().to_string();
            let text = worded(record.level(), &message, SystemTime::now(), self.colour);
            let mut line = Record::builder();
            line.metadata(record.metadata().clone());
            self.inner.log(&line.args(format_args!("{text}")).build());
        }
    }

    fn flush(&self) {}
}

fn worded(level: Level, message: &str, at: SystemTime, colour: bool) -> String {
    let message = printable(message);
    match level {
        Level::Error => format!("{} {message}", paint("brooklet:", RED, colour)),
        Level::Warn => format!("brooklet: {} {message}", paint("warning:", YELLOW, colour)),
        _ => format!("{} {message}", time_of_day(at)),
    }
}

/// Hours, minutes, seconds and milliseconds of the day, UTC: simplelog's own form stops at seconds,
/// too coarse for messages.
fn time_of_day(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs() % 86_400, since.subsec_millis());
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{millis:03}", seconds % 60)
}

/// Gathers what simplelog writes until a line is whole.
#[derive(Default)]
struct Output(Vec<u8>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        if let Some(line) = self.0.strip_suffix(b"\n") {
            say(&String::from_utf8_lossy(line));
            self.0.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_reaches_the_terminal_raw() {
        for (raw, shown) in [
            ("plain é 漢 🎵", "plain é 漢 🎵"),
            ("a\nbrooklet: forged", "a\\x0abrooklet: forged"),
            ("\x1b[2J\r\t\0\x7f", "\\x1b[2J\\x0d\\x09\\x00\\x7f"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("gpj.\u{202e}exe\u{2066}", "gpj.\\u{202e}exe\\u{2066}"),
            ("\u{2028}\u{feff}\u{200b}", "\\u{2028}\\u{feff}\\u{200b}"),
            (
                "a\u{34f}\u{3164}.\u{e0101}",
                "a\\u{34f}\\u{3164}.\\u{e0101}",
            ),
            ("❤\u{fe0f}", "❤\u{fe0f}"),
        ] {
            assert_eq!(printable(raw), shown);
        }
    }

    #[test]
    fn levels_say_what_they_are() {
        let at = UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_042);
        for (level, message, colour, line) in [
            (
                Level::Error,
                "disk: full\n",
                false,
                "brooklet: disk: full\\x0a",
            ),
            (
                Level::Warn,
                "tracker: late",
                false,
                "brooklet: warning: tracker: late",
            ),
            (Level::Info, "peer: up", false, "22:13:20.042 peer: up"),
            (Level::Debug, "\x1b", true, "22:13:20.042 \\x1b"),
            (
                Level::Warn,
                "\x1b[31m",
                true,
                "brooklet: \x1b[33mwarning:\x1b[0m \\x1b[31m",
            ),
        ] {
            assert_eq!(worded(level, message, at, colour), line);
        }
    }
}
