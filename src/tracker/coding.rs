//! Bodies of HTTP responses that come compressed (RFC 9110, section 8.4.1). We do not ask for that,
//! but some servers compress every body, with or without saying so, and others name a coding that
//! they do not use. So the body itself tells what it is; the head only helps to explain why a body
//! cannot be read.

use crate::base::limits;
use crate::http::{Unreadable, gunzip, inflate, is_gzip, is_zlib, shown, unzlib};
use crate::wire::bencode::decode_nearest;

/// Codings that are in use and that are not read here.
const UNREAD: [&str; 8] = [
    "br",
    "zstd",
    "compress",
    "x-compress",
    "bzip2",
    "x-bzip2",
    "lzma",
    "xz",
];
/// The first bytes of those that have a sure mark.
const MARKS: [(&[u8], &str); 4] = [
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x1f\x9d", "compress"),
];
const TOO_BIG: &str = "which is longer than 64 KiB";
const TOO_LONG: &str = "which is longer than 2 MiB when it is unpacked";

/// A tracker's answer without its compression. `said`: the codings that the head names. A body that
/// is a dictionary as it stands is taken as such, and one of an unknown kind is returned unchanged.
///
/// # Errors
/// It is compressed and cannot be read: why, in a few words.
pub fn plain(body: Vec<u8>, said: &[String]) -> Result<Vec<u8>, String> {
    if is_dictionary(&body) {
        return Ok(body);
    }
    if let Some(plain) = unpacked(&body, limits::HTTP_CODINGS)? {
        return Ok(plain);
    }
    let unread = |name: &&String| UNREAD.iter().any(|known| name.eq_ignore_ascii_case(known));
    let seen = MARKS.iter().find(|(mark, _)| body.starts_with(mark));
    let seen = seen.map(|(_, name)| *name);
    match seen.or(said.iter().find(unread).map(String::as_str)) {
        Some(name) => Err(format!(
            "it answers in {}, which brooklet does not read",
            shown(name)
        )),
        None => Ok(body),
    }
}

/// Whether this is what a tracker should answer.
fn is_dictionary(body: &[u8]) -> bool {
    decode_nearest(body).is_ok_and(|(value, _)| value.dict().is_some())
}

/// What is compressed here, in up to this many codings one around the other; `None`: nothing is.
fn unpacked(packed: &[u8], codings: usize) -> Result<Option<Vec<u8>>, String> {
    if codings == 0 {
        return Ok(None);
    }
    if is_gzip(packed) {
        if packed.len() > limits::HTTP_PACKED {
            return Err(format!("it answers in gzip, {TOO_BIG}"));
        }
        let inner = gunzip(packed, limits::HTTP_REPLY)
            .map_err(|why| format!("it answers in gzip, {}", words(why)))?;
        return deeper(inner, codings).map(Some);
    }
    // What is longer and has no sure mark is taken for something else.
    if packed.len() > limits::HTTP_PACKED {
        return Ok(None);
    }
    if is_zlib(packed) {
        match unzlib(packed, limits::HTTP_REPLY) {
            Ok((inner, _)) => return deeper(inner, codings).map(Some),
            Err(Unreadable::TooLong) => return Err(format!("it answers in deflate, {TOO_LONG}")),
            // Two bytes may look like its head by chance.
            Err(_) => {}
        }
    }
    // Raw deflate has no mark of its own: only an answer inside proves it.
    let Ok((inner, _)) = inflate(packed, limits::HTTP_REPLY) else {
        return Ok(None);
    };
    let answer = deeper(inner, codings)?;
    Ok(Some(answer).filter(|answer| is_dictionary(answer)))
}

/// The same for what was inside a coding.
fn deeper(inner: Vec<u8>, codings: usize) -> Result<Vec<u8>, String> {
    if is_dictionary(&inner) {
        return Ok(inner);
    }
    Ok(unpacked(&inner, codings - 1)?.unwrap_or(inner))
}

