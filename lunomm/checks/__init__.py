"""What a start needs, judged (pure): frozen facts in, one line each out, with what to do next. Gathered elsewhere."""
