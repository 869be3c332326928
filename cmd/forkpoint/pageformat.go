package main

import (
	"errors"

	"github.com/spf13/pflag"

	"forkpoint/reports/render"
)

// pageFormatFlag is the format of a command that has a page to show.
type pageFormatFlag struct{ *render.Format }

func (f pageFormatFlag) Set(s string) error {
	if s == string(render.HTML) {
		*f.Format = render.HTML
		return nil
	}
	if f.Format.Set(s) != nil {
		return errors.New("want text, json or html")
	}
	return nil
}

// addPageFormat is [addFormat] with one more choice.
func addPageFormat(fs *pflag.FlagSet, format *render.Format) {
	fs.Var(pageFormatFlag{format}, "format", "output `format`: text, json or html, which is one file for a browser")
}
