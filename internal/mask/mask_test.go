package mask

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backfill/internal/fail"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// TestMasked holds the form to what openssl gives:
//
//	printf 'DE89370400440532013000' | openssl dgst -sha256 -hmac 'a-mask-key-of-32-bytes-or-longer'
func TestMasked(t *testing.T) {
	k, err := ReadKey(env(keyVar, "a-mask-key-of-32-bytes-or-longer"))
	if err != nil {
		t.Fatal(err)
	}
	m := k.NewMasker()
	for text, want := range map[string]string{
		"DE89370400440532013000": "fb7550ef450a42f9793895882c76414db5b8ce65eb788735d187f5d4b49bda99",
		"":                       "e929023238055d055d78ee19854407871b43b2d3c188aae7ae04a11c54cefba6",
		"Zoë":                    "b253ed74b17f068cd80d93f64be52b2aad46d9e1f765841371eba050740db522",
	} {
		for range 2 { // the masker starts anew with each value
			if got := string(m.Append(nil, []byte(text))); got != want {
				t.Errorf("%q is masked as %s, want %s", text, got, want)
			}
		}
	}
	if got := string(m.Append([]byte("before "), nil)); !strings.HasPrefix(got, "before ") || len(got) != len("before ")+Size {
		t.Errorf("appended: %q", got)
	}
}

func TestMaskingAllocatesNothing(t *testing.T) {
	k, err := ReadKey(env(keyVar, strings.Repeat("k", minKey)))
	if err != nil {
		t.Fatal(err)
	}
	m, room, text := k.NewMasker(), make([]byte, 0, Size), []byte("DE89370400440532013000")
	if n := testing.AllocsPerRun(100, func() { m.Append(room, text) }); n != 0 {
		t.Errorf("%v allocations a value", n)
	}
}

func TestReadKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	secret := "hunter2-" + strings.Repeat("x", minKey)
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	direct, err := ReadKey(env(keyVar, secret))
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadKey(env(fileVar, file, keyVar, "None"))
	if err != nil {
		t.Fatal(err)
	}
	if read.ID() != direct.ID() || len(read.ID()) != 16 {
		t.Errorf("ids %s and %s", read.ID(), direct.ID())
	}
	if other, err := ReadKey(env(keyVar, secret+"y")); err != nil || other.ID() == direct.ID() {
		t.Errorf("another key has the same id: %v", err)
	}
	if none, err := ReadKey(env(keyVar, "None")); none != nil || err != nil {
		t.Errorf("without a key: %v, %v", none, err)
	}
	for _, c := range []struct{ env, want string }{
		{keyVar + "=hunter2", "the mask key has 7 bytes; 32 to 4096 are taken"},
		{fileVar + "=" + short, "the mask key has 7 bytes"},
		{fileVar + "=/nowhere/key", "can't be read"},
	} {
		name, value, _ := strings.Cut(c.env, "=")
		_, err := ReadKey(env(name, value))
		if !fail.Is(err, fail.Credentials) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") || fail.HintOf(err) == "" {
			t.Errorf("%s: %v", c.env, err)
		}
	}
	if _, err := ReadKey(env(keyVar, secret, fileVar, file)); err == nil || !strings.Contains(err.Error(), "both set") {
		t.Errorf("two keys: %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", direct, direct, direct, direct); strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprint([]byte("hunter2"))) {
		t.Errorf("a message tells the key: %s", text)
	}
}

func TestEnvironment(t *testing.T) {
	k, err := ReadKey(env(keyVar, strings.Repeat("k", minKey)))
	if err != nil {
		t.Fatal(err)
	}
	if got := k.Environment(env("OTHER", "x"))(idVar); got != k.ID() {
		t.Errorf("the id is %q, want %q", got, k.ID())
	}
	if got := k.Environment(env(idVar, "pinned"))(idVar); got != "pinned" {
		t.Errorf("a pinned id is overridden by %q", got)
	}
	if got := k.Environment(env("OTHER", "x"))("OTHER"); got != "x" {
		t.Errorf("OTHER is %q", got)
	}
	var none *Key
	if got := none.Environment(env())(idVar); got != "" {
		t.Errorf("without a key the id is %q", got)
	}
}
