"""Entry point of the CDK app, named in `cdk.json`; the app itself is `infra.app`."""

import sys

from infra.app import main
from lwise_core.errors import InputError

if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"Error: {error}")
