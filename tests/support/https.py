"""A web server over TLS on a free port of 127.0.0.1, for a tracker and for files: prints its port, and each request as JSON.

usage: https.py CERTIFICATE KEY FOLDER PEER   PEER, as ADDRESS:PORT, is what the tracker at /announce names.
"""

import http.server
import json
import os
import socket
import ssl
import struct
import sys


def say(**fields):
    os.write(1, (json.dumps(fields) + "\n").encode())


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        say(event="asked", path=self.path.split("?")[0], resumed=self.connection.session_reused, tls=self.connection.version())
        if self.path.startswith("/announce"):
            host, port = peer.rsplit(":", 1)
            named = socket.inet_aton(host) + struct.pack(">H", int(port))
            return self.answer(b"d8:intervali1800e5:peers6:" + named + b"e")
        if self.path.startswith("/scrape"):
            return self.answer(b"d5:filesd20:" + bytes.fromhex(self.hash()) + b"d8:completei3e10:downloadedi4e10:incompletei5eeee")
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/content.torrent")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if self.path.startswith("/to/"):
            port, path = self.path[4:].split("/", 1)
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:%s/%s" % (port, path))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if self.path == "/endless":
            # No length: the connection ends the body, without a word of TLS.
            self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            with open("content.torrent", "rb") as file:
                self.wfile.write(file.read())
            self.wfile.flush()
            os.close(os.dup(self.connection.fileno()))
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return None
        return super().do_GET()

    def hash(self):
        text = self.path.split("info_hash=")[1].split("&")[0]
        from urllib.parse import unquote_to_bytes
        return unquote_to_bytes(text).hex()

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        say(event="failed", why=str(sys.exc_info()[1]))

    def finish_request(self, request, client_address):
        # Each handshake in the thread of its connection.
        request.settimeout(30)
        with context.wrap_socket(request, server_side=True) as stream:
            self.RequestHandlerClass(stream, client_address, self)


certificate, key, folder, peer = sys.argv[1:]
os.chdir(folder)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server = Server(("127.0.0.1", 0), Handler)
say(event="listening", port=server.server_address[1])
server.serve_forever()
