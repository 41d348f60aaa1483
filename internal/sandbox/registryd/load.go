package registryd

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFile bounds a file of an export, in bytes.
const maxFile = 16 << 20

// Load reads an export: every .json file below dir is the answer of GET /subjects/S/versions/V, or a list of such.
func Load(dir string) ([]Schema, error) {
	var out []Schema
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Size() > maxFile {
			return fmt.Errorf("%s has %d bytes, more than %d", path, info.Size(), maxFile)
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		schemas, err := Parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, schemas...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the schemas in %s: %w", filepath.Clean(dir), err)
	}
	return out, nil
}

// Parse reads one file of an export.
func Parse(text []byte) ([]Schema, error) {
	var one Schema
	var many []Schema
	err := json.Unmarshal(text, &many)
	if err != nil {
		if err = json.Unmarshal(text, &one); err != nil {
			return nil, fmt.Errorf("this is no answer of a registry: %w", err)
		}
		many = []Schema{one}
	}
	for _, s := range many {
		if s.Subject == "" || s.Schema == "" {
			return nil, fmt.Errorf("this is no answer of a registry: subject or schema is missing")
		}
	}
	return many, nil
}
