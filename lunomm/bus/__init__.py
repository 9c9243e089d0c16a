"""Redis: channels and message types, the client, the embedded server."""
