//! Reads an answer over HTTP: its status, its head and its body.

use super::coding;
use super::standing::{Failure, Heard, Question, refused};
use crate::http::Head;
use crate::wire::announce::Answer;
use crate::wire::{Retry, ScrapeAnswer};

/// What a response without a redirect says, and whether only a tracker gives such a response. A
/// refusal lasts at least as long as the head says.
pub fn read(question: &Question, head: &Head, body: Vec<u8>) -> (Result<Heard, Failure>, bool) {
    let least = head.retry_after.unwrap_or_default();
    let (result, proven) = understand(question, head, body);
    let result = result.map_err(|Failure { why, retry }| Failure {
        why,
        retry: retry.map(|retry| retry.and_after(least)),
    });
    (result, proven)
}

fn understand(question: &Question, head: &Head, body: Vec<u8>) -> (Result<Heard, Failure>, bool) {
    let failure = |why| refused(why, None);
    let status = head.status;
    let body = coding::plain(body, &head.codings);
    if status != 200 {
        return match Answer::parse(&body.unwrap_or_default()) {
            Ok(Answer::Failure { reason, retry }) => {
                let why = format!("HTTP {status}: {reason}");
                (Err(refused(why, retry)), true)
            }
            // The status refuses, and the times say for how long.
            Ok(Answer::Reply(reply)) => {
                let span = reply.min_interval.or(reply.interval);
                let why = refused(format!("HTTP {status}"), span.map(Retry::After));
                (Err(why), reply.interval.is_some())
            }
            Err(_) => (Err(failure(format!("HTTP {status}"))), false),
        };
    }
    let nonsense = |what| {
        (
            Err(failure(format!("the answer makes no sense: {what}"))),
            false,
        )
    };
    match (body, question) {
        (Err(why), _) => (Err(failure(why)), false),
        (Ok(body), Question::Announce(_)) => match Answer::parse(&body) {
            Ok(Answer::Reply(reply)) => {
                let proven = reply.interval.is_some();
                (Ok(Heard::Announced(reply)), proven)
            }
            Ok(Answer::Failure { reason, retry }) => (Err(refused(reason, retry)), true),
            Err(what) => nonsense(what),
        },
        (Ok(body), Question::Scrape(torrent)) => match ScrapeAnswer::parse(&body, *torrent) {
            Ok(ScrapeAnswer::Known(scraped)) => (Ok(Heard::Scraped(scraped)), true),
            Ok(ScrapeAnswer::Unknown) => {
                let why = String::from("it does not know the torrent");
                (Err(failure(why)), true)
            }
            Ok(ScrapeAnswer::Failure(reason)) => (Err(failure(reason)), true),
            Err(what) => nonsense(what),
        },
    }
}
