package pgtest

import (
	"fmt"
	"strings"
)

// Option changes how [New] makes a cluster.
type Option func(*config)

type config struct {
	major     int
	segMB     int
	checksums bool
	fresh     bool
	linkedWAL bool
	tcp       bool
	conf      []setting
}

type setting struct{ name, value string }

// Major chooses the server version; without it the newest released one that
// the machine has is used.
func Major(n int) Option { return func(c *config) { c.major = n } }

// SegSize chooses the WAL segment size in megabytes; without it, 16.
func SegSize(mb int) Option { return func(c *config) { c.segMB = mb } }

// NoChecksums makes a cluster without data checksums. The default is with, in
// every version.
func NoChecksums() Option { return func(c *config) { c.checksums = false } }

// Conf sets a parameter in postgresql.conf.
func Conf(name, value string) Option {
	return func(c *config) { c.conf = append(c.conf, setting{name, value}) }
}

// Fresh runs initdb, so that the cluster has a system identifier of its own.
// Without it clusters of one version and segment size are copies of one template.
func Fresh() Option { return func(c *config) { c.fresh = true } }

// LinkedWAL puts pg_wal outside of the data directory, behind a symbolic link.
func LinkedWAL() Option { return func(c *config) { c.linkedWAL = true } }

// TCP makes the server listen on a free port of 127.0.0.1 as well.
func TCP() Option { return func(c *config) { c.tcp = true } }

func newConfig(opts []Option) config {
	c := config{segMB: 16, checksums: true}
	for _, opt := range opts {
		opt(&c)
	}
	if c.major == 0 {
		for n := firstMajor; n <= lastMajor; n++ {
			if _, err := Find(n); err == nil {
				c.major = n
			}
		}
	}
	return c
}

// defaults are the parameters of every cluster. They make servers small and
// fast, and leave checkpoints and vacuum to the tests; WAL stays until a test
// asks for it to go.
func (c config) defaults() []setting {
	return []setting{
		{"fsync", "off"},
		{"shared_buffers", "16MB"},
		{"max_connections", "40"},
		{"dynamic_shared_memory_type", "mmap"}, // in the data directory: gone with it
		{"autovacuum", "off"},
		{"checkpoint_timeout", "1h"},
		{"max_wal_size", fmt.Sprintf("%dMB", max(1024, 4*c.segMB))},
		{"min_wal_size", fmt.Sprintf("%dMB", max(16, 2*c.segMB))},
		{"wal_keep_size", "512MB"},
		{"wal_level", "replica"},
		{"max_wal_senders", "10"},
		{"max_prepared_transactions", "10"},
		{"hot_standby", "on"},
		{"wal_retrieve_retry_interval", "100ms"},
		{"jit", "off"},
		{"log_checkpoints", "on"},
		{"log_line_prefix", "%m [%p] %q%a "},
		{"lc_messages", "C"},
		{"timezone", "UTC"},
		{"log_timezone", "UTC"},
	}
}

// settings are the defaults, overridden by the test's.
func (c config) settings() []setting { return append(c.defaults(), c.conf...) }

// confText is a list of settings in the form of postgresql.conf.
func confText(list []setting) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s = '%s'\n", s.name, strings.ReplaceAll(s.value, "'", "''"))
	}
	return b.String()
}
