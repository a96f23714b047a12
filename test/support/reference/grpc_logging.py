"""The logging service of the reference over gRPC: two calls, the messages in memory.

Takes the folder of the stubs. Says on which port it listens, and what it does.
"""

import sys
import threading
from concurrent import futures

import grpc

sys.path.insert(0, sys.argv[1])
import logging_pb2
import logging_pb2_grpc

messages = {}
lock = threading.Lock()


class LoggingService(logging_pb2_grpc.LoggingServiceServicer):
    def LogMessage(self, request, context):
        if not request.id or not request.txt:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "No id or text")
        with lock:
            if request.id in messages:
                print("Duplicate message detected:", request.id)
                return logging_pb2.LogReply(status="Duplicate")
            messages[request.id] = request.txt
        print("Message:", request.txt)
        return logging_pb2.LogReply(status="Logged")

    def GetMessages(self, request, context):
        with lock:
            return logging_pb2.MessagesReply(messages=messages.values())


server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
logging_pb2_grpc.add_LoggingServiceServicer_to_server(LoggingService(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"listening on grpc://127.0.0.1:{port}")
server.wait_for_termination()
