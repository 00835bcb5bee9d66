//! What has come of asking a tracker, until nothing is under way any more.

use super::action::Id;
use super::standing::Failure;
use crate::base::{Duration, Time};
use crate::wire::Retry;

/// What has come of asking, over all families.
#[derive(Debug)]
pub struct Attempt {
    /// When it ends in any case.
    pub give_up: Time,
    /// The look-up of its name, as long as it lasts.
    pub lookup: Option<Id>,
    /// It answered over a family.
    pub answered: bool,
    /// The longest time between announces that an answer asks for.
    pub interval: Option<Duration>,
    /// The longest that an answer demands.
    pub min_interval: Option<Duration>,
    /// Why it did not answer, with the family where there are two.
    pub failures: Vec<(Option<&'static str>, Failure)>,
}

impl Attempt {
    /// Nothing has come of it yet.
    pub fn new(give_up: Time) -> Attempt {
        Attempt {
            give_up,
            lookup: None,
            answered: false,
            interval: None,
            min_interval: None,
            failures: Vec::new(),
        }
    }

    /// When it wants to be asked again, if it has said that: the strictest of what came over its
    /// families.
    pub fn retry(&self) -> Option<Retry> {
        let said = self
            .failures
            .iter()
            .filter_map(|(_, failure)| failure.retry);
        said.max_by_key(|retry| match retry {
            Retry::After(span) => *span,
            Retry::Never => Duration::MAX,
        })
    }

    /// Why it did not answer, in one line; with the families where they differ.
    pub fn reasons(&self) -> String {
        let Some((_, first)) = self.failures.first() else {
            return String::from("no answer");
        };
        if self
            .failures
            .iter()
            .all(|(_, failure)| failure.why == first.why)
        {
            return words(first).to_owned();
        }
        let named = self.failures.iter().map(|(family, failure)| match family {
            Some(family) => format!("{family}: {}", words(failure)),
            None => words(failure).to_owned(),
        });
        named.collect::<Vec<_>>().join("; ")
    }
}

/// Why, for the user: a tracker may refuse without a word.
fn words(failure: &Failure) -> &str {
    match failure.why.trim() {
        "" => "it refused without a reason",
        why => why,
    }
}
