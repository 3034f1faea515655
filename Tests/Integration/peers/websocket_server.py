# SPDX-License-Identifier: Apache-2.0
"""Echoes websocket messages."""
import asyncio, websockets

async def echo(socket, *unused):
    async for message in socket:
        await socket.send(message)

async def main():
    async with websockets.serve(echo, "0.0.0.0", 8765, max_size=1 << 24):
        await asyncio.Future()

asyncio.run(main())
