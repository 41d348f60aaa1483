package dataset

// form is the records section as the file has it.
func (r Records) form() recordsForm {
	f := recordsForm{Envelope: r.Envelope.form(), Unpack: r.Unpack, Registry: r.Registry.form(), EventTime: "none", Partition: pathForm(r.Partition), Offset: pathForm(r.Offset), Timestamp: pathForm(r.Timestamp)}
	for _, path := range r.JSONIn {
		f.JSONIn = append(f.JSONIn, pathForm(path))
	}
	if r.KeyDeletes {
		f.Tombstones = TombstonesDelete
	}
	if r.Where != nil {
		f.Where = r.Where.Text
	}
	if t := r.EventTime; t != nil {
		f.EventTime, f.Zone = pathForm(t.Path), t.Zone
		if t.Unit != UnitMillis {
			f.Unit = t.Unit
		}
	}
	return f
}
