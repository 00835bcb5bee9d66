//! What goes between a proxy and us before a connection can be used: the ways to prove who we are
//! that we know, the one that the proxy chooses, that proof if it wants one, what it is to do, and
//! how that went. Never more bytes are asked for than the next answer has: what follows the last is
//! not the proxy's.

use std::fmt;

use super::place::Place;

/// A user and a password, of 1 to 255 bytes each.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: Vec<u8>,
    /// The password.
    pub password: Vec<u8>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

/// What a proxy is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Connect there.
    Connect(Place),
    /// Carry our datagrams for as long as the connection lasts.
    Associate,
}

/// The course of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Greeting {
    request: Request,
    login: Option<Login>,
    step: Step,
    /// What is to be sent.
    out: Vec<u8>,
    /// What came of the next answer.
    answer: Vec<u8>,
}

/// The answer that is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// Which way to prove who we are.
    Choice,
    /// Whether that is proven.
    Proof,
    /// How the request went.
    Outcome,
}

/// Why a proxy is of no use for this, in a few words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The reason.
    pub why: String,
    /// It lies in the proxy or in our login: no other request would fare better.
    pub is_general: bool,
}

const VERSION: u8 = 5;
/// The version of the exchange of user and password.
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NONE_OF_THEM: u8 = 0xff;
/// Bytes of the last answer by which its length is known.
const OUTCOME_START: usize = 5;

impl Greeting {
    /// Begins with a proxy.
    pub fn new(login: Option<Login>, request: Request) -> Greeting {
        let out = match login {
            None => vec![VERSION, 1, NO_LOGIN],
            Some(_) => vec![VERSION, 2, NO_LOGIN, USER_AND_PASSWORD],
        };
        Greeting {
            request,
            login,
            step: Step::Choice,
            out,
            answer: Vec::new(),
        }
    }

    /// Whether the proxy was asked to connect, or is being asked: all before concerns itself alone.
    pub fn has_asked(&self) -> bool {
        self.step == Step::Outcome
    }

    /// What is to be sent now.
    pub fn unsent(&self) -> &[u8] {
        &self.out
    }

    /// So many bytes of it were sent.
    pub fn on_sent(&mut self, n: usize) {
        self.out.drain(..n.min(self.out.len()));
    }

    /// Bytes to be read next, at most: never 0.
    pub fn missing(&self) -> usize {
        let whole = match self.step {
            Step::Choice | Step::Proof => 2,
            Step::Outcome => match self.answer[..] {
                [_, _, _, kind, first, ..] => 3 + Place::length([kind, first]).unwrap_or(2),
                _ => OUTCOME_START,
            },
        };
        whole.saturating_sub(self.answer.len()).max(1)
    }

    /// Takes bytes that were read, no more than [`Greeting::missing`]. Once all is done: where the
    /// proxy says that it connects from, or takes datagrams.
    ///
    /// # Errors
    /// The proxy refuses, or does not speak SOCKS5.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Place>, Refusal> {
        self.answer.extend(bytes);
        if let Some(other) = self.answer.first().filter(|it| **it != self.version()) {
            let why = format!("it does not speak SOCKS5: it answers with a byte 0x{other:02x}");
            return Err(general(&why));
        }
        match (self.step, &self.answer[..]) {
            (Step::Choice, &[_, method]) => self.on_choice(method)?,
            (Step::Proof, [_, 0]) => self.ask(),
            (Step::Proof, [_, _]) => return Err(general("it refuses the user or the password")),
            // Some end their refusal here.
            (Step::Outcome, [_, code, ..]) if *code != 0 => {
                return Err(refused(*code, &self.request));
            }
            (Step::Outcome, answer) if answer.len() >= OUTCOME_START => {
                if Place::length([answer[3], answer[4]]).is_none() {
                    let kind = answer[3];
                    let why = format!("its answer names an address of an unknown kind ({kind})");
                    return Err(general(&why));
                }
                return Ok(Place::parse(&answer[3..]).map(|(place, _)| place));
            }
            _ => {}
        }
        Ok(None)
    }

    fn version(&self) -> u8 {
        match self.step {
            Step::Choice | Step::Outcome => VERSION,
            Step::Proof => LOGIN_VERSION,
        }
    }

    fn on_choice(&mut self, method: u8) -> Result<(), Refusal> {
        match (method, &self.login) {
            (NO_LOGIN, _) => self.ask(),
            (USER_AND_PASSWORD, Some(login)) => {
                self.out.push(LOGIN_VERSION);
                for text in [&login.user, &login.password] {
                    self.out.push(text.len() as u8);
                    self.out.extend(text);
                }
                self.answer.clear();
                self.step = Step::Proof;
            }
            (NONE_OF_THEM | USER_AND_PASSWORD, None) => {
                let why = "it wants a login: --proxy socks5://USER:PASSWORD@HOST:PORT";
                return Err(general(why));
            }
            (NONE_OF_THEM, Some(_)) => return Err(general("it takes no user and password")),
            (other, _) => {
                let why = format!("it wants a kind of login that is not supported ({other})");
                return Err(general(&why));
            }
        }
        Ok(())
    }

    fn ask(&mut self) {
        let (command, place) = match &self.request {
            Request::Connect(place) => (1, place),
            // From where is not known yet.
            Request::Associate => (3, &Place::Addr(ANYWHERE)),
        };
        self.out.extend([VERSION, command, 0]);
        place.encode(&mut self.out);
        self.answer.clear();
        self.step = Step::Outcome;
    }
}

const ANYWHERE: std::net::SocketAddr = std::net::SocketAddr::V4(std::net::SocketAddrV4::new(
    std::net::Ipv4Addr::UNSPECIFIED,
    0,
));

fn general(why: &str) -> Refusal {
    Refusal {
        why: why.to_owned(),
        is_general: true,
    }
}

/// What the codes of RFC 1928 mean.
fn refused(code: u8, request: &Request) -> Refusal {
    let why = match code {
        7 if *request == Request::Associate => "it carries no datagrams (UDP)",
        1 => "it failed",
        2 => "its rules forbid it",
        3 => "the network is unreachable from there",
        4 => "the host is unreachable from there, or its name is not known",
        5 => "the connection was refused",
        6 => "there was no answer in time",
        7 => "it does not do this",
        8 => "it does not take such an address",
        _ => {
            return Refusal {
                why: format!("it failed (code {code})"),
                is_general: false,
            };
        }
    };
    Refusal {
        why: why.to_owned(),
        is_general: false,
    }
}

#[cfg(test)]
mod tests;
