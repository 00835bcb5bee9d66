//! When a tracker that refuses may be asked again, by the keys beside its `failure reason` (BEP 3,
//! BEP 31).

use super::bencode::{Dict, Value};
use crate::base::Duration;

/// What a tracker that refuses says of the next try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// Not before so much time.
    After(Duration),
    /// Never.
    Never,
}

impl Retry {
    /// This, and not before so much time.
    pub fn and_after(self, least: Duration) -> Retry {
        match self {
            Retry::After(span) => Retry::After(span.max(least)),
            Retry::Never => Retry::Never,
        }
    }
}

/// What stands beside a `failure reason`: BEP 31's `retry in`, and the times of BEP 3, by which
/// trackers say the same. `min interval` is never undercut; `interval` counts where neither is
/// given.
pub(super) fn beside_failure(answer: Dict<'_>) -> Option<Retry> {
    let [least, retry, usual] = answer.pick(["min interval", "retry in", "interval"]);
    let least = least.and_then(seconds);
    match retry.and_then(retry_in) {
        Some(retry) => Some(retry.and_after(least.unwrap_or_default())),
        None => least.or(usual.and_then(seconds)).map(Retry::After),
    }
}

/// A time that a tracker names; `None`: a negative one, or something else.
pub(super) fn seconds(value: Value<'_>) -> Option<Duration> {
    number(value).map(Duration::from_secs)
}

/// BEP 31: minutes, or the word `never`.
fn retry_in(value: Value<'_>) -> Option<Retry> {
    if let Value::Bytes(b"never") = value {
        return Some(Retry::Never);
    }
    let seconds = number(value)?.saturating_mul(60);
    Some(Retry::After(Duration::from_secs(seconds)))
}

/// A number, or a string of digits, as some trackers send.
fn number(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(number).ok(),
        Value::Bytes(digits) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            let digits = std::str::from_utf8(digits).ok()?;
            Some(digits.parse().unwrap_or(u64::MAX))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::announce::Answer;

    /// BEP 31: "retry in […] an integer number of minutes […] or the string "never"".
    #[test]
    fn a_failure_says_why_and_when() {
        let failure = |retry| {
            let reason = String::from("no\u{fffd}");
            Ok(Answer::Failure { reason, retry })
        };
        assert_eq!(
            Answer::parse(b"d14:failure reason3:no\xff5:peers0:e"),
            failure(None)
        );
        let later = Some(Retry::After(Duration::from_secs(300)));
        assert_eq!(
            Answer::parse(b"d14:failure reason3:no\xff8:retry ini5ee"),
            failure(later)
        );
        let far = Some(Retry::After(Duration::from_secs(u64::MAX)));
        for (text, retry) in [
            (&b"1:5"[..], later),
            (b"3:005", later),
            (b"20:99999999999999999999", far),
            (b"0:", None),
            (b"2:-5", None),
            (b"2:+5", None),
            (b"2:5 ", None),
            (b"i-5e", None),
        ] {
            let body = [b"d14:failure reason3:no\xff8:retry in", text, b"e"].concat();
            assert_eq!(
                Answer::parse(&body),
                failure(retry),
                "{}",
                text.escape_ascii()
            );
        }
        let never = Some(Retry::Never);
        assert_eq!(
            Answer::parse(b"d14:failure reason3:no\xff8:retry in5:nevere"),
            failure(never)
        );
    }

    /// BEP 3's times stand beside a `failure reason` as well: a tracker may ban a client that comes
    /// sooner.
    #[test]
    fn a_failure_with_the_times_of_an_answer_is_heeded() {
        let after = |secs| Some(Retry::After(Duration::from_secs(secs)));
        for (interval, least, retry_in, retry) in [
            ("i3600e", "", "", after(3600)),
            ("", "i3600e", "", after(3600)),
            ("i3600e", "i900e", "", after(900)),
            ("i60e", "i900e", "", after(900)),
            ("i3600e", "", "i5e", after(300)),
            ("i3600e", "i900e", "i5e", after(900)),
            ("i3600e", "i900e", "i30e", after(1800)),
            ("i3600e", "i900e", "5:never", Some(Retry::Never)),
            ("i-1e", "", "", None),
            ("4:36OO", "i-5e", "", None),
            ("4:3600", "", "", after(3600)),
            ("i60e", "3:900", "", after(900)),
            ("", "i900e", "1:5", after(900)),
            ("", "", "", None),
        ] {
            let pair = |key: &str, value: &str| match value {
                "" => String::new(),
                _ => format!("{}:{key}{value}", key.len()),
            };
            let body = [
                "d14:failure reason2:no",
                &pair("interval", interval),
                &pair("min interval", least),
                &pair("retry in", retry_in),
                "e",
            ];
            let body = body.concat();
            let reason = String::from("no");
            let expected = Ok(Answer::Failure { reason, retry });
            assert_eq!(Answer::parse(body.as_bytes()), expected, "{body}");
        }
    }
}
