package reconcile

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"backfill/internal/fail"
	"backfill/internal/publish"
	"backfill/internal/runstore"
	"backfill/internal/seal"
	"backfill/jobs/workspace"
)

const (
	verifyReaders = 16
	maxFindings   = 1000
	shortFindings = 20
	notRecorded   = "the warehouse's ledger of reports does not name this report: nothing outside of staging vouches for it"
	anchorDiffers = "the seal is not the one that the warehouse recorded"
	vouchedFor    = "restore the objects from the bucket's versions; until then nothing of this report can be relied on"
)

// Verified is what --verify found.
type Verified struct {
	Report   string         `json:"report"`
	Number   int64          `json:"number"`
	Seal     string         `json:"seal_sha256"`
	Sealed   string         `json:"report_sha256"` // of report.json, as the seal has it
	Files    int            `json:"files"`         // that were read and compared
	Objects  int            `json:"objects"`       // of the archive that the evidence names; they are not read
	Signed   string         `json:"signed"`        // checked, not checked or none
	Findings []seal.Finding `json:"findings"`      // none: everything is as it was sealed
}

// Short leaves the first findings, for places with little room.
func (v *Verified) Short() *Verified {
	if v == nil {
		return nil
	}
	short := *v
	short.Findings = v.Findings[:min(len(v.Findings), shortFindings)]
	return &short
}

// Error returns the findings as an error, nil when there are none.
func (v *Verified) Error() error {
	if len(v.Findings) == 0 {
		return nil
	}
	f := v.Findings[0]
	more := ""
	if n := len(v.Findings) - 1; n > 0 {
		more = fmt.Sprintf("; and %d more places", n)
	}
	return fail.New(fail.Corrupt, "%s: %s%s", f.Place, f.Text, more).At("%s", v.Report).Try(vouchedFor)
}

// Verify compares a report and everything that it rests on with its seal, and
// the seal with the warehouse and, with a public key, with the signature.
func Verify(ctx context.Context, w *workspace.Workspace, s publish.Session, name string, key crypto.PublicKey) (*Verified, error) {
	row, _, folder, err := find(ctx, w, s, name)
	if err != nil {
		return nil, err
	}
	v := &verification{w: w, folder: folder, out: &Verified{Report: w.Runs.URI(folder), Findings: []seal.Finding{}}}
	if row == nil {
		v.finding("ledger of reports", notRecorded)
	} else {
		v.out.Number = row.Number
	}
	return v.out, v.run(ctx, row, key)
}

type verification struct {
	w      *workspace.Workspace
	folder string
	out    *Verified
	lock   sync.Mutex
}

func (v *verification) finding(place, text string) {
	v.lock.Lock()
	defer v.lock.Unlock()
	if len(v.out.Findings) < maxFindings {
		v.out.Findings = append(v.out.Findings, seal.Finding{Place: place, Text: text})
	}
}

func (v *verification) run(ctx context.Context, row *publish.ReportRow, key crypto.PublicKey) error {
	body, there, err := v.read(ctx, runstore.SealName)
	if err != nil || !there {
		return err
	}
	v.out.Seal = seal.Sum(body)
	if row != nil && row.SealSHA256 != v.out.Seal {
		v.finding(runstore.SealName, fmt.Sprintf("%s: its SHA-256 is %s, recorded was %s", anchorDiffers, v.out.Seal, row.SealSHA256))
	}
	doc, err := seal.Read(body)
	if err != nil {
		v.finding(runstore.SealName, err.Error())
		return nil
	}
	if err := v.signature(ctx, doc, row, body, key); err != nil {
		return err
	}
	for _, f := range doc.Files {
		if f.Name == runstore.ReportName {
			v.out.Sealed = f.SHA256
		}
		content, there, err := v.read(ctx, f.Name)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		changed := f.Check(content)
		for _, c := range changed {
			v.finding(c.Place, c.Text)
		}
		if f.Name == runstore.EvidenceName && len(changed) == 0 {
			if err := v.evidence(ctx, content); err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(v.out.Findings, func(a, b seal.Finding) int { return strings.Compare(a.Place, b.Place) })
	return nil
}

// read reads a file of the folder; what is gone is a finding.
func (v *verification) read(ctx context.Context, name string) ([]byte, bool, error) {
	if strings.Contains(name, "/") {
		v.finding(runstore.SealName, fmt.Sprintf("it names the file %q, which can't be beside it", name))
		return nil, false, nil
	}
	body, err := v.w.Runs.ReadReport(ctx, v.folder, name)
	if errors.Is(err, fs.ErrNotExist) {
		v.finding(name, "the file is gone")
		return nil, false, nil
	}
	if err == nil {
		v.out.Files++
	}
	return body, err == nil, err
}

func (v *verification) signature(ctx context.Context, doc *seal.Document, row *publish.ReportRow, body []byte, key crypto.PublicKey) error {
	recorded := row != nil && row.SignedWith != ""
	v.out.Signed = "none"
	if doc.SignedWith == nil && !recorded && key == nil {
		return nil
	}
	if doc.SignedWith == nil {
		v.finding(runstore.SignatureName, "the seal names no key, and a signature was expected")
		return nil
	}
	signature, there, err := v.read(ctx, runstore.SignatureName)
	if err != nil || !there {
		return err
	}
	if v.out.Signed = "not checked"; key == nil {
		return nil
	}
	if err := seal.CheckSignature(key, doc.SignedWith, body, signature); err != nil {
		v.finding(runstore.SignatureName, err.Error())
		return nil
	}
	v.out.Signed = "checked"
	return nil
}

// evidence compares every file of staging that the report rests on.
func (v *verification) evidence(ctx context.Context, body []byte) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(verifyReaders)
	err := seal.ReadEvidence(body, func(l seal.Link) error {
		if l.Kind == seal.KindObject {
			v.out.Objects++
			return nil
		}
		v.out.Files++
		group.Go(func() error {
			found, there, err := v.w.Runs.Digest(ctx, l.Key)
			switch {
			case err != nil:
				return err
			case !there:
				v.finding(l.Key, "the "+strings.ReplaceAll(l.Kind, "_", " ")+" is gone from staging")
			case found.SHA256 != l.SHA256:
				v.finding(l.Key, "the "+strings.ReplaceAll(l.Kind, "_", " ")+" was changed after the report")
			}
			return nil
		})
		return ctx.Err()
	})
	if failed := group.Wait(); failed != nil {
		return failed
	}
	if err != nil {
		v.finding(runstore.EvidenceName, err.Error())
	}
	return nil
}
