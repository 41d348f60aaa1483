package dataset

import (
	"encoding/json"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"backfill/internal/fail"
)

// way is one way to sign in, as the file or the environment gives it.
type way struct {
	name string
	in   section // where it stands
	key  string
	node *yaml.Node
}

// signIn reads how to log in: one way, from the file, else from the
// environment, else the variable that holds the password.
func (c *compiler) signIn(warehouse section) {
	ways := c.fileWays(warehouse)
	if len(ways) == 0 {
		ways = c.environmentWays()
	}
	switch len(ways) {
	case 0:
		c.out.Warehouse.SignIn.PasswordEnv = warehousePasswordVar
	case 1:
		c.way(ways[0])
	default:
		c.at(ways[1].node, "keep one of them", "there are two ways to sign in to the warehouse: %s and %s", ways[0].name, ways[1].name)
	}
}

func (c *compiler) fileWays(s section) []way {
	var ways []way
	if n := s.values["password"]; n != nil {
		ways = append(ways, way{s.key("password"), s, "password", n})
	}
	if n := s.values["sign_in"]; n != nil {
		ways = append(ways, c.waysIn(n)...)
	}
	return ways
}

// waysIn lists the ways of a sign_in mapping.
func (c *compiler) waysIn(n *yaml.Node) []way {
	s := c.section(signInPath, signInPath, n)
	var ways []way
	for _, key := range known[signInPath] {
		if v := s.values[key]; v != nil {
			ways = append(ways, way{s.key(key), s, key, v})
		}
	}
	if len(ways) == 0 && n.Kind == yaml.MappingNode {
		c.at(n, "write {iam: {cluster: name}}, {iam: {workgroup: name}}, {secret: arn} or {password: {file: /path}}", "%s names no way to sign in", signInPath)
	}
	return ways
}

func (c *compiler) environmentWays() []way {
	var ways []way
	if value := c.lookup(warehouseSignInVar); value != "" {
		if n := c.environmentNode(warehouseSignInVar, value); n != nil {
			for _, w := range c.waysIn(n) {
				w.name = "$" + warehouseSignInVar
				ways = append(ways, w)
			}
		}
	}
	if value := c.lookup(warehousePasswordFileVar); value != "" {
		file := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "file"}
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{key, file}}
		c.mark(n, "$"+warehousePasswordFileVar)
		ways = append(ways, way{"$" + warehousePasswordFileVar, section{name: "warehouse"}, "password", n})
	}
	if c.lookup(warehousePasswordVar) != "" {
		// Only that it is there is looked at.
		n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "${" + warehousePasswordVar + "}"}
		c.mark(n, "$"+warehousePasswordVar)
		ways = append(ways, way{"$" + warehousePasswordVar, section{name: "warehouse"}, "password", n})
	}
	return ways
}

// environmentNode reads a variable that holds YAML; nil after noting a problem.
// Its text is not shown: it may be a secret given by mistake.
func (c *compiler) environmentNode(name, value string) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(value), &doc); err != nil || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		c.elsewhere("$"+name, "write it as in the file, such as {iam: {cluster: name}}", "the value is no mapping of keys")
		return nil
	}
	c.mark(doc.Content[0], "$"+name)
	return doc.Content[0]
}

var (
	clusterName   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	workgroupName = regexp.MustCompile(`^[a-z0-9-]{3,64}$`)
	regionName    = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
	secretName    = regexp.MustCompile(`^(arn:aws[a-z0-9-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:)?[A-Za-z0-9/_+=.@-]{1,512}$`)
)

// way reads the one way that is given.
func (c *compiler) way(w way) {
	in := &c.out.Warehouse.SignIn
	switch w.key {
	case "password":
		in.PasswordEnv, in.PasswordFile = c.password(passwordPath, w.in.key("password"), w.node)
	case "iam":
		in.IAM = c.iam(w)
	case "secret":
		in.Secret = c.matching(w.in, "secret", secretName, "write the ARN or the name of a Secrets Manager secret", "the name of a secret")
	}
}

