#!/bin/bash
# repmgr fails over and its "node rejoin --force-rewind" brings the old primary
# back through the program in place of pg_rewind. Run as an ordinary user:
#   repmgr.sh PG_REWIND EMPTYDIR
set -e
B=/usr/lib/postgresql/15/bin W=$2; cd "$W"; export PATH=$B:$PATH HOME=$W
trap 'for d in n1 n2; do pg_ctl -D $W/$d -m immediate stop >/dev/null 2>&1 || true; done' EXIT
initdb -D n1 -k -A trust -N >/dev/null
cat >> n1/postgresql.conf <<C
unix_socket_directories='$W'
listen_addresses='127.0.0.1'
port=25451
fsync=off
wal_log_hints=on
wal_keep_size=512MB
shared_preload_libraries='repmgr'
hot_standby=on
max_replication_slots=5
C
pg_ctl -D n1 -l n1.log -w start >/dev/null
psql -h $W -p 25451 -d postgres -qc "create role repmgr superuser login" -c "create database repmgr owner repmgr"
for n in 1 2; do cat > r$n.conf <<C
node_id=$n
node_name=n$n
conninfo='host=127.0.0.1 port=2545$n user=repmgr dbname=repmgr connect_timeout=2'
data_directory='$W/n$n'
pg_bindir='$B'
C
done
repmgr -f r1.conf primary register
repmgr -f r2.conf -h 127.0.0.1 -p 25451 -U repmgr -d repmgr standby clone -c
echo "port=25452" >> n2/postgresql.conf
pg_ctl -D n2 -l n2.log -w start >/dev/null
repmgr -f r2.conf standby register --force
psql -h $W -p 25451 -d postgres -qc "create table t as select i from generate_series(1,1000) i" -c checkpoint
sleep 1
pg_ctl -D n2 -m fast stop >/dev/null
psql -h $W -p 25451 -d postgres -qc "insert into t select i from generate_series(5001,5100) i"
pg_ctl -D n1 -m fast stop >/dev/null
pg_ctl -D n2 -l n2.log -w start >/dev/null
repmgr -f r2.conf standby promote
psql -h $W -p 25452 -d postgres -qc "insert into t select i from generate_series(2001,2100) i"
repmgr -f r1.conf node rejoin -d 'host=127.0.0.1 port=25452 user=repmgr dbname=repmgr' --force-rewind=$1 --config-files=postgresql.conf --verbose
for _ in $(seq 100); do
	[ "$(psql -h $W -p 25452 -d postgres -Atc "select state from pg_stat_replication")" = streaming ] && break
	sleep 0.1
done
q="select count(*), count(*) filter (where i > 5000) from t"
new=$(psql -h $W -p 25452 -d postgres -Atc "$q") old=$(psql -h $W -p 25451 -d postgres -Atc "$q")
echo "rows|lost rows: new primary $new, rejoined $old"
[ "$new" = "$old" ] && [ "$old" = "1100|0" ]
