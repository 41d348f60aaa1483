package workspace

import (
	"errors"
	"testing"
	"time"

	"backfill/internal/dataset"
	"backfill/internal/redshift"
)

func TestApplicationName(t *testing.T) {
	w := &Workspace{Options: Options{Version: "1.2.3"}}
	if got := w.applicationName(); got != "backfill/1.2.3" {
		t.Error(got)
	}
	if w.Run = "0123456789abcdef01234567"; w.applicationName() != "backfill/1.2.3 0123456789abcdef01234567" {
		t.Error(w.applicationName())
	}
}

func TestRepeated(t *testing.T) {
	got := repeated(redshift.Repeat{What: "COPY", Try: 2, Tries: 6, Pause: 1234 * time.Millisecond, Err: errors.New("slow down")})
	if got != "COPY failed, try 2 of 6, again in 1.2s: slow down" {
		t.Error(got)
	}
}

// A plan carries names, so that each pod signs in as the dataset says.
func TestPlanWarehouse(t *testing.T) {
	w := &Workspace{Dataset: &dataset.Dataset{Warehouse: dataset.Warehouse{
		URL: "redshift://u@h/d", IAMRole: "default", SignIn: dataset.SignIn{IAM: &dataset.IAM{Cluster: "main", Region: "eu-west-1"}},
		TLS: dataset.TLS{CAFile: "/ca.pem"},
	}}}
	got, err := w.PlanWarehouse()
	if err != nil || got.SignIn != `{"iam":{"cluster":"main","region":"eu-west-1"}}` || got.TLSOptions != `{"ca_file":"/ca.pem"}` || !got.TLS || got.PasswordEnv != "" {
		t.Errorf("%+v, %v", got, err)
	}
	w.Dataset.Warehouse.SignIn, w.Dataset.Warehouse.TLS = dataset.SignIn{PasswordEnv: "PW"}, dataset.TLS{Off: true}
	got, err = w.PlanWarehouse()
	if err != nil || got.SignIn != `{"password":"${PW}"}` || got.TLSOptions != "" || got.TLS || got.PasswordEnv != "PW" {
		t.Errorf("%+v, %v", got, err)
	}
}
