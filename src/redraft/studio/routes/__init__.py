"""The HTTP routes, one file for each topic, each with a `router`. app.py includes them by name."""
