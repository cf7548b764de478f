package main

import (
	"encoding/json"
	"strconv"
	"time"

	sessiond "sessiond.invalid/client/go"
)

// number is one of 64 bits, which in JSON is a string of digits.
type number int64

func (n *number) UnmarshalJSON(text []byte) error {
	var digits string
	if err := json.Unmarshal(text, &digits); err != nil {
		return err
	}
	value, err := strconv.ParseInt(digits, 10, 64)
	*n = number(value)
	return err
}

// The arguments that are values of the schema.
type (
	sessionText struct {
		DCs      []dcText   `json:"dcs"`
		User     *userText  `json:"user"`
		State    *stateText `json:"state"`
		HomeDC   *int32     `json:"home_dc"`
		TestMode *bool      `json:"test_mode"`
	}
	dcText struct {
		ID       int32   `json:"id"`
		IPv4Addr *string `json:"ipv4_addr"`
		IPv6Addr *string `json:"ipv6_addr"`
		Auth     []byte  `json:"auth"`
		HasAuth  bool    `json:"has_auth"`
	}
	userText struct {
		ID       number  `json:"id"`
		DC       int32   `json:"dc"`
		Bot      *bool   `json:"bot"`
		Username *string `json:"username"`
	}
	stateText struct {
		Pts      int32         `json:"pts"`
		Qts      int32         `json:"qts"`
		Date     number        `json:"date"`
		Seq      int32         `json:"seq"`
		Channels []channelText `json:"channels"`
	}
	channelText struct {
		ID  number `json:"id"`
		Pts int32  `json:"pts"`
	}
	changeText struct {
		Pts             *int32        `json:"pts"`
		Qts             *int32        `json:"qts"`
		Date            *number       `json:"date"`
		Seq             *int32        `json:"seq"`
		Channels        []channelText `json:"channels"`
		RemovedChannels []number      `json:"removed_channels"`
	}
	clearText struct {
		AuthDCs  []int32 `json:"auth_dcs"`
		AllAuth  bool    `json:"all_auth"`
		User     bool    `json:"user"`
		State    bool    `json:"state"`
		Channels bool    `json:"channels"`
	}
)

func (s sessionText) session() (*sessiond.Session, error) {
	session := &sessiond.Session{HomeDC: s.HomeDC, TestMode: s.TestMode}
	for _, dc := range s.DCs {
		read := sessiond.DataCenter{ID: dc.ID, IPv4Addr: dc.IPv4Addr, IPv6Addr: dc.IPv6Addr, HasAuth: dc.HasAuth}
		if len(dc.Auth) > 0 {
			key, err := sessiond.NewAuthKey(dc.Auth)
			if err != nil {
				return nil, &sessiond.InvalidArgumentError{Reason: sessiond.InvalidSession, Message: err.Error()}
			}
			read.Auth = key
		}
		session.DCs = append(session.DCs, read)
	}
	if user := s.User; user != nil {
		session.User = &sessiond.User{ID: int64(user.ID), DC: user.DC, Bot: user.Bot, Username: user.Username}
	}
	if state := s.State; state != nil {
		session.State = &sessiond.UpdateState{
			Pts: state.Pts, Qts: state.Qts, Date: int64(state.Date), Seq: state.Seq, Channels: channelsOf(state.Channels),
		}
	}
	return session, nil
}

func (c changeText) change() sessiond.StateChange {
	change := sessiond.StateChange{Pts: c.Pts, Qts: c.Qts, Date: (*int64)(c.Date), Seq: c.Seq, Channels: channelsOf(c.Channels)}
	for _, id := range c.RemovedChannels {
		change.RemovedChannels = append(change.RemovedChannels, int64(id))
	}
	return change
}

func channelsOf(texts []channelText) []sessiond.ChannelState {
	var channels []sessiond.ChannelState
	for _, text := range texts {
		channels = append(channels, sessiond.ChannelState{ID: int64(text.ID), Pts: text.Pts})
	}
	return channels
}

// put tells what may be absent, if it is there.
func put[T any](told answer, name string, value *T, tell func(T) any) {
	if value != nil {
		told[name] = tell(*value)
	}
}

// plain tells a value that JSON has as it is.
func plain[T any](value T) any { return value }

// digits tells a number of 64 bits.
func digits(value int64) any { return strconv.FormatInt(value, 10) }

func putTime(told answer, name string, at time.Time) {
	if !at.IsZero() {
		told[name] = at.UTC().Format(time.RFC3339Nano)
	}
}

// every tells a list. One of nothing is there too.
func every[T any](values []T, tell func(T) any) []any {
	told := []any{}
	for _, value := range values {
		told = append(told, tell(value))
	}
	return told
}

func session(s sessiond.Session) any {
	told := answer{"version": 1, "dcs": every(s.DCs, dc)}
	put(told, "user", s.User, user)
	put(told, "state", s.State, state)
	put(told, "home_dc", s.HomeDC, plain)
	put(told, "test_mode", s.TestMode, plain)
	return told
}

func dc(d sessiond.DataCenter) any {
	told := answer{"id": d.ID, "has_auth": d.HasAuth}
	put(told, "ipv4_addr", d.IPv4Addr, plain)
	put(told, "ipv6_addr", d.IPv6Addr, plain)
	if !d.Auth.IsZero() {
		told["auth"] = d.Auth.Expose()
	}
	return told
}

func user(u sessiond.User) any {
	told := answer{"id": digits(u.ID), "dc": u.DC}
	put(told, "bot", u.Bot, plain)
	put(told, "username", u.Username, plain)
	return told
}

func state(s sessiond.UpdateState) any {
	return answer{
		"pts": s.Pts, "qts": s.Qts, "date": digits(s.Date), "seq": s.Seq, "channels": every(s.Channels, channel),
	}
}

func channel(c sessiond.ChannelState) any { return answer{"id": digits(c.ID), "pts": c.Pts} }

func change(c sessiond.StateChange) answer {
	told := answer{"channels": every(c.Channels, channel), "removed_channels": every(c.RemovedChannels, digits)}
	put(told, "pts", c.Pts, plain)
	put(told, "qts", c.Qts, plain)
	put(told, "date", c.Date, digits)
	put(told, "seq", c.Seq, plain)
	return told
}

func holder(h sessiond.Holder) any {
	told := answer{"label": h.Label, "pid": h.PID, "uid": h.UID, "executable": h.Executable, "host": h.Host}
	putTime(told, "since", h.Since)
	return told
}
