package awsd

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const maxBody = 1 << 20

// apiError is an error as AWS answers it. The query services and the JSON services have different names for some.
type apiError struct {
	status     int // of the query services; the JSON services answer 400
	code, json string
	message    string
}

func errMissingToken() *apiError {
	return &apiError{http.StatusForbidden, "MissingAuthenticationToken", "MissingAuthenticationTokenException", "Missing Authentication Token"}
}

func errSignature(message string) *apiError {
	return &apiError{http.StatusForbidden, "SignatureDoesNotMatch", "InvalidSignatureException", message}
}

func errUnknownKey() *apiError {
	return &apiError{http.StatusForbidden, "InvalidClientTokenId", "UnrecognizedClientException", "The security token included in the request is invalid."}
}

func errExpired() *apiError {
	return &apiError{http.StatusForbidden, "ExpiredToken", "ExpiredTokenException", "The security token included in the request is expired"}
}

func errAccess(message string) *apiError {
	return &apiError{http.StatusForbidden, "AccessDenied", "AccessDeniedException", message}
}

func errParameter(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "InvalidParameterValue", "ValidationException", fmt.Sprintf(format, args...)}
}

func errMissing(status int, code, message string) *apiError {
	return &apiError{status, code, "ResourceNotFoundException", message}
}

// arguments are the parameters of a call. What no call reads is refused at the end, as not modelled.
type arguments struct {
	values map[string]string
	read   map[string]bool
}

func (a *arguments) get(name string) string {
	a.read[name] = true
	return a.values[name]
}

// integer reads a number between low and high; fallback if it is not there.
func (a *arguments) integer(name string, fallback, low, high int64) (int64, *apiError) {
	text := a.get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low || n > high {
		return 0, errParameter("Invalid %s: %s. The value must be between %d and %d.", name, text, low, high)
	}
	return n, nil
}

// required reads text that must be there.
func (a *arguments) required(name string) (string, *apiError) {
	if v := a.get(name); v != "" {
		return v, nil
	}
	return "", errParameter("The parameter %s must be provided.", name)
}

func (a *arguments) boolean(name string) bool { return a.get(name) == "true" }

func (a *arguments) unread() *apiError {
	for name := range a.values {
		if !a.read[name] {
			return errParameter("The parameter %s is not supported (stand-in strictness)", name)
		}
	}
	return nil
}

// call is one API action.
type call struct {
	service string
	json    bool
	space   string // XML namespace
	run     func(*Server, caller, *arguments) (any, *apiError)
}

func calls() map[string]call {
	const redshift, sts = "http://redshift.amazonaws.com/doc/2012-12-01/", "https://sts.amazonaws.com/doc/2011-06-15/"
	return map[string]call{
		"GetClusterCredentials":             {"redshift", false, redshift, (*Server).getClusterCredentials},
		"GetClusterCredentialsWithIAM":      {"redshift", false, redshift, (*Server).getClusterCredentialsWithIAM},
		"DescribeClusters":                  {"redshift", false, redshift, (*Server).describeClusters},
		"AssumeRole":                        {"sts", false, sts, (*Server).assumeRole},
		"GetCallerIdentity":                 {"sts", false, sts, (*Server).getCallerIdentity},
		"RedshiftServerless.GetCredentials": {"redshift-serverless", true, "", (*Server).getCredentials},
		"RedshiftServerless.GetWorkgroup":   {"redshift-serverless", true, "", (*Server).getWorkgroup},
		"secretsmanager.GetSecretValue":     {"secretsmanager", true, "", (*Server).getSecretValue},
	}
}

// ServeHTTP answers one call: parameters, signature, the call itself.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := fmt.Sprintf("00000000-0000-0000-0000-%012d", s.requests.Add(1))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the request is too long or broken off", http.StatusBadRequest)
		return
	}
	name, args, bad := parseCall(r, body)
	c, known := calls()[name]
	if !known {
		c.json = r.Header.Get("X-Amz-Target") != ""
		bad = &apiError{http.StatusBadRequest, "InvalidAction", "UnknownOperationException",
			fmt.Sprintf("The action %s is not valid for this web service (stand-in strictness)", name)}
	}
	var out any
	if bad == nil {
		out, bad = s.answer(r, c, args)
	}
	if bad != nil {
		writeError(w, c, id, bad)
		return
	}
	if c.json {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("X-Amzn-Requestid", id)
		_ = json.NewEncoder(w).Encode(out) // a failure means that the client is gone
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	writeXML(w, name, c.space, id, out)
}

func (s *Server) answer(r *http.Request, c call, args *arguments) (any, *apiError) {
	who, bad := s.authenticate(r, c.service)
	if bad != nil {
		return nil, bad
	}
	out, bad := c.run(s, who, args)
	if bad != nil {
		return nil, bad
	}
	return out, args.unread()
}

// parseCall reads the action and its parameters in either protocol.
func parseCall(r *http.Request, body []byte) (name string, args *arguments, bad *apiError) {
	args = &arguments{values: map[string]string{}, read: map[string]bool{}}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		var values map[string]any
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.UseNumber()
		if err := d.Decode(&values); err != nil {
			return target, args, &apiError{http.StatusBadRequest, "", "SerializationException", "the body is not a JSON object"}
		}
		for k, v := range values {
			args.values[k] = fmt.Sprint(v)
		}
		return target, args, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", args, errParameter("the body is not a form")
	}
	for k, v := range form {
		if k != "Action" && k != "Version" {
			args.values[k] = v[0]
		}
	}
	return form.Get("Action"), args, nil
}

func writeError(w http.ResponseWriter, c call, id string, e *apiError) {
	if c.json {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("X-Amzn-Requestid", id)
		w.Header().Set("X-Amzn-Errortype", e.json)
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": e.json, "message": e.message})
		return
	}
	type detail struct{ Type, Code, Message string }
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(e.status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Space     string   `xml:"xmlns,attr,omitempty"`
		Error     detail
		RequestId string
	}{Space: c.space, Error: detail{"Sender", e.code, e.message}, RequestId: id})
}

// writeXML wraps a result the way the query protocol does.
func writeXML(w io.Writer, name, space, id string, result any) {
	e := xml.NewEncoder(w)
	outer := xml.StartElement{Name: xml.Name{Local: name + "Response"}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: space}}}
	metadata := struct {
		XMLName   xml.Name `xml:"ResponseMetadata"`
		RequestId string
	}{RequestId: id}
	// Errors of a client that has gone are all that can come of these.
	_ = e.EncodeToken(outer)
	_ = e.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: name + "Result"}})
	_ = e.Encode(metadata)
	_ = e.EncodeToken(outer.End())
	_ = e.Flush()
}
