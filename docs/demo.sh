#!/usr/bin/env bash
# A fail-over on real servers, as it happens to people: the standby is promoted
# while the old primary goes on taking writes. Then its diagnosis, the report of
# what only the old primary holds, the rewind, and the proof that both are equal.
# "make demo" runs it; nothing is left behind. Needs PostgreSQL with its client
# programs (PGBIN, default: the newest in /usr/lib/postgresql) and forkpoint in PATH.
set -euo pipefail

PGBIN=${PGBIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)}
[ -x "${PGBIN:-}/pg_basebackup" ] || { echo "demo: no PostgreSQL with client programs; as root: apt-get install postgresql" >&2; exit 1; }

# Servers refuse to run as root: then everything runs as the user postgres.
if [ "$(id -u)" = 0 ]; then
	work=$(mktemp -d /tmp/forkpoint-demo.XXXXXX)
	cp "$(command -v forkpoint)" "$0" "$work/"
	chown -R postgres: "$work"
	trap 'rm -rf "$work"' EXIT
	setpriv --reuid=postgres --regid="$(id -g postgres)" --init-groups \
		env HOME="$work" PATH="$work:$PGBIN:/usr/bin:/bin" PGBIN="$PGBIN" DEMO_WORK="$work" bash "$work/$(basename "$0")"
	exit
fi
work=${DEMO_WORK:-$(mktemp -d /tmp/forkpoint-demo.XXXXXX)}
cd "$work"
export PATH="$work:$PGBIN:$PATH" LC_ALL=C PGHOST=$work PGDATABASE=postgres PGUSER=postgres NO_COLOR=1
cleanup() {
	for d in alpha beta; do pg_ctl -D $d -m immediate stop >/dev/null 2>&1 || true; done
	[ -n "${DEMO_WORK:-}" ] || rm -rf "$work"
}
trap cleanup EXIT

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
run() { # prints a command as a person would type it, and runs it
	printf '\033[36m$ %s\033[0m\n' "$*"
	eval "$*"
}
quiet() { eval "$*" >>demo.log 2>&1 || { cat demo.log; exit 1; }; }
settings() { # PORT
	cat <<-CONF
	port=$1
	unix_socket_directories='$work'
	listen_addresses=''
	fsync=off
	wal_keep_size=256MB
	CONF
}
await() { # PORT QUERY: until it says t
	for _ in $(seq 600); do [ "$(psql -XqAt -p "$1" -c "$2" 2>/dev/null)" = t ] && return; read -rt 0.05 <> <(:) || true; done
	echo "demo: waited too long for: $2" >&2; exit 1
}
alpha=${DEMO_PORT:-$((20000 + $$ % 20000))} beta=$((alpha + 1))

say "alpha is the primary, beta its standby."
quiet "initdb -D alpha -k -U postgres -A trust -N"
settings $alpha >>alpha/postgresql.conf
quiet "pg_ctl -D alpha -l alpha.log -w start"
quiet "psql -Xq -p $alpha -c 'create table orders (id bigint generated always as identity primary key, customer text, cents int, placed timestamptz default now())'"
quiet "psql -Xq -p $alpha -c \"insert into orders (customer, cents) select 'customer ' || g % 1000, g from generate_series(1, 50000) g\""
quiet "pg_basebackup -D beta -p $alpha -X stream -c fast -R"
settings $beta >>beta/postgresql.conf
quiet "pg_ctl -D beta -l beta.log -w start"
quiet "psql -Xq -p $alpha -c checkpoint -c \"insert into orders (customer, cents) values ('everybody has this one', 1)\""
await $beta "select exists (select from orders where customer = 'everybody has this one')"

say "The network breaks: beta is promoted, and alpha does not know."
run "pg_ctl -D beta -w promote >/dev/null"
run "psql -Xq -p $alpha -c \"insert into orders (customer, cents) select 'only alpha has this', 100 * g from generate_series(1, 7) g\""
run "psql -Xq -p $alpha -c 'update orders set cents = cents + 1 where id <= 2000' -c 'create table forgotten as select 1 as n'"
run "psql -Xq -p $beta -c \"insert into orders (customer, cents) select 'placed after the fail-over', g from generate_series(1, 20000) g\""
run "pg_ctl -D alpha -m immediate -w stop >/dev/null   # alpha is fenced, the hard way"

say "What happened? The histories of the new primary, and of the old one:"
run "forkpoint history beta alpha || true"

say "What does alpha hold that beta does not? Nothing is changed by asking."
run "forkpoint report --target-pgdata alpha --source-server 'host=$work port=$beta user=postgres dbname=postgres' || true"

say "What would a rewind do?"
run "forkpoint rewind --dry-run --target-pgdata alpha --source-server 'host=$work port=$beta user=postgres dbname=postgres'"

say "Do it, and make alpha a standby of beta."
run "forkpoint rewind -R --target-pgdata alpha --source-server 'host=$work port=$beta user=postgres dbname=postgres'"
run "pg_ctl -D alpha -l alpha.log -w start >/dev/null"

say "alpha follows beta, and both hold the same."
lsn=$(psql -XqAt -p $beta -c 'select pg_current_wal_flush_lsn()')
await $alpha "select pg_last_wal_replay_lsn() >= '$lsn'"
run "psql -X -p $beta -c 'select client_addr is null as local, state, replay_lsn = pg_current_wal_flush_lsn() as caught_up from pg_stat_replication'"
# Left out: the random key that pg_dumpall prints, and the positions of sequences, which every standby
# has ahead by what the primary logs in advance.
for p in $alpha $beta; do pg_dumpall -p "$p" | grep -v -e restrict -e setval >"dump.$p"; done
run "cmp dump.$alpha dump.$beta && echo 'pg_dumpall of both: equal, '\$(wc -l <dump.$beta)' lines'"
run "pg_ctl -D alpha -m fast -w stop >/dev/null; pg_checksums -D alpha | grep -i 'bad checksums'"
