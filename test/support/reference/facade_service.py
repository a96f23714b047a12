"""The reference facade: python3 facade_service.py PORT LOGGING_URL MESSAGES_URL

Both addresses are origins, such as http://127.0.0.1:8881; the paths are added here.
"""

import sys
import time
import uuid
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from flask import Flask, jsonify, request
from werkzeug.serving import make_server

ATTEMPTS = 3
DELAY_SECONDS = 2
TIMEOUT_SECONDS = 10

app = Flask(__name__)
opener = build_opener(ProxyHandler({}))  # A proxy named in the environment must not get in between.


def fetch(url, form=None):
    """Return status and text of any reply; raise only when there was none."""
    data = urlencode(form).encode() if form else None
    try:
        response = opener.open(url, data, TIMEOUT_SECONDS)
    except HTTPError as error:
        response = error
    with response:
        return response.status, response.read().decode()


@app.post('/')
def post_message():
    txt = request.form.get('txt')
    if not txt:
        return jsonify('No message'), 400
    message = {'id': str(uuid.uuid4()), 'txt': txt}
    for attempt in range(ATTEMPTS):
        if attempt > 0:
            time.sleep(DELAY_SECONDS)
        try:
            status, _ = fetch(logging_url + '/logging', message)
        except (OSError, HTTPException) as error:
            print(f'Attempt {attempt + 1} failed: {error}')
            continue
        # Only 201: a 200 "Duplicate detected" after a lost reply counts as a failure, as it does
        # in the original. Whoever stands in for the logging service has to live with it.
        if status == 201:
            return jsonify(message), 200
        print(f'Attempt {attempt + 1} failed: status {status}')
    return jsonify({'error': f'Failed to log message after {ATTEMPTS} attempts'}), 500


@app.get('/')
def list_messages():
    try:
        _, logged = fetch(logging_url + '/logging')
        _, messages = fetch(messages_url + '/messages')
    except (OSError, HTTPException) as error:
        return jsonify({'error': str(error)}), 500
    return jsonify(['logging-service: ' + logged, 'message-service: ' + messages]), 200


if __name__ == '__main__':
    logging_url, messages_url = sys.argv[2].rstrip('/'), sys.argv[3].rstrip('/')
    server = make_server('127.0.0.1', int(sys.argv[1]), app, threaded=True)
    print(f'listening on http://127.0.0.1:{server.server_port}', flush=True)
    server.serve_forever()
