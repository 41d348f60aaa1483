package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writeFile puts content at path whole or not at all.
func writeFile(path string, content []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("creating a file beside %s: %w", path, err)
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(mode)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}

// secrets are the credentials of one sandbox folder. They are random, and stay the same over restarts.
type secrets struct {
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
	Password  string `json:"warehouse_password"`
}

// loadSecrets reads the secrets of a folder, or makes them on its first use.
func loadSecrets(dir string) (secrets, error) {
	path := filepath.Join(dir, "secrets.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		s := secrets{AccessKey: "SANDBOX" + rand.Text()[:13], SecretKey: rand.Text() + rand.Text()[:14], Password: rand.Text()}
		text, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return s, fmt.Errorf("encoding the secrets: %w", err)
		}
		return s, writeFile(path, append(text, '\n'), 0o600)
	}
	if err != nil {
		return secrets{}, fmt.Errorf("reading the secrets: %w", err)
	}
	var s secrets
	if err := json.Unmarshal(text, &s); err != nil || s.AccessKey == "" || s.SecretKey == "" || s.Password == "" {
		return secrets{}, fmt.Errorf("%s is damaged: remove it, and new secrets are made (the data stays)", path)
	}
	return s, nil
}
