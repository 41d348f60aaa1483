package awsd

import (
	"net"
	"net/http"
	"strconv"
)

// endpoint is where the warehouse listens.
func (w Warehouse) endpoint() (host string, port int) {
	host, text, _ := net.SplitHostPort(w.Address)
	port, _ = strconv.Atoi(text) // an address that a server listens on has a numeric port
	return host, port
}

func errNoCluster(id string) *apiError {
	return errMissing(http.StatusNotFound, "ClusterNotFound", "Cluster "+id+" not found.")
}

// cluster is what DescribeClusters tells of a cluster, as far as it is modelled.
type cluster struct {
	ClusterIdentifier         string
	ClusterStatus             string
	ClusterAvailabilityStatus string
	DBName                    string
	Endpoint                  struct {
		Address string
		Port    int
	}
	ClusterNamespaceArn string
}

// clusters is one page; there is never another, so it has no Marker.
type clusters struct {
	Clusters struct{ Cluster []cluster }
}

// describeClusters tells of the cluster that the call names, or of all. Which rights it asks for is a list's: the
// action on every cluster, if none is named.
func (s *Server) describeClusters(who caller, a *arguments) (any, *apiError) {
	id := a.get("ClusterIdentifier")
	if _, bad := a.integer("MaxRecords", 100, 20, 100); bad != nil {
		return nil, bad
	}
	resource := "cluster:*"
	if id != "" {
		resource = "cluster:" + id
	}
	if bad := who.may("redshift:DescribeClusters", s.arn("redshift", resource)); bad != nil {
		return nil, bad
	}
	w := s.config.Warehouse
	if id != "" && id != w.Cluster {
		return nil, errNoCluster(id)
	}
	c := cluster{ClusterIdentifier: w.Cluster, ClusterStatus: "available", ClusterAvailabilityStatus: "Available", DBName: w.Database,
		ClusterNamespaceArn: s.arn("redshift", "namespace:"+w.Namespace)}
	c.Endpoint.Address, c.Endpoint.Port = w.endpoint()
	var out clusters
	if w.Cluster != "" {
		out.Clusters.Cluster = []cluster{c}
	}
	return out, nil
}

// workgroup checks the workgroup that a call names.
func (s *Server) workgroup(a *arguments) *apiError {
	name, bad := a.required("workgroupName")
	if bad != nil {
		return bad
	}
	if name != s.config.Warehouse.Workgroup {
		return errMissing(http.StatusNotFound, "", "Workgroup "+name+" not found.")
	}
	return nil
}

func (s *Server) getWorkgroup(who caller, a *arguments) (any, *apiError) {
	if bad := s.workgroup(a); bad != nil {
		return nil, bad
	}
	w := s.config.Warehouse
	arn := s.arn("redshift-serverless", "workgroup/"+w.Workgroup)
	if bad := who.may("redshift-serverless:GetWorkgroup", arn); bad != nil {
		return nil, bad
	}
	host, port := w.endpoint()
	return map[string]any{"workgroup": map[string]any{
		"workgroupName": w.Workgroup, "workgroupArn": arn, "namespaceName": w.Namespace, "status": "AVAILABLE", "port": port,
		"endpoint":         map[string]any{"address": host, "port": port, "vpcEndpoints": []any{}},
		"configParameters": []any{map[string]string{"parameterKey": "require_ssl", "parameterValue": strconv.FormatBool(w.RequireTLS)}},
	}}, nil
}
