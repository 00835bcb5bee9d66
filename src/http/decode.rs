//! A body without the compression that its head names (RFC 9110, section 8.4.1). Some servers
//! compress what they were not asked to, some name a coding that they do not use: a body that is
//! not compressed is left as it is.

use super::head::shown;
use super::inflate::{Unreadable, gunzip, inflate, is_gzip, unzlib};
use crate::base::limits;

/// The body as it was before the codings that the head names, and before gzip where it names none.
/// At most this many bytes come out.
///
/// # Errors
/// Why it cannot be read, in a few words.
pub fn decode(mut body: Vec<u8>, said: &[String], most: usize) -> Result<Vec<u8>, String> {
    if said.len() > limits::HTTP_CODINGS {
        return Err(String::from("it answers in too many codings"));
    }
    // The last that was applied is named last.
    for coding in said.iter().rev() {
        let decoded = match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" if is_gzip(&body) => gunzip(&body, most),
            "deflate" => match unzlib(&body, most).or_else(|_| inflate(&body, most)) {
                Ok((content, _)) => Ok(content),
                Err(Unreadable::TooLong) => Err(Unreadable::TooLong),
                Err(_) => continue,
            },
            "identity" | "gzip" | "x-gzip" => continue,
            _ => {
                let coding = shown(coding);
                return Err(format!(
                    "it answers in {coding}, which brooklet does not read"
                ));
            }
        };
        body = decoded.map_err(|why| words(why, most))?;
    }
    if is_gzip(&body) {
        return gunzip(&body, most).map_err(|why| words(why, most));
    }
    Ok(body)
}

fn words(why: Unreadable, most: usize) -> String {
    match why {
        Unreadable::CutShort => String::from("its compressed answer is cut short"),
        Unreadable::Damaged => String::from("its compressed answer is damaged"),
        Unreadable::TooLong => {
            let most = most / limits::MIB;
            format!("the answer is longer than {most} MiB when it is unpacked")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::inflate_tests::{bomb, stored};

    const HEAD: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03";

    fn gzip(content: &[u8]) -> Vec<u8> {
        [HEAD, &stored(content), &[0; 8]].concat()
    }

    fn read(body: &[u8], said: &[&str]) -> Result<Vec<u8>, String> {
        let said: Vec<String> = said.iter().map(|name| String::from(*name)).collect();
        decode(body.to_vec(), &said, limits::MIB)
    }

    /// RFC 9110, section 8.4.1.2: deflate is "a zlib data format containing a deflate compressed
    /// data stream"; "Some non-conformant implementations send the deflate compressed data without
    /// the zlib wrapper."
    #[test]
    fn each_coding_is_read_whether_it_is_named_or_not() {
        let zlib = [&b"\x78\x01"[..], &stored(b"d1:a1:be"), b"\x0a\x5b\x02\x63"].concat();
        let twice = gzip(&gzip(b"d1:a1:be"));
        for (body, said) in [
            (b"d1:a1:be".to_vec(), &[][..]),
            (b"d1:a1:be".to_vec(), &["gzip"]),
            (b"d1:a1:be".to_vec(), &["deflate"]),
            (b"d1:a1:be".to_vec(), &["identity"]),
            (gzip(b"d1:a1:be"), &["gzip"]),
            (gzip(b"d1:a1:be"), &["X-GZIP"]),
            (gzip(b"d1:a1:be"), &[]),
            (zlib, &["Deflate"]),
            (stored(b"d1:a1:be"), &["deflate"]),
            (twice, &["gzip", "gzip"]),
        ] {
            assert_eq!(
                read(&body, said).as_deref(),
                Ok(&b"d1:a1:be"[..]),
                "{said:?}"
            );
        }
    }

    #[test]
    fn members_are_read_one_after_the_other_and_so_many_of_them() {
        let empty = gzip(b"").repeat(limits::HTTP_MEMBERS - 2);
        let most = [gzip(b"a"), empty, gzip(b"b")].concat();
        assert_eq!(read(&most, &["gzip"]).as_deref(), Ok(&b"ab"[..]));
        let more = [most, gzip(b"")].concat();
        let why = "its compressed answer is damaged";
        assert_eq!(read(&more, &["gzip"]), Err(String::from(why)));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let bomb = [HEAD, &bomb(limits::MIB / 258 + 1), &[0; 8]].concat();
        for (body, said, why) in [
            (
                &b"x"[..],
                &["br"][..],
                "it answers in \"br\", which brooklet does not read",
            ),
            (
                &gzip(b"d1:a1:be")[..15],
                &["gzip"],
                "its compressed answer is cut short",
            ),
            (
                b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\x07",
                &[],
                "its compressed answer is damaged",
            ),
            (
                &bomb,
                &["gzip"],
                "the answer is longer than 1 MiB when it is unpacked",
            ),
            (
                b"x",
                &["gzip"; limits::HTTP_CODINGS + 1],
                "it answers in too many codings",
            ),
        ] {
            assert_eq!(read(body, said), Err(String::from(why)));
        }
    }
}
