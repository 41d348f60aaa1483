package contender

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"backfill/cmd/bench/data"
	"backfill/cmd/bench/measure"
)

// Product is the product as a contender. A plan needs the warehouse once, so
// archives are planned against the sandbox; what is measured is convert alone,
// with all it does: offsets, duplicates, lanes, totals, receipts. It has no
// switch that leaves the accounting out; Bare is a program of its own that does.
type Product struct {
	Contender
	Bare   *Contender
	Binary string
	f      Folders
}

// NewProduct returns the product's built binary as a contender.
func NewProduct(ctx context.Context, f Folders, binary string) (*Product, error) {
	version, err := say(ctx, binary, "version")
	if err != nil {
		return nil, err
	}
	p := &Product{Binary: binary, f: f}
	p.Contender = Contender{
		Name: "backfill", Title: "backfill convert", Version: version, Files: "staging/**/*.parquet",
		Prepare: p.copyPlan, Command: p.convert,
	}
	p.Bare = &Contender{
		Name: "bare", Title: "backfill's engine alone", Version: version, Files: "*.parquet",
		Command: func(s *data.Spec, out string) measure.Command {
			return measure.Command{Path: f.program("bare"), Args: []string{"--dataset", p.dataset(s), "--out", out, s.Pattern()}, Env: os.Environ()}
		},
	}
	return p, build(ctx, f, "bare", "bare")
}

// Plan seals a plan of the archive, in staging below the work folder.
func (p *Product) Plan(ctx context.Context, box *Sandbox, s *data.Spec) error {
	home := p.planned(s)
	if err := os.RemoveAll(home); err != nil {
		return fmt.Errorf("planning %s: %w", s.Name, err)
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return fmt.Errorf("planning %s: %w", s.Name, err)
	}
	file := p.dataset(s)
	if err := os.WriteFile(file, []byte(Dataset(s, "file://"+s.Dir, "file://"+filepath.Join(home, "staging"))), 0o644); err != nil {
		return fmt.Errorf("planning %s: %w", s.Name, err)
	}
	if err := box.SQL(ctx, "DROP TABLE IF EXISTS bench."+s.Name, Table(s)); err != nil {
		return err
	}
	args := []string{"plan", "--dataset", file, "--from", s.From, "--to", s.To, "--output", "json"}
	command := measure.Command{Path: p.Binary, Args: args, Env: box.Env}
	_, out, err := measure.Run(ctx, command)
	if err != nil {
		return fmt.Errorf("planning %s: %w", s.Name, err)
	}
	uri, err := planURI(out)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(home, "uri"), []byte(uri), 0o644)
}

// planURI finds the plan in the result among log lines.
func planURI(output string) (string, error) {
	var result struct {
		Plan string `json:"plan"`
	}
	at := strings.Index(output, "{")
	if at < 0 {
		return "", fmt.Errorf("plan printed no result: %s", output)
	}
	if err := json.NewDecoder(strings.NewReader(output[at:])).Decode(&result); err != nil || result.Plan == "" {
		return "", fmt.Errorf("plan printed no result: %s", output)
	}
	return result.Plan, nil
}

// dataset is the file that Plan writes.
func (p *Product) dataset(s *data.Spec) string { return filepath.Join(p.planned(s), "dataset.yaml") }

func (p *Product) planned(s *data.Spec) string { return filepath.Join(p.f.Work, "plans", s.Name) }

// copyPlan puts the sealed plan into a fresh staging folder, where nothing is
// converted yet.
func (p *Product) copyPlan(_ context.Context, s *data.Spec, out string) error {
	from := filepath.Join(p.planned(s), "staging")
	return os.CopyFS(filepath.Join(out, "staging"), os.DirFS(from))
}

func (p *Product) convert(s *data.Spec, out string) measure.Command {
	uri, err := os.ReadFile(filepath.Join(p.planned(s), "uri"))
	if err != nil {
		uri = []byte("no plan: " + err.Error()) // the product refuses it, and names it
	}
	plan := strings.Replace(string(uri), p.planned(s), out, 1)
	return measure.Command{Path: p.Binary, Args: []string{"convert", "--plan", plan}, Env: append(os.Environ(),
		"BACKFILL_WAREHOUSE_URL=redshift://bench@127.0.0.1:1/unused", "BACKFILL_WAREHOUSE_IAM_ROLE=arn:aws:iam::000000000000:role/unused")}
}
