package doctor

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"backfill/internal/fail"
	"backfill/jobs/convert"
)

// leastDisk is what a comparison of rows that don't fit in memory begins with.
const leastDisk = 64 << 20

// machine looks at memory, disk, and the calendar.
func (d *doctor) machine(context.Context) {
	objects := 0
	if d.sample != nil {
		objects = len(d.sample.Objects)
	}
	workers, err := convert.Workers(d.w, objects, convert.Options{Memory: d.o.Memory})
	found := fmt.Sprintf("%d chunks can be converted at a time", workers)
	if d.o.Memory > 0 {
		found += fmt.Sprintf(" in %d MiB", d.o.Memory>>20)
	} else {
		found += "; there is no memory limit"
	}
	d.check("memory", found, err, "convert would be refused", "")
	d.disk()
	d.settled()
}

// disk writes a file where reconcile does, and asks how much room there is.
func (d *doctor) disk() {
	const means = "archived Parquet objects above 4 MiB can't be read, and reconcile --way archive and repair can't compare more rows than fit in memory"
	err := writeFile(d.o.TempDir)
	var fs syscall.Statfs_t
	if err == nil {
		err = syscall.Statfs(d.o.TempDir, &fs)
	}
	if err != nil {
		d.check("disk", "", fail.Wrap(err, fail.Disk, "files can't be written").At("%s", d.o.TempDir).Try("point TMPDIR at a folder that can be written; in a pod mount an emptyDir there"), means, "")
		return
	}
	free := int64(fs.Bavail) * fs.Bsize
	want := max(d.o.Disk, leastDisk)
	if free < want {
		d.check("disk", "", fail.New(fail.Disk, "%d MiB are free, %d MiB are wanted", free>>20, want>>20).At("%s", d.o.TempDir).Try("point TMPDIR at a larger volume, or say --disk %dMiB", free>>20), means, "")
		return
	}
	d.pass("disk", fmt.Sprintf("%d MiB are free below %s", free>>20, d.o.TempDir))
}

func writeFile(dir string) (err error) {
	f, err := os.CreateTemp(dir, "backfill-doctor-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it is empty of meaning
	if _, err := f.Write(make([]byte, 1<<20)); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
