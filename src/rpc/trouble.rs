//! Why a request is not granted, in the words and numbers of both forms.

use crate::wire::Malformed;
use crate::wire::json::Json;

/// Why a request is not granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// It is no JSON.
    Malformed(Malformed),
    /// It is JSON, but no request.
    NoRequest(&'static str),
    /// There is no such method.
    NoMethod,
    /// Its parameters are wrong, or one is missing.
    Params(&'static str),
    /// What is to be added is no torrent, and why.
    NoTorrent(String),
    /// It was to be fetched from a server, and could not be: `WHAT: WHY`.
    Unfetched(String),
    /// It was tried and failed: `WHAT: WHY`.
    Failed(String),
}

impl Trouble {
    /// The number and the name of the error in the new form (JSON-RPC 2.0, section 5.1).
    fn error(&self) -> (i64, &'static str) {
        match self {
            Trouble::Malformed(_) => (-32700, "Parse error"),
            Trouble::NoRequest(_) => (-32600, "Invalid Request"),
            Trouble::NoMethod => (-32601, "Method not found"),
            Trouble::Params(_) => (-32602, "Invalid params"),
            Trouble::NoTorrent(_) => (4, "unrecognized info"),
            Trouble::Failed(_) => (5, "system error"),
            Trouble::Unfetched(_) => (8, "HTTP error from backend service"),
        }
    }

    /// More about it, if there is more to say.
    fn detail(&self) -> Option<String> {
        match self {
            Trouble::Malformed(why) => Some(why.to_string()),
            Trouble::NoRequest(why) | Trouble::Params(why) => Some(String::from(*why)),
            Trouble::NoMethod => None,
            Trouble::NoTorrent(why) | Trouble::Unfetched(why) | Trouble::Failed(why) => {
                Some(why.clone())
            }
        }
    }

    /// The `error` of the new form.
    pub fn json(&self) -> Json {
        let (code, message) = self.error();
        let mut members = vec![("code", Json::Whole(code))];
        if let Some(detail) = self.detail() {
            members.push(("data", Json::object([("error_string", detail.into())])));
        }
        members.push(("message", message.into()));
        Json::object(members)
    }

    /// The `result` of the old form.
    pub fn text(&self) -> String {
        match self {
            Trouble::NoMethod => String::from("no method name"),
            other => other.detail().unwrap_or_else(|| other.error().1.into()),
        }
    }
}
