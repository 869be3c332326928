//go:build !linux

package datadir

import "os"

// leaseRefused is false: no lease is asked for here.
func leaseRefused(*os.File) bool { return false }
