-- What the oracle tests run: a statement per line, each a message of its own.
-- A line that begins with a number is for servers of that version and later,
-- or before it where the number has a minus sign. One that begins with "two:"
-- runs in a second session while the first is open.

-- rows and indexes of every kind
create extension bloom
create table t(a int primary key, b text, c int[], d point, e int4range, f timestamptz default now(), g text, h tsvector)
create index t_gin on t using gin(c)
create index t_ginfast on t using gin(h) with (fastupdate=on, gin_pending_list_limit=64)
create index t_gist on t using gist(d)
create index t_gist2 on t using gist(e)
create index t_spg on t using spgist(d)
create index t_spg2 on t using spgist(g)
create index t_brin on t using brin(a) with (pages_per_range=1, autosummarize=off)
create index t_hash on t using hash(b)
create index t_dup on t(b)
create sequence s
select count(nextval('s')) from generate_series(1,100)
select pg_create_restore_point('rp one')
insert into t select i, 'v'||(i%50), array[i%10,i%7,i%100], point(i%100, i/100), int4range(i, i+5), now(), 'http://example.com/'||i||'/'||md5(i::text), to_tsvector('simple', 'w'||i||' x'||i%20) from generate_series(1,1500) i
checkpoint
insert into t select i, 'v'||(i%50), array[i%10,i%7,i%100], point(i%100, i/100), int4range(i, i+5), now(), 'http://example.com/'||i||'/'||md5(i::text), to_tsvector('simple', 'w'||i||' x'||i%20) from generate_series(1501,2500) i
select brin_summarize_new_values('t_brin')
select brin_desummarize_range('t_brin', 3)
update t set b = b||'x' where a%17=0
delete from t where a%5=0
vacuum t
select gin_clean_pending_list('t_ginfast')
checkpoint
delete from t where a between 300 and 1200
vacuum t
vacuum freeze t

-- HOT chains, pruning, locks, multixacts, subtransactions
create table hot(a int primary key, b int) with (fillfactor=50)
insert into hot select i, 0 from generate_series(1,500) i
checkpoint
do $$ begin for i in 1..10 loop update hot set b=i; end loop; end $$
select count(*) from hot
begin; update hot set b=5 where a<50; rollback
begin; select * from hot where a=1 for share; savepoint x; select * from hot where a=1 for update; update hot set b=b+1 where a=1; release x; commit
begin; select * from hot where a=2 for key share; savepoint x; update hot set b=b+1 where a=2; savepoint y; insert into hot values(100001,1); rollback to y; commit
begin; select * from hot where a=3 for no key update; savepoint x; select * from hot where a=3 for update; commit
begin
update hot set b=1 where a=5
two: select * from hot where a=5 for key share
commit
do $$ begin for i in 1..200 loop begin insert into hot values (200000+i, i); exception when others then null; end; end loop; end $$
do $$ begin for i in 1..2000 loop perform 1 from hot where a=i%500 for share; begin perform 1 from hot where a=i%500 for update; exception when others then null; end; end loop; end $$
begin
savepoint z; insert into hot values (-10,1)
two: checkpoint
rollback
insert into hot values (1,1) on conflict (a) do update set b=excluded.b
insert into hot values (300001,1) on conflict (a) do update set b=excluded.b

-- prepared transactions
begin; insert into hot values (400000,1); create table dropme(a int); prepare transaction 'gid one'
begin; savepoint q; insert into hot values (400002,1); release q; drop sequence s; prepare transaction 'gid two'
checkpoint
commit prepared 'gid one'
rollback prepared 'gid two'
begin; create table twop(a text); insert into twop values ('x'); prepare transaction 'gid three'
rollback prepared 'gid three'
begin; savepoint a; create table pr1(a int); savepoint b; create table pr2(a int primary key); release b; insert into pr1 values (1); drop table dropme; prepare transaction 'pp'
commit prepared 'pp'

