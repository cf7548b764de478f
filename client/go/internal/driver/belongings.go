package main

import (
	"context"
	"fmt"

	sessiond "sessiond.invalid/client/go"
)

type (
	peerText struct {
		ID         number            `json:"id"`
		AccessHash *number           `json:"access_hash"`
		Kind       string            `json:"kind"`
		Bot        *bool             `json:"bot"`
		IsSelf     *bool             `json:"is_self"`
		Min        *bool             `json:"min"`
		Usernames  *usernamesText    `json:"usernames"`
		Phone      *string           `json:"phone"`
		Name       *string           `json:"name"`
		Seen       *number           `json:"seen"`
		Extra      map[string][]byte `json:"extra"`
	}
	usernamesText struct {
		Names []string `json:"names"`
	}
	peerKeyText struct {
		ID       *number `json:"id"`
		Username *string `json:"username"`
		Phone    *string `json:"phone"`
		PeerName *string `json:"peer_name"`
	}
	attributeText struct {
		Key    string `json:"key"`
		Value  []byte `json:"value"`
		Secret bool   `json:"secret"`
	}
)

func (d *driver) putPeers(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		Peers []peerText `json:"peers"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	peers := make([]sessiond.Peer, 0, len(arguments.Peers))
	for _, text := range arguments.Peers {
		peer, err := text.peer()
		if err != nil {
			return nil, err
		}
		peers = append(peers, peer)
	}
	kept, err := held.PutPeers(ctx, peers...)
	return answer{"revision": digits(kept.Revision), "changed": kept.Changed}, err
}

func (d *driver) getPeers(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		Keys []peerKeyText `json:"keys"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	var keys []sessiond.PeerKey
	for _, text := range arguments.Keys {
		keys = append(keys, text.key())
	}
	found, err := held.Peers(ctx, keys...)
	return answer{"peers": every(found, func(found *sessiond.Peer) any {
		if found == nil {
			return nil
		}
		return peer(*found)
	})}, err
}

func (d *driver) listPeers(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		Kinds     []string `json:"kinds"`
		AfterID   *number  `json:"after_id"`
		SeenAfter *number  `json:"seen_after"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	filter := sessiond.PeerFilter{AfterID: (*int64)(arguments.AfterID), SeenAfter: (*int64)(arguments.SeenAfter)}
	for _, name := range arguments.Kinds {
		kind, err := kindOf(name)
		if err != nil {
			return nil, err
		}
		filter.Kinds = append(filter.Kinds, kind)
	}
	told := []any{}
	for found, err := range held.ListPeers(ctx, filter) {
		if err != nil {
			return nil, err
		}
		told = append(told, peer(found))
	}
	return answer{"peers": told}, nil
}

func (d *driver) deletePeers(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		IDs []number `json:"ids"`
		All bool     `json:"all"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	if arguments.All {
		return deleted(held.DeleteAllPeers(ctx))
	}
	var ids []int64
	for _, id := range arguments.IDs {
		ids = append(ids, int64(id))
	}
	return deleted(held.DeletePeers(ctx, ids...))
}

func (d *driver) putAttributes(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		Attributes []attributeText `json:"attributes"`
		DeleteKeys []string        `json:"delete_keys"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	var attributes []sessiond.Attribute
	for _, text := range arguments.Attributes {
		attributes = append(attributes, sessiond.Attribute{Key: text.Key, Value: text.Value, Secret: text.Secret})
	}
	return revision(held.PutAttributes(ctx, attributes, arguments.DeleteKeys...))
}

func (d *driver) getAttributes(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		Keys []string `json:"keys"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	found, err := held.Attributes(ctx, arguments.Keys...)
	return answer{"attributes": every(found, attribute)}, err
}

func (d *driver) listAttributes(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		Prefix   string `json:"prefix"`
		KeysOnly bool   `json:"keys_only"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	told := []any{}
	for found, err := range held.ListAttributes(ctx, sessiond.AttributeFilter(arguments)) {
		if err != nil {
			return nil, err
		}
		told = append(told, attribute(found))
	}
	return answer{"attributes": told}, nil
}

func (d *driver) deleteAttributes(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		Keys   []string `json:"keys"`
		Prefix string   `json:"prefix"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	if arguments.Prefix != "" {
		return deleted(held.DeleteAttributesBelow(ctx, arguments.Prefix))
	}
	return deleted(held.DeleteAttributes(ctx, arguments.Keys...))
}

func deleted(kept sessiond.Kept, err error) (answer, error) {
	return answer{"revision": digits(kept.Revision), "deleted": kept.Changed}, err
}

func (p peerText) peer() (sessiond.Peer, error) {
	kind, err := kindOf(p.Kind)
	peer := sessiond.Peer{
		ID: int64(p.ID), AccessHash: (*int64)(p.AccessHash), Kind: kind, Bot: p.Bot, IsSelf: p.IsSelf, Min: p.Min,
		Phone: p.Phone, Name: p.Name, Seen: (*int64)(p.Seen), Extra: p.Extra,
	}
	if p.Usernames != nil {
		peer.Usernames = append([]string{}, p.Usernames.Names...)
	}
	return peer, err
}

func (k peerKeyText) key() sessiond.PeerKey {
	switch {
	case k.ID != nil:
		return sessiond.PeerID(int64(*k.ID))
	case k.Username != nil:
		return sessiond.PeerUsername(*k.Username)
	case k.Phone != nil:
		return sessiond.PeerPhone(*k.Phone)
	case k.PeerName != nil:
		return sessiond.PeerName(*k.PeerName)
	default:
		return sessiond.PeerKey{}
	}
}

func kindOf(name string) (sessiond.PeerKind, error) {
	for kind := sessiond.KindUnknown; kind <= sessiond.KindChannelUnknown; kind++ {
		if name == "" || kind.String() == name {
			return kind, nil
		}
	}
	return 0, fmt.Errorf("no kind of peers is called %s", name)
}

func peer(p sessiond.Peer) any {
	told := answer{"id": digits(p.ID), "has_access_hash": p.AccessHash != nil, "kind": p.Kind.String(), "extra": p.Extra}
	if p.Extra == nil {
		told["extra"] = answer{}
	}
	put(told, "access_hash", p.AccessHash, digits)
	put(told, "bot", p.Bot, plain)
	put(told, "is_self", p.IsSelf, plain)
	put(told, "min", p.Min, plain)
	put(told, "phone", p.Phone, plain)
	put(told, "name", p.Name, plain)
	put(told, "seen", p.Seen, digits)
	if p.Usernames != nil {
		told["usernames"] = answer{"names": p.Usernames}
	}
	return told
}

func attribute(a sessiond.Attribute) any {
	value := a.Value
	if value == nil {
		value = []byte{}
	}
	return answer{"key": a.Key, "value": value, "secret": a.Secret, "has_value": a.HasValue}
}
