# SPDX-License-Identifier: Apache-2.0
"""A TCP server with one behaviour per first line: what each of them does to the other end is what tests compare.

greets first on port 9001; on 9000 the client says which: echo, who, half, reset, close, count N, silent, send N
"""
import hashlib, os, socket, struct, threading


def read_line(connection):
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            return line
        line += byte
    return line


def serve(connection, address):
    try:
        words = read_line(connection).decode().split() or [""]
        if words[0] == "echo":
            while data := connection.recv(65536):
                connection.sendall(data)
        elif words[0] == "who":
            connection.sendall(f"{address[0]} {connection.getpeername()[0]} {connection.getsockname()[1]}\n".encode())
        elif words[0] == "half":
            total = 0
            while data := connection.recv(65536):
                total += len(data)
            connection.sendall(f"got {total}\n".encode())
        elif words[0] == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif words[0] == "count":
            digest, total = hashlib.sha256(), 0
            while data := connection.recv(1 << 16):
                digest.update(data)
                total += len(data)
            connection.sendall(f"{total} {digest.hexdigest()}\n".encode())
        elif words[0] == "send":
            left, digest = int(words[1]), hashlib.sha256()
            block = os.urandom(1 << 16)
            while left:
                part = block[: min(left, len(block))]
                connection.sendall(part)
                digest.update(part)
                left -= len(part)
            connection.sendall(digest.digest())
        elif words[0] == "first-end":
            connection.sendall(b"bye\n")
            connection.shutdown(socket.SHUT_WR)
            total = 0
            while data := connection.recv(65536):
                total += len(data)
            with open(f"/tmp/apus-peer-{words[1]}", "w") as file:
                file.write(str(total))
        elif words[0] == "silent":
            connection.recv(1)
    except OSError:
        pass
    finally:
        connection.close()


def greet(connection, address):
    try:
        connection.sendall(f"hello {address[0]}\n".encode())
        while data := connection.recv(65536):
            connection.sendall(data)
    except OSError:
        pass
    finally:
        connection.close()


def listen(port, behaviour):
    listener = socket.create_server(("0.0.0.0", port), backlog=1024)
    while True:
        connection, address = listener.accept()
        threading.Thread(target=behaviour, args=(connection, address), daemon=True).start()


threading.Thread(target=listen, args=(9001, greet), daemon=True).start()
listen(9000, serve)
