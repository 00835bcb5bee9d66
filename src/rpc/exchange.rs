//! One text, what is done about it, and its answer.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::action::{Action, Add, Added};
use super::methods::{Memory, added};
use super::names::Names;
use super::request::{Form, Received, Request, receive, refused};
use super::trouble::Trouble;
use super::world::World;
use crate::base::limits;
use crate::session::Command;
use crate::wire::json::Json;

/// One text and its answer in the making.
#[derive(Debug)]
pub struct Exchange {
    waiting: VecDeque<Received>,
    /// How to answer the request whose commands are being performed.
    open: Option<Form>,
    /// Torrents that are being added, in the order of their requests.
    adding: Vec<Adding>,
    /// The text of answers that was not taken yet.
    text: String,
    /// Answers so far, and their bytes.
    answers: usize,
    answered: usize,
    is_batch: bool,
    heard: Heard,
    weight: usize,
}

/// A request for a torrent that is being added.
#[derive(Debug)]
struct Adding {
    form: Form,
    names: Names,
    outcome: Option<Result<Added, Trouble>>,
}

/// What a client's line was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// JSON, whether it makes sense or not.
    Json,
    /// No JSON.
    Garbage,
    /// It was not read to its end, so what follows it cannot be trusted.
    Unread,
}

/// What is to be done next.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// Perform these, then tell by [`Exchange::performed`].
    Command(Vec<Command>),
    /// Add these torrents, then tell of each by [`Exchange::added`]: they are counted from 0.
    Add(Vec<(usize, Add)>),
    /// Send this text: more is to be done.
    Part(String),
    /// Send this text, if any: all is done.
    Answer(Option<String>),
}

impl Exchange {
    /// The exchange that a text asks for: one request or a batch of them.
    pub fn new(text: &[u8]) -> Exchange {
        let (mut requests, mut is_batch) = receive(text);
        if requests.len() > limits::CONTROL_BATCH {
            requests = vec![refused("too many requests in a batch")];
            is_batch = false;
        }
        let mut exchange = Exchange::of(requests, is_batch);
        exchange.weight = text.len();
        exchange
    }

    /// Answers a text that is not read, and why.
    pub fn refuse(why: &'static str) -> Exchange {
        let mut exchange = Exchange::of(vec![refused(why)], false);
        exchange.heard = Heard::Unread;
        exchange
    }

    fn of(requests: Vec<Received>, is_batch: bool) -> Exchange {
        let malformed = |(_, request): &Received| matches!(request, Err(Trouble::Malformed(_)));
        let is_garbage = requests.iter().any(malformed);
        Exchange {
            heard: if is_garbage {
                Heard::Garbage
            } else {
                Heard::Json
            },
            waiting: requests.into(),
            open: None,
            adding: Vec::new(),
            text: String::new(),
            answers: 0,
            answered: 0,
            is_batch,
            weight: 0,
        }
    }

    /// What the text was.
    pub fn heard(&self) -> Heard {
        self.heard
    }

    /// Bytes of the text: what it asks for is in memory until all of it is done.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// What is to be done next: one request is answered, or all torrents are added that stand in a
    /// row. The outcome of the last step must be told first.
    pub fn next(&mut self, memory: &mut Memory, world: World<'_>) -> Step {
        self.end_row();
        let mut adds = Vec::new();
        while let Some((form, request)) = self.waiting.pop_front() {
            let is_add = matches!(&request, Ok(request) if request.method == "torrent_add");
            if !is_add && !self.adding.is_empty() {
                // It sees what the torrents before it have become.
                self.waiting.push_front((form, request));
                break;
            }
            let names = request.as_ref().map_or(Names::New, |request| request.names);
            let mut adding = |outcome| {
                self.adding.push(Adding {
                    form: form.clone(),
                    names,
                    outcome,
                });
            };
            let is_full = self.answered > limits::CONTROL_ANSWER;
            match act(request, is_full, memory, world) {
                Ok(Action::Command(commands)) => {
                    self.open = Some(form);
                    return Step::Command(commands);
                }
                Ok(Action::Add(add)) => {
                    adding(None);
                    adds.push((self.adding.len() - 1, add));
                }
                Err(trouble) if is_add => adding(Some(Err(trouble))),
                Ok(Action::Answer(answer)) => {
                    self.answer(form, Ok(answer));
                    break;
                }
                Err(trouble) => {
                    self.answer(form, Err(trouble));
                    break;
                }
            }
        }
        if !adds.is_empty() {
            return Step::Add(adds);
        }
        self.end_row();
        let mut text = std::mem::take(&mut self.text);
        if !self.waiting.is_empty() {
            return Step::Part(text);
        }
        if self.is_batch && self.answers > 0 {
            text.push(']');
        }
        Step::Answer((self.answers > 0).then_some(text))
    }

    /// The commands of the last step were performed. `refused`: those that were not, and why, a
    /// line each.
    pub fn performed(&mut self, refused: &[String]) {
        let outcome = match refused {
            [] => Ok(Json::Object(Vec::new())),
            [only] => Err(Trouble::Failed(only.clone())),
            [first, more @ ..] => {
                let more = more.len();
                Err(Trouble::Failed(format!("{first} (and {more} more)")))
            }
        };
        if let Some(form) = self.open.take() {
            self.answer(form, outcome);
        }
    }

    /// What became of a torrent of the last step.
    pub fn added(&mut self, place: usize, outcome: Result<Added, Trouble>) {
        if let Some(adding) = self.adding.get_mut(place) {
            adding.outcome = Some(outcome);
        }
    }

    /// The torrents of the last step were added, but what is kept of them could not be written:
    /// their client gets this line for each.
    pub fn not_kept(&mut self, why: &str) {
        for adding in &mut self.adding {
            if let Some(Ok(_)) = adding.outcome {
                adding.outcome = Some(Err(Trouble::Failed(why.to_owned())));
            }
        }
    }

    /// Whether the outcome of a torrent of the last step is to be told yet.
    pub fn is_adding(&self) -> bool {
        self.adding.iter().any(|adding| adding.outcome.is_none())
    }

    /// Whether the client is to hear what becomes of this torrent of the last step.
    pub fn tells(&self, place: usize) -> bool {
        let adding = self.adding.get(place);
        adding.is_some_and(|adding| adding.form != Form::Notification)
    }

    /// Answers the requests for torrents that were added.
    fn end_row(&mut self) {
        for adding in std::mem::take(&mut self.adding) {
            if let Some(outcome) = adding.outcome {
                let answer = outcome.map(|it| added(adding.names, &it));
                self.answer(adding.form, answer);
            }
        }
    }

    fn answer(&mut self, form: Form, outcome: Result<Json, Trouble>) {
        let Some(answer) = form.answer(outcome) else {
            return;
        };
        if self.is_batch {
            self.text.push(if self.answers == 0 { '[' } else { ',' });
        }
        let before = self.text.len();
        // A `String` takes all that is written to it.
        let _ = write!(self.text, "{answer}");
        self.answered += self.text.len() - before;
        self.answers += 1;
    }
}

/// What a request comes to. `is_full`: the answers of its batch take as much as they may.
fn act(
    request: Result<Request, Trouble>,
    is_full: bool,
    memory: &mut Memory,
    world: World<'_>,
) -> Result<Action, Trouble> {
    if is_full {
        let why = "batch: its answer is too long: ask for less at a time";
        return Err(Trouble::Failed(why.into()));
    }
    memory.act(&request?, world)
}
