"""The `lwise` command, one module per command group: parse, call `lwise_core`, print. No domain logic."""
