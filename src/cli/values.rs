//! The values of options: each reader takes the text as it was given, and says why where it is
//! none.

use std::ffi::{OsStr, OsString};
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;

use lexopt::Parser;

use super::units::{Bytes, parse_bytes};
use super::{Failure, quote, usage};
use crate::base::{Duration, limits};
use crate::io::by_url;
use crate::io::net::Proxy;
use crate::mse::Encryption;

/// The value of the option that the parser handed out last.
#[derive(Debug)]
pub struct Value<'a> {
    /// The command's name.
    pub command: &'a str,
    /// The option as it was given.
    pub option: &'a str,
    /// The parser, which stands before the value.
    pub parser: &'a mut Parser,
}

impl Value<'_> {
    /// A path: any text but none.
    ///
    /// # Errors
    /// Like all here: wrong usage, naming the option, the value and why.
    pub fn path(&mut self) -> Result<PathBuf, Failure> {
        let value = self.raw()?;
        if value.is_empty() {
            return Err(self.refused(&value, "a path cannot be empty"));
        }
        Ok(PathBuf::from(value))
    }

    /// Any UTF-8.
    pub fn text(&mut self) -> Result<String, Failure> {
        let value = self.raw()?;
        value
            .into_string()
            .map_err(|value| self.refused(&value, "this is not UTF-8"))
    }

    /// What this reader takes.
    pub fn read<T>(&mut self, reader: fn(&str) -> Result<T, String>) -> Result<T, Failure> {
        let text = self.text()?;
        reader(&text).map_err(|why| self.refused(OsStr::new(&text), &why))
    }

    /// The proxy that a URL names. Its password is not told to anybody.
    ///
    /// # Errors
    /// As [`Value::path`].
    pub fn proxy(&mut self) -> Result<Arc<Proxy>, Failure> {
        let text = self.text()?;
        let shown = || by_url::hide_login(&text);
        proxy(&text)
            .map(Arc::new)
            .map_err(|why| self.refused(OsStr::new(&shown()), &why))
    }

    fn raw(&mut self) -> Result<OsString, Failure> {
        let value = self.parser.value();
        value.map_err(|error| usage(self.command, error))
    }

    fn refused(&self, value: &OsStr, why: &str) -> Failure {
        Failure::usage(format!("{} {}: {why}", self.option, quote(value)))
    }
}

/// A port to listen on; 0 stands for any.
pub fn port(text: &str) -> Result<u16, String> {
    let port = number(text).and_then(|number| number.try_into().ok());
    port.ok_or_else(|| String::from("expected 0 to 65535"))
}

/// A number of connections.
pub fn max_peers(text: &str) -> Result<usize, String> {
    let number = number(text).and_then(|number| number.try_into().ok());
    number
        .filter(|number| (1..=limits::PEERS_MOST).contains(number))
        .ok_or_else(|| format!("expected 1 to {}", limits::PEERS_MOST))
}

/// A number of torrents.
pub fn active(text: &str) -> Result<usize, String> {
    let number = number(text).and_then(|number| number.try_into().ok());
    let number = number.filter(|number| *number > 0);
    number.ok_or_else(|| String::from("expected a number of torrents, at least 1"))
}

/// A budget in bytes.
pub fn memory(text: &str) -> Result<u64, String> {
    match parse_bytes(text)? {
        bytes if bytes >= limits::MEMORY_LEAST => Ok(bytes),
        _ => Err(format!(
            "at least {} is needed",
            Bytes(limits::MEMORY_LEAST)
        )),
    }
}

/// A limit in bytes a second.
pub fn rate(text: &str) -> Result<u64, String> {
    match parse_bytes(text.strip_suffix("/s").unwrap_or(text))? {
        0 => Err(String::from(
            "nothing would ever move: leave the option out for no limit",
        )),
        rate => Ok(rate),
    }
}

/// A limit in bytes a second, or `none` to lift it.
pub fn rate_or_none(text: &str) -> Result<Option<u64>, String> {
    if text == "none" {
        return Ok(None);
    }
    rate(text).map(Some).map_err(|why| {
        let why = why.replace("leave the option out for no limit", "say none for no limit");
        if why.starts_with("expected") {
            why + ", or none"
        } else {
            why
        }
    })
}

/// What is to be encrypted.
pub fn encryption(text: &str) -> Result<Encryption, String> {
    let named = Encryption::ALL.into_iter().find(|(name, _)| *name == text);
    let named = named.map(|(_, setting)| setting);
    named.ok_or_else(|| String::from("expected off, allow, prefer, handshake or require"))
}

/// Bytes sent per byte of content.
pub fn ratio(text: &str) -> Result<f64, String> {
    decimal(text).ok_or_else(|| String::from("expected a number such as 1.5"))
}

/// A span of time, given in minutes, or with units: `90s`, `1h30m`.
pub fn minutes(text: &str) -> Result<Duration, String> {
    let seconds = match decimal(text) {
        Some(minutes) => Some(minutes * 60.0),
        None => with_units(text),
    };
    let span = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    span.ok_or_else(|| String::from("expected minutes, or a time such as 90s or 1h30m"))
}

/// Seconds of a number and its unit, or of several in a row.
fn with_units(text: &str) -> Option<f64> {
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(char::is_alphabetic)?);
        let end = behind.find(|letter: char| !letter.is_alphabetic());
        let (unit, after) = behind.split_at(end.unwrap_or(behind.len()));
        let scale = match unit {
            "s" | "sec" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        seconds += decimal(number)? * scale;
        rest = after;
    }
    (!text.is_empty()).then_some(seconds)
}

/// A span of time to wait for, given in minutes.
pub fn patience(text: &str) -> Result<Duration, String> {
    let span = minutes(text).ok().filter(|span| !span.is_zero());
    span.ok_or_else(|| String::from("expected minutes, more than 0"))
}

