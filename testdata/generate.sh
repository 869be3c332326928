#!/bin/sh
# Makes the fixtures anew: real WAL, control files, history files and WAL
# summaries of every PostgreSQL version that this machine has, and what
# PostgreSQL's own programs say of them.
#
# Usage: testdata/generate.sh [MAJOR...]      all majors without arguments
#
# "make pg" installs 13 to 18. FORKPOINT_PG_<major> names the bin directory of
# another installation, which is needed for version 19 (its release candidate
# is in Debian experimental) and for the text of pg_waldump, pg_controldata and
# pg_walsummary in versions other than 15. Where such a program is missing the
# version has its files without the text.
#
# The new files hold other times and identifiers than the old ones. MANIFEST is
# put together again from all versions; it names the version that made a file.
set -eu
cd "$(dirname "$0")"
FORKPOINT_PG_MAJORS="$*" FORKPOINT_MAKE_FIXTURES=$PWD \
	go test -tags fixtures -count=1 -run '^TestMakeFixtures$' ../walinspect/pgtest
{
	cat <<-'END'
		# Fixtures that several packages share; made by generate.sh, which says how.
		# Each version's folder tells one incident on a cluster with 1 MB segments:
		# a workload, a fail-over to timeline 2 while the primary on timeline 1
		# goes on, and another to timeline 3.
		#
		# SHA-256, file, server that made it: what it is
	END
	for major in 13 14 15 16 17 18 19; do
		if [ -f MANIFEST.$major ]; then cat MANIFEST.$major; else grep "  pg$major/" MANIFEST || true; fi
	done
} >MANIFEST.new
rm -f MANIFEST.[0-9]*
mv MANIFEST.new MANIFEST
