"""How gRPC is set up."""

from __future__ import annotations

#: Options of every channel.
OPTIONS: tuple[tuple[str, str | int], ...] = (
    # gRPC would send the socket's path as the authority, which is none.
    ("grpc.default_authority", "localhost"),
    # Channels to one address would share a connection, and the watches' is to be their own.
    ("grpc.use_local_subchannel_pool", 1),
    # A stream that nobody reads has this much room and no more, whatever the connection could carry.
    ("grpc.http2.lookahead_bytes", 65_535),
    ("grpc.http2.bdp_probe", 0),
    # A daemon that is back is noticed by calls with a short deadline, too. On a socket of this host an attempt costs nothing.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
    # And one that accepts a connection and says nothing is given up after a second.
    ("grpc.min_reconnect_backoff_ms", 1_000),
    # A proxy that the environment names is for the network, and gRPC would take one for abstract names too.
    ("grpc.enable_http_proxy", 0),
)
