package source

import (
	"testing"

	"go.uber.org/goleak"
)

// Whatever a test opens it must close, and Close must leave nothing running.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