-- definitions, truncation, tablespaces, databases
create tablespace ts1 location '@ts'
create table tst(a int, b text) tablespace ts1
insert into tst select i, repeat('x', 3000)||i from generate_series(1,50) i
truncate hot
insert into hot select i,0 from generate_series(1,1000) i
create table part(a int, b text) partition by range(a)
create table p1 partition of part for values from (0) to (100)
create table p2 partition of part for values from (100) to (200)
insert into part select i, 'x' from generate_series(0,199) i
update part set a = a+100 where a < 50
create table tr1(a serial primary key)
create table tr2(a int references tr1)
insert into tr1 default values
truncate tr1 restart identity cascade
begin; drop table tst; create table tst3(a int); rollback
drop table tst
create unlogged table ul(a int primary key)
create materialized view mv as select a, b from t
cluster t using t_pkey
vacuum full hot
reindex table pg_class
vacuum full pg_class
15: create database db1 strategy wal_log
15: create database db2 strategy file_copy
-15: create database db2
create database db3 tablespace ts1
drop database db2
alter database db3 set tablespace pg_default
drop database db3
drop tablespace ts1
set synchronous_commit=remote_apply
comment on table hot is 'abc'
reset synchronous_commit

-- messages, origins, decoding
select pg_logical_emit_message(false, 'pre fix', 'hello world')
select pg_logical_emit_message(true, 'p2', E'\\x00ff10'::bytea)
begin; select pg_logical_emit_message(true, 'p3', 'long'); savepoint a; insert into hot values (999999,1); savepoint b; insert into hot values(9999990,1); commit
select pg_create_logical_replication_slot('sl','test_decoding')
create table q1(a int)
vacuum full pg_depend
select pg_drop_replication_slot('sl')
select pg_replication_origin_create('org')
select pg_replication_origin_session_setup('org')
begin; select pg_replication_origin_xact_setup('0/ABCDEF', now()); insert into hot values (9999991,1); commit
begin; select pg_replication_origin_xact_setup('0/ABCDEF', now()); create table orgab(a int); insert into hot values (9999992,1); rollback
begin; select pg_replication_origin_xact_setup('1/00CDEF', now()); insert into hot values (9999993,1); prepare transaction 'with origin'
commit prepared 'with origin'
begin; select pg_replication_origin_xact_setup('1/00CDEF', now()); create table lll(a int); insert into hot values (9999994,1); prepare transaction 'with origin b'
rollback prepared 'with origin b'
select pg_replication_origin_session_reset()
select pg_replication_origin_advance('org','0/1234ABC')
select pg_replication_origin_drop('org')
15: select pg_backup_start('x', true)
15: select pg_backup_stop()
-15: select pg_start_backup('x', true, false)
-15: select pg_stop_backup(false)
select pg_switch_wal()

-- B-tree: page deletion and reuse, posting lists, deletion before a split
create table bt(a int, b text)
create index bt_i on bt(a,b)
insert into bt select i, repeat('k',400)||i from generate_series(1,4000) i
delete from bt where a between 2 and 3999
vacuum bt
checkpoint
select txid_current()
vacuum bt
insert into bt select i%5000, repeat('k',400)||i from generate_series(1,2000) i
delete from bt
vacuum bt
create table dd(a int, b int)
create index dd_i on dd(b)
insert into dd select i, i%3 from generate_series(1,3000) i
checkpoint
delete from dd where a%4=1
vacuum dd
insert into dd select i, i%3 from generate_series(1,2000) i
set enable_seqscan=off
set enable_bitmapscan=off
do $$ begin for i in 1..5 loop delete from dd where a%7=i; commit; perform count(*) from dd where b=1; perform count(*) from dd where b=2; commit; insert into dd select j, j%3 from generate_series(1,800) j; commit; end loop; end $$
create table bu(a int primary key, b int, c text)
create index bu_b on bu(b)
insert into bu select i, i%5, 'x' from generate_series(1,300) i
do $$ begin for i in 1..30 loop update bu set b=b+1; commit; end loop; end $$

-- hash
create table h(a int, b int)
create index h_i on h using hash(a)
insert into h select i%1000, i from generate_series(1,6000) i
delete from h where a%3=0
vacuum h
insert into h select i, i from generate_series(1,6000) i
delete from h where a < 900
vacuum h
create table hv(a int, b int)
create index hv_i on hv using hash(a)
create index hv_b on hv(b)
insert into hv select i%3, i from generate_series(1,3000) i
do $$ begin for k in 1..4 loop delete from hv where b % 10 = k and a=1; commit; perform count(*) from hv where a=1; commit; insert into hv select 1, 10+j from generate_series(1,400) j; commit; end loop; end $$

