#!/usr/bin/env bash
# crate lava_torrent 0.11.1.
# Guess: `pieces` is a byte string, whatever bytes are in it (BEP 3): whether a torrent is read does
# not hang on the value of a hash.
# Seen: a byte string that is valid UTF-8 becomes text, and `pieces` that is text is refused. Of
# SHA-1 hashes about one in 100,000 is valid UTF-8, so about one torrent of one piece in 100,000
# cannot be read, by chance of its content. No sample of a few files shows it.
# Output: content 99936: read, right info hash; content 99937 (its hash is valid UTF-8): refused,
# malformed torrent: "pieces" does not map to a sequence of bytes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "read"
version = "0.0.0"
edition = "2021"

[dependencies]
lava_torrent = "=0.11.1"

[workspace]
TOML
cat > src/main.rs <<'RUST'
use lava_torrent::torrent::v1::Torrent;

fn main() {
    for path in std::env::args().skip(1) {
        match Torrent::read_from_file(&path) {
            Ok(torrent) => println!("{}", torrent.info_hash()),
            Err(error) => println!("refused, {error}"),
        }
    }
}
RUST
CARGO_PROFILE_DEV_DEBUG=0 cargo build -q --target-dir target
cat > make.py <<'PY'
import hashlib

for content in (b"99936", b"99937"):
    digest = hashlib.sha1(content).digest()
    info = b"d6:lengthi5e4:name4:data12:piece lengthi16384e6:pieces20:" + digest + b"e"
    with open(content.decode() + ".torrent", "wb") as out:
        out.write(b"d8:announce30:http://127.0.0.1:6969/announce4:info" + info + b"e")
    print(hashlib.sha1(info).hexdigest())
digest.decode("utf-8")
PY
mapfile -t wanted < <(python3 make.py)
mapfile -t got < <(target/debug/read 99936.torrent 99937.torrent)
[ "${#wanted[@]}" = 2 ] && [ "${#got[@]}" = 2 ]
[ "${got[0]}" = "${wanted[0]}" ] && first='read, right info hash' || first=${got[0]}
echo "content 99936: $first; content 99937 (its hash is valid UTF-8): ${got[1]}"
[ "${got[0]}" = "${wanted[0]}" ]
if [ "${got[1]}" = "${wanted[1]}" ]; then
  echo "changed: it reads both" >&2
  exit 1
fi
[ "${got[1]%%,*}" = refused ]
