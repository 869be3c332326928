package reports

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// WriteJSON writes a report as package json would, indented for the eye and for
// diffs, but piece by piece: only one element of a list is in memory at a time.
// The elements of a [Stream] stand on one line each.
func WriteJSON(w io.Writer, v any) error {
	out := &jsonWriter{w: bufio.NewWriterSize(w, 256<<10)}
	out.value(reflect.ValueOf(v), 0)
	out.text("\n")
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

// jsonWriter keeps the first error.
type jsonWriter struct {
	w   *bufio.Writer
	err error
}

// walkedDepth is how far structs and lists are taken apart; what is deeper is
// small and goes to package json.
const walkedDepth = 3

func (o *jsonWriter) text(s string) {
	if o.err == nil {
		_, o.err = o.w.WriteString(s)
	}
}

func (o *jsonWriter) line(depth int) { o.text("\n" + strings.Repeat("  ", depth)) }

func (o *jsonWriter) value(v reflect.Value, depth int) {
	for v.Kind() == reflect.Pointer && !v.IsNil() && !marshals(v.Type()) {
		v = v.Elem()
	}
	if v.IsValid() && v.Kind() == reflect.Struct {
		if s, is := v.Interface().(streamed); is {
			o.stream(s, depth)
			return
		}
	}
	switch {
	case depth < walkedDepth && v.Kind() == reflect.Struct && !marshals(v.Type()) && !embeds(v.Type()):
		o.object(v, depth)
	case depth < walkedDepth && v.Kind() == reflect.Slice && !v.IsNil() && v.Len() > 0 && v.Type().Elem().Kind() == reflect.Struct && !marshals(v.Type()):
		o.text("[")
		for i := range v.Len() {
			o.separate(i, depth+1)
			o.value(v.Index(i), depth+1)
		}
		o.line(depth)
		o.text("]")
	default:
		o.whole(v, depth)
	}
}

func (o *jsonWriter) separate(i, depth int) {
	if i > 0 {
		o.text(",")
	}
	o.line(depth)
}

// marshals tells whether a type has an encoding of its own.
func marshals(t reflect.Type) bool {
	for _, i := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()} {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return false
}

// embeds tells whether fields of other structs count as its own.
func embeds(t reflect.Type) bool {
	for i := range t.NumField() {
		if t.Field(i).Anonymous && t.Field(i).IsExported() {
			return true
		}
	}
	return false
}

// object writes the fields that package json would.
func (o *jsonWriter) object(v reflect.Value, depth int) {
	o.text("{")
	n := 0
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || name == "-" || leftOut(v.Field(i), options) {
			continue
		}
		if name == "" {
			name = field.Name
		}
		o.separate(n, depth+1)
		n++
		o.text(fmt.Sprintf("%q: ", name))
		if strings.Contains(options, "string") {
			o.text(fmt.Sprintf(`"%v"`, v.Field(i)))
			continue
		}
		o.value(v.Field(i), depth+1)
	}
	if n > 0 {
		o.line(depth)
	}
	o.text("}")
}

func leftOut(v reflect.Value, options string) bool {
	switch {
	case strings.Contains(options, "omitzero"):
		if z, is := v.Interface().(interface{ IsZero() bool }); is {
			return z.IsZero()
		}
		return v.IsZero()
	case strings.Contains(options, "omitempty"):
		switch v.Kind() {
		case reflect.Slice, reflect.Map, reflect.String:
			return v.Len() == 0
		case reflect.Struct, reflect.Array:
			return false
		}
		return v.IsZero()
	}
	return false
}

func (o *jsonWriter) stream(s streamed, depth int) {
	o.text("[")
	line := "\n" + strings.Repeat("  ", depth+1)
	n := 0
	for chunk, err := range s.chunks("," + line) {
		if o.err == nil {
			o.err = err
		}
		if o.err != nil {
			return
		}
		o.separate(n, depth+1)
		n++
		_, o.err = o.w.Write(chunk)
	}
	if n > 0 {
		o.line(depth)
	}
	o.text("]")
}

// whole hands a value to package json.
func (o *jsonWriter) whole(v reflect.Value, depth int) {
	if o.err != nil {
		return
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent(strings.Repeat("  ", depth), "  ")
	if !v.IsValid() {
		o.err = enc.Encode(nil)
	} else {
		o.err = enc.Encode(v.Interface())
	}
	o.text(strings.TrimSuffix(b.String(), "\n"))
}
