package source

import (
	"context"
	"strings"
)

func (s *Server) FullPageWrites(ctx context.Context) (bool, error) {
	found, err := s.Settings(ctx, "full_page_writes")
	if err != nil {
		return false, err
	}
	return found["full_page_writes"] == "on", nil
}

const settingsQuery = `SELECT s.name, pg_catalog.current_setting(s.name) FROM pg_catalog.pg_settings AS s
WHERE s.name = ANY (SELECT pg_catalog.lower(w.name) FROM pg_catalog.unnest($1::text[]) AS w(name))`

// Settings are what SHOW prints. Those that this package changes for its own
// sessions are not the server's.
func (s *Server) Settings(ctx context.Context, names ...string) (map[string]string, error) {
	found := make(map[string]string, len(names))
	err := s.do(ctx, "read settings", func(ctx context.Context, sess *session) (bool, error) {
		return false, sess.query(ctx, settingsQuery, []param{textArrayParam(names)}, 2, func(r *row) error {
			name := r.text(0)
			for _, asked := range names {
				if strings.EqualFold(asked, name) {
					name = asked
				}
			}
			found[name] = r.text(1)
			return nil
		})
	})
	return found, err
}
