package reconcile

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/report"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/internal/seal"
	"backfill/internal/tieout"
)

// link notes something that the report rests on, once.
func (g *gathering) link(l seal.Link) {
	if g.linked == nil {
		g.linked = map[string]bool{}
	}
	id := l.Key + "\x00" + l.ETag
	if !g.linked[id] {
		g.linked[id] = true
		g.links = append(g.links, l)
	}
}

// report builds the document, and keeps and records it.
func (g *gathering) report(ctx context.Context, s *transcript, result *tieout.Result) (*Result, error) {
	head := g.head(s)
	restates, about, err := g.restates(head, result)
	if err != nil {
		return nil, err
	}
	if restates != nil && !restates.Same {
		result.Add(restates.Exception())
	}
	head.Restates = restates
	head.Named = g.grant(result)
	evidence, err := seal.Evidence(g.links)
	if err != nil {
		return nil, fail.Wrap(err, fail.Internal, "writing the evidence")
	}
	head.Statement = g.statement(s, evidence)
	doc, err := report.New(head, result)
	if err != nil {
		return nil, fail.Wrap(err, fail.Internal, "writing the report")
	}
	out := &Result{Report: doc, mode: g.w.Dataset.Table.Mode}
	if !g.o.Keep {
		return out, nil
	}
	k := keeping{g: g, doc: doc, folder: runstore.NewReport(head.Target, runplan.RunID(head.Run), head.Written)}
	if err := k.keep(ctx, evidence); err != nil {
		return nil, err
	}
	out.URI, out.Page = g.w.Runs.URI(k.folder+"/"+runstore.ReportName), g.w.Runs.URI(k.folder+"/"+runstore.PageName)
	out.Number, err = k.record(ctx, s, about, result.Cells.Table)
	return out, err
}

// grant applies the named exceptions. Keys stand in the report where the dataset
// lets them be shown; the file with all of them stands beside it.
func (g *gathering) grant(result *tieout.Result) []tieout.Effect {
	ds := g.w.Dataset
	effects := result.Grant(g.named, g.w.Now(), len(ds.Reconcile.By), len(ds.Reconcile.Totals))
	rules := tieout.Rules{Columns: ds.Columns, Key: g.w.Target().Key, By: ds.Reconcile.By, Show: ds.Reconcile.Show}
	for i := range effects {
		if e := &effects[i]; !rules.KeyShown() {
			e.Hidden, e.Keys = len(e.Keys), nil
		}
		if does := effects[i].Does(); does != "" {
			g.w.Log.Warn(fmt.Sprintf("the named exception %s, %s, %s", effects[i].ID, effects[i].Class, does))
		}
	}
	return effects
}

func (g *gathering) head(s *transcript) report.Head {
	ds := g.w.Dataset
	head := report.Head{
		Dataset: ds.Name, Digest: ds.Digest, Run: string(runplan.NewRunID(ds.Digest, g.o.Window)), Target: g.w.TargetName(),
		Scope: ds.Table.Scope, Calendar: ds.CalendarName, Zone: ds.Calendar, Version: g.w.Version, Window: g.o.Window,
		Plans: g.plans, Written: g.w.Now(), Image: g.w.Image, Requester: g.w.By, Reason: g.o.Reason,
		Period: ds.Reconcile.Period, Cutoff: g.o.Cutoff, Repairs: g.o.Repairs, Ends: g.in.Ends != nil, Open: append(append([]kafka.Day{}, g.open...), g.in.Preliminary...),
	}
	for _, i := range ds.Reconcile.Totals {
		head.Totals = append(head.Totals, report.Column{Name: ds.Columns[i].Name, Scale: ds.Columns[i].Type.Scale})
	}
	for _, i := range ds.Reconcile.By {
		head.By = append(head.By, ds.Columns[i].Name)
	}
	if c := g.in.Controls; c != nil {
		head.ControlDays = c.Days
		for _, i := range c.By {
			head.ControlBy = append(head.ControlBy, head.By[i])
		}
	}
	return head
}

// statement says how the figures came about.
func (g *gathering) statement(s *transcript, evidence []byte) report.Statement {
	ds := g.w.Dataset
	names := func(list []int) string {
		var out []string
		for _, i := range list {
			out = append(out, ds.Columns[i].Name)
		}
		return strings.Join(out, ", ")
	}
	st := report.Statement{
		Queries: s.list, Cut: s.cut, Archive: g.listed,
		Evidence: report.Evidence{Name: runstore.EvidenceName, SHA256: seal.Sum(evidence), Links: len(g.links)},
		Parameters: []report.Parameter{
			{Name: "Archive", Value: ds.Archive.URI}, {Name: "Warehouse", Value: ds.Warehouse.URL}, {Name: "Mode", Value: string(ds.Table.Mode)},
			{Name: "Window column", Value: ds.Table.WindowColumn}, {Name: "Key", Value: strings.Join(ds.Table.Key, ", ")}, {Name: "Calendar of days", Value: ds.CalendarName},
			{Name: "Totals", Value: names(ds.Reconcile.Totals)}, {Name: "By", Value: names(ds.Reconcile.By)}, {Name: "Buckets of the key", Value: strconv.Itoa(ds.Reconcile.Buckets)},
			{Name: "Lateness allowed", Value: ds.Archive.Lateness.String()}, {Name: "Tolerance", Value: "0"}, {Name: "Gaps declared", Value: strconv.Itoa(len(ds.Archive.Gaps))},
		},
	}
	if by := ds.Reconcile.By; ds.Reconcile.Period {
		st.Parameters = append(st.Parameters, report.Parameter{Name: "Accounting period", Value: ds.Columns[by[len(by)-1]].Name})
	}
	if text := g.cutoffText(); text != "" {
		st.Parameters = append(st.Parameters, report.Parameter{Name: "Late records", Value: text})
	}
	if list := g.w.SuppressionList(); list != nil {
		st.Parameters = append(st.Parameters, report.Parameter{Name: "Suppression list",
			Value: fmt.Sprintf("%s, version %s, %d people by %s, SHA-256 %s", ds.Records.Suppress.URI, list.Version, list.Len(), ds.Columns[ds.Records.Suppress.Column].Name, list.SHA256)})
	}
	for _, l := range g.links {
		if l.Kind == seal.KindObject {
			st.ObjectsAll++
			if len(st.Objects) < 1000 { // the document takes fewer
				st.Objects = append(st.Objects, report.Object{Key: l.Key, Size: l.Size, ETag: l.ETag, Version: l.Version, Records: l.Records})
			}
		}
	}
	for _, in := range g.inputs {
		st.Inputs = append(st.Inputs, in.Input)
	}
	return st
}

