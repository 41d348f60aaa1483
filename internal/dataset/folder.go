package dataset

import (
	"strings"

	"backfill/internal/folder"
)

// folderPaths are the dated folders of layouts that have one form of them. A
// day's folder without hours follows them, too.
var folderPaths = map[string]string{
	LayoutConfluent: "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
	LayoutMSK:       "'year'=yyyy/'month'=MM/'day'=dd/'hour'=HH",
	LayoutFirehose:  "yyyy/MM/dd/HH",
	LayoutSecor:     "'dt'=yyyy-MM-dd/'hr'=HH",
	LayoutWix:       "yyyy-MM-dd",
}

// folderTime reads archive.folder_time: whose clock dated folders show, in which
// zone and form.
func (c *compiler) folderTime(s section) {
	if s.values["folder_time"] == nil {
		return
	}
	o := c.section("archive.folder_time", "archive.folder_time", s.values["folder_time"])
	f := &FolderTime{}
	clock, ok := c.choice(o, "clock", ClockRecord, ClockEvent, ClockWallclock, ClockUnknown)
	if o.values["clock"] == nil {
		c.missing(o, "clock", "say what dates the folders: the time of the record (timestamp.extractor Record), of the event (RecordField), or the archiver's clock (Wallclock, its default)")
	}
	f.Clock = clock
	if clock == ClockUnknown && ok {
		return // as if it were not there
	}
	path := c.folderPath(s, o, f)
	zone, location, _ := c.zone(o, "zone")
	if o.values["zone"] == nil {
		c.missing(o, "zone", "write the archiver's timezone setting, or UTC if it has none")
	}
	f.Zone, f.Duration = zone, c.duration(o, "duration")
	if path == nil || location == nil || f.Clock == "" {
		return
	}
	f.Folders = &folder.Time{Path: path, Zone: location, Duration: f.Duration}
	c.out.Archive.FolderTime = f
}

func (c *compiler) folderPath(s, o section, f *FolderTime) *folder.Path {
	layout := c.out.Archive.Layout.Name
	text, ok := c.text(o, "path")
	switch {
	case o.values["path"] == nil:
		text = folderPaths[layout]
		if text == "" {
			c.missing(o, "path", "write the dated folders as the archiver is told to, such as 'year'=yyyy/'month'=MM/'day'=dd")
			return nil
		}
	case !ok:
		return nil
	case len(text) > maxPattern:
		c.at(o.values["path"], "", "%s has %d bytes, more than %d", o.key("path"), len(text), maxPattern)
		return nil
	case layout == LayoutFirehose && strings.Contains(text, "Y"):
		c.at(o.values["path"], "write yyyy: Firehose takes YYYY for the year of weeks", "%s can't be read", o.key("path"))
		return nil
	case text != folderPaths[layout]:
		f.Path = text
	}
	path, err := folder.Parse(text)
	if err != nil {
		c.at(o.values["path"], "years, months, days, hours and minutes are yyyy, MM, dd, HH, mm; other letters stand in single quotes", "%s: %v", o.key("path"), err)
		return nil
	}
	return path
}

// inventory reads archive.inventory.
func (c *compiler) inventory(s section) {
	if s.values["inventory"] == nil {
		return
	}
	o := c.section("archive.inventory", "archive.inventory", s.values["inventory"])
	if o.values["uri"] == nil {
		c.missing(o, "uri", "write the URI of a manifest.json, or of the folder that holds the inventory's dated folders")
		return
	}
	uri, ok := c.expanded(o, "uri")
	if !ok {
		return
	}
	c.out.Archive.Inventory = c.storage(c.place(o, "uri"), o.key("uri"), uri)
	if strings.HasPrefix(c.out.Archive.URI, "s3://") != strings.HasPrefix(c.out.Archive.Inventory, "s3://") {
		c.at(o.values["uri"], "an inventory lists an S3 bucket", "archive.inventory and archive.uri are in stores of different kinds")
	}
}
