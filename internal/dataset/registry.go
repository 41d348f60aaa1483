package dataset

import (
	"net"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	registryPath         = "records.registry"
	registryPasswordPath = "records.registry.password"
	registryTLSPath      = "records.registry.tls"
)

// How values name their schema.
const (
	FramingConfluent = "confluent" // 00 and a number of four bytes; or, in a header, 01 and a UUID
	FramingGlue      = "glue"      // 03, the compression and a UUID
)

const (
	maxSubjects = 1000
	maxSchemaID = 1<<32 - 1
)

// Registry says how values name their schema and where schemas are: in a folder
// of saved answers, or in a registry. Exactly one of Folder and URL is set.
type Registry struct {
	Framing  string
	Headers  []string // path to the record's headers, which may name the schema; nil: they don't
	Folder   string   // s3://bucket[/prefix] or file:///path
	URL      string   // of a registry with Confluent's API
	Subjects []string // whose versions are asked for; nil: TOPIC-value of each topic
	IDs      []int64  // schemas asked for beside them

	User         string // "" asks without a login
	PasswordEnv  string // name of the environment variable that holds the password
	PasswordFile string // absolute path of a file that holds the password and nothing else
	CAFile       string // absolute path of a PEM file of authorities trusted beside the system's; "" for none
}

// registry reads records.registry.
func (c *compiler) registry(records section) {
	n := records.values["registry"]
	if n == nil {
		return
	}
	s := c.section(registryPath, registryPath, n)
	r := &Registry{Framing: FramingConfluent}
	if framing, ok := c.choice(s, "framing", FramingConfluent, FramingGlue); ok {
		r.Framing = framing
	}
	r.Headers = c.path(s, "headers")
	folder, address := s.values["folder"], s.values["url"]
	switch {
	case folder != nil && address != nil:
		c.at(address, "keep one of them", "%s names a folder and a registry", registryPath)
	case folder == nil && address == nil && s.node.Kind == yaml.MappingNode:
		c.at(s.node, "write url: https://registry, or folder: s3://bucket/prefix with the registry's saved answers", "%s does not say where the schemas are", registryPath)
	case address != nil && r.Framing == FramingGlue:
		c.at(address, "save what `aws glue get-schema-version` prints, one file a version, and name their folder", "schemas of Glue are read from a folder only")
	}
	if uri, ok := c.expanded(s, "folder"); ok {
		r.Folder = c.storage(c.place(s, "folder"), s.key("folder"), uri)
		if archive := c.out.Archive.URI; r.Folder != "" && archive != "" && (inside(r.Folder, archive) || inside(archive, r.Folder)) {
			c.at(folder, "choose a prefix of its own", "the schemas lie in the archive and would be read as archived records")
		}
	}
	c.asking(s, r)
	if records.values["unpack"] != nil {
		c.at(records.values["unpack"], "take it away: what is framed is unpacked by its schema", "the value is framed for a registry and packed")
	}
	if f := c.out.Archive.Format; f == FormatText {
		c.at(n, "write archive.format: bytes", "framed values are bytes, and archive.format says %s", f)
	}
	c.out.Records.Registry = r
}

// asking reads what a registry is asked for, and the login.
func (c *compiler) asking(s section, r *Registry) {
	if s.values["url"] == nil {
		for _, key := range []string{"subjects", "ids", "user", "password", "tls"} {
			if n := s.values[key]; n != nil {
				c.at(n, "take it away: all saved answers of the folder are read", "%s has no meaning without %s", s.key(key), s.key("url"))
			}
		}
		return
	}
	if address, ok := c.expanded(s, "url"); ok {
		c.registryURL(s, address)
		r.URL = strings.TrimRight(address, "/")
	}
	r.Subjects, _ = c.names(s, "subjects")
	if len(r.Subjects) > maxSubjects {
		c.at(s.values["subjects"], "", "%s has more than %d subjects", s.key("subjects"), maxSubjects)
	}
	for _, n := range c.items(s, "ids", maxSubjects) {
		one := section{path: s.path, name: s.name, node: s.node, values: map[string]*yaml.Node{"ids": n}}
		if id, ok := c.integer(one, "ids", 0, maxSchemaID); ok {
			r.IDs = append(r.IDs, id)
		}
	}
	c.registryLogin(s, r)
	if n := s.values["tls"]; n != nil {
		r.CAFile = c.file(c.section(registryTLSPath, registryTLSPath, n), "ca_file")
	}
}

func (c *compiler) registryURL(s section, address string) {
	const hint = "write https://host[:port][/path]"
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		c.at(s.values["url"], hint, "%s is not the address of a registry", s.key("url"))
	case u.User != nil:
		c.at(s.values["url"], "write user and password: ${NAME} beside it", "%s must not hold a login", s.key("url"))
	case u.RawQuery != "" || u.Fragment != "":
		c.at(s.values["url"], hint, "%s takes no parameters", s.key("url"))
	case u.Scheme == "http" && s.values["user"] != nil && !loopback(u.Hostname()):
		c.at(s.values["url"], "write https://", "the password would go over the network for all to read")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// registryLogin reads the user, whose password stands in the environment or in
// a file.
func (c *compiler) registryLogin(s section, r *Registry) {
	r.User, _ = c.expanded(s, "user")
	n := s.values["password"]
	switch {
	case n == nil && s.values["user"] != nil:
		r.PasswordEnv = registryPasswordVar
	case n != nil && s.values["user"] == nil:
		c.at(n, "name the user", "%s stands without a user", s.key("password"))
	case n != nil:
		r.PasswordEnv, r.PasswordFile = c.password(registryPasswordPath, s.key("password"), n)
	}
}

type registryForm struct {
	Framing  string   `json:"framing,omitempty"`
	Headers  string   `json:"headers,omitempty"`
	Folder   string   `json:"folder,omitempty"`
	URL      string   `json:"url,omitempty"`
	Subjects []string `json:"subjects,omitempty"`
	IDs      []int64  `json:"ids,omitempty"`
}

// form is the registry as the file has it, without the login, which says where
// things run.
func (r *Registry) form() *registryForm {
	if r == nil {
		return nil
	}
	f := &registryForm{Headers: pathForm(r.Headers), Folder: r.Folder, URL: r.URL, Subjects: r.Subjects, IDs: r.IDs}
	if r.Framing != FramingConfluent {
		f.Framing = r.Framing
	}
	return f
}

// opening is what decides how values are opened; the schemas themselves are
// part of a plan.
func (f *registryForm) opening() *registryForm {
	if f == nil {
		return nil
	}
	return &registryForm{Framing: f.Framing, Headers: f.Headers}
}
