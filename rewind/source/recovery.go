package source

import "strings"

// recoveryConninfo writes the options as a standby of that major version takes
// them (GenerateRecoveryConfig in src/fe_utils/recovery_gen.c). The database is
// named from version 18 on, where the connection string, the service or the
// environment names one, so that the standby can synchronise logical slots.
//
// Defaults of options that came with version 16 or later are left out, which
// changes nothing: a server can be linked to an older libpq than its own, and
// that would refuse the whole string.
func (c connection) recoveryConninfo(major int) string {
	var parts []string
	for _, o := range connOptions {
		value := c.set[o.keyword]
		switch {
		case value == "", o.since > major, o.until > 0 && o.until < major, o.stored > major:
			continue
		case o.since >= newOption && value == o.compiled:
			continue
		case o.keyword == "dbname" || o.keyword == "replication" || o.keyword == "fallback_application_name":
			continue
		case o.keyword == "client_encoding" && value == "auto":
			continue // stands for the encoding of the terminal
		}
		parts = append(parts, o.keyword+"="+quoteConninfo(value))
	}
	if c.dbname != "" && major >= 18 {
		parts = append(parts, "dbname="+quoteConninfo(c.dbname))
	}
	return strings.Join(parts, " ")
}

const newOption = 16

// QuoteSetting writes a value as it stands in a configuration file, with its
// quotes (escape_single_quotes_ascii in src/port/quotes.c).
func QuoteSetting(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(value) + "'"
}