// cutoffText says which records are late, "" if none can be.
func (g *gathering) cutoffText() string {
	var parts []string
	switch c := g.o.Cutoff; {
	case c.Closed > 0:
		parts = append(parts, fmt.Sprintf("behind the offsets of report %d, which closed the period", c.Closed))
	case c.Offsets != nil:
		parts = append(parts, "from the offsets on that were given")
	}
	if at := g.o.Cutoff.Time; at > 0 {
		parts = append(parts, fmt.Sprintf("of Kafka time %s or later", at))
	}
	return strings.Join(parts, ", or ")
}

// keeping writes the files of one report. Each is created once; the seal, which
// names all others, is the last.
type keeping struct {
	g      *gathering
	doc    *report.Report
	folder string
	files  []seal.File
	seal   seal.Document
	sum    string // of the seal
}

func (k *keeping) put(ctx context.Context, name string, body []byte) error {
	_, err := k.g.w.Runs.PutReport(ctx, k.folder, name, body)
	k.files = append(k.files, seal.FileOf(name, body))
	return err
}

func (k *keeping) keep(ctx context.Context, evidence []byte) error {
	body, err := k.doc.JSON()
	if err != nil {
		return fail.Wrap(err, fail.Internal, "writing the report")
	}
	page, err := k.doc.HTML()
	if err != nil {
		return fail.Wrap(err, fail.Internal, "writing the report")
	}
	files := []struct {
		name string
		body []byte
	}{{runstore.EvidenceName, evidence}, {runstore.ReportName, body}, {runstore.PageName, page}, {runstore.ExceptionsName, k.doc.CSV()}}
	for _, f := range files {
		if err := k.put(ctx, f.name, f.body); err != nil {
			return err
		}
	}
	for _, in := range k.g.inputs {
		if err := k.put(ctx, in.Kept, in.body); err != nil {
			return err
		}
	}
	return k.close(ctx)
}

// close writes the signature, if there is a key, and the seal.
func (k *keeping) close(ctx context.Context) error {
	k.seal = seal.Document{Target: k.doc.Target, Run: k.doc.Run, Verdict: k.doc.Verdict, Written: k.doc.Written, Files: k.files}
	signer := k.g.o.Signer
	if signer != nil {
		key, err := signer.Key(ctx)
		if err != nil {
			return err
		}
		k.seal.SignedWith = &key
	}
	body, err := k.seal.Bytes()
	if err != nil {
		return fail.Wrap(err, fail.Internal, "writing the seal")
	}
	k.sum = seal.Sum(body)
	if signer != nil {
		signature, err := signer.Sign(ctx, body)
		if err != nil {
			return err
		}
		if _, err := k.g.w.Runs.PutReport(ctx, k.folder, runstore.SignatureName, signature); err != nil {
			return err
		}
	}
	_, err = k.g.w.Runs.PutReport(ctx, k.folder, runstore.SealName, body)
	return err
}

// record anchors the seal in the warehouse and returns the report's number. A
// login that may not write there does not lose its report: it is said that
// nothing anchors it.
func (k *keeping) record(ctx context.Context, s publish.Session, about int64, table account.Cells) (int64, error) {
	w := k.g.w
	row := publish.ReportRow{Kind: publish.KindReport, Dataset: k.doc.Dataset, Run: k.doc.Run, Window: k.doc.Window, Verdict: k.doc.Verdict, Sentence: k.doc.Sentence,
		SealKey: k.folder + "/" + runstore.SealName, SealSHA256: k.sum, About: about}
	for _, p := range k.doc.Plans {
		row.Seq = max(row.Seq, p.Seq)
	}
	if k.seal.SignedWith != nil {
		row.SignedWith = k.seal.SignedWith.Fingerprint
	}
	row, err := publish.RecordReport(ctx, s, w.Target(), row, w.Actor(k.g.o.Reason), table)
	if fail.Is(err, fail.Permission) {
		w.Log.Warn(fmt.Sprintf("%v; nothing in the warehouse anchors the report's seal, so that reconcile --verify can't vouch for it", err))
		return 0, nil
	}
	return row.Number, err
}
