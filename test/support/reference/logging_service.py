"""The reference logging service: python3 logging_service.py PORT"""

import sys

from flask import Flask, jsonify, request
from werkzeug.serving import make_server

app = Flask(__name__)
messages = {}


@app.post('/logging')
def log_message():
    id = request.form.get('id')
    txt = request.form.get('txt')
    if not id or not txt:
        return jsonify('No id or text'), 400
    if id in messages:
        print(f'Duplicate message detected: {id}')
        return jsonify('Duplicate detected'), 200
    messages[id] = txt
    print('Message:', txt)
    return jsonify('Message logged'), 201


@app.get('/logging')
def list_messages():
    return jsonify(list(messages.values()))


if __name__ == '__main__':
    server = make_server('127.0.0.1', int(sys.argv[1]), app, threaded=True)
    print(f'listening on http://127.0.0.1:{server.server_port}', flush=True)
    server.serve_forever()
