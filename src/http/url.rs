//! URLs of trackers (RFC 3986), as far as trackers use them: `http` and `udp`, names and addresses,
//! and the relative locations that HTTP redirects to. Whatever a torrent or a tracker writes there,
//! a parsed URL is safe to put in an HTTP head: spaces, control characters and what is not ASCII
//! come out percent-encoded, and a host is letters, digits, `.`, `-` and `_` only.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv6Addr};

use crate::base::limits;

/// How a tracker is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// HTTP over TCP (BEP 3).
    Http,
    /// HTTP over TLS.
    Https,
    /// UDP (BEP 15).
    Udp,
}

/// A URL, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    /// How.
    pub scheme: Scheme,
    /// User and password, `user:password`, still percent-encoded.
    pub login: Option<String>,
    /// A name or an address; an IPv6 address without its brackets.
    pub host: String,
    /// The port, the scheme's own if none was named.
    pub port: u16,
    /// Path and query. Begins with `/`.
    pub target: String,
}

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// What is said of a URL with `https` by a build that lacks it.
pub const NO_HTTPS: &str = "this build lacks https (cargo build --release --features https has it)";

impl Url {
    /// Reads an absolute URL; white space around it is ignored, the fragment left out.
    ///
    /// # Errors
    /// Why it cannot be used, in a few words.
    pub fn parse(text: &str) -> Result<Url, String> {
        let text = text.trim();
        if text.len() > limits::URL_BYTES {
            return Err(format!("longer than {} bytes", limits::URL_BYTES));
        }
        let (scheme, rest) = text.split_once("://").ok_or("not a URL")?;
        let scheme = known_scheme(scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login.to_owned()), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        let port = match (port, scheme) {
            (Some(port), _) => port,
            (None, Scheme::Http) => HTTP_PORT,
            (None, Scheme::Https) => HTTPS_PORT,
            (None, Scheme::Udp) => return Err(String::from("the port is missing")),
        };
        let target = visible(target);
        Ok(Url {
            scheme,
            login,
            host,
            port,
            target,
        })
    }

    /// The URL that a redirect from this one leads to: an absolute URL, or one relative to this
    /// (RFC 3986, section 5.2).
    ///
    /// # Errors
    /// Why it cannot be followed.
    pub fn join(&self, location: &str) -> Result<Url, String> {
        let location = location.trim();
        if has_scheme(location) {
            let mut url = Url::parse(location)?;
            if url.scheme == Scheme::Udp {
                return Err(String::from("not an http URL"));
            }
            let place = |url: &Url| (url.scheme, url.host.clone(), url.port);
            if url.login.is_none() && place(&url) == place(self) {
                url.login.clone_from(&self.login);
            }
            return Ok(url);
        }
        if location.starts_with("//") {
            return self.join(&format!("{}:{location}", self.scheme.name()));
        }
        let (path, query) = location.split_at(location.find(['?', '#']).unwrap_or(location.len()));
        let own = self.target.split('?').next().unwrap_or_default();
        let target = match path {
            "" if query.is_empty() || query.starts_with('#') => self.target.clone(),
            "" => format!("{own}{query}"),
            _ if path.starts_with('/') => format!("{}{query}", without_dots(path)),
            _ => {
                let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{}{query}", without_dots(&format!("{folder}/{path}")))
            }
        };
        let target = visible(&target);
        Ok(Url {
            target,
            ..self.clone()
        })
    }

    /// The name that the server's certificate must have, if TLS is spoken.
    pub fn tls(&self) -> Option<&str> {
        (self.scheme == Scheme::Https).then_some(&self.host)
    }

    /// The address, if the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Host and port, as a `Host` header has them.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.scheme, self.port) {
            (Scheme::Http, HTTP_PORT) | (Scheme::Https, HTTPS_PORT) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.name();
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

impl Scheme {
    /// As URLs begin with it.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Udp => "udp",
        }
    }
}

