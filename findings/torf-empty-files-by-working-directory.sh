#!/usr/bin/env bash
# torf 4.3.1 (PyPI).
# Guess: what a torrent holds depends on the folder that is given, not on where the maker runs.
# Seen: with the process in the folder that holds the content, empty files are left out; from anywhere
# else they are kept. So one folder gets two info hashes.
# Output: from beside the content: ['full']; from elsewhere: ['empty', 'full']
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check torf==4.3.1
mkdir -p content elsewhere
printf 'some bytes' > content/full
: > content/empty
cat > make.py <<'PY'
import sys

import torf

torrent = torf.Torrent(path=sys.argv[1], piece_size=16384)
torrent.generate()
print(sorted("/".join(file["path"]) for file in torrent.metainfo["info"]["files"]))
PY
beside=$(venv/bin/python make.py "$dir/content")
elsewhere=$(cd elsewhere && ../venv/bin/python ../make.py "$dir/content")
echo "from beside the content: $beside; from elsewhere: $elsewhere"
if [ "$beside" = "$elsewhere" ]; then
  echo "changed: both are the same" >&2
  exit 1
fi
[ "$beside" = "['full']" ] && [ "$elsewhere" = "['empty', 'full']" ]
