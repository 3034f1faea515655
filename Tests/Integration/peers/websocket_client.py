# SPDX-License-Identifier: Apache-2.0
"""Sends messages of many sizes, text and binary, and checks the echo."""
import asyncio, os, sys, websockets

async def main():
    async with websockets.connect(sys.argv[1], max_size=1 << 24) as socket:
        for size in (0, 1, 125, 126, 65535, 65536, 1 << 20):
            for message in (os.urandom(size), "x" * size):
                await socket.send(message)
                assert await socket.recv() == message, size
        await (await socket.ping())
    print("all echoed")

asyncio.run(main())