fn known_scheme(scheme: &str) -> Result<Scheme, String> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(Scheme::Http),
        "udp" => Ok(Scheme::Udp),
        "https" if cfg!(feature = "https") => Ok(Scheme::Https),
        "https" => Err(String::from(NO_HTTPS)),
        "ws" | "wss" => Err(String::from(
            "trackers for browsers (ws, wss) are not supported",
        )),
        _ => Err(format!("unknown scheme {scheme:?}")),
    }
}

fn host_and_port(place: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or("a bracket is missing")?;
            host.parse::<Ipv6Addr>()
                .map_err(|_| format!("[{host}] is not an IPv6 address"))?;
            (host, behind.strip_prefix(':').ok_or(behind))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Ok(port)),
            None => (place, Err("")),
        },
    };
    let port = match port {
        Ok("") | Err("") => None,
        Ok(digits) => Some(parse_port(digits)?),
        Err(junk) => return Err(format!("{junk:?} is not a port")),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    match host {
        "" => Err(String::from("the host is missing")),
        host if !host.bytes().all(plain) => Err(format!("{host:?} is not a host name")),
        host => Ok((host.to_ascii_lowercase(), port)),
    }
}

fn parse_port(digits: &str) -> Result<u16, String> {
    let number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = number.then(|| digits.parse().ok()).flatten();
    port.filter(|&port| port != 0)
        .ok_or_else(|| format!("{digits:?} is not a port"))
}

/// Whether a reference begins with a scheme: a letter, then letters, digits, `+`, `-`, `.`, up to a
/// colon.
fn has_scheme(reference: &str) -> bool {
    let (scheme, _) = reference.split_once(':').unwrap_or_default();
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(rest)
}

