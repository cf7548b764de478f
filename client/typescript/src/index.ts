/** The client of sessiond, the daemon that keeps Telegram sessions. */

export { type Acknowledged, type AdvanceStream } from "./advance-stream.js";
export { type Attribute, type AttributeFilter, type Attributes, type PutAttributesOptions } from "./attributes.js";
export {
  type Client,
  connect,
  type ConnectOptions,
  type ListOptions,
  type MirrorAction,
  type SettledMirror,
} from "./client.js";
export { type CallOptions } from "./connection.js";
export {
  ChangeRefused,
  Closed,
  Damaged,
  Fenced,
  FileInUse,
  ForeignFile,
  HeldByAnother,
  InvalidArgument,
  InvalidName,
  type InvalidReason,
  LimitExceeded,
  Lost,
  type LostReason,
  NotPermitted,
  RevisionMismatch,
  SessiondError,
  StorageFailed,
  StorageFull,
  Unavailable,
  Unexpected,
} from "./error.js";
export {
  type Bookmark,
  type Commit,
  type HoldChanged,
  type RestartReason,
  type Restarted,
  type Snapshot,
  type Synced,
  type WatchEvent,
} from "./event.js";
export { type SessionSummary, type Waiting } from "./gen/sessiond/v1/session_service.js";
export {
  type ChannelState,
  type Holder,
  type StateChange,
  type UpdateState,
  type User,
} from "./gen/sessiond/v1/session.js";
export { type HeldSession, type MergeOptions, type WriteOptions } from "./held.js";
export { type Hold, type HoldOptions } from "./hold.js";
export { type Figures, type ServerInfo } from "./info.js";
export { type Kept } from "./kept.js";
export { type Peer, type PeerKey, type PeerKind } from "./peer.js";
export { type PeerFilter, type Peers } from "./peers.js";
export { AuthKey, Token } from "./secret.js";
export { type Change, type Clear, type DataCenter, type Loaded, type Session } from "./session.js";
export { type Watch, type WatchMode, type WatchOptions, type WatchPosition } from "./watch.js";
