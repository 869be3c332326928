package source

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// host is one of the servers that a connection string names.
type host struct {
	name string // for TLS, the password file and messages; a directory for a socket
	addr string // where to connect instead of looking the name up
	port string
}

func (h host) String() string {
	name := h.name
	if name == "" {
		name = h.addr
	}
	return "host " + name + " port " + h.port
}

// unix tells whether the name is that of a socket.
func (h host) unix() bool {
	return h.addr == "" && (strings.HasPrefix(h.name, "/") || strings.HasPrefix(h.name, "@"))
}

// hosts are the servers in the order they are tried. load_balance_hosts, which
// would mix them, is not followed: a rewind reads from one server.
func (c connection) hosts() ([]host, error) {
	names, addrs, ports := strings.Split(c.set["host"], ","), strings.Split(c.set["hostaddr"], ","), strings.Split(c.set["port"], ",")
	if c.set["hostaddr"] != "" {
		if c.set["host"] == "" {
			names = make([]string, len(addrs))
		}
		if len(names) != len(addrs) {
			return nil, fmt.Errorf("%w: %d hosts, but %d addresses in hostaddr", ErrConninfo, len(names), len(addrs))
		}
	} else {
		addrs = make([]string, len(names))
	}
	if len(ports) != 1 && len(ports) != len(names) {
		return nil, fmt.Errorf("%w: %d hosts, but %d ports", ErrConninfo, len(names), len(ports))
	}
	all := make([]host, len(names))
	for i := range names {
		h := host{strings.TrimSpace(names[i]), strings.TrimSpace(addrs[i]), strings.TrimSpace(ports[min(i, len(ports)-1)])}
		if h.port == "" {
			h.port = "5432"
		}
		if n, err := strconv.ParseUint(h.port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("%w: invalid port number", ErrConninfo)
		}
		if h.name == "" && h.addr == "" {
			h.name = socketDir()
		}
		all[i] = h
	}
	return all, nil
}

// socketDir is where servers put their sockets unless told otherwise: Debian's
// place if it is there, else the one that PostgreSQL itself has.
func socketDir() string {
	const debian = "/var/run/postgresql"
	if _, err := os.Stat(debian); err == nil {
		return debian
	}
	return "/tmp"
}

// passedOn are the options that the driver understands as libpq does.
var passedOn = [...]string{
	"user", "password", "dbname", "sslmode", "sslcert", "sslkey", "sslcertmode", "sslpassword", "sslrootcert",
	"sslsni", "sslnegotiation", "channel_binding", "require_auth", "min_protocol_version", "max_protocol_version", "krbsrvname",
}

// sslModes are looked at also where a socket makes them of no use.
var sslModes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

// refused are options that ask for protection which would not be given.
var refused = [...]string{"sslcrl", "sslcrldir", "scram_client_key", "scram_server_key"}

// config makes the driver's configuration for one server. The driver reads the
// environment too, so whatever it looks for there is given to it here.
func (c connection) config(h host, sessionAttrs string) (*pgconn.Config, error) {
	for _, keyword := range refused {
		if c.set[keyword] != "" {
			return nil, fmt.Errorf("%w: %s is not supported", ErrConninfo, keyword)
		}
	}
	if !slices.Contains(sslModes, c.set["sslmode"]) {
		return nil, fmt.Errorf("%w: invalid sslmode", ErrConninfo)
	}
	if c.set["gssencmode"] == "require" {
		return nil, fmt.Errorf("%w: gssencmode=require is not supported", ErrConninfo)
	}
	name := h.name
	if name == "" || h.addr != "" && strings.HasPrefix(name, "/") {
		name = h.addr
	}
	var b strings.Builder
	add := func(keyword, value string) {
		fmt.Fprintf(&b, "%s='%s' ", keyword, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
	}
	add("host", name)
	add("port", h.port)
	add("target_session_attrs", sessionAttrs)
	add("passfile", c.passfile())
	for _, keyword := range passedOn {
		if value := c.set[keyword]; value != "" && !(keyword == "sslmode" && h.unix()) {
			add(keyword, value)
		}
	}
	if h.unix() {
		add("sslmode", "disable")
	}
	config, err := pgconn.ParseConfig(b.String())
	if err != nil {
		return nil, parseConfigError(err)
	}
	if err := c.limitTLS(config); err != nil {
		return nil, err
	}
	config.ConnectTimeout = 0 // the caller's context has it
	config.RuntimeParams = map[string]string{
		"client_encoding":  "SQL_ASCII",
		"application_name": cmp.Or(c.set["application_name"], c.set["fallback_application_name"]),
	}
	if c.set["options"] != "" {
		config.RuntimeParams["options"] = c.set["options"]
	}
	return config, nil
}

// parseConfigError drops the connection string that the driver's error quotes.
func parseConfigError(err error) error {
	if cause := errors.Unwrap(err); cause != nil {
		return fmt.Errorf("%w: %s", ErrConninfo, cause) // a missing file must not look like a missing server
	}
	return fmt.Errorf("%w: the value of an option is not valid", ErrConninfo)
}

// passfile is the password file, or a file that does not exist if others may
// read it: libpq does not use such a one either.
func (c connection) passfile() string {
	const none = "/dev/null"
	name := c.set["passfile"]
	if name == "" || c.passfileProblem() != "" {
		return none
	}
	return name
}

// passfileProblem says why the password file is not used, if it is there
// (passwordFromFile in src/interfaces/libpq/fe-connect.c).
func (c connection) passfileProblem() string {
	info, err := os.Stat(c.set["passfile"])
	switch {
	case err != nil:
		return "" // libpq says nothing of one that it cannot look at: another user's home is left in the environment often
	case !info.Mode().IsRegular():
		return "it is not a regular file"
	case info.Mode().Perm()&0o077 != 0:
		return "others may read it; its permissions should be 0600 or less"
	}
	return ""
}

var tlsVersions = []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}

// limitTLS applies ssl_min_protocol_version and ssl_max_protocol_version.
func (c connection) limitTLS(config *pgconn.Config) error {
	limits := [2]uint16{}
	for i, keyword := range []string{"ssl_min_protocol_version", "ssl_max_protocol_version"} {
		value := c.set[keyword]
		if value == "" {
			continue
		}
		n := slices.IndexFunc(tlsVersions, func(v string) bool { return strings.EqualFold(v, value) })
		if n < 0 {
			return fmt.Errorf("%w: invalid %s", ErrConninfo, keyword)
		}
		limits[i] = tls.VersionTLS10 + uint16(n)
	}
	all := []*tls.Config{config.TLSConfig}
	for _, f := range config.Fallbacks {
		all = append(all, f.TLSConfig)
	}
	for _, t := range all {
		if t != nil {
			t.MinVersion, t.MaxVersion = limits[0], limits[1]
		}
	}
	return nil
}

// duration reads a whole number of units; set is false where there is none.
func (c connection) duration(keyword string, unit time.Duration) (d time.Duration, set bool, err error) {
	value := strings.TrimSpace(c.set[keyword])
	if value == "" {
		return 0, false, nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return 0, false, fmt.Errorf("%w: invalid whole number for %s", ErrConninfo, keyword)
	}
	return time.Duration(n) * unit, true, nil
}
