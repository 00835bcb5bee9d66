#!/usr/bin/env bash
# merecat 2.31+git20220513+ds-4.1 (Debian 12), an embedded web server, as a web seed (BEP 19).
# Guess: a server that sends the compressed copy of a file to a client that accepts gzip says so
# with Content-Encoding: gzip (RFC 9110, 8.4), and a range is a range of what the client asked for.
# Seen: a request for `data.tar` that accepts gzip gets the bytes of the `data.tar.gz` beside it,
# with Vary and without Content-Encoding, and a range is cut from these, too; `data.txt` gets the
# header. A web seed whose folder holds both then fails every piece for a client that accepts gzip.
# `gzip;q=0` counts as accepting it; `identity` and no header are safe.
# Output: Accept-Encoding none: data.tar; identity: data.tar; gzip: data.tar.gz, Content-Encoding
# none; gzip;q=0: data.tar.gz, Content-Encoding none; gzip, bytes=0-9: 10 bytes of data.tar.gz;
# data.txt, gzip: Content-Encoding gzip
set -euo pipefail
dir=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT
cd "$dir"
apt-get -qq -o APT::Sandbox::User=root download merecat=2.31+git20220513+ds-4.1 libconfuse2=3.3-3
for package in ./*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$dir/root/usr/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH
mkdir www
python3 -c 'open("www/data.tar", "wb").write(bytes(range(250)) * 100)'
cp www/data.tar www/data.txt
gzip -kn www/data.tar www/data.txt
chmod -R a+rX .
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
root/usr/sbin/merecat -n -p "$port" www > log 2>&1 &
server=$!
python3 - "$port" <<'PY' || { cat log; exit 1; }
import http.client
import sys
import time

plain, packed = open("www/data.tar", "rb").read(), open("www/data.tar.gz", "rb").read()
until = time.monotonic() + 20


def ask(name="data.tar", **headers):
    """The bytes, what they are and what the server calls them."""
    while True:
        stream = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=5)
        try:
            stream.putrequest("GET", "/" + name, skip_accept_encoding=True)
            for field, value in headers.items():
                stream.putheader(field.replace("_", "-"), value)
            stream.endheaders()
            answer = stream.getresponse()
            body = answer.read()
            assert answer.status in (200, 206), answer.status
            return body, answer.getheader("Content-Encoding")
        except OSError:
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.1)
        finally:
            stream.close()


def words(body, coding):
    if body == plain:
        return "data.tar"
    return f"data.tar.gz, Content-Encoding {str(coding).lower()}"


none, identity = ask(), ask(Accept_Encoding="identity")
gzip, zero = ask(Accept_Encoding="gzip"), ask(Accept_Encoding="gzip;q=0")
part, _ = ask(Accept_Encoding="gzip", Range="bytes=0-9")
text = ask("data.txt", Accept_Encoding="gzip")
print(f"Accept-Encoding none: {words(*none)}; identity: {words(*identity)}; gzip: {words(*gzip)}; "
      f"gzip;q=0: {words(*zero)}; gzip, bytes=0-9: {len(part)} bytes of "
      f"{'data.tar' if part == plain[:10] else 'data.tar.gz'}; "
      f"data.txt, gzip: Content-Encoding {text[1]}")
assert none == identity == (plain, None)
if gzip[0] == plain or gzip[1] is not None:
    sys.exit("changed: it sends the file itself, or says that it is compressed")
assert gzip == zero == (packed, None) and part == packed[:10] and text[1] == "gzip"
PY
