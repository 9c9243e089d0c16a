"""One module a subcommand: the async loop that joins the pure parts with the outside."""
