"""Floor 4: the studio: HTTP API, accounts, serving engine, the web page. Meets `loop` in the store only.

The web process never imports torch; pictures are painted by the engine's own process.
"""
