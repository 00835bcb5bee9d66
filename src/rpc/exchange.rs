//! One text, what is done about it, and its answer.

use std::collections::VecDeque;

use super::action::{Action, Add, Added};
use super::methods::{Memory, added};
use super::names::Names;
use super::request::{Form, Received, receive, refused};
use super::trouble::Trouble;
use super::world::World;
use crate::base::limits;
use crate::session::Command;
use crate::wire::json::{Json, array};

/// One text and its answer in the making.
#[derive(Debug)]
pub struct Exchange {
    waiting: VecDeque<Received>,
    /// How to answer the request whose step is being taken.
    open: Option<(Form, Names)>,
    /// Texts of answers.
    answers: Vec<String>,
    is_batch: bool,
    heard: Heard,
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
    /// Add this torrent, then tell by [`Exchange::added`].
    Add(Add),
    /// Send this text, if any: all is done.
    Answer(Option<String>),
}

impl Exchange {
    /// Begins with a text: one request or a batch of them.
    pub fn begin(text: &[u8]) -> Exchange {
        let (mut requests, mut is_batch) = receive(text);
        if requests.len() > limits::CONTROL_BATCH {
            requests = vec![refused("too many requests in a batch")];
            is_batch = false;
        }
        Exchange::of(requests, is_batch)
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
            answers: Vec::new(),
            is_batch,
        }
    }

    /// What the text was.
    pub fn heard(&self) -> Heard {
        self.heard
    }

    /// What is to be done next. The outcome of the last step must be told first.
    pub fn next(&mut self, memory: &mut Memory, world: World<'_>) -> Step {
        while let Some((form, request)) = self.waiting.pop_front() {
            let names = request.as_ref().map_or(Names::New, |request| request.names);
            let answered: usize = self.answers.iter().map(String::len).sum();
            if answered > limits::CONTROL_ANSWER {
                let why = "batch: its answer is too long: ask for less at a time";
                self.answer(form, Err(Trouble::Failed(why.into())));
                continue;
            }
            match request.and_then(|request| memory.act(&request, world)) {
                Ok(Action::Command(commands)) => {
                    self.open = Some((form, names));
                    return Step::Command(commands);
                }
                Ok(Action::Add(add)) => {
                    self.open = Some((form, names));
                    return Step::Add(add);
                }
                Ok(Action::Answer(answer)) => self.answer(form, Ok(answer)),
                Err(trouble) => self.answer(form, Err(trouble)),
            }
        }
        let mut answers = std::mem::take(&mut self.answers);
        Step::Answer(if self.is_batch && !answers.is_empty() {
            Some(array(answers))
        } else {
            answers.pop()
        })
    }

    /// The commands of the last step were performed. `refused`: those that were not, and why, a
    /// line each.
    pub fn performed(&mut self, refused: &[String]) {
        self.resolve(match refused {
            [] => Ok(None),
            [only] => Err(Trouble::Failed(only.clone())),
            [first, more @ ..] => {
                let more = more.len();
                Err(Trouble::Failed(format!("{first} (and {more} more)")))
            }
        });
    }

    /// What became of the torrent of the last step.
    pub fn added(&mut self, outcome: Result<Added, Trouble>) {
        self.resolve(outcome.map(Some));
    }

    fn resolve(&mut self, outcome: Result<Option<Added>, Trouble>) {
        if let Some((form, names)) = self.open.take() {
            let none = || Json::Object(Vec::new());
            let answer = outcome.map(|it| it.map_or_else(none, |it| added(names, &it)));
            self.answer(form, answer);
        }
    }

    fn answer(&mut self, form: Form, outcome: Result<Json, Trouble>) {
        let answer = form.answer(outcome);
        self.answers.extend(answer.map(|answer| answer.to_string()));
    }
}
