//! `Retry-After`: how long a server that refuses is to be left alone (RFC 9110, section 10.2.3).

use crate::base::Duration;

/// How long to wait by `Retry-After`: this many seconds, or until a date by the server's clock,
/// which its `Date` tells. `None`: this says nothing.
pub fn wait(value: &str, date: Option<&str>) -> Option<Duration> {
    match digits(value) {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => {
            let wait = unix(value)?.checked_sub(unix(date?)?)?;
            Some(Duration::from_secs(wait))
        }
    }
}

/// A date of HTTP, such as `Sun, 06 Nov 1994 08:49:37 GMT`, in seconds since 1970. Obsolete forms
/// are not read.
fn unix(date: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<&str> = date.split_ascii_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words[..] else {
        return None;
    };
    let at = MONTHS
        .find(month)
        .filter(|at| at % 3 == 0 && month.len() == 3)?;
    let month = at as u64 / 3;
    let clock: Vec<u64> = time.split(':').map_while(digits).collect();
    let [hour, minute, second] = clock[..] else {
        return None;
    };
    let (day, year) = (digits(day)?, digits(year)?);
    let valid = (1970..=9999).contains(&year) && (1..=31).contains(&day);
    if !valid || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Counted from March, a year ends with 29 February, the day that only some years have.
    let (year, month) = if month < 2 {
        (year - 1, month + 10)
    } else {
        (year, month - 2)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = 365 * year + leap_days + (153 * month + 2) / 5 + day - 1;
    // Days from 1 March of the year 0 to 1970.
    let days = days.checked_sub(719_468)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// A number without a sign, however long.
fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110, section 10.2.3: "either an HTTP-date […] or a number of seconds".
    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let date = Some("Fri, 31 Dec 1999 23:58:59 GMT");
        for (value, date, wait) in [
            ("120", None, Some(120)),
            ("0", date, Some(0)),
            ("99999999999999999999999", None, Some(u64::MAX)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", date, Some(60)),
            ("Tue, 29 Feb 2000 23:58:59 GMT", date, Some(60 * 86_400)),
            ("Fri, 31 Dec 1999 23:58:59 GMT", date, Some(0)),
            ("Fri, 31 Dec 1999 23:00:00 GMT", date, None),
            ("Fri, 31 Dec 1999 23:59:59 GMT", None, None),
            ("Fri, 31 Foo 1999 23:59:59 GMT", date, None),
            ("Mon, 31 anF 2000 23:59:59 GMT", date, None),
            (
                "Fri, 99999999999999999999 Dec 1999 23:59:59 GMT",
                date,
                None,
            ),
            ("Fri, 31 Dec 1999 24:59:59 GMT", date, None),
            ("Fri, 31 Dec 1999", date, None),
            ("-1", date, None),
            ("", date, None),
            ("soon", date, None),
        ] {
            let wait = wait.map(Duration::from_secs);
            assert_eq!(super::wait(value, date), wait, "{value}");
        }
    }

    /// By `date -u +%s`.
    #[test]
    fn dates_are_counted_from_1970() {
        for (date, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ] {
            assert_eq!(unix(date), Some(seconds), "{date}");
        }
    }
}
