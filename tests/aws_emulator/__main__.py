"""Deploy stacks into a fresh account on this machine, and serve them until Ctrl-C.

    python -m tests.aws_emulator ExperimentStack-moths-0

Stacks are those of `cdk ls`. Each one with an address of its own gets a port; errors of its server are printed as they
happen.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.aws_emulator.cdk_command import CdkError
from tests.aws_emulator.edge import Edge
from tests.aws_emulator.stand_in import StandIn

_FIRST_PORT = 8080
_SHARED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL")
_LOOK_EVERY_SECONDS = 0.5


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.aws_emulator", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stacks", nargs="+", metavar="STACK")
    parser.add_argument("--app", type=Path, help="an assembly (cdk.out), instead of what cdk.json says")
    parser.add_argument(
        "--port", type=int, default=_FIRST_PORT, help="of the first stack; 0: any that is free (default: %(default)s)"
    )
    asked = parser.parse_args()
    with StandIn() as stand_in, ExitStack() as serving:
        stand_in.bootstrap()
        _say(f"Deploying {', '.join(asked.stacks)} into account {stand_in.account} …")
        try:
            stand_in.cdk("deploy", *asked.stacks, app=asked.app)
        except CdkError as error:
            sys.exit(str(error))
        edges = {
            stack: serving.enter_context(stand_in.edge(stack, port=asked.port and asked.port + number))
            for number, stack in enumerate(_with_address(stand_in, asked.stacks))
        }
        for stack, edge in edges.items():
            _say(f"\n{stack}")
            for name, value in stand_in.outputs(stack).items():
                _say(f"  {name:<16} {edge.here(value)}")
        _say("\nFor other programs:\n" + "\n".join(_exports(stand_in.environment)))
        _say("\nCtrl-C ends it; nothing is kept.")
        try:
            _watch(list(edges.values()))
        except KeyboardInterrupt:
            _say("")


def _with_address(stand_in: StandIn, stacks: Sequence[str]) -> Iterator[str]:
    return (stack for stack in stacks if stand_in.recorded("AWS::CloudFront::Distribution", stack=stack))


def _exports(environment: Mapping[str, str]) -> Iterator[str]:
    return (f"  export {name}={environment[name]}" for name in _SHARED)


def _watch(edges: Sequence[Edge]) -> None:
    """Print troubles as they come, for ever."""
    while True:
        for edge in edges:
            while edge.troubles:
                _say(edge.troubles.pop(0))
        time.sleep(_LOOK_EVERY_SECONDS)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