/// `socks5://[USER:PASSWORD@]HOST:PORT`; some programs say `socks5h` where the proxy looks names
/// up, as it always does for us.
fn proxy(text: &str) -> Result<Proxy, String> {
    let expected = || String::from("expected socks5://[USER:PASSWORD@]HOST:PORT");
    let (scheme, rest) = text.split_once("://").ok_or_else(expected)?;
    if !["socks5", "socks5h"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err(expected());
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (login, place) = match rest.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, rest),
    };
    let (host, port) = host_and_port(place).ok_or_else(expected)?;
    Proxy::new(host, port, login)
}

/// `HOST:PORT`: the host is a name, an IPv4 address, or one of IPv6 in brackets, which are taken
/// off.
pub fn peer(text: &str) -> Result<(String, u16), String> {
    host_and_port(text)
        .ok_or_else(|| String::from("expected HOST:PORT, an IPv6 address in brackets"))
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, digits) = text.rsplit_once(':')?;
    let port = port(digits).ok().filter(|&port| port != 0)?;
    if let Some(rest) = host.strip_prefix('[') {
        let ip: Ipv6Addr = rest.strip_suffix(']')?.parse().ok()?;
        return Some((ip.to_string(), port));
    }
    let named = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
    (!host.is_empty() && host.chars().all(named)).then(|| (host.to_string(), port))
}

/// Digits only: `+5` is no number of anything here.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Digits and a point: neither `1e3` nor `inf`.
fn decimal(text: &str) -> Option<f64> {
    let plain = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let digits = text.bytes().all(plain);
    let value: f64 = digits.then(|| text.parse().ok()).flatten()?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_hosts_and_ports() {
        for (text, host, port) in [
            ("10.0.0.1:6881", "10.0.0.1", 6881),
            ("[2001:db8::1]:1", "2001:db8::1", 1),
            ("a-b.example:65535", "a-b.example", 65535),
        ] {
            assert_eq!(peer(text), Ok((host.to_string(), port)));
        }
        for bad in [
            "",
            "host",
            "host:",
            ":1",
            "h:0",
            "h:65536",
            "h:+1",
            "::1:6881",
            "[::1]",
            "[::1]6881",
            "[h]:1",
            "a b:1",
            "[1.2.3.4]:1",
            "h\n:1",
        ] {
            assert!(peer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_proxy_is_a_url() {
        for (text, shown) in [
            ("socks5://p.example:1080", "p.example:1080"),
            ("SOCKS5h://me:a%3Ab@10.0.0.1:9050/", "10.0.0.1:9050"),
            ("socks5://[::1]:1", "[::1]:1"),
        ] {
            assert_eq!(proxy(text).unwrap().to_string(), shown);
        }
        for bad in [
            "",
            "p.example:1080",
            "http://p.example:1080",
            "socks4://p.example:1080",
            "socks5://p.example",
            "socks5://me@p.example:1080",
            "socks5://:1080",
        ] {
            assert!(proxy(bad).unwrap_err().starts_with("expected"), "{bad}");
        }
    }

    #[test]
    fn encryption_is_one_of_five_words() {
        for (name, setting) in Encryption::ALL {
            assert_eq!(encryption(name), Ok(setting));
        }
        for wrong in ["", "rc4", "Off", "allow "] {
            let why = encryption(wrong).unwrap_err();
            for (name, _) in Encryption::ALL {
                assert!(why.contains(name), "{why}");
            }
        }
    }

    #[test]
    fn numbers_are_plain() {
        assert_eq!((port("0"), port("65535")), (Ok(0), Ok(65_535)));
        assert_eq!((max_peers("1"), max_peers("10000")), (Ok(1), Ok(10_000)));
        assert_eq!((ratio("0"), ratio("1.5")), (Ok(0.0), Ok(1.5)));
        for (text, seconds) in [
            ("0.5", 30),
            ("90s", 90),
            ("30m", 1_800),
            ("30min", 1_800),
            ("1h", 3_600),
            ("1h30m", 5_400),
            ("1.5h", 5_400),
            ("2d", 172_800),
        ] {
            assert_eq!(minutes(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["h", "1h30", "1 h", "1w", "-1h", "1hh", "soon"] {
            assert!(minutes(bad).is_err(), "{bad}");
        }
        for bad in [
            "", "-1", "+1", " 1", "1e1", "0x1", "inf", "NaN", ".", "1.2.3",
        ] {
            let wrong = (
                port(bad).err(),
                max_peers(bad).err(),
                ratio(bad).err(),
                minutes(bad).err(),
            );
            assert!(
                matches!(wrong, (Some(_), Some(_), Some(_), Some(_))),
                "{bad}: {wrong:?}"
            );
        }
        assert!(minutes("9".repeat(40).as_str()).is_err());
        assert!(ratio("9".repeat(400).as_str()).is_err());
    }

    #[test]
    fn a_budget_has_a_floor_and_a_limit_moves_something() {
        assert_eq!(
            (memory("1M"), memory("1023K").is_ok()),
            (Ok(1 << 20), false)
        );
        assert_eq!((rate("1"), rate("0").is_ok()), (Ok(1), false));
        assert_eq!(rate_or_none("none"), Ok(None));
        assert_eq!(rate_or_none("1K"), Ok(Some(1024)));
        assert!(
            rate_or_none("0")
                .unwrap_err()
                .ends_with("say none for no limit")
        );
        assert!(rate_or_none("x").unwrap_err().ends_with(", or none"));
        assert_eq!((rate("2MB/s"), rate("2M/s")), (Ok(2 << 20), Ok(2 << 20)));
    }
}
