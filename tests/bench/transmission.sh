#!/bin/sh
# Puts a newer daemon of Transmission than that of Debian 12, with the libraries it needs, into
# `FOLDER`, from Debian 13; nothing is installed. `FOLDER/transmission-daemon` starts it by its own
# dynamic linker. What is there already is kept. Needs the apt of a Debian and the network.
#
# transmission.sh FOLDER
set -eu

suite=trixie
folder=$(realpath -m "$1")
if [ -x "$folder/transmission-daemon" ]; then
  exit
fi

# Where the machine's own apt takes packages from.
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
  awk '$1 == "Debian" && $2 == "Debian" && !found { print $3; found = 1 }')
if [ -z "$mirror" ]; then
  echo "transmission.sh: apt knows no mirror of Debian here" >&2
  exit 1
fi
# An apt of its own, for which nothing is installed yet.
apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
: >"$apt/status"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror $suite main" >"$apt/sources.list"
own() {
  apt-get -qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$apt/lists" -o Dir::State::Status="$apt/status" \
    -o Dir::Cache::Archives="$apt/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root "$@"
}
own update
own install --download-only --yes --no-install-recommends transmission-daemon >"$apt/log"

rm -rf "$folder"
mkdir -p "$folder/system"
for package in "$apt"/archives/*.deb; do
  dpkg-deb -x "$package" "$folder/system"
done
# The linker of the system, wherever it lies there, and the folders of libraries beside it.
linker=$(find "$folder/system/usr" -name 'ld-linux-*.so.*' | head -n 1)
libraries=$(dirname "$linker")
for beside in "$folder"/system/usr/lib/*/; do
  libraries=$libraries:${beside%/}
done
cat >"$folder/transmission-daemon" <<END
#!/bin/sh
exec '$linker' --library-path '$libraries' '$folder/system/usr/bin/transmission-daemon' "\$@"
END
chmod +x "$folder/transmission-daemon"
