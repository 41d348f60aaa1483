package dataset

import (
	"net/url"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

var role = regexp.MustCompile(`^arn:aws[a-z0-9-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=.@_/-]+$`)

// warehouse reads the warehouse section.
func (c *compiler) warehouse(root section) {
	s := c.child(root, "warehouse")
	w := &c.out.Warehouse
	c.signIn(s)
	if value, at, ok := c.setting(s, "url", warehouseURLVar); ok {
		c.warehouseURL(at, value)
		w.URL = value
	}
	if value, at, ok := c.setting(s, "iam_role", warehouseRoleVar); ok {
		w.IAMRole = value
		for _, one := range strings.Split(value, ",") {
			if value != "default" && !role.MatchString(one) {
				at("write arn:aws:iam::123456789012:role/name, a chain of them with commas and no spaces, or default", "warehouse.iam_role is not a role")
				break
			}
		}
	}
	c.tls(s)
}

// tls reads on, off, or how a server with a private authority is verified.
func (c *compiler) tls(s section) {
	n := s.values["tls"]
	if value := c.lookup(warehouseTLSVar); n == nil && strings.HasPrefix(value, "{") {
		n = c.environmentNode(warehouseTLSVar, value)
	}
	if n != nil && n.Kind == yaml.MappingNode {
		t := c.section(tlsPath, tlsPath, n)
		c.out.Warehouse.TLS.CAFile = c.file(t, "ca_file")
		c.out.Warehouse.TLS.ServerName, _ = c.expanded(t, "server_name")
		return
	}
	if value, at, ok := c.setting(s, "tls", warehouseTLSVar); ok {
		c.out.Warehouse.TLS.Off = value == "off"
		if value != "on" && value != "off" {
			at("on verifies the server's certificate and name; a private authority is {ca_file: /path}", "warehouse.tls must be on or off")
		}
	}
}

// file returns a key's absolute path.
func (c *compiler) file(s section, key string) string {
	value, ok := c.expanded(s, key)
	if ok && !path.IsAbs(value) {
		c.at(s.values[key], "start it with /", "%s is not an absolute path", s.key(key))
		return ""
	}
	return value
}

// warehouseURL checks redshift://[user@][host[:port]]/[database]. Which parts
// may be absent depends on the way to sign in.
func (c *compiler) warehouseURL(at place, value string) {
	const hint = "write redshift://user@host:5439/database"
	in := c.out.Warehouse.SignIn
	u, err := url.Parse(value)
	if err != nil {
		at(hint, "warehouse.url is not a URL")
		return
	}
	if u.Scheme != "redshift" {
		at(hint, "warehouse.url does not start with redshift://")
	}
	if _, has := u.User.Password(); has {
		at("take it out of the URL and write password: ${NAME}", "warehouse.url must not hold a password")
	}
	switch user := u.User.Username(); {
	case user == "" && in.IAM == nil && in.Secret == "":
		at(hint, "warehouse.url names no user")
	case user != "" && in.IAM != nil && in.IAM.Workgroup != "":
		at("take the user out of the URL: redshift://host/database", "a workgroup names the login after the AWS identity, and warehouse.url names a user")
	}
	if u.Hostname() == "" && in.IAM == nil && in.Secret == "" {
		at(hint, "warehouse.url names no host")
	}
	if database := strings.TrimPrefix(u.Path, "/"); database == "" && in.Secret == "" || strings.Contains(database, "/") {
		at(hint, "warehouse.url names no database")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		at("use warehouse.tls for TLS", "warehouse.url takes no parameters")
	}
}
