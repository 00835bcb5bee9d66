#!/bin/sh
# Puts the program of a package of a newer Debian, with the libraries it needs, into FOLDER; nothing
# is installed. FOLDER/PACKAGE starts it by its own dynamic linker. What is there already is kept.
# Needs the apt of a Debian and the network.
#
# newer.sh SUITE PACKAGE FOLDER
set -eu

suite=$1 package=$2
folder=$(realpath -m "$3")
if [ -x "$folder/$package" ]; then
  exit
fi

# Where the machine's own apt takes packages from.
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
  awk '$1 == "Debian" && $2 == "Debian" && !found { print $3; found = 1 }')
if [ -z "$mirror" ]; then
  echo "newer.sh: apt knows no mirror of Debian here" >&2
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
own install --download-only --yes --no-install-recommends "$package" >"$apt/log"

rm -rf "$folder"
mkdir -p "$folder/system"
for archive in "$apt"/archives/*.deb; do
  dpkg-deb -x "$archive" "$folder/system"
done
# The linker of the system, wherever it lies there, and the folders of libraries beside it.
linker=$(find "$folder/system/usr" -name 'ld-linux-*.so.*' | head -n 1)
libraries=$(dirname "$linker")
for beside in "$folder"/system/usr/lib/*/; do
  libraries=$libraries:${beside%/}
done
cat >"$folder/$package" <<END
#!/bin/sh
exec '$linker' --library-path '$libraries' '$folder/system/usr/bin/$package' "\$@"
END
chmod +x "$folder/$package"
