package registry

import (
	"context"
	"embed"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"backfill/internal/decode"
)

// common are the files that serializers know by themselves and don't register.
//
//go:embed proto
var common embed.FS

// mainFile is the name that a schema's own text has while it is compiled.
const mainFile = "the schema.proto"

// maxIndexes is the most steps to a message inside messages.
const maxIndexes = maxDepth

// protobufReader reads messages of one file.
type protobufReader struct{ file protoreflect.FileDescriptor }

// compileProtobuf compiles a schema's text with what it imports.
func (s *Set) compileProtobuf(schema Schema) (reader, error) {
	texts := map[string]string{mainFile: schema.Text}
	if err := s.imports(schema, texts, 0); err != nil {
		return nil, err
	}
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) { return source(texts, path) })),
		MaxParallelism: 1,
	}
	files, err := compiler.Compile(context.Background(), mainFile)
	if err != nil {
		return nil, err
	}
	return protobufReader{files[0]}, nil
}

// imports gathers the texts of all that a schema refers to, by their names.
func (s *Set) imports(schema Schema, texts map[string]string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("references are nested deeper than %d", maxDepth)
	}
	for _, r := range schema.References {
		if _, there := texts[r.Name]; there {
			continue
		}
		other, ok := s.refer(r)
		if !ok {
			return fmt.Errorf("it refers to version %d of %q, which is not among the schemas of the plan", r.Version, r.Subject)
		}
		texts[r.Name] = other.Text
		if err := s.imports(other, texts, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// source finds the file of an import: a text, or the base64 of a serialized
// descriptor, as some clients register and registries may give back.
func source(texts map[string]string, path string) (protocompile.SearchResult, error) {
	text, ok := texts[path]
	if !ok {
		file, err := common.Open("proto/" + path)
		if err != nil {
			return protocompile.SearchResult{}, fs.ErrNotExist
		}
		defer file.Close()
		body, err := io.ReadAll(file)
		return protocompile.SearchResult{Source: strings.NewReader(string(body))}, err
	}
	if packed, err := base64.StdEncoding.DecodeString(text); err == nil {
		var file descriptorpb.FileDescriptorProto
		if err := proto.Unmarshal(packed, &file); err != nil {
			return protocompile.SearchResult{}, fmt.Errorf("its descriptor is damaged: %w", err)
		}
		file.Name = &path
		for _, m := range file.MessageType {
			nameFields(m)
		}
		return protocompile.SearchResult{Proto: &file}, nil
	}
	return protocompile.SearchResult{Source: strings.NewReader(text)}, nil
}

func (r protobufReader) appendJSON(dst []byte, f frame) ([]byte, bool, error) {
	indexes, body := f.indexes, f.body
	if indexes == nil {
		indexes = body
	}
	m, size, err := r.message(indexes)
	if err != nil {
		return dst, false, bad(decode.BadBody, "the value of schema %s: %v", f.id, err)
	}
	if f.indexes == nil {
		body = body[size:]
	}
	value := dynamicpb.NewMessage(m)
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(body, value); err != nil {
		return dst, false, bad(decode.BadBody, "the value of schema %s is no %s: %v", f.id, m.FullName(), err)
	}
	s := speller{}
	dst, err = s.message(dst, value)
	if err != nil {
		return dst, false, bad(decode.BadBody, "the value of schema %s: %v", f.id, err)
	}
	return dst, s.extra, nil
}

// message reads the list of indexes that lead to a message: zigzag numbers, how
// many and then each; none stand for the first message. size is its bytes.
func (r protobufReader) message(list []byte) (m protoreflect.MessageDescriptor, size int, err error) {
	next := func() (int64, bool) {
		n, used := binary.Varint(list[size:])
		if used <= 0 {
			return 0, false
		}
		size += used
		return n, true
	}
	count, ok := next()
	if !ok || count < 0 || count > maxIndexes {
		return nil, 0, fmt.Errorf("its message indexes can't be read")
	}
	messages := r.file.Messages()
	for i := range max(count, 1) {
		index := int64(0)
		if count > 0 {
			if index, ok = next(); !ok {
				return nil, 0, fmt.Errorf("its message indexes can't be read")
			}
		}
		if index < 0 || index >= int64(messages.Len()) {
			return nil, 0, fmt.Errorf("its message index %d at step %d is not in the schema", index, i+1)
		}
		m = messages.Get(int(index))
		messages = m.Messages()
	}
	return m, size, nil
}

// nameFields gives the fields the JSON names that packed descriptors leave out
// and the compiler compares.
func nameFields(m *descriptorpb.DescriptorProto) {
	for _, f := range m.Field {
		if f.GetJsonName() == "" {
			name := f.GetName()
			f.JsonName = &name
		}
	}
	for _, inner := range m.NestedType {
		nameFields(inner)
	}
}