-- GiST
create table gi(p point)
create index gi_i on gi using gist(p)
insert into gi select point(i%300,i/300) from generate_series(1,6000) i
delete from gi where p[0] < 200
vacuum gi
select txid_current()
vacuum gi
insert into gi select point(i%300,i/300) from generate_series(1,6000) i
do $$ begin for i in 1..6 loop delete from gi where p <@ box(point(200+i,0),point(201+i,60)); commit; perform count(*) from gi where p <@ box(point(200+i,0),point(201+i,60)); commit; insert into gi select point(200+i, j%60) from generate_series(1,500) j; commit; end loop; end $$

-- SP-GiST
create table sp(a text)
create index sp_i on sp using spgist(a)
insert into sp select 'http://www.example.com/'||repeat('x',i%30)||i from generate_series(1,2000) i
insert into sp select 'http://aaa.example.com/'||i from generate_series(1,1000) i
insert into sp select 'ftp://aaa.example.com/'||i from generate_series(1,1000) i
insert into sp select 'http'||i from generate_series(1,1000) i
insert into sp select substr('http://www.example.com/xxxxxxxxxxxxxxxxxxxxxxxxxxxx', 1, i%40)||chr(65+i%50) from generate_series(1,2000) i
insert into sp select repeat('a', i%200)||i from generate_series(1,2000) i
insert into sp select null from generate_series(1,400)
delete from sp where a like 'a%' or a is null
vacuum sp
select txid_current()
vacuum sp
insert into sp select chr(33+i%90)||'b'||i from generate_series(1,2000) i
create table spp(p point)
create index spp_i on spp using spgist(p)
insert into spp select point(1,1) from generate_series(1,500)
delete from spp
vacuum spp

-- GIN posting trees
create table gn(a int[])
create index gn_i on gn using gin(a) with (fastupdate=off)
insert into gn select array[1, i%3] from generate_series(1,12000) i
delete from gn where ctid::text like '(%,1%)'
vacuum gn
insert into gn select array[1,2] from generate_series(1,1000)
delete from gn
vacuum gn
insert into gn select array[i] from generate_series(1,1500) i
checkpoint
insert into gn select array[i%40] from generate_series(1,1000) i

-- BRIN
create table br(a int, b text) with (fillfactor=10)
create index br_i on br using brin(b) with (pages_per_range=1, autosummarize=off)
insert into br select i, repeat('x', i%50) from generate_series(1,3000) i
select brin_summarize_new_values('br_i')
do $$ begin for i in 1..60 loop update br set b = repeat('y', i*10) || repeat('z', i) where a % 60 = i-1; commit; end loop; end $$

-- TOAST, generic records, COPY, truncation by vacuum, transaction status logs
create table toasted(a text)
alter table toasted alter a set storage external
insert into toasted select repeat('q', 20000) from generate_series(1,5)
update toasted set a = a||'z'
delete from toasted
create table bl(a int,b int)
create index bl_i on bl using bloom(a,b)
insert into bl select i,i from generate_series(1,100) i
create table cp(a int, b text)
copy cp from program 'seq 1 3000 | sed "s/$/\tabc/"'
vacuum cp
insert into cp values (1,'x')
select * from cp where a=3 for update
delete from cp where a=5
begin; create table cpf(a int, b text); copy cpf from program 'seq 1 3000 | sed "s/$/\tabc/"' with (freeze); commit
create table vt(a int, b text)
insert into vt select i, repeat('x',500) from generate_series(1,1000) i
vacuum vt
delete from vt where a > 100
vacuum vt
do $$ begin for i in 1..36000 loop begin insert into q1 values(i); exception when others then null; end; end loop; end $$
analyze
vacuum freeze

-- images that are there only to be compared
set wal_consistency_checking='all'
insert into t select i, 'v'||(i%50), array[i%10,i%7,i%100], point(i%100, i/100), int4range(i, i+5), now(), 'http://example.com/'||i, to_tsvector('simple', 'w'||i||' x'||i%20) from generate_series(70001,70100) i
update t set b='qq' where a > 70050
delete from t where a> 70080
vacuum t
insert into gn select array[1,i] from generate_series(1,300) i
checkpoint
