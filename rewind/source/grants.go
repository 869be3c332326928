package source

import (
	"context"
	"fmt"
)

// grantedFunctions are what a role needs that is not a superuser.
var grantedFunctions = [...]string{
	"pg_catalog.pg_ls_dir(text, boolean, boolean)",
	"pg_catalog.pg_stat_file(text, boolean)",
	"pg_catalog.pg_read_binary_file(text)",
	"pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)",
}

const grantsQuery = `SELECT f.n, pg_catalog.has_function_privilege(f.name, 'EXECUTE'), pg_catalog.quote_ident(current_user), current_user::text, pg_catalog.current_database()::text
FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS f(name, n)`

// Grants lists the GRANT statements that the role of a connection string still
// needs in its database; none for a superuser.
func Grants(ctx context.Context, conninfo string, opts Options) ([]string, error) {
	s, err := newServer(conninfo, opts)
	if err != nil {
		return nil, err
	}
	defer s.Close() // it only read
	sess, err := s.openSession(ctx, s.hosts)
	if err != nil {
		if transient(err) {
			return nil, &TransientError{s.String(), "connect", plainError(err)}
		}
		return nil, s.explain("connect", err)
	}
	defer s.discard(sess)
	lack, err := missingGrants(ctx, sess)
	return lack.Missing, err
}

func checkGrants(ctx context.Context, sess *session) error {
	lack, err := missingGrants(ctx, sess)
	if err == nil && len(lack.Missing) > 0 {
		err = lack
	}
	return err
}

func missingGrants(ctx context.Context, sess *session) (*GrantError, error) {
	lack := &GrantError{}
	err := sess.query(ctx, grantsQuery, []param{textArrayParam(grantedFunctions[:])}, 5, func(r *row) error {
		n := r.int64(0)
		if n < 1 || n > int64(len(grantedFunctions)) {
			return fmt.Errorf("privileges of function %d were not asked for", n)
		}
		lack.Role, lack.Database = r.text(3), r.text(4)
		if !r.bool(1) {
			lack.Missing = append(lack.Missing,
				fmt.Sprintf("GRANT EXECUTE ON FUNCTION %s TO %s;", grantedFunctions[n-1], r.text(2)))
		}
		return nil
	})
	if err != nil {
		return lack, fmt.Errorf("look up privileges: %w", err)
	}
	return lack, nil
}
