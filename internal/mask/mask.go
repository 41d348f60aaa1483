// Package mask replaces values of masked columns by HMAC-SHA-256, so that rows
// can be joined and counted by a value that nobody can read. The key comes from
// the environment or a file and appears nowhere else: what is shown of it is its
// id, a short digest. decode masks by it; the commands read it.
package mask

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"strings"

	"backfill/internal/fail"
)

// Size is the length of a masked value: hexadecimal digits, lower case.
const Size = 2 * sha256.Size

// A key of fewer bytes could be guessed from its id or from masked values.
const (
	minKey = 32
	maxKey = 4096
)

// The variables that a key comes from, one of them.
const (
	keyVar  = "BACKFILL_MASK_KEY"
	fileVar = "BACKFILL_MASK_KEY_FILE"
	idVar   = "BACKFILL_MASK_KEY_ID"
)

// Key is a secret key.
type Key struct{ secret []byte }

// ReadKey reads the key from the environment or from the file that it names;
// nil when it has neither. A line end behind the key is not part of it.
func ReadKey(env func(string) string) (*Key, error) {
	text, file := env(keyVar), env(fileVar)
	if text == "None" {
		text = ""
	}
	switch {
	case file == "" || file == "None":
	case text != "":
		return nil, fail.New(fail.Credentials, "$%s and $%s are both set", keyVar, fileVar).Try("keep one of them")
	default:
		var err error
		if text, err = readFile(file); err != nil {
			return nil, fail.Wrap(err, fail.Credentials, "the file of the mask key can't be read").At("%s", file).Try("mount a file that holds the key and nothing else")
		}
	}
	if text == "" && file == "" {
		return nil, nil
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if n := len(text); n < minKey || n > maxKey {
		return nil, fail.New(fail.Credentials, "the mask key has %d bytes; %d to %d are taken", n, minKey, maxKey).
			Try("make one with: openssl rand -hex 32")
	}
	return &Key{[]byte(text)}, nil
}

func readFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", errors.Unwrap(err) // without the name, which is told once
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKey+3))
	if err != nil {
		return "", errors.Unwrap(err)
	}
	return string(text), nil
}

// ID tells keys apart without telling the key: 16 hexadecimal digits.
func (k *Key) ID() string {
	h := hmac.New(sha256.New, k.secret)
	h.Write([]byte("backfill mask key id"))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// String keeps the key out of messages.
func (k *Key) String() string { return "mask key " + k.ID() }

// GoString does so for %#v.
func (k *Key) GoString() string { return k.String() }

// Environment answers like env, and with the key's id for BACKFILL_MASK_KEY_ID
// where that is not set: a dataset needs to know which key it is, not the key.
func (k *Key) Environment(env func(string) string) func(string) string {
	if k == nil {
		return env
	}
	return func(name string) string {
		if value := env(name); name != idVar || value != "" && value != "None" {
			return value
		}
		return k.ID()
	}
}

// Masker masks one value after another. It is owned by one goroutine.
type Masker struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

// NewMasker returns a masker with its own memory.
func (k *Key) NewMasker() *Masker { return &Masker{mac: hmac.New(sha256.New, k.secret)} }

// Append appends the masked text, Size bytes.
func (m *Masker) Append(dst, text []byte) []byte {
	m.mac.Reset()
	m.mac.Write(text)
	return hex.AppendEncode(dst, m.mac.Sum(m.sum[:0]))
}
