package source

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

func cutURIPrefix(s string) (rest string, is bool) {
	for _, prefix := range []string{"postgresql://", "postgres://"} {
		if rest, is := strings.CutPrefix(s, prefix); is {
			return rest, true
		}
	}
	return s, false
}

// parseURI reads what follows the scheme of a connection URI
// (conninfo_uri_parse_options in src/interfaces/libpq/fe-connect.c):
//
//	[user[:password]@][host[:port],...][/dbname][?keyword=value&...]
func parseURI(s string, set map[string]string) error {
	if i := strings.IndexAny(s, "@/"); i >= 0 && s[i] == '@' {
		user, password, _ := strings.Cut(s[:i], ":")
		if err := setDecoded(set, "user", user); err != nil {
			return err
		}
		if err := setDecoded(set, "password", password); err != nil {
			return err
		}
		s = s[i+1:]
	}
	s, err := parseURIHosts(s, set)
	if err != nil {
		return err
	}
	path, query, hasQuery := strings.Cut(s, "?")
	if err := setDecoded(set, "dbname", strings.TrimPrefix(path, "/")); err != nil {
		return err
	}
	if !hasQuery || query == "" {
		return nil
	}
	for pair := range strings.SplitSeq(query, "&") {
		if err := setURIParam(set, pair); err != nil {
			return err
		}
	}
	return nil
}

// parseURIHosts reads the hosts and returns what follows them. Hosts and ports
// go into lists of the same length.
func parseURIHosts(s string, set map[string]string) (rest string, err error) {
	var hosts, ports []string
	for {
		host, port := "", ""
		if strings.HasPrefix(s, "[") {
			end := strings.IndexByte(s, ']')
			if end < 2 {
				return "", errors.New("IPv6 address in brackets is empty or not closed")
			}
			host, s = s[1:end], s[end+1:]
			if s != "" && strings.IndexByte(":/?,", s[0]) < 0 {
				return "", errors.New("unexpected text after an IPv6 address in brackets")
			}
		} else {
			end := indexAnyOrEnd(s, ":/?,")
			host, s = s[:end], s[end:]
		}
		if strings.HasPrefix(s, ":") {
			end := indexAnyOrEnd(s[1:], "/?,")
			port, s = s[1:1+end], s[1+end:]
		}
		hosts, ports = append(hosts, host), append(ports, port)
		if !strings.HasPrefix(s, ",") {
			break
		}
		s = s[1:]
	}
	if err := setDecoded(set, "host", strings.Join(hosts, ",")); err != nil {
		return "", err
	}
	return s, setDecoded(set, "port", strings.Join(ports, ","))
}

func indexAnyOrEnd(s, chars string) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return len(s)
}

// setURIParam takes one keyword=value of the query.
func setURIParam(set map[string]string, pair string) error {
	raw, rawValue, found := strings.Cut(pair, "=")
	keyword, err := uriDecode(raw)
	if err != nil {
		return err
	}
	if !found || strings.Contains(rawValue, "=") {
		return fmt.Errorf("query parameter %q does not have exactly one \"=\"", keyword)
	}
	value, err := uriDecode(rawValue)
	if err != nil {
		return err
	}
	if keyword == "ssl" && value == "true" { // as JDBC writes it
		keyword, value = "sslmode", "require"
	}
	if !knownOption(keyword) {
		return fmt.Errorf("unknown query parameter %q", keyword)
	}
	set[keyword] = value
	return nil
}

// setDecoded sets a keyword unless there is nothing to set.
func setDecoded(set map[string]string, keyword, raw string) error {
	if raw == "" {
		return nil
	}
	value, err := uriDecode(raw)
	if err == nil {
		set[keyword] = value
	}
	return err
}

// uriDecode replaces percent signs and two hexadecimal digits by the byte.
// Spaces around are dropped.
func uriDecode(s string) (string, error) {
	s = strings.Trim(s, " ")
	if strings.ContainsAny(s, " ") {
		return "", errors.New("unexpected space in the URI, write it as %20")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errors.New("incomplete percent sequence in the URI")
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", errors.New("invalid percent sequence in the URI")
		}
		if n == 0 {
			return "", errors.New("forbidden value %00 in the URI")
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), nil
}
