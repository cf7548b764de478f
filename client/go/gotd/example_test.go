package gotd_test

import (
	"fmt"

	"github.com/gotd/td/telegram/updates"

	"sessiond.invalid/client/go/gotd"
)

func ExampleRoute() {
	var accounts map[int64]*gotd.Session // by the users' ids, each made of a hold of its own
	states := gotd.Route(func(userID int64) (*gotd.Session, error) {
		if session, is := accounts[userID]; is {
			return session, nil
		}
		return nil, fmt.Errorf("user %d is none of ours", userID)
	})
	updates.New(updates.Config{Storage: states, AccessHasher: states, UserAccessHasher: states})
}
