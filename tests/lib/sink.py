#!/usr/bin/env python3
"""A sink for `taskresults ship` on loopback: an HTTP server that answers as it is told, and keeps what it was sent.

usage: sink.py DIRECTORY        prints the port, and serves until its standard input ends

DIRECTORY/requests has a JSON line per request: number, query (parameters), table, bytes, answer, stored, rows; and
the body, if it is no INSERT.
DIRECTORY/rows has the lines of all requests that were stored, each behind its table and a tab.
DIRECTORY/plan, if it exists, has an answer per line; each request takes the first away. After the last one, or without a
plan, the answer is that in DIRECTORY/always, or `ok`. Answers:
  ok                 stored; 200 without a body
  STATUS [TEXT]      not stored; that status and text, such as `500 Code: 60, e.displayText() = no table`
  text TEXT          not stored; 200 with a text
  stored-STATUS      stored, but answered with that status
  stored-reset       stored, and the connection is closed without an answer
  half               not stored; the answer ends in its middle
  stored-half        stored; the same
  reset              not stored; the connection is closed without an answer
  redirect URL       302
  unknown NAME...    Code 115 if the request has a parameter that is one of the names; else as ok
  refuse WORD        Code 27 if a row contains the word; else as ok
  refuse-all         Code 27
  hold               waits until DIRECTORY/release exists, then as ok
"""
import json
import os
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

directory = sys.argv[1]
lock = threading.Lock()
count = 0


def next_answer():
    plan = os.path.join(directory, "plan")
    try:
        with open(plan, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        lines = []
    if lines:
        with open(plan + ".new", "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines[1:]))
        os.replace(plan + ".new", plan)
        return lines[0]
    try:
        with open(os.path.join(directory, "always"), encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return "ok"


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, text=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text) if length is None else length))
        self.end_headers()
        self.wfile.write(text)

    def give_up(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.close()

    def do_GET(self):
        self.take(b"")

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) == length:
            self.take(body)
        else:
            self.give_up()  # as a server does that was told of more

    def take(self, body):
        global count
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        words = query.get("query", "").split()
        table = words[2] if words[:2] == ["INSERT", "INTO"] else ""
        with lock:
            answer = next_answer()
            kind, _, rest = answer.partition(" ")
            if kind == "hold":
                while not os.path.exists(os.path.join(directory, "release")):
                    time.sleep(0.005)
                kind = "ok"
            if kind == "unknown":
                unknown = [name for name in rest.split() if name in query]
                kind, rest = ("404", f"Code: 115. DB::Exception: Unknown setting {unknown[0]}") if unknown else ("ok", "")
            if kind == "refuse-all" or (kind == "refuse" and rest.encode() in body):
                kind, rest = "400", "Code: 27. DB::Exception: Cannot parse input: expected '\"'"
            elif kind == "refuse":
                kind = "ok"
            stored = kind == "ok" or kind.startswith("stored-")
            rows = body.decode("utf-8").split("\n") if body else []
            count += 1
            if stored:
                with open(os.path.join(directory, "rows"), "a", encoding="utf-8", newline="\n") as file:
                    file.writelines(f"{table}\t{row}\n" for row in rows)
            with open(os.path.join(directory, "requests"), "a", encoding="utf-8") as file:
                file.write(json.dumps({"number": count, "method": self.command, "path": self.path, "query": query, "table": table,
                                       "authorization": self.headers.get("Authorization"), "bytes": len(body),
                                       "rows": len(rows), "answer": answer, "stored": stored,
                                       "body": "" if table else body.decode("utf-8", "replace")}) + "\n")
        kind = kind.removeprefix("stored-")
        if kind == "ok":
            self.reply(200)
        elif kind == "text":
            self.reply(200, rest.encode())
        elif kind == "redirect":
            self.reply(302, headers=[("Location", rest)])
        elif kind == "half":
            self.reply(200, b"", length=1000)
            self.give_up()
        elif kind == "reset":
            self.give_up()
        else:
            self.reply(int(kind), rest.encode())


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that was killed is no matter."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


server = Server(("127.0.0.1", 0), Sink)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
