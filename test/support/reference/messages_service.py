"""The reference messages service: python3 messages_service.py PORT"""

import sys

from flask import Flask, jsonify
from werkzeug.serving import make_server

app = Flask(__name__)


@app.get('/messages')
def show_messages():
    return 'Message-service not implemented yet'


@app.errorhandler(405)
def refuse_method(_error):
    return jsonify('Method not allowed'), 405


if __name__ == '__main__':
    server = make_server('127.0.0.1', int(sys.argv[1]), app, threaded=True)
    print(f'listening on http://127.0.0.1:{server.server_port}', flush=True)
    server.serve_forever()
