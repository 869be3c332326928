#!/bin/bash
# Patroni with etcd: the leader is lost with WAL of its own, the other takes
# over, and the old one rejoins through the program in place of pg_rewind.
# Run as an ordinary user:
#   patroni.sh PG_REWIND EMPTYDIR
REW=$1 B=/usr/lib/postgresql/15/bin W=$2; cd "$W"; export HOME=$W
mkdir bin; for f in $B/*; do ln -s $f bin/; done; rm bin/pg_rewind
cat > bin/pg_rewind <<C
#!/bin/sh
echo "\$@" >> $W/rewind.args
exec -a pg_rewind $REW "\$@" 2> >(tee -a $W/rewind.err >&2)
C
sed -i '1s#.*#\#!/bin/bash#' bin/pg_rewind; chmod +x bin/pg_rewind
etcd --data-dir $W/etcd --listen-client-urls http://127.0.0.1:23790 --advertise-client-urls http://127.0.0.1:23790 --listen-peer-urls http://127.0.0.1:23800 --initial-advertise-peer-urls http://127.0.0.1:23800 --initial-cluster default=http://127.0.0.1:23800 --enable-v2 > etcd.log 2>&1 & E=$!
for n in 1 2; do cat > p$n.yml <<C
scope: fp
name: n$n
restapi: {listen: 127.0.0.1:2800$n, connect_address: 127.0.0.1:2800$n}
etcd: {host: 127.0.0.1:23790}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 5
    maximum_lag_on_failover: 104857600
    postgresql:
      use_pg_rewind: true
      parameters: {wal_log_hints: 'on', fsync: 'off', wal_keep_size: 256MB, unix_socket_directories: $W}
  initdb: [{encoding: UTF8}, data-checksums]
  pg_hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust', 'local all all trust']
postgresql:
  listen: 127.0.0.1:2546$n
  connect_address: 127.0.0.1:2546$n
  data_dir: $W/d$n
  bin_dir: $W/bin
  pgpass: $W/pgpass$n
  authentication:
    replication: {username: repl, password: r}
    superuser: {username: postgres, password: s}
    rewind: {username: rewinder, password: w}
C
done
patroni p1.yml > p1.log 2>&1 & P1=$!
q() { psql -h 127.0.0.1 -p 2546$1 -U postgres -d postgres -Atc "$2" 2>&1; }
for i in $(seq 60); do [ "$(q 1 'select pg_is_in_recovery()')" = f ] && break; sleep 0.5; done
patroni p2.yml > p2.log 2>&1 & P2=$!
for i in $(seq 80); do [ "$(q 1 "select count(*) from pg_stat_replication where state='streaming'")" = 1 ] && break; sleep 0.5; done
q 1 "create table t as select i from generate_series(1,1000) i"; q 1 checkpoint; sleep 1
# the standby stops receiving; the leader goes on and crashes
kill -STOP $P1
q 2 "select pg_wal_replay_pause()" ; q 2 "alter system set primary_conninfo=''" ; q 2 "select pg_reload_conf()"; sleep 1
q 1 "insert into t select i from generate_series(5001,5100) i"; q 1 "select pg_current_wal_lsn()"
kill -QUIT $(head -1 d1/postmaster.pid); sleep 1; kill -9 $P1
q 2 "alter system reset primary_conninfo"; q 2 "select pg_reload_conf()"; q 2 "select pg_wal_replay_resume()"
for i in $(seq 100); do [ "$(q 2 'select pg_is_in_recovery()')" = f ] && break; sleep 0.5; done
q 2 "insert into t select i from generate_series(2001,2100) i"; q 2 checkpoint
patroni p1.yml > p1b.log 2>&1 & P1=$!
for i in $(seq 120); do [ "$(q 2 "select count(*) from pg_stat_replication where state='streaming'")" = 1 ] && break; sleep 0.5; done
sleep 1
new=$(q 2 'select count(*), count(*) filter (where i > 5000) from t') old=$(q 1 'select count(*), count(*) filter (where i > 5000) from t')
echo "rows|rows of the crash: new leader $new, rejoined $old"
cat rewind.args rewind.err
kill $P1 $P2; sleep 4; for d in d1 d2; do [ -f $d/postmaster.pid ] && kill -QUIT $(head -1 $d/postmaster.pid); done; kill $E
[ "$new" = "$old" ] && grep -q '^-D' rewind.args && grep -q '^pg_rewind: Done!' rewind.err
