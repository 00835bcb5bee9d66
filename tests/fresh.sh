#!/usr/bin/env bash
# `.ci/run` on a machine with nothing but Debian 13: debootstrap puts the smallest system into a
# folder, and a mount namespace and a process namespace have that folder as their root. What is
# mounted goes with the namespaces and the folder is removed, also after a failure or Ctrl-C. How
# this machine reaches its packages (the mirror of apt, proxies, certificates of its own, settings
# of cargo and npm) is taken over. Prints figures at the end. Needs root, debootstrap, the network.
set -euo pipefail
shopt -s nullglob
suite=trixie

# On this machine: makes the folder, waits, cleans up.
outside() {
  for program in debootstrap unshare pivot_root setpriv tar; do
    command -v "$program" >/dev/null || die "$program is not installed"
  done
  [ "$(id -u)" = 0 ] || die "needs root, for namespaces and mounts"
  local target=${CARGO_TARGET_DIR:-target}
  mkdir -p "$target"
  work=$(mktemp -d "$(realpath "$target")/fresh.XXXXXX")
  inside=
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    "$PWD/tests/fresh.sh" inside "$work/system" &
  inside=$!
  local code=0
  wait "$inside" || code=$?
  inside=
  exit "$code"
}

die() {
  echo "make fresh: $1" >&2
  exit 2
}

# The first process of the namespace takes all others with it, and is gone when they are.
clean_up() {
  trap '' HUP INT TERM
  if [ -n "$inside" ]; then
    local first
    first=$(cat "/proc/$inside/task/$inside/children" 2>/dev/null || true)
    # shellcheck disable=SC2086
    kill -KILL ${first:-$inside} 2>/dev/null || true
    wait "$inside" 2>/dev/null || true
  fi
  rm -rf --one-file-system "$work"
}

# In the namespaces, with the files of this machine: makes the system and moves into it.
inside() {
  local system=$1 mirror began=$SECONDS
  mkdir -m 755 "$system"
  mirror=$(machine_mirror)
  echo "debootstrap of $suite"
  debootstrap --variant=minbase "$suite" "$system" ${mirror:+"$mirror"} >"$system.log" 2>&1 ||
    { tail -n 20 "$system.log" >&2; exit 1; }
  take_over_settings "$system" "$mirror"
  mkdir "$system/brooklet"
  tar -c --exclude=./target --exclude=./.git . | tar -x --no-same-owner -C "$system/brooklet"

  mount --bind "$system" "$system"
  mount -t proc proc "$system/proc"
  mount -t sysfs sysfs "$system/sys"
  mount --rbind /dev "$system/dev"
  local -a environment
  mapfile -t environment < <(machine_environment)
  mkdir "$system/outside"
  cd "$system"
  pivot_root . outside
  cd /
  umount -l outside
  rmdir outside
  exec setpriv --reset-env env "${environment[@]}" \
    brooklet/tests/fresh.sh within $((SECONDS - began))
}

# Where the machine's own apt takes packages of Debian from; nothing where it is no Debian.
machine_mirror() {
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 == "Debian" && $2 == "Debian" && !found { print $3; found = 1 }' || true
}

take_over_settings() { # SYSTEM MIRROR
  local system=$1 home file
  apt-config dump 2>/dev/null |
    grep -E '^Acquire::(http|https|Check-|Retries|ForceIPv)' >"$system/etc/apt/apt.conf.d/90machine" || true
  case $2 in https:*)
    # The system has no certificates until its package of them is installed, and apt asks for that.
    cp /etc/ssl/certs/ca-certificates.crt "$system/etc/apt/machine.crt"
    echo 'Acquire::https::CAInfo "/etc/apt/machine.crt";' >>"$system/etc/apt/apt.conf.d/90machine"
  esac
  for file in /etc/apt/auth.conf /etc/apt/auth.conf.d/* /etc/npmrc /usr/local/share/ca-certificates/*.crt; do
    [ ! -f "$file" ] || install -D -p -m 644 "$file" "$system$file"
  done
  home=$system$(awk -F: '$3 == 0 { print $6; exit }' "$system/etc/passwd")
  for file in "${CARGO_HOME:-$HOME/.cargo}"/config{,.toml}; do
    [ ! -f "$file" ] || install -D -p -m 600 "$file" "$home/.cargo/${file##*/}"
  done
  file=${NPM_CONFIG_USERCONFIG:-$HOME/.npmrc}
  [ ! -f "$file" ] || install -p -m 600 "$file" "$home/.npmrc"
  cp -L /etc/resolv.conf "$system/etc/resolv.conf"
}

# Proxies, certificates and what cargo and npm are told by the environment, a NAME=value each line.
machine_environment() {
  local name
  local names='^(https?_proxy|all_proxy|no_proxy|cargo_(http|net|registry|registries|source)_.*|npm_config_.*'
  names+='|node_extra_ca_certs|ssl_cert_(file|dir)|rust_test_threads)$'
  for name in $(compgen -e); do
    [[ ! ${name,,} =~ $names ]] || echo "$name=${!name}"
  done
  echo "LC_ALL=C.UTF-8"
}

# In the new system, where nothing of this machine is seen: the run, and what came of it.
within() {
  local log=/var/log/brooklet.log code=0 bare
  bare=$(du -sxm / | cut -f 1)
  SECONDS=0
  .ci/run 2>&1 | tee "$log" || code=$?
  echo
  echo "Debian $(cat /etc/debian_version), $(rustc --version 2>/dev/null || echo 'no rustc'), $(nproc) cores"
  dpkg-query -W -f '  ${Package} ${Version}\n' transmission-cli aria2 python3-libtorrent rtorrent \
    opentracker mktorrent nodejs strace 2>/dev/null || true
  echo "the system:      $1 s, $bare MB"
  echo ".ci/run in it:   $SECONDS s, $(du -sxm / | cut -f 1) MB in the end"
  awk '/^test result: / { ran += 1; passed += $4; failed += $6; ignored += $8 }
    END { printf "tests:           %d passed, %d failed, %d ignored, in %d programs\n", passed, failed, ignored, ran }' "$log"
  if [ "$code" = 0 ]; then
    echo "everything passed"
  else
    grep -E '^test .* FAILED$' "$log" | sort -u | sed 's/^/  /' || true
    echo "it failed: .ci/run ended with $code"
  fi
  exit "$code"
}

cd "$(dirname "$0")/.."
case ${1:-} in
  inside) inside "$2" ;;
  within) within "$2" ;;
  *) outside ;;
esac
