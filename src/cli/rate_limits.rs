//! Limits of rates as remote control names them: thousands of bytes a second, and whether they
//! count.

use crate::wire::json::Json;

/// The names of limits: number and whether it counts, in and out.
pub type Names = [[&'static str; 2]; 2];
/// Those of all torrents together.
pub const SESSION: Names = [
    ["speed_limit_down", "speed_limit_down_enabled"],
    ["speed_limit_up", "speed_limit_up_enabled"],
];
/// Those of one torrent.
pub const TORRENT: Names = [
    ["download_limit", "download_limited"],
    ["upload_limit", "upload_limited"],
];

/// New limits in bytes a second, in and out, as parameters: to the byte.
pub fn params(limits: [Option<Option<u64>>; 2], names: Names) -> Vec<(&'static str, Json)> {
    let mut params = Vec::new();
    for ([number, counts], limit) in names.into_iter().zip(limits) {
        let Some(limit) = limit else {
            continue;
        };
        params.push((counts, limit.is_some().into()));
        params.extend(limit.map(|bytes| (number, Json::Real(bytes as f64 / 1000.0))));
    }
    params
}

/// The limits that are in force, in thousands of bytes a second, in and out.
pub fn shown(object: &Json, names: Names) -> [Option<u64>; 2] {
    names.map(|[number, counts]| {
        let counts = object.get(counts).and_then(Json::truth) == Some(true);
        let number = object.get(number).and_then(Json::whole);
        let number = number.and_then(|number| u64::try_from(number).ok());
        number.filter(|_| counts)
    })
}

/// The same in words.
pub fn words(object: &Json, names: Names) -> String {
    let [down, up] = shown(object, names).map(|limit| match limit {
        Some(limit) => format!("{limit} kB/s"),
        None => String::from("none"),
    });
    format!("down: {down}, up: {up}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    #[test]
    fn limits_are_sent_to_the_byte() {
        assert_eq!(
            Json::object(params([Some(Some(524_288)), Some(None)], SESSION)).to_string(),
            r#"{"speed_limit_down_enabled":true,"speed_limit_down":524.288,"speed_limit_up_enabled":false}"#
        );
    }

    #[test]
    fn limits_that_count_are_shown() {
        let object = json::read(
            br#"{"download_limit":7,"download_limited":true,"upload_limit":8,"upload_limited":false}"#,
        );
        let object = object.unwrap();
        assert_eq!(words(&object, TORRENT), "down: 7 kB/s, up: none");
        assert_eq!(words(&object, SESSION), "down: none, up: none");
    }
}
