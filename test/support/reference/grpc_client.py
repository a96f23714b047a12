"""A client of the logging service of the reference over gRPC.

Takes the folder of the stubs and the target; reads a JSON array of calls from stdin, each an array
of an id and a text, and prints a JSON array: what each came to, and then the list of the texts.
"""

import json
import sys

import grpc

sys.path.insert(0, sys.argv[1])
import logging_pb2
import logging_pb2_grpc


def log(stub, message_id, txt):
    try:
        return stub.LogMessage(logging_pb2.LogRequest(id=message_id, txt=txt), timeout=20).status
    except grpc.RpcError as error:
        return error.code().name


with grpc.insecure_channel(sys.argv[2]) as channel:
    stub = logging_pb2_grpc.LoggingServiceStub(channel)
    outcomes = [log(stub, message_id, txt) for message_id, txt in json.load(sys.stdin)]
    texts = list(stub.GetMessages(logging_pb2.Empty(), timeout=20).messages)
    print(json.dumps([outcomes, texts]))
