package registry

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"backfill/internal/fail"
	"backfill/internal/objstore"
)

// maxAnswer bounds an answer of a registry and a file of them.
const maxAnswer = 16 << 20

// answer is a schema as a registry tells it: Confluent's GET
// /subjects/S/versions/V, or Glue's GetSchemaVersion.
type answer struct {
	Subject    string      `json:"subject"`
	Version    int         `json:"version"`
	ID         *int64      `json:"id"`
	GUID       string      `json:"guid"`
	SchemaType string      `json:"schemaType"`
	Schema     string      `json:"schema"`
	References []Reference `json:"references"`

	SchemaVersionID  string `json:"SchemaVersionId"`
	SchemaDefinition string
	DataFormat       string
	SchemaArn        string
	VersionNumber    int
}

var errNoSchema = errors.New("it is no answer of a schema registry")

// schema returns what the answer tells.
func (a answer) schema() (Schema, error) {
	switch {
	case a.SchemaVersionID != "" && a.SchemaDefinition != "":
		// arn:aws:glue:REGION:ACCOUNT:schema/REGISTRY/NAME
		name := a.SchemaArn[strings.LastIndexByte(a.SchemaArn, '/')+1:]
		return Schema{ID: strings.ToLower(a.SchemaVersionID), Subject: name, Version: a.VersionNumber, Kind: Kind(a.DataFormat), Text: a.SchemaDefinition}, nil
	case a.ID != nil && *a.ID >= 0 && a.Schema != "":
		kind := Kind(a.SchemaType)
		if kind == "" {
			kind = Avro // registries leave it out
		}
		return Schema{
			ID: strconv.FormatInt(*a.ID, 10), GUID: strings.ToLower(a.GUID), Subject: a.Subject, Version: a.Version,
			Kind: kind, Text: a.Schema, References: a.References,
		}, nil
	}
	return Schema{}, errNoSchema
}

// parseAnswers reads one answer or a list of them.
func parseAnswers(text []byte) ([]Schema, error) {
	var list []answer
	if text = []byte(strings.TrimSpace(string(text))); len(text) > 0 && text[0] == '[' {
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, err
		}
	} else {
		var one answer
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	var out []Schema
	for _, a := range list {
		schema, err := a.schema()
		if err != nil {
			return nil, err
		}
		out = append(out, schema)
	}
	return out, nil
}

// ReadFolder reads the saved answers below a URI: the objects that end in
// .json, each one answer of a registry or a list of them. Others are left alone.
// Errors: fail.NotFoundInput for none at all, fail.BadDataset for one that is
// no such answer, and those of objstore.
func ReadFolder(ctx context.Context, store *objstore.Store) (*Set, error) {
	const hint = "save what the registry answers to GET /subjects/SUBJECT/versions/VERSION, or what `aws glue get-schema-version` prints, one file a version"
	var keys []string
	err := store.List(ctx, "", func(o objstore.Object) error {
		if strings.HasSuffix(o.Key, ".json") {
			keys = append(keys, o.Key)
		}
		if len(keys) > maxSchemas {
			return fail.New(fail.BadDataset, "there are more than %d files of schemas", maxSchemas).At("%s", store.Root())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, fail.New(fail.NotFoundInput, "there is no file of schemas").At("%s", store.Root()).Try(hint)
	}
	var all []Schema
	bytes := 0
	for _, key := range keys {
		text, _, err := store.ReadAll(ctx, key, maxAnswer)
		if err != nil {
			return nil, err
		}
		if bytes += len(text); bytes > maxSetBytes {
			return nil, fail.New(fail.BadDataset, "the files of schemas have more than %d bytes", maxSetBytes).At("%s", store.Root())
		}
		list, err := parseAnswers(text)
		if err != nil {
			return nil, fail.Wrap(err, fail.BadDataset, "a file of schemas can't be read").At("%s", store.URI(key)).Try(hint)
		}
		all = append(all, list...)
	}
	return NewSet(all)
}
