//! Limits of rates as remote control names them: thousands of bytes a second, whether they count,
//! and what is in force to the byte.

use super::units::Bytes;
use crate::wire::json::Json;

/// The names of limits, in and out: the number, whether it counts, and the bytes a second that are
/// in force.
pub type Names = [[&'static str; 3]; 2];
/// Those of all torrents together.
pub const SESSION: Names = [
    [
        "speed_limit_down",
        "speed_limit_down_enabled",
        "speed_limit_down_bytes",
    ],
    [
        "speed_limit_up",
        "speed_limit_up_enabled",
        "speed_limit_up_bytes",
    ],
];
/// Those of one torrent.
pub const TORRENT: Names = [
    ["download_limit", "download_limited", "download_limit_bytes"],
    ["upload_limit", "upload_limited", "upload_limit_bytes"],
];

/// New limits in bytes a second, in and out, as parameters: to the byte.
pub fn params(limits: [Option<Option<u64>>; 2], names: Names) -> Vec<(&'static str, Json)> {
    let mut params = Vec::new();
    for ([number, counts, _], limit) in names.into_iter().zip(limits) {
        let Some(limit) = limit else {
            continue;
        };
        params.push((counts, limit.is_some().into()));
        params.extend(limit.map(|bytes| (number, Json::Real(bytes as f64 / 1000.0))));
    }
    params
}

/// The limits that are in force, in bytes a second, in and out.
pub fn shown(object: &Json, names: Names) -> [Option<u64>; 2] {
    names.map(|[.., bytes]| {
        let limit = object.get(bytes).and_then(Json::whole)?;
        u64::try_from(limit).ok()
    })
}

/// The same in words.
pub fn words(object: &Json, names: Names) -> String {
    let [down, up] = shown(object, names).map(|limit| match limit {
        Some(limit) => format!("{}/s", Bytes(limit)),
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
            br#"{"download_limit":10,"download_limited":true,"download_limit_bytes":10240,
                 "upload_limit":8,"upload_limited":false,"upload_limit_bytes":null}"#,
        );
        let object = object.unwrap();
        assert_eq!(words(&object, TORRENT), "down: 10.0 KiB/s, up: none");
        assert_eq!(words(&object, SESSION), "down: none, up: none");
    }
}
