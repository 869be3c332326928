package source

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bare takes libpq's variables out of the environment and gives the test a
// home directory of its own.
func bare(t *testing.T) (home string) {
	for _, o := range connOptions {
		if o.env != "" {
			t.Setenv(o.env, "") // so that it is put back
			os.Unsetenv(o.env)
		}
	}
	home = t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("PGSYSCONFDIR", filepath.Join(home, "etc"))
	return home
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestResolveConninfo(t *testing.T) {
	home := bare(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	services := write(t, filepath.Join(home, ".pg_service.conf"),
		"# mine\n[other]\nhost=wrong\n[main]\nhost=service-host\nport=6000\nuser=service\n\n[last]\nhost=wrong\n")
	t.Setenv("PGHOST", "env-host")
	t.Setenv("PGPORT", "7000")
	t.Setenv("PGPASSWORD", "env-password")

	check := func(in string, want map[string]string) {
		t.Helper()
		c, err := resolveConninfo(in)
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		got := map[string]string{}
		for keyword := range want {
			got[keyword] = c.set[keyword]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
	check("", map[string]string{"host": "env-host", "port": "7000", "user": me.Username, "dbname": me.Username, "password": "env-password", "passfile": "", "sslmode": "prefer"})
	check("host=given", map[string]string{"host": "given", "port": "7000"})
	check("service=main", map[string]string{"host": "service-host", "port": "6000", "user": "service", "dbname": "service"})
	check("service=main host=given", map[string]string{"host": "given", "port": "6000"})
	check("password=''", map[string]string{"password": "", "passfile": filepath.Join(home, ".pgpass")})
	check("sslrootcert=system", map[string]string{"sslmode": "verify-full"})

	t.Setenv("PGSERVICE", "main")
	check("", map[string]string{"host": "service-host"})
	t.Setenv("PGSERVICEFILE", write(t, filepath.Join(home, "else"), "[main]\nhost=else\n"))
	check("", map[string]string{"host": "else", "port": "7000"})
	check("servicefile="+services, map[string]string{"host": "service-host"})

	for _, bad := range []string{"service=none", "servicefile=" + write(t, filepath.Join(home, "bad"), "[main]\nhots=x\n")} {
		if _, err := resolveConninfo(bad); !errors.Is(err, ErrConninfo) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(home, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, "etc", "pg_service.conf"), "[system]\nhost=system\n")
	check("service=system", map[string]string{"host": "system"})
}

func TestHosts(t *testing.T) {
	bare(t)
	tests := []struct {
		in   string
		want []host
		bad  bool
	}{
		{in: "host=a,b", want: []host{{"a", "", "5432"}, {"b", "", "5432"}}},
		{in: "host=a,b port=1,2", want: []host{{"a", "", "1"}, {"b", "", "2"}}},
		{in: "host=a,b port=1", want: []host{{"a", "", "1"}, {"b", "", "1"}}},
		{in: "host=a,b port=1,", want: []host{{"a", "", "1"}, {"b", "", "5432"}}},
		{in: "hostaddr=10.0.0.1,10.0.0.2", want: []host{{"", "10.0.0.1", "5432"}, {"", "10.0.0.2", "5432"}}},
		{in: "host=a hostaddr=10.0.0.1", want: []host{{"a", "10.0.0.1", "5432"}}},
		{in: "port=1", want: []host{{socketDir(), "", "1"}}},
		{in: "host=a,b port=1,2,3", bad: true},
		{in: "host=a,b hostaddr=10.0.0.1", bad: true},
		{in: "port=0", bad: true},
		{in: "port=65536", bad: true},
		{in: "port=x", bad: true},
	}
	for _, tt := range tests {
		s, err := newServer(tt.in, Options{})
		if tt.bad {
			if !errors.Is(err, ErrConninfo) {
				t.Errorf("%s: %v", tt.in, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
		} else if diff := cmp.Diff(tt.want, s.hosts, cmp.AllowUnexported(host{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
	}
}

// TestDriverConfig looks at what the driver is given, for it reads the
// environment by itself.
func TestDriverConfig(t *testing.T) {
	home := bare(t)
	pass := write(t, filepath.Join(home, ".pgpass"), "b:5433:db:me:of-b\nlocalhost:*:*:*:of-socket\n*:*:*:*:of-others\n")
	t.Setenv("PGOPTIONS", "-c geqo=off")
	t.Setenv("PGTZ", "UTC")
	t.Setenv("PGAPPNAME", "env-app")

	s, err := newServer(`host=a,b,/tmp port=5432,5433,5434 user=me dbname=db keepalives_idle=5 tcp_user_timeout=1000 options='-c work_mem=1MB'
		gssencmode=prefer sslcompression=1 ssl_min_protocol_version=TLSv1.3 load_balance_hosts=random client_encoding=auto replication=true`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"of-others", "of-b", "of-socket"} {
		config, err := s.connection.config(s.hosts[i], "any")
		if err != nil {
			t.Fatal(err)
		}
		if config.Password != want {
			t.Errorf("%s: password %q, want %q", s.hosts[i], config.Password, want)
		}
		params := map[string]string{"client_encoding": "SQL_ASCII", "options": "-c work_mem=1MB", "application_name": "env-app"}
		if diff := cmp.Diff(params, config.RuntimeParams); diff != "" {
			t.Errorf("parameters (-want +got):\n%s", diff)
		}
		if secure := config.TLSConfig != nil; secure != (i < 2) || secure && config.TLSConfig.MinVersion != 0x0304 {
			t.Errorf("%s: TLS %+v", s.hosts[i], config.TLSConfig)
		}
	}
	if keep := s.dialer.net.KeepAliveConfig; !keep.Enable || keep.Idle != 5*time.Second || keep.Count != defaultKeepCount {
		t.Errorf("keepalives %+v", keep)
	}
	if text := s.String(); text != "server at host a port 5432, host b port 5433, host /tmp port 5434" {
		t.Errorf("String() = %q", text)
	}

	if err := os.Chmod(pass, 0o640); err != nil {
		t.Fatal(err)
	}
	if config, err := s.connection.config(s.hosts[1], "any"); err != nil || config.Password != "" {
		t.Errorf("a password file that others can read was used (%v)", err)
	}
	for _, bad := range []string{"sslcrl=x", "gssencmode=require", "sslmode=what", "target_session_attrs=none", "channel_binding=what", "ssl_max_protocol_version=SSLv3"} {
		s, err := newServer("host=a "+bad, Options{})
		if err == nil {
			_, err = s.connection.config(s.hosts[0], s.connection.set["target_session_attrs"])
		}
		if !errors.Is(err, ErrConninfo) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestRecoveryConninfo(t *testing.T) {
	home := bare(t)
	c, err := resolveConninfo(`host=/tmp user=me password='it\'s \\ me' dbname=db replication=1 fallback_application_name=x client_encoding=auto sslnegotiation=direct load_balance_hosts=random gssdelegation=0`)
	if err != nil {
		t.Fatal(err)
	}
	const tail = " gssencmode=prefer krbsrvname=postgres"
	want := map[int]string{
		13: `user=me password='it\'s \\ me' channel_binding=prefer host='/tmp' port=5432 sslmode=prefer sslcompression=0 ssl_min_protocol_version=TLSv1.2` + tail + " target_session_attrs=any",
		15: `user=me password='it\'s \\ me' channel_binding=prefer host='/tmp' port=5432 sslmode=prefer sslcompression=0 sslsni=1 ssl_min_protocol_version=TLSv1.2` + tail + " target_session_attrs=any",
		16: `user=me password='it\'s \\ me' channel_binding=prefer host='/tmp' port=5432 sslmode=prefer sslcompression=0 sslsni=1 ssl_min_protocol_version=TLSv1.2` + tail + " target_session_attrs=any load_balance_hosts=random",
		18: `user=me password='it\'s \\ me' channel_binding=prefer host='/tmp' port=5432 sslmode=prefer sslnegotiation=direct sslcompression=0 sslsni=1 ssl_min_protocol_version=TLSv1.2` + tail + " target_session_attrs=any load_balance_hosts=random dbname=db",
	}
	for major, want := range want {
		if got := c.recoveryConninfo(major); got != want {
			t.Errorf("%d:\n got %s\nwant %s", major, got, want)
		}
	}
	if c, err = resolveConninfo("user=me"); err != nil {
		t.Fatal(err)
	}
	if got := c.recoveryConninfo(18); strings.Contains(got, "dbname") || !strings.Contains(got, "passfile='"+home+"/.pgpass'") {
		t.Errorf("default database: %s", got)
	}
	if got := QuoteSetting(`a'b\c`); got != `'a''b\\c'` {
		t.Errorf("QuoteSetting = %s", got)
	}
}
