package sessiond

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"

	pb "sessiond.invalid/client/go/sessiondpb"
)

// Attribute is what only one library, or a few, keep in a session: a value under a key. docs/attributes.md has the keys that
// libraries share. Package fmt, package log/slog and JSON do not show the value.
type Attribute struct {
	// Key is 1 to 256 bytes of printable ASCII, beginning with the library's name and a dot where one library alone knows it.
	Key string
	// Value is at most 64 KiB, in the encoding that the key's owner defines.
	Value []byte
	// Secret is whether the value is as secret as an authorization key. One that is secret stays so: putting it without this is
	// refused; delete it first.
	Secret bool
	// HasValue is whether there is a value, also where only keys are told. Ignored when it is put.
	HasValue bool
}

// AttributeFilter says which attributes to list. All, unless something is set.
type AttributeFilter struct {
	// Prefix is what their keys begin with.
	Prefix string
	// KeysOnly leaves the values out; Attribute.HasValue says whether there is one.
	KeysOnly bool
}

// Format writes the key, whatever the verb.
func (a Attribute) Format(state fmt.State, _ rune) { _, _ = fmt.Fprintf(state, "Attribute(%s)", a.Key) }

// LogValue has the key.
func (a Attribute) LogValue() slog.Value { return slog.GroupValue(slog.String("key", a.Key)) }

// MarshalJSON writes the key: JSON is for logs here, and not a way to keep attributes.
func (a Attribute) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"key": a.Key})
}

// PutAttributes sets attributes, each key once, and deletes others, in one commit: together 1 to 1,000, and at most 1 MiB. It
// gives the store's revision. They are kept beside the session: its revision does not move, and no watcher is told. To put
// them again changes nothing.
func (h *Held) PutAttributes(ctx context.Context, attributes []Attribute, deleteKeys ...string) (int64, error) {
	request := &pb.PutAttributesRequest{Name: h.name, Token: h.token.Expose(), DeleteKeys: deleteKeys}
	for _, attribute := range attributes {
		request.Attributes = append(request.Attributes, &pb.Attribute{
			Key: attribute.Key, Value: attribute.Value, Secret: attribute.Secret,
		})
	}
	answer, err := heldCall(ctx, h, func(ctx context.Context) (*pb.PutAttributesResponse, error) {
		return h.client.attributes.PutAttributes(ctx, request)
	})
	return answer.GetRevision(), err
}

// Attributes reads attributes: those of the keys that are there, in their order. ErrLimitExceeded says that they are too
// large to be answered together: ask for fewer.
func (h *Held) Attributes(ctx context.Context, keys ...string) ([]Attribute, error) {
	var found []Attribute
	for keys := range slices.Chunk(keys, atOnce) {
		request := &pb.GetAttributesRequest{Name: h.name, Token: h.token.Expose(), Keys: keys}
		answer, err := heldCall(ctx, h, func(ctx context.Context) (*pb.GetAttributesResponse, error) {
			return h.client.attributes.GetAttributes(ctx, request)
		})
		if err != nil {
			return nil, err
		}
		found = append(found, each(answer.Attributes, attributeOf)...)
	}
	return found, nil
}

// ListAttributes gives the attributes that a filter lets through, by key. Pages are asked for as it is read, each as it is
// then. An error is the last thing that it gives.
func (h *Held) ListAttributes(ctx context.Context, filter AttributeFilter) iter.Seq2[Attribute, error] {
	request := &pb.ListAttributesRequest{
		Name: h.name, Token: h.token.Expose(), Prefix: filter.Prefix, KeysOnly: filter.KeysOnly, PageSize: pageSize,
	}
	return pages(func(page string) ([]Attribute, string, error) {
		request.PageToken = page
		answer, err := heldCall(ctx, h, func(ctx context.Context) (*pb.ListAttributesResponse, error) {
			return h.client.attributes.ListAttributes(ctx, request)
		})
		return each(answer.GetAttributes(), attributeOf), answer.GetNextPageToken(), err
	})
}

// DeleteAttributes deletes attributes by their keys. Those that are not there do not matter.
func (h *Held) DeleteAttributes(ctx context.Context, keys ...string) (Kept, error) {
	var kept Kept
	for keys := range slices.Chunk(keys, atOnce) {
		if err := h.deleteAttributes(ctx, &kept, &pb.DeleteAttributesRequest{Keys: keys}); err != nil {
			return kept, err
		}
	}
	return kept, nil
}

// DeleteAttributesBelow deletes all attributes whose keys begin with prefix, which is not empty.
func (h *Held) DeleteAttributesBelow(ctx context.Context, prefix string) (Kept, error) {
	var kept Kept
	err := h.deleteAttributes(ctx, &kept, &pb.DeleteAttributesRequest{Prefix: prefix})
	return kept, err
}

func (h *Held) deleteAttributes(ctx context.Context, kept *Kept, request *pb.DeleteAttributesRequest) error {
	request.Name, request.Token = h.name, h.token.Expose()
	answer, err := heldCall(ctx, h, func(ctx context.Context) (*pb.DeleteAttributesResponse, error) {
		return h.client.attributes.DeleteAttributes(ctx, request)
	})
	kept.add(answer.GetRevision(), answer.GetDeleted())
	return err
}
