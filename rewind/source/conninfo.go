package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// option is one keyword of a connection string.
type option struct {
	keyword  string
	env      string // variable that sets it
	compiled string // default
	since    int    // major version whose libpq knows it first; 0 for all
	until    int    // and last; 0 for all
	stored   int    // major version from which a connection reports it; 0 for all
}

// connOptions are the keywords of libpq in its order (PQconninfoOptions in
// src/interfaces/libpq/fe-connect.c), which is the order in which they are
// written into primary_conninfo.
var connOptions = [...]option{
	{keyword: "authtype", env: "PGAUTHTYPE", until: 13, stored: 99},
	{keyword: "service", env: "PGSERVICE", stored: 18},
	{keyword: "servicefile", env: "PGSERVICEFILE", since: 19},
	{keyword: "user", env: "PGUSER"},
	{keyword: "password", env: "PGPASSWORD"},
	{keyword: "passfile", env: "PGPASSFILE"},
	{keyword: "channel_binding", env: "PGCHANNELBINDING", compiled: "prefer"},
	{keyword: "connect_timeout", env: "PGCONNECT_TIMEOUT"},
	{keyword: "dbname", env: "PGDATABASE"},
	{keyword: "host", env: "PGHOST"},
	{keyword: "hostaddr", env: "PGHOSTADDR"},
	{keyword: "port", env: "PGPORT", compiled: "5432"},
	{keyword: "client_encoding", env: "PGCLIENTENCODING"},
	{keyword: "tty", env: "PGTTY", until: 13},
	{keyword: "options", env: "PGOPTIONS"},
	{keyword: "application_name", env: "PGAPPNAME"},
	{keyword: "fallback_application_name"},
	{keyword: "keepalives"},
	{keyword: "keepalives_idle"},
	{keyword: "keepalives_interval"},
	{keyword: "keepalives_count"},
	{keyword: "tcp_user_timeout"},
	{keyword: "sslmode", env: "PGSSLMODE", compiled: "prefer"},
	{keyword: "sslnegotiation", env: "PGSSLNEGOTIATION", compiled: "postgres", since: 17},
	{keyword: "sslcompression", env: "PGSSLCOMPRESSION", compiled: "0"},
	{keyword: "sslcert", env: "PGSSLCERT"},
	{keyword: "sslkey", env: "PGSSLKEY"},
	{keyword: "sslcertmode", env: "PGSSLCERTMODE", compiled: "allow", since: 16},
	{keyword: "sslpassword"},
	{keyword: "sslrootcert", env: "PGSSLROOTCERT"},
	{keyword: "sslcrl", env: "PGSSLCRL"},
	{keyword: "sslcrldir", env: "PGSSLCRLDIR", since: 14},
	{keyword: "sslsni", env: "PGSSLSNI", compiled: "1", since: 14},
	{keyword: "requirepeer", env: "PGREQUIREPEER"},
	{keyword: "require_auth", env: "PGREQUIREAUTH", since: 16},
	{keyword: "min_protocol_version", env: "PGMINPROTOCOLVERSION", since: 18},
	{keyword: "max_protocol_version", env: "PGMAXPROTOCOLVERSION", since: 18},
	{keyword: "ssl_min_protocol_version", env: "PGSSLMINPROTOCOLVERSION", compiled: "TLSv1.2"},
	{keyword: "ssl_max_protocol_version", env: "PGSSLMAXPROTOCOLVERSION"},
	{keyword: "gssencmode", env: "PGGSSENCMODE", compiled: "prefer"},
	{keyword: "krbsrvname", env: "PGKRBSRVNAME", compiled: "postgres"},
	{keyword: "gsslib", env: "PGGSSLIB"},
	{keyword: "gssdelegation", env: "PGGSSDELEGATION", compiled: "0", since: 16},
	{keyword: "replication"},
	{keyword: "target_session_attrs", env: "PGTARGETSESSIONATTRS", compiled: "any"},
	{keyword: "load_balance_hosts", env: "PGLOADBALANCEHOSTS", compiled: "disable", since: 16},
	{keyword: "scram_client_key", since: 18},
	{keyword: "scram_server_key", since: 18},
	{keyword: "oauth_issuer", since: 18},
	{keyword: "oauth_client_id", since: 18},
	{keyword: "oauth_client_secret", since: 18},
	{keyword: "oauth_scope", since: 18},
	{keyword: "sslkeylogfile", since: 18},
}

func knownOption(keyword string) bool {
	for _, o := range connOptions {
		if o.keyword == keyword {
			return true
		}
	}
	return false
}

// parseConninfo reads a connection string in either form. Keywords that no
// version of libpq knows are refused. The text of errors holds no values, for
// any could be a password.
func parseConninfo(s string) (map[string]string, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, fmt.Errorf("%w: NUL byte", ErrConninfo)
	}
	set := map[string]string{}
	var err error
	if rest, is := cutURIPrefix(s); is {
		err = parseURI(rest, set)
	} else {
		err = parseKeywords(s, set)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrConninfo, err)
	}
	return set, nil
}

const conninfoSpace = " \t\n\r\v\f"

// parseKeywords reads keyword = value pairs (conninfo_parse in
// src/interfaces/libpq/fe-connect.c).
func parseKeywords(s string, set map[string]string) error {
	for {
		s = strings.TrimLeft(s, conninfoSpace)
		if s == "" {
			return nil
		}
		end := strings.IndexAny(s, "="+conninfoSpace)
		if end < 0 {
			return fmt.Errorf("no \"=\" after a keyword")
		}
		keyword := s[:end]
		s = strings.TrimLeft(s[end:], conninfoSpace)
		if s == "" || s[0] != '=' {
			return fmt.Errorf("no \"=\" after a keyword")
		}
		value, rest, err := conninfoValue(strings.TrimLeft(s[1:], conninfoSpace))
		if err != nil {
			return fmt.Errorf("%w of %q", err, keyword)
		}
		if !knownOption(keyword) {
			return fmt.Errorf("unknown keyword %q", keyword)
		}
		set[keyword], s = value, rest
	}
}

var errUnterminated = fmt.Errorf("unterminated quotes in the value")

// conninfoValue takes a value from the front of s. A backslash makes the next
// byte an ordinary one, within quotes and without.
func conninfoValue(s string) (value, rest string, err error) {
	quoted := s != "" && s[0] == '\''
	i := 0
	if quoted {
		i = 1
	}
	var b strings.Builder
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\'':
			return b.String(), s[i+1:], nil
		case !quoted && strings.IndexByte(conninfoSpace, c) >= 0:
			return b.String(), s[i:], nil
		case c == '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", "", errUnterminated
	}
	return b.String(), "", nil
}

// quoteConninfo writes a value so that conninfoValue reads it back
// (appendConnStrVal in src/fe_utils/string_utils.c).
func quoteConninfo(value string) string {
	plain := value != ""
	for _, c := range []byte(value) {
		plain = plain && ('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '.')
	}
	if plain {
		return value
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// secretOptions are the keywords whose values nobody may be shown.
var secretOptions = []string{"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}

// PublicConninfo is a connection string, given in either form, as keywords
// without secrets; "" where it cannot be read.
func PublicConninfo(s string) string {
	set, err := parseConninfo(s)
	if err != nil {
		return ""
	}
	var parts []string
	for _, keyword := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains(secretOptions, keyword) {
			parts = append(parts, keyword+"="+quoteConninfo(set[keyword]))
		}
	}
	return strings.Join(parts, " ")
}
