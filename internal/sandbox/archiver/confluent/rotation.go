package confluent

import (
	"fmt"

	"backfill/internal/sandbox/archiver"
)

// file is an open file of one encoded partition.
type file struct {
	folder string
	rows   []int
	tomb   bool
}

// writer is the connector's writer of one topic and partition.
type writer struct {
	*sink
	log     []archiver.Record
	retries archiver.Retries
	put     func(archiver.Object) error

	open    []*file // in the order of opening
	count   int     // records in them
	first   int64   // extractor's time of the first of them
	opened  int64   // connector's clock then
	floor   int64   // the connector's clock never falls below it: a retry comes after what it retries
	commits int
	last    string // folder of the record before
}

// Archive reads the log as a task does: record by record into one open file per folder, all of which are
// committed together when one of the limits is reached.
func (s *sink) Archive(log []archiver.Record, r archiver.Retries, put func(archiver.Object) error) error {
	w := &writer{sink: s, log: log, retries: r, put: put}
	for i := 0; i < len(log) || w.count > 0; {
		read := w.step
		if i == len(log) {
			read = w.commit
		}
		next, err := read(i)
		if err != nil {
			return err
		}
		i = next
	}
	return nil
}

// step adds record i, commits before or after it where a limit is reached, and returns the record to go on with.
func (w *writer) step(i int) (int, error) {
	r := &w.log[i]
	now := max(w.floor, r.Arrived)
	if r.Value == nil && w.nulls == nullsIgnore {
		return i + 1, nil
	}
	folder, tomb := w.tombFolder, r.Value == nil
	at := now
	var err error
	if !tomb {
		if folder, err = w.folders.folder(r, now); err != nil {
			return 0, err
		}
		if w.folders.timed() {
			if at, err = w.folders.millis(r, now); err != nil {
				return 0, err
			}
		}
	}
	if w.count > 0 && w.due(folder, tomb, at, now) {
		next, err := w.commit(i)
		if err != nil || next < i {
			return next, err
		}
		now = max(w.floor, now)
	}
	if w.count == 0 {
		w.first, w.opened = at, now
	}
	w.add(folder, i, tomb)
	if w.last = folder; w.count >= w.flush {
		return w.commit(i + 1)
	}
	return i + 1, nil
}

// due reports whether open files must be committed before a record is added.
func (w *writer) due(folder string, tomb bool, at, now int64) bool {
	switch {
	case w.open[len(w.open)-1].tomb != tomb:
		return true
	case w.schedule > 0 && floorDiv(now, w.schedule) != floorDiv(w.opened, w.schedule):
		return true
	}
	return w.rotate > 0 && (at-w.first >= w.rotate || folder != w.last)
}

func (w *writer) add(folder string, i int, tomb bool) {
	w.count++
	for _, f := range w.open {
		if f.folder == folder {
			f.rows = append(f.rows, i)
			return
		}
	}
	w.open = append(w.open, &file{folder: folder, rows: []int{i}, tomb: tomb})
}

// commit uploads the open files and returns the record to go on with: next, or an earlier one where a crash
// before the commit of offsets makes the task read again.
func (w *writer) commit(next int) (int, error) {
	if w.count == 0 {
		return next, nil
	}
	files := w.open
	again, written := w.crash(files, next)
	for _, f := range files[:written] {
		if err := w.upload(f, w.sink); err != nil {
			return 0, err
		}
	}
	if again == next && w.retries.Duplicates > 0 && w.commits%2 == 0 && !files[0].tomb {
		w.retries.Duplicates--
		if err := w.upload(files[0], w.reconfigured()); err != nil {
			return 0, err
		}
	}
	w.floor = max(w.floor, w.log[next-1].Arrived)
	w.open, w.count, w.last = nil, 0, ""
	w.commits++
	return again, nil
}

// crash plans a crash within a commit: where to read again, and how many files were written before.
//
// With one folder the file was complete; where the retry finds it in its way, it goes on from the offset
// behind the file's first one. With several, the error came between two of them: the task goes back to the
// first record of what was not written, and writes again what follows of the folders that were.
func (w *writer) crash(files []*file, next int) (again, written int) {
	if w.retries.Overlaps == 0 || files[0].tomb || w.commits%2 == 0 && next < len(w.log) {
		return next, len(files)
	}
	if len(files) == 1 {
		if rows := files[0].rows; w.stepsAside() && len(rows) > 1 {
			w.retries.Overlaps--
			return rows[1], 1
		}
		return next, len(files)
	}
	for k := len(files) - 1; k > 0; k-- {
		from := files[k].rows[0]
		for _, f := range files[:k] {
			if f.rows[len(f.rows)-1] > from {
				w.retries.Overlaps--
				return from, k
			}
		}
	}
	return next, len(files)
}

// reconfigured is the connector after its compression, or the padding of names, was set anew and its offsets
// reset: it writes the same records under other names.
func (w *writer) reconfigured() *sink {
	s := *w.sink
	values, ok := s.values.other()
	switch {
	case ok && s.keys == nil && s.headers == nil:
		s.values = values
	default:
		s.pad = max(s.pad, len(defaults[setPad])+8) + 2
	}
	return &s
}

// upload writes a file and its side files, one after another. Tombstones have keys alone.
func (w *writer) upload(f *file, s *sink) error {
	if !f.tomb {
		key := s.name(f, viewValue, &s.values, w.log)
		body, err := s.values.encode(viewValue, key, w.log, f.rows)
		if err != nil {
			return fmt.Errorf("writing %s: %w", key, err)
		}
		if err := w.put(archiver.Object{
			Key: key, Body: body, Rows: f.rows, Codec: s.values.codec, Members: 1, Checked: s.values.checked(),
		}); err != nil {
			return err
		}
	}
	for _, side := range []struct {
		view   view
		format *format
	}{{viewKeys, s.keys}, {viewHeaders, s.headers}} {
		if side.format == nil || f.tomb && side.view == viewHeaders {
			continue
		}
		key := s.name(f, side.view, side.format, w.log)
		body, err := side.format.encode(side.view, key, w.log, f.rows)
		if err != nil {
			return fmt.Errorf("writing %s: %w", key, err)
		}
		ob := archiver.Object{Key: key, Body: body, Codec: side.format.codec, Members: 1}
		if f.tomb {
			ob.Rows = f.rows
		}
		if err := w.put(ob); err != nil {
			return err
		}
	}
	return nil
}

// name is <topics.dir>/<topic>/<folder>/<topic>+<partition>+<first offset><view><extension>.
func (s *sink) name(f *file, v view, form *format, log []archiver.Record) string {
	head := &log[f.rows[0]]
	key := ""
	if s.dir != "" {
		key = s.dir + s.dirDelim
	}
	return fmt.Sprintf("%s%s%s%s%s%s%s%d%s%0*d%s%s", key, s.topic, s.dirDelim, f.folder, s.dirDelim,
		s.topic, s.fileDelim, head.Partition, s.fileDelim, s.pad, head.Offset, v, form.suffix())
}
