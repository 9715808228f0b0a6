"""Waiting with asyncio: the state of each event loop, and the methods of native classes that wait."""
