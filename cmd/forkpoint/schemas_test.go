package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"forkpoint/reports"
	"forkpoint/rewind"
	"forkpoint/rewind/plan"
	"forkpoint/walinspect/pg"
)

// documents are the types that are written under each schema. Those with an
// example that is made from a report are checked by the tests of package
// reports; nil stands for them.
func documents() map[string]any {
	return map[string]any{
		reports.DivergenceSchema: nil, reports.HistorySchema: nil, reports.IndexingSchema: nil, reports.ComparisonSchema: nil,
		reports.BlocksSchema: nil, reports.RecordsSchema: nil, reports.TopSchema: nil,
		reports.LineageSchema: &reports.LineageTree{}, reports.HistoryRepairSchema: &reports.HistoryRepair{}, reports.DiagnosisSchema: &reports.Diagnosis{},
		reports.MatrixSchema: &reports.NodeMatrix{}, "forkpoint/explain/1": &reports.Explanation{},
		"forkpoint/error/1": &errorReport{}, recordSchema: &jsonRecord{}, endSchema: &jsonEnd{}, statsSchema: &walStats{}, checkSchema: &walCheck{},
		catalogSchema: &catalogReport{}, "forkpoint/evidence-list/1": &evidenceList{}, "forkpoint/evidence/1": &evidenceShow{},
		"forkpoint/evidence-verify/1": &evidenceVerify{}, "forkpoint/rewind-outcome/1": &outcome{},
		plan.Schema: &plan.Plan{}, rewind.EventSchema: &rewind.Event{}, rewind.ResultSchema: &rewind.Result{}, rewind.CertificateSchema: &rewind.Certificate{},
	}
}

// notWritten are formats on disk that no command prints, with the document that
// describes them.
var notWritten = map[string]string{"forkpoint/journal/1": "../../rewind/journal/FORMAT.md"}

// TestSchemasAreDocumented finds every schema in the code and wants a section
// of JSON.md for it, with an example that has the fields of its type.
func TestSchemasAreDocumented(t *testing.T) {
	const path = "../../reports/JSON.md"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, known := string(content), documents()
	found := schemasInCode(t)
	for _, schema := range found {
		if file, other := notWritten[schema]; other {
			if described, err := os.ReadFile(file); err != nil || !strings.Contains(string(described), schema) {
				t.Errorf("%s is not described in %s: %v", schema, file, err)
			}
			continue
		}
		kind, listed := known[schema]
		if !listed {
			t.Errorf("%s is not in the table of this test", schema)
			continue
		}
		_, section, there := strings.Cut(text, "\n## "+schema+"\n")
		if !there {
			t.Errorf("JSON.md has no section %s", schema)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		_, example, fenced := strings.Cut(section, "\n```json\n")
		example, _, closed := strings.Cut(example, "```\n")
		if !fenced || !closed {
			t.Errorf("JSON.md has no example of %s", schema)
			continue
		}
		if kind == nil {
			continue
		}
		want := sampleOf(t, schema, kind)
		if want != example {
			t.Errorf("the example of %s does not have the fields of its type; run go test ./cmd/forkpoint -run Schemas -update\nwant %s", schema, want)
			text = strings.Replace(text, "\n## "+schema+"\n"+section, "\n## "+schema+"\n"+strings.Replace(section, example, want, 1), 1)
		}
	}
	for schema := range known {
		if !slices.Contains(found, schema) {
			t.Errorf("%s is not in the code any more", schema)
		}
	}
	if *update && text != string(content) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func schemasInCode(t *testing.T) []string {
	t.Helper()
	names := map[string]bool{}
	literal := regexp.MustCompile(`"(forkpoint/[a-z-]+/[0-9]+)"`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		for _, m := range literal.FindAllSubmatch(content, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil || len(names) < 20 {
		t.Fatal(len(names), err)
	}
	return slices.Sorted(maps.Keys(names))
}

// sampleOf is a document with every field filled in.
func sampleOf(t *testing.T, schema string, document any) string {
	t.Helper()
	v := reflect.ValueOf(document).Elem()
	fillValue(v, "", 0)
	v.FieldByName("Schema").SetString(schema)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(document); err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return out.String()
}

// fill gives every field a value that tells what it is: texts are their own
// names.
func fillValue(v reflect.Value, name string, depth int) {
	switch v.Interface().(type) {
	case pg.LSN:
		v.Set(reflect.ValueOf(pg.LSN(0x3000060)))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)))
		return
	case json.RawMessage:
		v.SetBytes([]byte(`{}`))
		return
	case []byte:
		v.SetBytes([]byte{1})
		return
	}
	if depth > 8 {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.IsExported() || tag == "-" {
				continue
			}
			fillValue(v.Field(i), tag, depth+1)
		}
	case reflect.Pointer:
		if depth < 5 || v.Type().Elem().Kind() != reflect.Struct {
			v.Set(reflect.New(v.Type().Elem()))
			fillValue(v.Elem(), name, depth+1)
		}
	case reflect.Slice:
		if depth < 6 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fillValue(v.Index(0), name, depth+1)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fillValue(key, "name", depth+1)
		fillValue(value, name, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString(name)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf("any " + name))
		}
	}
}
