"""Run directories on disk: writing, reading, listing and comparing them."""
