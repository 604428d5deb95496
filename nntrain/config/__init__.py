"""The config file: YAML with positions, overrides, validation against the registry."""
