"""A check in a process of its own, for the server: a request on standard input, what happens on standard output.

The first line of the input is the request as JSON; its end cancels the check, so that nothing outlives whoever
asked. Each line of the output is JSON: `total` once, an `outcome` as each scenario ends, then a `report` or an `error`.
"""

import os
import sys
import threading

import msgspec

from proxy.compliance import scenario
from proxy.compliance.processes import Orphans
from proxy.compliance.request import CheckRequest
from proxy.compliance.runner import CancelledError, Check
from proxy.compliance.target import Target, TargetError, found


def main() -> None:
    """Run the check that is asked for."""

    def say(**fields: object) -> None:
        os.write(1, msgspec.json.encode(fields) + b"\n")

    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=CheckRequest)
    try:
        scenarios = scenario.choose(scenario.shipped(), request.scenarios)
        command = found([request.wrapper, *request.arguments])
        check = Check(
            Target(command, request.as_argument, tuple(request.variables)),
            scenarios,
            threshold=request.threshold,
            on_outcome=lambda outcome: say(outcome=outcome),
            orphans=Orphans(),
        )

        def cancel_at_the_end() -> None:
            sys.stdin.buffer.read()
            check.cancel()

        threading.Thread(target=cancel_at_the_end, daemon=True).start()
        say(total=len(scenarios))
        say(report=check.run())
    except (scenario.ScenarioError, TargetError) as error:
        say(error=str(error))
    except CancelledError:
        say(error="The check was stopped.")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # the thread that waits for the end of the input holds its lock
