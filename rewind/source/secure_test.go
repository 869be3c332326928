package source

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"forkpoint/walinspect/pgtest"
)

// TestPasswords gives a password in all the ways there are.
func TestPasswords(t *testing.T) {
	home := bare(t)
	pg := pgtest.Run(t)
	conninfo := rewindRole(pg, "PASSWORD 'it''s secret'")
	put(t, pg, "pg_hba.conf", []byte("local all rewinder scram-sha-256\nlocal all all trust\n"))
	pg.Reload()
	set, err := parseConninfo(conninfo)
	if err != nil {
		t.Fatal(err)
	}
	works := func(how, conninfo string) {
		t.Helper()
		s, err := Connect(t.Context(), conninfo, Options{Jobs: 2})
		if err != nil {
			t.Errorf("%s: %v", how, err)
			return
		}
		if strings.Contains(s.String(), "secret") {
			t.Errorf("%s: String() = %s", how, s)
		}
		s.Close()
	}
	refused := func(how, conninfo string) {
		t.Helper()
		_, err := Connect(t.Context(), conninfo, Options{WaitReady: time.Minute})
		if err == nil || errors.Is(err, ErrTransient) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", how, err)
		}
	}
	refused("none", conninfo)
	refused("wrong one", conninfo+" password=wrong-secret")
	works("keyword", conninfo+` password='it\'s secret'`)
	works("URI", "postgres://rewinder:it%27s%20secret@/postgres?port="+set["port"]+"&host="+strings.ReplaceAll(set["host"], "/", "%2F"))
	pass := write(t, filepath.Join(home, "pass"), "localhost:*:postgres:rewinder:it's secret\n")
	works("password file", conninfo+" passfile="+pass)
	t.Setenv("PGPASSFILE", pass)
	works("PGPASSFILE", conninfo)
	os.Unsetenv("PGPASSFILE")
	write(t, filepath.Join(home, ".pgpass"), "*:*:*:*:it's secret\n")
	works(".pgpass", conninfo)
	os.Chmod(filepath.Join(home, ".pgpass"), 0o644)
	refused("open .pgpass", conninfo)
	t.Setenv("PGPASSWORD", "it's secret")
	works("PGPASSWORD", conninfo)
	write(t, filepath.Join(home, ".pg_service.conf"), "[rewind]\nhost="+set["host"]+"\nport="+set["port"]+"\nuser=rewinder\ndbname=postgres\nkeepalives_idle=9\n")
	t.Setenv("PGSERVICE", "rewind")
	works("service", "")

	os.Unsetenv("PGSERVICE")
	works("requirepeer", conninfo+" requirepeer="+ownerOf(t, pg.Dir()))
	refused("requirepeer", conninfo+" requirepeer=daemon")
}

// TestTLS connects with and without verification of a certificate.
func TestTLS(t *testing.T) {
	home := bare(t)
	pg := pgtest.New(t, pgtest.Major(15), pgtest.TCP(), pgtest.Conf("ssl", "on"))
	cert, key := selfSigned(t)
	put(t, pg, "server.crt", cert)
	put(t, pg, "server.key", key)
	put(t, pg, "pg_hba.conf", []byte("local all all trust\nhostssl all all all trust\n"))
	pg.Start()
	root := write(t, filepath.Join(home, "root.crt"), string(cert))
	base := pg.ConnString() // says sslmode=disable, and the last one counts
	for _, tt := range []struct {
		extra string
		works bool
	}{
		{"sslmode=require", true},
		{"sslmode=prefer", true},
		{"sslmode=require ssl_min_protocol_version=TLSv1.3", true},
		{"sslmode=verify-full sslrootcert=" + root, true},
		{"sslmode=verify-ca sslrootcert=" + root, true},
		{"sslmode=verify-full host=other.test hostaddr=127.0.0.1 sslrootcert=" + root, false}, // not its name
		{"sslmode=verify-full host=forkpoint.test hostaddr=127.0.0.1 sslrootcert=" + root, true},
		{"sslmode=disable", false},
		{"sslmode=verify-full sslrootcert=system", false},
	} {
		s, err := Connect(t.Context(), base+" "+tt.extra, Options{})
		if (err == nil) != tt.works || errors.Is(err, ErrTransient) {
			t.Errorf("%s: %v", tt.extra, err)
		}
		if err == nil {
			if got := fetch(t, s, []Range{{Path: "server.crt", Length: 1, ToEnd: true}}); string(got["server.crt"]) != string(cert) {
				t.Errorf("%s: other bytes", tt.extra)
			}
			s.Close()
		}
	}
}

func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "forkpoint test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"forkpoint.test"},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bytes})
}

// TestTargetSessionAttrs names a primary and its standby in one string.
func TestTargetSessionAttrs(t *testing.T) {
	primary := pgtest.Run(t)
	rewindRole(primary)
	standby := primary.NewStandby()
	standby.Start()
	primary.WaitCaughtUp(standby)
	p, _ := parseConninfo(primary.ConnString())
	q, _ := parseConninfo(standby.ConnString())
	both := "user=rewinder dbname=postgres host=" + q["host"] + "," + p["host"] + " port=" + q["port"] + "," + p["port"]
	for attrs, wantStandby := range map[string]bool{
		"any": true, "read-write": false, "read-only": true, "primary": false, "standby": true, "prefer-standby": true,
	} {
		s := connect(t, both+" target_session_attrs="+attrs, Options{})
		if in, err := s.InRecovery(t.Context()); err != nil || in != wantStandby {
			t.Errorf("%s: standby %t, %v", attrs, in, err)
		}
		s.Close()
	}
	s := connect(t, asRewinder(primary)+" target_session_attrs=prefer-standby", Options{})
	s.Close()
	if _, err := Connect(t.Context(), asRewinder(standby)+" target_session_attrs=read-write", Options{}); !errors.Is(err, ErrTransient) {
		t.Errorf("only a standby is there: %v", err)
	}
}

func ownerOf(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	account, err := user.LookupId(strconv.FormatUint(uint64(info.Sys().(*syscall.Stat_t).Uid), 10))
	if err != nil {
		t.Fatal(err)
	}
	return account.Username
}
