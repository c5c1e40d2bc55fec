#!/usr/bin/env python3
"""switch.py DIRECTORY [SECRET] - a dead man's switch on loopback, for the tests of `run --ping`.

Writes its port to DIRECTORY/port, and each request, as it comes, as one line of JSON to DIRECTORY/requests: method, path, body,
content type, and (if SECRET is given) the command lines of all processes that hold it. What it answers is in DIRECTORY/answers:
lines `PATH STATUS [LOCATION]`, where PATH is a path's end; `PATH hang` answers when DIRECTORY/release is there; else 200.
"""
import glob
import http.server
import json
import os
import sys
import time

directory = sys.argv[1]
secret = sys.argv[2].encode() if len(sys.argv) > 2 else None


def command_lines():
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                line = file.read()
        except OSError:
            continue
        if secret in line and b"switch.py" not in line:
            found.append(line.decode("utf-8", "replace"))
    return found


def answer_to(path):
    try:
        with open(os.path.join(directory, "answers"), encoding="utf-8") as file:
            answers = [line.split() for line in file]
    except FileNotFoundError:
        answers = []
    for words in answers:
        if path.endswith(words[0]):
            return words[1:]
    return ["200"]


class Switch(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = {"method": self.command, "path": self.path, "body": body.decode("utf-8"),
                "type": self.headers.get("Content-Type"), "headers": dict(self.headers)}
        if secret:
            told["seen"] = command_lines()
        with open(os.path.join(directory, "requests"), "a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
        words = answer_to(self.path)
        if words[0] == "hang":
            while not os.path.exists(os.path.join(directory, "release")):
                time.sleep(0.02)
            words = ["200"]
        try:
            self.send_response(int(words[0]))
            if len(words) > 1:
                self.send_header("Location", words[1])
            self.send_header("Content-Length", "0")
            self.end_headers()
        except OSError:
            pass  # nobody waits any more

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Switch)
server.daemon_threads = True
with open(os.path.join(directory, "port.new"), "w", encoding="utf-8") as port:
    port.write(str(server.server_port))
os.rename(os.path.join(directory, "port.new"), os.path.join(directory, "port"))
server.serve_forever()
