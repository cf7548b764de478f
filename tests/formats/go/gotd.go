package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/gotd/td/crypto"
	"github.com/gotd/td/session"
	"github.com/gotd/td/session/tdesktop"
)

func writeSession(ctx context.Context, path string, given Contents) error {
	data := session.Data{DC: given.Session.HomeDC}
	config, err := given.attribute("gotd.config")
	if err != nil {
		return err
	}
	if config != nil {
		if err := json.Unmarshal(config, &data.Config); err != nil {
			return err
		}
	}
	if given.Session.TestMode != nil {
		data.Config.TestMode = *given.Session.TestMode
	}
	salt, err := given.attribute("gotd.salt")
	if err != nil {
		return err
	}
	if salt != nil {
		data.Salt = int64(binary.LittleEndian.Uint64(salt))
	}
	for _, dc := range given.Session.DCs {
		if dc.ID != data.DC {
			continue
		}
		if data.AuthKey, err = hex.DecodeString(dc.Auth); err != nil {
			return err
		}
	}
	var key crypto.Key
	copy(key[:], data.AuthKey)
	id := key.ID()
	data.AuthKeyID = id[:]
	loader := session.Loader{Storage: &session.FileStorage{Path: path}}
	return loader.Save(ctx, &data)
}

func readSession(ctx context.Context, path string) (Contents, error) {
	loader := session.Loader{Storage: &session.FileStorage{Path: path}}
	data, err := loader.Load(ctx)
	if err != nil {
		return Contents{}, err
	}
	seen, err := facts(data)
	if err != nil {
		return Contents{}, err
	}
	config, err := json.Marshal(data.Config)
	if err != nil {
		return Contents{}, err
	}
	seen.Session.TestMode = &data.Config.TestMode
	seen.Attributes = []Attribute{
		{Key: "gotd.config", Value: hex.EncodeToString(config)},
		{Key: "gotd.salt", Value: number(data.Salt)},
	}
	return seen, nil
}

// What a client makes of the data when it restores its connection: it refuses a key that its id does not belong to.
func facts(data *session.Data) (Contents, error) {
	var key crypto.Key
	copy(key[:], data.AuthKey)
	id := key.ID()
	if len(data.AuthKey) != len(key) || string(id[:]) != string(data.AuthKeyID) {
		return Contents{}, fmt.Errorf("corrupted key")
	}
	dc := DataCenter{ID: data.DC, Auth: hex.EncodeToString(data.AuthKey)}
	for _, option := range data.Config.DCOptions {
		if option.ID != data.DC || option.MediaOnly || option.TCPObfuscatedOnly || option.CDN {
			continue
		}
		address := option.IPAddress + ":" + strconv.Itoa(option.Port)
		if option.Ipv6 && dc.IPv6 == "" {
			dc.IPv6 = address
		} else if !option.Ipv6 && dc.IPv4 == "" {
			dc.IPv4 = address
		}
	}
	return Contents{Session: Session{DCs: []DataCenter{dc}, HomeDC: data.DC}}, nil
}

func readTelethon(path string) (Contents, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Contents{}, err
	}
	data, err := session.TelethonSession(strings.TrimSpace(string(text)))
	if err != nil {
		return Contents{}, err
	}
	seen, err := facts(data)
	if err != nil {
		return Contents{}, err
	}
	host, port, err := net.SplitHostPort(data.Addr)
	if err != nil {
		return Contents{}, err
	}
	if strings.Contains(host, ":") {
		seen.Session.DCs[0].IPv6 = host + ":" + port
	} else {
		seen.Session.DCs[0].IPv4 = host + ":" + port
	}
	return seen, nil
}

// Accounts is what a folder of Telegram Desktop has.
type Accounts struct {
	Accounts []Contents `json:"accounts"`
}

func readTdata(path, passcode string) (Accounts, error) {
	found, err := tdesktop.Read(path, []byte(passcode))
	if err != nil {
		return Accounts{}, err
	}
	sort.Slice(found, func(i, j int) bool { return found[i].IDx < found[j].IDx })
	var accounts Accounts
	for _, account := range found {
		auth := account.Authorization
		seen := Session{HomeDC: auth.MainDC, User: &User{ID: int64(auth.UserID), DC: auth.MainDC}}
		for id, key := range auth.Keys {
			seen.DCs = append(seen.DCs, DataCenter{ID: id, Auth: hex.EncodeToString(key[:])})
		}
		sort.Slice(seen.DCs, func(i, j int) bool { return seen.DCs[i].ID < seen.DCs[j].ID })
		accounts.Accounts = append(accounts.Accounts, Contents{Session: seen})
	}
	return accounts, nil
}