// password reads ${NAME} or {file: /path}; path and name are the key's. A
// password in the file is refused and never shown.
func (c *compiler) password(path, name string, n *yaml.Node) (variableName, file string) {
	if n.Kind == yaml.MappingNode {
		s := c.section(path, name, n)
		if s.values["file"] == nil {
			c.missing(s, "file", "write {file: /path}")
			return "", ""
		}
		return "", c.file(s, "file")
	}
	if !c.is(n, yaml.ScalarNode, name, "a reference such as ${NAME}, or {file: /path}") {
		return "", ""
	}
	value := strings.TrimSpace(n.Value)
	found := reference.FindStringSubmatch(value)
	if found == nil || "${"+found[1]+"}" != value || !variable.MatchString(found[1]) {
		c.at(n, "write password: ${NAME} and give the pod that environment variable from a secret, or {file: /path}",
			"a secret never stands in the file")
		return "", ""
	}
	return found[1], ""
}

func (c *compiler) iam(w way) *IAM {
	s := c.section(iamPath, w.in.key("iam"), w.node)
	i := &IAM{
		Cluster:   c.matching(s, "cluster", clusterName, "write its identifier, not its endpoint", "a cluster's identifier"),
		Workgroup: c.matching(s, "workgroup", workgroupName, "write its name, not its endpoint", "a workgroup's name"),
		Region:    c.matching(s, "region", regionName, "write it like eu-west-1", "a Region"),
	}
	cluster, workgroup := s.values["cluster"], s.values["workgroup"]
	switch {
	case cluster != nil && workgroup != nil:
		c.at(workgroup, "keep one of them", "%s names a cluster and a workgroup", s.name)
	case cluster == nil && workgroup == nil && s.node.Kind == yaml.MappingNode:
		c.at(s.node, "write {cluster: name} or {workgroup: name}", "%s names neither a cluster nor a workgroup", s.name)
	}
	return i
}

// matching returns a key's expanded text if it has the form.
func (c *compiler) matching(s section, key string, form *regexp.Regexp, hint, wanted string) string {
	value, ok := c.expanded(s, key)
	if ok && !form.MatchString(value) {
		c.at(s.values[key], hint, "%s is not %s", s.key(key), wanted)
		return ""
	}
	return value
}

// Text spells the way as warehouse.sign_in does, for plans: JSON, which is YAML.
func (s SignIn) Text() (string, error) {
	form := map[string]any{}
	switch {
	case s.IAM != nil:
		iam := map[string]string{}
		for key, value := range map[string]string{"cluster": s.IAM.Cluster, "workgroup": s.IAM.Workgroup, "region": s.IAM.Region} {
			if value != "" {
				iam[key] = value
			}
		}
		form["iam"] = iam
	case s.Secret != "":
		form["secret"] = s.Secret
	case s.PasswordFile != "":
		form["password"] = map[string]string{"file": s.PasswordFile}
	default:
		form["password"] = "${" + s.PasswordEnv + "}"
	}
	text, err := json.Marshal(form)
	if err != nil {
		return "", fail.Wrap(err, fail.Internal, "spelling the way to sign in")
	}
	return string(text), nil
}

// Text spells the setting as warehouse.tls does, for plans.
func (t TLS) Text() (string, error) {
	if t.Off {
		return "off", nil
	}
	form := map[string]string{}
	if t.CAFile != "" {
		form["ca_file"] = t.CAFile
	}
	if t.ServerName != "" {
		form["server_name"] = t.ServerName
	}
	if len(form) == 0 {
		return "on", nil
	}
	text, err := json.Marshal(form)
	if err != nil {
		return "", fail.Wrap(err, fail.Internal, "spelling the TLS setting")
	}
	return string(text), nil
}
