// Package gotd keeps in sessiond what programs on gotd/td keep in files: the session, the update states and the access hashes.
//
//	hold, err := client.Hold(ctx, "alice", sessiond.Wait())
//	...
//	alice := gotd.New(hold)
//	defer alice.Release(context.WithoutCancel(ctx))
//
// A Session is gotd's session.Storage; what its Updates gives is updates.StateStorage, updates.ChannelAccessHasher and
// updates.UserAccessHasher. Run gotd's client with the hold's Context, so that it stops when the hold is lost. A whole
// program is in README.md.
package gotd
