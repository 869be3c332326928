package source

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseConninfo(t *testing.T) {
	type set = map[string]string
	tests := []struct {
		name string
		in   string
		want set
		bad  string // part of the message
	}{
		{name: "empty", in: "", want: set{}},
		{name: "keywords", in: "host=a port = 5433\n user=\tme", want: set{"host": "a", "port": "5433", "user": "me"}},
		{name: "quotes", in: `dbname='a b' user='it\'s' password='\\'`, want: set{"dbname": "a b", "user": "it's", "password": `\`}},
		{name: "backslash without quotes", in: `options=-c\ synchronous_commit=off host=h`, want: set{"options": "-c synchronous_commit=off", "host": "h"}},
		{name: "quote inside a plain value", in: `password=a'b`, want: set{"password": "a'b"}},
		{name: "empty values", in: `password='' host= user=x`, want: set{"password": "", "host": "user=x"}},
		{name: "empty at the end", in: `user=x host=`, want: set{"user": "x", "host": ""}},
		{name: "last one wins", in: "host=a host=b", want: set{"host": "b"}},
		{name: "several hosts", in: "host=a,b port=1,2", want: set{"host": "a,b", "port": "1,2"}},
		{name: "backslash at the end", in: `host=a\`, want: set{"host": "a"}},

		{name: "no equals sign", in: "host", bad: `no "="`},
		{name: "space in a keyword", in: "ho st=a", bad: `no "="`},
		{name: "unterminated", in: "host='a", bad: "unterminated"},
		{name: "unknown keyword", in: "hots=a", bad: `unknown keyword "hots"`},
		{name: "NUL", in: "host=a\x00b", bad: "NUL"},

		{name: "URI", in: "postgresql://me:se%20cret@h:5433/db?sslmode=require&application_name=x",
			want: set{"user": "me", "password": "se cret", "host": "h", "port": "5433", "dbname": "db", "sslmode": "require", "application_name": "x"}},
		{name: "shortest URI", in: "postgres://", want: set{}},
		{name: "URI with a database only", in: "postgres:///db", want: set{"dbname": "db"}},
		{name: "URI with a socket", in: "postgresql://%2Fvar%2Frun/db", want: set{"host": "/var/run", "dbname": "db"}},
		{name: "URI with a socket parameter", in: "postgresql:///db?host=/tmp&port=5", want: set{"host": "/tmp", "port": "5", "dbname": "db"}},
		{name: "URI with hosts", in: "postgres://a:1,b,[::1]:3/", want: set{"host": "a,b,::1", "port": "1,,3"}},
		{name: "URI with hosts without ports", in: "postgres://a,b", want: set{"host": "a,b", "port": ","}},
		{name: "URI with a user only", in: "postgres://me@", want: set{"user": "me"}},
		{name: "URI as JDBC has it", in: "postgres://h?ssl=true", want: set{"host": "h", "sslmode": "require"}},
		{name: "URI with an empty query", in: "postgres://h?", want: set{"host": "h"}},

		{name: "URI parameter without value", in: "postgres://h?sslmode", bad: "exactly one"},
		{name: "URI parameter with two values", in: "postgres://h?sslmode=a=b", bad: "exactly one"},
		{name: "unknown URI parameter", in: "postgres://h?x=1", bad: `unknown query parameter "x"`},
		{name: "bad escape", in: "postgres://h/%zz", bad: "percent"},
		{name: "cut escape", in: "postgres://h/%4", bad: "percent"},
		{name: "escaped NUL", in: "postgres://h/%00", bad: "%00"},
		{name: "open bracket", in: "postgres://[::1/db", bad: "IPv6"},
		{name: "text after bracket", in: "postgres://[::1]x/db", bad: "IPv6"},
		{name: "space in a URI", in: "postgres://h/a b", bad: "space"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseConninfo(tt.in)
			if tt.bad != "" {
				if !errors.Is(err, ErrConninfo) || !strings.Contains(err.Error(), tt.bad) {
					t.Fatalf("got %v, %v; want an error with %q", got, err, tt.bad)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// No error about a connection string repeats what may be a password.
func TestConninfoErrorsHoldNoValues(t *testing.T) {
	for _, in := range []string{
		"password=hunter2 hots=x", "password='hunter2", "password=hunter2 host",
		"postgres://me:hunter2@h?x=1", "postgres://me:hunter2%zz@h", "postgres://h:hunter2/db", "port=hunter2",
		"sslmode=hunter2", "host=h connect_timeout=hunter2", "keepalives_idle=hunter2 host=h", "ssl_min_protocol_version=hunter2",
	} {
		s, err := newServer(in, Options{})
		if err == nil {
			_, err = s.connection.config(s.hosts[0], "any")
		}
		if !errors.Is(err, ErrConninfo) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func FuzzParseConninfo(f *testing.F) {
	for _, seed := range []string{"host=a port=1", `password='\'x' user=\a`, "postgres://u:p@h:1,[::1]/d?sslmode=require&host=x", "host= x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, err := parseConninfo(s)
		if err != nil {
			return
		}
		var b strings.Builder
		for keyword, value := range set {
			if !knownOption(keyword) {
				t.Errorf("%q gave keyword %q", s, keyword)
			}
			b.WriteString(keyword + "=" + quoteConninfo(value) + " ")
		}
		again, err := parseConninfo(b.String())
		if err != nil || !cmp.Equal(set, again) {
			t.Errorf("%q is %v, printed %q, which is %v, %v", s, set, b.String(), again, err)
		}
	})
}

// TestPublicConninfo: no form of a connection string gives away its secrets.
func TestPublicConninfo(t *testing.T) {
	for in, want := range map[string]string{
		"host=new user=rewind password='a b' port=5433":                   "host=new port=5433 user=rewind",
		"postgresql://rewind:secret@new:5433/db?sslpassword=more":         "dbname=db host=new port=5433 user=rewind",
		`host='/a b' scram_client_key=k user=o\'brien application_name=x`: `application_name=x host='/a b' user='o\'brien'`,
		"host='new password=secret":                                       "",
	} {
		if got := PublicConninfo(in); got != want {
			t.Errorf("%s\ngives  %s\nwant   %s", in, got, want)
		}
	}
}
