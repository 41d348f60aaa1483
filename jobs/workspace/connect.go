package workspace

import (
	"context"
	"fmt"
	"time"

	"backfill/internal/dataset"
	"backfill/internal/login"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
	"backfill/internal/timing"
)

// queryGroup lets a warehouse's owner route and find the statements.
const queryGroup = "backfill"

// Connect opens one connection to the warehouse. Each attempt signs in anew.
func (w *Workspace) Connect(ctx context.Context) (*redshift.Conn, error) {
	if err := w.Dataset.NeedWarehouse(); err != nil {
		return nil, err
	}
	wh := w.Dataset.Warehouse
	source, err := login.New(loginOptions(wh, w.Env))
	if err != nil {
		return nil, err
	}
	defer w.Times.Begin(timing.Connect)()
	return redshift.Connect(ctx, redshift.Config{
		Login: func(ctx context.Context) (redshift.Login, error) {
			l, err := source.Mint(ctx)
			return redshift.Login(l), err
		},
		TLS:             redshift.TLS(wh.TLS),
		ApplicationName: w.applicationName(), QueryGroup: queryGroup,
		StatementTimeout: w.Timeout, LockWait: w.Lock,
		OnNotice: func(text string) { w.Log.Debug(text) },
		OnRetry:  func(r redshift.Repeat) { w.Log.Warn(repeated(r)) },
	})
}

func loginOptions(wh dataset.Warehouse, env func(string) string) login.Options {
	in := wh.SignIn
	o := login.Options{URL: wh.URL, PasswordEnv: in.PasswordEnv, PasswordFile: in.PasswordFile, Secret: in.Secret, Env: env}
	if in.IAM != nil {
		o.Cluster, o.Workgroup, o.Region = in.IAM.Cluster, in.IAM.Workgroup, in.IAM.Region
	}
	return o
}

// applicationName tells a warehouse's owner which program and run a session is of.
func (w *Workspace) applicationName() string {
	name := "backfill/" + w.Version
	if w.Run != "" {
		name += " " + string(w.Run)
	}
	return name
}

func repeated(r redshift.Repeat) string {
	return fmt.Sprintf("%s failed, try %d of %d, again in %s: %v", r.What, r.Try, r.Tries, r.Pause.Round(100*time.Millisecond), r.Err)
}

// PlanWarehouse is the warehouse as a plan carries it, so that every pod of the
// run reaches it the same way. It holds names and no secret.
func (w *Workspace) PlanWarehouse() (runplan.Warehouse, error) {
	wh := w.Dataset.Warehouse
	p := runplan.Warehouse{URL: wh.URL, IAMRole: wh.IAMRole, TLS: !wh.TLS.Off, PasswordEnv: wh.SignIn.PasswordEnv}
	var err error
	if p.SignIn, err = wh.SignIn.Text(); err != nil {
		return p, err
	}
	if text, err := wh.TLS.Text(); err != nil {
		return p, err
	} else if wh.TLS.CAFile != "" || wh.TLS.ServerName != "" {
		p.TLSOptions = text
	}
	return p, nil
}
