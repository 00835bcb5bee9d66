//! Requests and answers in both forms: Transmission's old `{"method", "arguments", "tag"}`, and
//! JSON-RPC 2.0, which is told by its `"jsonrpc"`.

use super::names::Names;
use super::trouble::Trouble;
use crate::wire::json::{Json, read};

/// How a request is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Form {
    /// As `{"arguments", "result", "tag"}`, with the tag that came, if it is an integer.
    Old(Option<i64>),
    /// As JSON-RPC 2.0, with the id that came.
    New(Json),
    /// Not at all: JSON-RPC 2.0 without an id.
    Notification,
}

/// What is asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// The method, by its new name.
    pub method: String,
    /// The parameters, by their new names.
    pub params: Vec<(String, Json)>,
    /// The names that the answer has.
    pub names: Names,
}

/// A request and how to answer it, or why it is none.
pub type Received = (Form, Result<Request, Trouble>);

impl Request {
    /// A parameter. What is `null` counts as absent.
    pub fn param(&self, name: &str) -> Option<&Json> {
        let mut params = self.params.iter();
        let found = params.find_map(|(key, value)| (key == name).then_some(value));
        found.filter(|value| **value != Json::Null)
    }
}

impl Form {
    /// The whole answer; `None`: nothing is sent.
    pub fn answer(self, outcome: Result<Json, Trouble>) -> Option<Json> {
        match self {
            Form::Notification => None,
            Form::New(id) => {
                let (name, value) = match outcome {
                    Ok(result) => ("result", result),
                    Err(trouble) => ("error", trouble.json()),
                };
                let mut members = vec![("id", id), ("jsonrpc", "2.0".into()), (name, value)];
                members.sort_by_key(|(name, _)| *name);
                Some(Json::object(members))
            }
            Form::Old(tag) => {
                let (arguments, result) = match outcome {
                    Ok(arguments) => (arguments, String::from("success")),
                    Err(trouble) => (Json::Object(Vec::new()), trouble.text()),
                };
                let members = [("arguments", arguments), ("result", result.into())];
                let tag = tag.map(|tag| ("tag", Json::Whole(tag)));
                Some(Json::object(members.into_iter().chain(tag)))
            }
        }
    }
}

/// The requests of a text, and whether they came as a list and are answered as one.
pub fn receive(text: &[u8]) -> (Vec<Received>, bool) {
    match read(text) {
        Err(why) => (vec![refused_as(Json::Null, Trouble::Malformed(why))], false),
        Ok(Json::List(requests)) if requests.is_empty() => {
            (vec![refused("the batch is empty")], false)
        }
        Ok(Json::List(requests)) => (
            requests
                .into_iter()
                .map(|one| received(one, true))
                .collect(),
            true,
        ),
        Ok(request) => (vec![received(request, false)], false),
    }
}

/// A text that is no request.
pub fn refused(why: &'static str) -> Received {
    refused_as(Json::Null, Trouble::NoRequest(why))
}

fn refused_as(id: Json, trouble: Trouble) -> Received {
    (Form::New(id), Err(trouble))
}

/// One request; in a batch each must have the new form.
fn received(request: Json, in_batch: bool) -> Received {
    let Json::Object(members) = request else {
        return refused("a request is an object");
    };
    let mut taken = Members(members);
    match taken.take("jsonrpc") {
        Some(Json::Text(version)) if version == "2.0" => new(taken),
        Some(Json::Text(_)) => {
            let why = Trouble::NoRequest("jsonrpc is not \"2.0\"");
            refused_as(taken.take("id").unwrap_or(Json::Null), why)
        }
        _ if in_batch => refused("jsonrpc is missing, which each request of a batch has"),
        _ => old(taken),
    }
}

fn new(mut members: Members) -> Received {
    let form = match members.take("id") {
        None => Form::Notification,
        Some(id @ (Json::Null | Json::Whole(_) | Json::Real(_) | Json::Text(_))) => Form::New(id),
        Some(_) => {
            return refused("an id is a number, a text or null");
        }
    };
    let request = match (members.take("method"), members.take("params")) {
        (Some(Json::Text(method)), Some(Json::Object(params))) => Ok((method, params)),
        (Some(Json::Text(method)), None | Some(Json::Null)) => Ok((method, Vec::new())),
        (Some(Json::Text(_)), Some(_)) => Err(Trouble::Params("params is not an object")),
        _ => Err(Trouble::NoMethod),
    };
    let request = request.map(|(method, params)| Request {
        method,
        params,
        names: Names::New,
    });
    (form, request)
}

fn old(mut members: Members) -> Received {
    let names = Names::Old;
    let form = Form::Old(members.take("tag").and_then(|tag| tag.whole()));
    let Some(Json::Text(method)) = members.take("method") else {
        return (form, Err(Trouble::NoMethod));
    };
    // Clients are known that send a number where nothing is to be said.
    let params = match members.take("arguments") {
        Some(Json::Object(params)) => params,
        _ => Vec::new(),
    };
    let params = params.into_iter();
    let request = Request {
        method: names.read(&method),
        params: params
            .map(|(name, value)| (names.read(&name), value))
            .collect(),
        names,
    };
    (form, Ok(request))
}

/// The members of an object, taken out one by one.
struct Members(Vec<(String, Json)>);

impl Members {
    fn take(&mut self, name: &str) -> Option<Json> {
        let place = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.swap_remove(place).1)
    }
}