fn words(why: Unreadable) -> &'static str {
    match why {
        Unreadable::CutShort => "which is cut short",
        Unreadable::Damaged => "which is damaged",
        Unreadable::TooLong => TOO_LONG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::inflate_tests::{bomb, stored};

    const ANSWER: &[u8] = b"d8:intervali1800e5:peers6:\x01\x02\x03\x04\x00\x09e";
    /// The same in deflate, by zlib 1.2.13.
    const RAW: &[u8] = b"K\xb1\xb0\xca\xcc+I-*K\xcc\xc94\xb400H5\xb5*HM-*6\xb3bdbfa\xe0L\x05\x00";
    const GZIP_HEAD: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03";
    const GZIP_END: &[u8] = b"\x1d\x8bl\xa5!\0\0\0";

    fn gzip(raw: &[u8]) -> Vec<u8> {
        [GZIP_HEAD, raw, GZIP_END].concat()
    }

    fn zlib() -> Vec<u8> {
        [b"\x78\xda", RAW, b"\xb8\x92\x09\x49"].concat()
    }

    fn read(body: &[u8], said: &[&str]) -> Result<Vec<u8>, String> {
        let said: Vec<String> = said.iter().map(|name| String::from(*name)).collect();
        plain(body.to_vec(), &said)
    }

    #[test]
    fn whatever_the_head_says_the_body_tells_what_it_is() {
        let named = [
            &GZIP_HEAD[..3],
            b"\x08\0\0\0\0\x02\xffannounce\0",
            RAW,
            GZIP_END,
        ]
        .concat();
        let all = [
            &GZIP_HEAD[..3],
            b"\x1e\0\0\0\0\x02\xff\x03\0abcname\0words\0\x12\x34",
            RAW,
        ];
        let extra_head = all.concat();
        let (first, second) = ANSWER.split_at(9);
        let members = [gzip(&stored(first)), gzip(&stored(second))].concat();
        let bodies = [
            ANSWER.to_vec(),
            RAW.to_vec(),
            zlib(),
            gzip(RAW),
            named,
            extra_head,
            members,
            gzip(&stored(&gzip(RAW))),
            gzip(&stored(RAW)),
            stored(&zlib()),
            [&gzip(RAW)[..], b"\0\0\0"].concat(),
        ];
        for body in &bodies {
            for said in [
                &[][..],
                &["gzip"],
                &["x-gzip"],
                &["deflate"],
                &["identity"],
                &["none"],
                &["utf-8"],
                &["br"],
                &["deflate", "gzip"],
            ] {
                let shown = body.escape_ascii();
                assert_eq!(read(body, said).as_deref(), Ok(ANSWER), "{shown} {said:?}");
            }
        }
    }

    /// Deflate may begin with any byte, a `d` and a digit among them.
    #[test]
    fn what_only_begins_like_a_dictionary_is_looked_at() {
        let page = b"d8:interval";
        assert_eq!(read(page, &[]).as_deref(), Ok(&page[..]));
        assert!(!is_dictionary(b"de".split_at(1).0) && is_dictionary(b"de\n"));
    }

    #[test]
    fn what_cannot_be_read_is_explained() {
        let cut = gzip(RAW);
        for end in 3..GZIP_HEAD.len() + RAW.len() {
            let why = read(&cut[..end], &["gzip"]).unwrap_err();
            assert_eq!(why, "it answers in gzip, which is cut short", "{end}");
        }
        let why = read(&gzip(b"\x07"), &[]).unwrap_err();
        assert_eq!(why, "it answers in gzip, which is damaged");
        for name in ["br", "BR", "zstd", "compress"] {
            let why = read(b"\x8b\x0f\x80", &["identity", name]).unwrap_err();
            assert_eq!(
                why,
                format!("it answers in {name:?}, which brooklet does not read")
            );
        }
        // The first bytes of an empty file, by zstd 1.5.4, xz 5.4.1, bzip2 1.0.8, ncompress 5.0.
        for (body, name) in [
            (&b"\x28\xb5\x2f\xfd\x24\0\x01"[..], "zstd"),
            (b"\xfd7zXZ\0\0\x04", "xz"),
            (b"BZh9\x17\x72", "bzip2"),
            (b"\x1f\x9d\x90", "compress"),
        ] {
            let why = read(body, &[]).unwrap_err();
            assert_eq!(
                why,
                format!("it answers in {name:?}, which brooklet does not read")
            );
        }
        for page in [&b""[..], b"<html>", b"x\x9c", b"\x1f\x8b", b"d", b"5:peers"] {
            assert_eq!(read(page, &["gzip", "none"]).as_deref(), Ok(page));
        }
        let page = b"<html>404</html>";
        assert_eq!(read(&gzip(&stored(page)), &[]).as_deref(), Ok(&page[..]));
    }

    #[test]
    fn codings_around_each_other_are_bounded() {
        let mut body = ANSWER.to_vec();
        for _ in 0..limits::HTTP_CODINGS {
            body = gzip(&stored(&body));
            assert_eq!(read(&body, &[]).as_deref(), Ok(ANSWER));
        }
        let once_more = gzip(&stored(&body));
        assert_ne!(read(&once_more, &[]).as_deref(), Ok(ANSWER));
    }

    #[test]
    fn a_bomb_ends_at_the_bound() {
        let most = limits::HTTP_REPLY / 258;
        for repeats in [most + 1, 4 * most] {
            let why = read(&gzip(&bomb(repeats)), &[]).unwrap_err();
            let longer = "it answers in gzip, which is longer than 2 MiB when it is unpacked";
            assert_eq!(why, longer);
        }
        let halves = [gzip(&bomb(most / 2 + 1)), gzip(&bomb(most / 2 + 1))].concat();
        assert!(read(&halves, &[]).is_err());
        let big = [&gzip(RAW)[..], &[0; limits::HTTP_PACKED]].concat();
        assert_eq!(
            read(&big[..limits::HTTP_PACKED], &[]).as_deref(),
            Ok(ANSWER)
        );
        let why = read(&big, &[]).unwrap_err();
        assert_eq!(why, "it answers in gzip, which is longer than 64 KiB");
        assert!(TOO_BIG.contains(&format!("{} KiB", limits::HTTP_PACKED / limits::KIB)));
        assert!(TOO_LONG.contains(&format!("{} MiB", limits::HTTP_REPLY / limits::MIB)));
    }
}
