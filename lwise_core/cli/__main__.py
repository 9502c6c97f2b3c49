"""`python -m lwise_core.cli` is `lwise`."""

from lwise_core.cli.main import main

main()
