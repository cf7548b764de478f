"""The messages and services of the schema, generated: what comes over the wire, as `v1.SaveRequest`."""

from .admin_service_pb2 import *  # noqa: F403
from .admin_service_pb2_grpc import AdminServiceStub as AdminServiceStub
from .attribute_service_pb2 import *  # noqa: F403
from .attribute_service_pb2_grpc import AttributeServiceStub as AttributeServiceStub
from .peer_service_pb2 import *  # noqa: F403
from .peer_service_pb2_grpc import PeerServiceStub as PeerServiceStub
from .session_pb2 import *  # noqa: F403
from .session_service_pb2 import *  # noqa: F403
from .session_service_pb2_grpc import SessionServiceStub as SessionServiceStub
