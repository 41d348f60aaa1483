package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"time"

	"backfill/internal/sandbox/s3d"
)

const (
	socketName     = "control.sock"
	maxControlBody = 8 << 20 // bytes
	stopTimeout    = time.Minute
)

// Control serves a Set to Clients over a unix socket that only its owner may use. The name in the sandbox folder is a
// symbolic link to it, because a socket's own path must stay below some 100 bytes and a folder's may be longer.
type Control struct {
	server *http.Server
	path   string // the name in the folder
	home   string // a folder of the socket's own
	cancel context.CancelFunc
	served chan struct{}
	once   sync.Once
	err    error
}

// Objects is the part of the S3 stand-in that clients change past its API.
type Objects interface {
	Cool(ctx context.Context, c s3d.Cooling) ([]s3d.Cooled, error)
}

// Serve opens the control socket of a sandbox folder and serves set and objects until Close. A socket that a killed
// server left is replaced: the caller makes sure that it is alone in the folder.
func Serve(dir string, set *Set, objects Objects) (*Control, error) {
	// The socket is made in a private folder, so that nobody else can reach it before its mode is set, and has a short
	// path there; the name in the folder leads to it.
	home, err := os.MkdirTemp("", "sandbox-")
	if err != nil {
		return nil, fmt.Errorf("creating a folder for the control socket: %w", err)
	}
	c := &Control{path: filepath.Join(dir, socketName), home: home, served: make(chan struct{})}
	listener, err := c.listen()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the control socket: %w", err), os.RemoveAll(home))
	}
	base, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.server = &http.Server{Handler: routes(set, objects), ReadHeaderTimeout: stopTimeout, BaseContext: func(net.Listener) context.Context { return base }}
	go func() {
		defer close(c.served)
		_ = c.server.Serve(listener) // always http.ErrServerClosed, or the listener was closed under it
	}()
	return c, nil
}

func (c *Control) listen() (net.Listener, error) {
	socket := filepath.Join(c.home, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if err := removeStale(c.path); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if err := os.Symlink(socket, c.path); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// removeStale removes the name that a killed server left, and the socket and the folder it led to.
func removeStale(path string) error {
	if socket, err := os.Readlink(path); err == nil {
		if info, err := os.Lstat(socket); err == nil && info.Mode().Type() == fs.ModeSocket && os.Remove(socket) == nil {
			_ = os.Remove(filepath.Dir(socket)) // only if it is empty, and no matter if not
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Close stops serving and removes the socket. It may be called twice.
func (c *Control) Close() error {
	c.once.Do(func() {
		c.cancel() // ends waits
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		c.err = c.server.Shutdown(ctx)
		<-c.served
		if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.err = errors.Join(c.err, err)
		}
		c.err = errors.Join(c.err, os.RemoveAll(c.home))
	})
	if c.err != nil {
		return fmt.Errorf("closing the control socket: %w", c.err)
	}
	return nil
}

// routes is the protocol: POST /rules adds the rules of a JSON list, GET lists, DELETE clears those named by id; GET
// /rules/{id}/wait answers once the rule has fired so many times; POST /cold changes how objects are stored; GET /profiles/{name} has a profile of runtime/pprof as text.
func routes(set *Set, objects Objects) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cold", func(w http.ResponseWriter, r *http.Request) {
		var c s3d.Cooling
		if err := json.NewDecoder(io.LimitReader(r.Body, maxControlBody)).Decode(&c); err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		cooled, err := objects.Cool(r.Context(), c)
		if err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		answer(w, cooled)
	})
	mux.HandleFunc("GET /profiles/{name}", func(w http.ResponseWriter, r *http.Request) {
		profile := pprof.Lookup(r.PathValue("name"))
		if profile == nil {
			refuse(w, http.StatusNotFound, fmt.Errorf("there is no profile %q", r.PathValue("name")))
			return
		}
		runtime.GC()              // so that the heap's shows what lives now
		_ = profile.WriteTo(w, 1) // a failure means that the client is gone
	})
	mux.HandleFunc("POST /rules", func(w http.ResponseWriter, r *http.Request) {
		var rules []string
		if err := json.NewDecoder(io.LimitReader(r.Body, maxControlBody)).Decode(&rules); err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		ids, err := set.Add(rules...)
		if err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		answer(w, ids)
	})
	mux.HandleFunc("GET /rules", func(w http.ResponseWriter, _ *http.Request) { answer(w, set.List()) })
	mux.HandleFunc("DELETE /rules", func(w http.ResponseWriter, r *http.Request) {
		var ids []int
		for _, text := range r.URL.Query()["id"] {
			id, err := strconv.Atoi(text)
			if err != nil {
				refuse(w, http.StatusBadRequest, err)
				return
			}
			ids = append(ids, id)
		}
		if err := set.Clear(ids...); err != nil {
			refuse(w, http.StatusNotFound, err)
			return
		}
		answer(w, set.List())
	})
	mux.HandleFunc("GET /rules/{id}/wait", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PathValue("id"))
		fired, err2 := strconv.ParseInt(r.URL.Query().Get("fired"), 10, 64)
		if err := errors.Join(err, err2); err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		if err := set.Wait(r.Context(), id, fired); err != nil {
			refuse(w, http.StatusNotFound, err)
			return
		}
		answer(w, set.List())
	})
	return mux
}

func refuse(w http.ResponseWriter, status int, err error) { http.Error(w, err.Error(), status) }

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // a failure means that the client is gone
}
