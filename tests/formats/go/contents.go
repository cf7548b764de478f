package main

import (
	"encoding/binary"
	"encoding/hex"
)

// Contents is contents.json, as far as gotd has to do with it.
type Contents struct {
	Session    Session     `json:"session"`
	Attributes []Attribute `json:"attributes,omitempty"`
}

// Session is what Telegram gave.
type Session struct {
	DCs      []DataCenter `json:"dcs"`
	HomeDC   int          `json:"home_dc"`
	TestMode *bool        `json:"test_mode,omitempty"`
	User     *User        `json:"user,omitempty"`
}

// User is who is logged in.
type User struct {
	ID int64 `json:"id,string"`
	DC int   `json:"dc"`
}

// DataCenter has a key in hexadecimal, and addresses as host:port.
type DataCenter struct {
	ID   int    `json:"id"`
	IPv4 string `json:"ipv4_addr,omitempty"`
	IPv6 string `json:"ipv6_addr,omitempty"`
	Auth string `json:"auth,omitempty"`
}

// Attribute has its value in hexadecimal.
type Attribute struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Secret bool   `json:"secret"`
}

func (c Contents) attribute(key string) ([]byte, error) {
	for _, each := range c.Attributes {
		if each.Key == key {
			return hex.DecodeString(each.Value)
		}
	}
	return nil, nil
}

func number(value int64) string {
	return hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, uint64(value)))
}
