package workspace

import (
	"context"
	"crypto/x509"
	"os"
	"slices"

	"backfill/internal/fail"
	"backfill/internal/login"
	"backfill/internal/registry"
	"backfill/internal/runplan"
)

// Schemas reads the schemas of the dataset's values as they are now: those of
// the folder, or of the registry's subjects, which are TOPIC-value for the
// given topics where the dataset names none. It is nil where values are not framed.
func (w *Workspace) Schemas(ctx context.Context, objects []runplan.Input) (*registry.Set, error) {
	r := w.Dataset.Records.Registry
	if r == nil {
		return nil, nil
	}
	if r.Folder != "" {
		store, _, err := openStore(ctx, r.Folder, "")
		if err != nil {
			return nil, err
		}
		return registry.ReadFolder(ctx, store)
	}
	client := &registry.Client{URL: r.URL, User: r.User}
	var err error
	if r.User != "" {
		if client.Password, err = (login.Password{Of: "the registry's", Env: r.PasswordEnv, File: r.PasswordFile}).Read(w.Env); err != nil {
			return nil, err
		}
	}
	if client.Roots, err = trusted(r.CAFile); err != nil {
		return nil, err
	}
	subjects := r.Subjects
	if len(subjects) == 0 && len(r.IDs) == 0 {
		for _, in := range objects {
			if subject := in.Partition.Topic + "-value"; !slices.Contains(subjects, subject) {
				subjects = append(subjects, subject)
			}
		}
	}
	return client.Fetch(ctx, subjects, r.IDs)
}

// trusted returns the system's authorities and those of the file; nil for the
// system's alone.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fail.Wrap(err, fail.Usage, "reading records.registry.tls.ca_file").Try("mount the file, or correct its path")
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // the registry's own authority may be enough
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fail.New(fail.Usage, "records.registry.tls.ca_file holds no certificate").At("%s", file).
			Try("give the authority's certificate in PEM, beginning with -----BEGIN CERTIFICATE-----")
	}
	return pool, nil
}

// PlanSchemas reads the schemas that the plan sealed; nil where it has none.
func (w *Workspace) PlanSchemas(ctx context.Context, head *runplan.Head) (*registry.Set, error) {
	if head.Schemas == nil {
		return nil, nil
	}
	text, err := w.Runs.Schemas(ctx, head.Schemas)
	if err != nil {
		return nil, err
	}
	return registry.Decode(text)
}

// SealSchemas keeps the schemas in staging, for a plan to name; nil for none.
func (w *Workspace) SealSchemas(ctx context.Context, set *registry.Set) (*runplan.Schemas, error) {
	if set == nil {
		return nil, nil
	}
	text, err := set.Encode()
	if err != nil {
		return nil, err
	}
	return w.Runs.PutSchemas(ctx, text, set.Len())
}
