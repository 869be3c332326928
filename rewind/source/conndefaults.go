package source

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// connection is a connection string with everything that was left out.
type connection struct {
	set    map[string]string
	dbname string // the database if one was named, which the default is not
}

// resolveConninfo reads a connection string and adds what the service file,
// the environment and libpq's defaults say (conninfo_add_defaults and
// connectOptions2 in src/interfaces/libpq/fe-connect.c). An option that is set
// to the empty string stays so.
func resolveConninfo(conninfo string) (connection, error) {
	set, err := parseConninfo(conninfo)
	if err != nil {
		return connection{}, err
	}
	if err := addService(set); err != nil {
		return connection{}, err
	}
	for _, o := range connOptions {
		if _, has := set[o.keyword]; has || o.env == "" {
			continue
		}
		if value, has := os.LookupEnv(o.env); has {
			set[o.keyword] = value
		}
	}
	if _, has := set["sslmode"]; !has {
		switch {
		case os.Getenv("PGREQUIRESSL") == "1":
			set["sslmode"] = "require"
		case set["sslrootcert"] == "system":
			set["sslmode"] = "verify-full"
		}
	}
	for _, o := range connOptions {
		if _, has := set[o.keyword]; !has && o.compiled != "" {
			set[o.keyword] = o.compiled
		}
	}
	dbname := set["dbname"]
	return connection{set, dbname}, addAccount(set)
}

// addAccount adds what follows from the account that the program runs under.
func addAccount(set map[string]string) error {
	if set["user"] == "" {
		account, err := user.Current()
		if err != nil {
			return fmt.Errorf("%w: no user given, and none for this process: %s", ErrConninfo, err)
		}
		set["user"] = account.Username
	}
	if set["dbname"] == "" {
		set["dbname"] = set["user"]
	}
	if set["password"] == "" && set["passfile"] == "" {
		if home := homeDir(); home != "" {
			set["passfile"] = filepath.Join(home, ".pgpass")
		}
	}
	return nil
}

func homeDir() string {
	if home, err := os.UserHomeDir(); err == nil {
		return home
	}
	if account, err := user.Current(); err == nil {
		return account.HomeDir
	}
	return ""
}

// addService adds the options of a service, where one is named. The user's
// file comes first, then the system's.
func addService(set map[string]string) error {
	name, has := set["service"]
	if !has {
		name, has = os.LookupEnv("PGSERVICE")
	}
	if !has || name == "" {
		return nil
	}
	files := []string{set["servicefile"], os.Getenv("PGSERVICEFILE"), filepath.Join(homeDir(), ".pg_service.conf")}
	for _, file := range files {
		if file == "" {
			continue
		}
		found, err := readService(file, name, set)
		if found || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		break // a file that is named replaces the one in the home directory
	}
	for _, dir := range []string{os.Getenv("PGSYSCONFDIR"), "/etc/postgresql-common", "/etc"} {
		if dir == "" {
			continue
		}
		found, err := readService(filepath.Join(dir, "pg_service.conf"), name, set)
		if found || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("%w: definition of service %q not found", ErrConninfo, name)
}

// readService adds the options of one service from one file (parseServiceFile).
// What is set already stays.
func readService(file, name string, set map[string]string) (found bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close() // read only: nothing is lost if it fails
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			if found {
				return true, nil
			}
			found = strings.HasPrefix(line, "["+name+"]")
		case found:
			keyword, value, ok := strings.Cut(line, "=")
			switch {
			case strings.HasPrefix(line, "ldap"):
				return false, fmt.Errorf("%w: %s line %d: LDAP lookup is not supported", ErrConninfo, file, n)
			case !ok || !knownOption(keyword) || keyword == "service" || keyword == "servicefile":
				return false, fmt.Errorf("%w: %s line %d: syntax error", ErrConninfo, file, n)
			}
			if _, has := set[keyword]; !has {
				set[keyword] = value
			}
		}
	}
	return found, lines.Err()
}
