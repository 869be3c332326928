//go:build !linux

package target

import "errors"

func syncfs(int) error { return errors.ErrUnsupported }