/// Path and query as a request may carry them: begun by `/`, without fragment, nothing invisible in
/// it.
fn visible(target: &str) -> String {
    let target = target.split('#').next().unwrap_or_default();
    let mut out = String::with_capacity(target.len() + 1);
    if !target.starts_with('/') {
        out.push('/');
    }
    if target.bytes().all(|byte| byte.is_ascii_graphic()) {
        out.push_str(target);
        return out;
    }
    for byte in target.bytes() {
        if byte.is_ascii_graphic() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// RFC 3986, section 5.2.4: `.` and `..` are followed, never above the root.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            ".." => drop(kept.pop()),
            "." => {}
            _ => kept.push(part),
        }
        if last && matches!(part, "." | "..") {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Scheme, String, u16, String) {
        let url = Url::parse(text).unwrap();
        (url.scheme, url.host, url.port, url.target)
    }

    #[test]
    fn urls_are_taken_apart() {
        for (text, scheme, host, port, target) in [
            (
                "http://a.example/announce",
                Scheme::Http,
                "a.example",
                80,
                "/announce",
            ),
            (
                " HTTP://A.Example:6969/x?k=1#f\n",
                Scheme::Http,
                "a.example",
                6969,
                "/x?k=1",
            ),
            ("http://h:/", Scheme::Http, "h", 80, "/"),
            ("http://h", Scheme::Http, "h", 80, "/"),
            ("http://h?q=/@:", Scheme::Http, "h", 80, "/?q=/@:"),
            (
                "http://[2001:DB8::1]/a",
                Scheme::Http,
                "2001:db8::1",
                80,
                "/a",
            ),
            ("udp://[::1]:6969", Scheme::Udp, "::1", 6969, "/"),
            ("udp://h:1/announce", Scheme::Udp, "h", 1, "/announce"),
        ] {
            let expected = (scheme, String::from(host), port, String::from(target));
            assert_eq!(parsed(text), expected, "{text}");
        }
        let login = Url::parse("http://me:p%40ss@h/").unwrap();
        assert_eq!(login.login.as_deref(), Some("me:p%40ss"));
    }

    #[test]
    fn nothing_invisible_gets_into_a_request() {
        let url = Url::parse("http://h/a b\r\nHost: evil\t\u{e9}?q=\u{0}").unwrap();
        assert_eq!(url.target, "/a%20b%0D%0AHost:%20evil%09%C3%A9?q=%00");
        for bad in [
            "http://a b/",
            "http://a\r\nHost:b/",
            "http://\u{e9}.example/",
            "http://h\0/",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for (text, why) in [
            ("", "not a URL"),
            ("announce", "not a URL"),
            (
                "wss://h",
                "trackers for browsers (ws, wss) are not supported",
            ),
            ("ftp://h/", "unknown scheme \"ftp\""),
            ("udp://h", "the port is missing"),
            ("http://", "the host is missing"),
            ("http://:80/", "the host is missing"),
            ("http://h:0/", "\"0\" is not a port"),
            ("http://h:65536/", "\"65536\" is not a port"),
            ("http://h:+1/", "\"+1\" is not a port"),
            ("http://[::1/", "a bracket is missing"),
            ("http://[h]/", "[h] is not an IPv6 address"),
            ("http://[::1]80/", "\"80\" is not a port"),
            ("http://::1/", "\":1\" is not a port"),
        ] {
            assert_eq!(Url::parse(text), Err(String::from(why)), "{text}");
        }
        let long = format!("http://h/{}", "x".repeat(limits::URL_BYTES));
        assert_eq!(
            Url::parse(&long),
            Err(String::from("longer than 4096 bytes"))
        );
    }

    /// The examples of RFC 3986, section 5.4, that lead to `http`.
    #[test]
    fn references_are_resolved_as_in_rfc_3986() {
        let base = Url::parse("http://a/b/c/d;p?q").unwrap();
        for (reference, url) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            (";x", "http://a/b/c/;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g..", "http://a/b/c/g.."),
            ("./g/.", "http://a/b/c/g/"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("http://h:81/x", "http://h:81/x"),
        ] {
            let joined = base.join(reference).map(|url| url.to_string());
            assert_eq!(joined.as_deref(), Ok(url), "{reference}");
        }
        for bad in ["udp://h:1/", "wss://h/", "mailto:x", "g:h"] {
            assert!(base.join(bad).is_err(), "{bad}");
        }
    }

    /// A build has it or not.
    #[test]
    fn https_is_another_scheme_with_a_port_of_its_own() {
        let text = "https://me:secret@h/announce";
        let base = match Url::parse(text) {
            Err(why) => {
                assert!(!cfg!(feature = "https") && why == NO_HTTPS, "{why}");
                return;
            }
            Ok(url) => url,
        };
        assert_eq!((base.port, base.tls()), (443, Some("h")));
        assert_eq!(base.to_string(), "https://h/announce");
        assert_eq!(
            base.join("//other/x").unwrap().to_string(),
            "https://other/x"
        );
        let login = |location| base.join(location).unwrap().login;
        assert_eq!(login("/x").as_deref(), Some("me:secret"));
        // Whoever listens on the way would have it.
        assert_eq!(login("http://h:443/x"), None);
        let plain = Url::parse("http://h/").unwrap();
        assert_eq!(
            (plain.tls(), plain.join("https://h/").unwrap().port),
            (None, 443)
        );
    }

    #[test]
    fn a_password_stays_with_its_host() {
        let base = Url::parse("http://me:secret@h:81/announce").unwrap();
        let login = |location| base.join(location).unwrap().login;
        assert_eq!(login("/x").as_deref(), Some("me:secret"));
        assert_eq!(login("http://h:81/x").as_deref(), Some("me:secret"));
        assert_eq!(login("http://you@h:81/x").as_deref(), Some("you"));
        assert_eq!(login("http://h/x"), None);
        assert_eq!(login("http://other:81/x"), None);
    }

    #[test]
    fn a_host_header_has_brackets_and_only_an_unusual_port() {
        let authority = |text| Url::parse(text).unwrap().authority();
        assert_eq!(authority("http://h:80/"), "h");
        assert_eq!(authority("http://h:6969/"), "h:6969");
        assert_eq!(authority("http://[::1]:81/"), "[::1]:81");
        assert_eq!(authority("http://[::1]/"), "[::1]");
    }
}
