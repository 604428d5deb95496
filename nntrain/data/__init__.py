"""Reading a CSV, typing its columns, splitting its rows, and turning it into arrays."""
