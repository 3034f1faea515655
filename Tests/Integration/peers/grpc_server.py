# SPDX-License-Identifier: Apache-2.0
"""grpcio's server with generic handlers: messages are bytes, so no generated code is needed.

test.Peer: Echo, Count (client streaming), Expand (server streaming), Chat (both), Fail CODE, Sleep MS, Cancelled, Who.
"""
import concurrent.futures, hashlib, os, socket, sys, threading, time
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

cancelled, lock = [0], threading.Lock()


def mine(context):
    """The caller's own metadata."""
    return [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-")]


def echo(request, context):
    context.send_initial_metadata(mine(context))
    context.set_trailing_metadata([("x-length", str(len(request))), *mine(context)])
    return request


def count(requests, context):
    digest, number, total = hashlib.sha256(), 0, 0
    for request in requests:
        digest.update(request)
        number, total = number + 1, total + len(request)
    return f"{number} {total} {digest.hexdigest()}".encode()


def expand(request, context):
    number, size = map(int, request.split())
    for index in range(number):
        yield bytes([index % 256]) * size


def chat(requests, context):
    for request in requests:
        yield request.upper()


def fail(request, context):
    context.set_trailing_metadata([("x-detail-bin", b"\x00\xff\x80")])
    context.abort(list(grpc.StatusCode)[int(request)], "as asked: 100 % ünicode\n")


def wait(request, context):
    def over():
        if not context.is_active() and not done.is_set():
            with lock:
                cancelled[0] += 1
        done.set()
    done = threading.Event()
    context.add_callback(over)
    if not done.wait(int(request) / 1000):
        done.set()
    return request


def how_many(request, context):
    return str(cancelled[0]).encode()


def who(request, context):
    return socket.gethostname().encode() + b" " + str(os.getpid()).encode()


METHODS = {
    "Echo": grpc.unary_unary_rpc_method_handler(echo), "Count": grpc.stream_unary_rpc_method_handler(count),
    "Expand": grpc.unary_stream_rpc_method_handler(expand), "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Fail": grpc.unary_unary_rpc_method_handler(fail), "Sleep": grpc.unary_unary_rpc_method_handler(wait),
    "Cancelled": grpc.unary_unary_rpc_method_handler(how_many), "Who": grpc.unary_unary_rpc_method_handler(who)}

server = grpc.server(concurrent.futures.ThreadPoolExecutor(32), options=[
    ("grpc.max_receive_message_length", 80 << 20), ("grpc.max_send_message_length", 80 << 20)])
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Peer", METHODS)])
servicer = health.HealthServicer()
servicer.set("test.Peer", health_pb2.HealthCheckResponse.SERVING)
servicer.set("test.Ill", health_pb2.HealthCheckResponse.NOT_SERVING)
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
reflection.enable_server_reflection(
    (health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME), server)
assert server.add_insecure_port(f"0.0.0.0:{sys.argv[1]}")
server.start()
server.wait_for_termination()
