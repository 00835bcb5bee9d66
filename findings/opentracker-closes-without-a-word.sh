#!/usr/bin/env bash
# opentracker 0.0~git20210823.110868e-3 (Debian 12, built with a whitelist), over HTTP.
# Guess: an HTTP/1.1 answer with a Content-Length and without "Connection: close" leaves the connection
# open (RFC 9112, 9.3), all the more if the request says "Connection: keep-alive": the next announce can
# go over it, and two that were sent at once are both answered.
# Seen: it closes after each answer and never says so; of two requests sent at once the second is lost
# without a word. A client that keeps connections must ask again on a new one, and not count that as a
# tracker that failed.
# Output: answer: HTTP/1.1, length 98, Connection: none; then it closes; of 2 requests sent at once 1 answered
set -euo pipefail
dir=$(mktemp -d)
tracker=
finish() {
  [ -z "$tracker" ] || kill "$tracker" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT
cd "$dir"
apt-get -qq -o APT::Sandbox::User=root download \
  opentracker=0.0~git20210823.110868e-3 libowfat0=0.32-4
for package in ./*.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$dir/root/usr/lib/$(uname -m)-linux-gnu:$dir/root/usr/lib
printf '%s\n' "$(printf 'l%.0s' $(seq 20) | od -An -tx1 | tr -d ' \n')" > whitelist
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
program=$(find root -type f -name 'opentracker*' -path '*bin*' | head -n 1)
chmod 755 . && chmod 644 whitelist
# It does not run as root.
user=$(id -un)
[ "$user" != root ] || user=nobody
"$program" -i 127.0.0.1 -p "$port" -P "$port" -w whitelist -d "$dir" -u "$user" > log 2>&1 &
tracker=$!
python3 - "$port" <<'PY' || { cat log; exit 1; }
import socket
import sys
import time

ANNOUNCE = (b"GET /announce?info_hash=" + b"l" * 20 + b"&peer_id=-XX0000-abcdefghijkl&port=5000"
            b"&uploaded=0&downloaded=0&left=0&compact=1 HTTP/1.1\r\n"
            b"Host: tracker\r\nConnection: keep-alive\r\n\r\n")
until = time.monotonic() + 30


def connect():
    while True:
        assert time.monotonic() < until, "the tracker does not answer"
        try:
            return socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5)
        except OSError:
            time.sleep(0.1)


def ask(requests):
    """What comes until the tracker closes, and whether it does within five seconds."""
    with connect() as stream:
        stream.sendall(ANNOUNCE * requests)
        answer = b""
        try:
            while part := stream.recv(4096):
                answer += part
        except TimeoutError:
            return answer, False
        except ConnectionError:
            pass
        return answer, True


answer, closed = ask(1)
head, _, body = answer.partition(b"\r\n\r\n")
lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
fields = {name.strip().lower(): value.strip() for name, _, value in lines}
both, _ = ask(2)
count = both.count(b"HTTP/1.")
print(f"answer: {head[:8].decode()}, length {fields[b'content-length'].decode()}, "
      f"Connection: {fields.get(b'connection', b'none').decode()}; "
      f"then it {'closes' if closed else 'stays'}; of 2 requests sent at once {count} answered")
assert head.startswith(b"HTTP/1.1 200") and int(fields[b"content-length"]) == len(body)
if not closed or b"connection" in fields or count == 2:
    sys.exit("changed: it keeps the connection, or says that it does not")
assert count == 1
PY
