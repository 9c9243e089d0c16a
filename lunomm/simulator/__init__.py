"""A Luno of our own: matching (pure), flow (seeded), venue (pure), server (REST + WebSockets)."""
