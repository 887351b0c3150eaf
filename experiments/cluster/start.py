"""A standalone cluster on this machine until Ctrl-C: a master and two workers of one core each."""

import argparse
import signal
import sys

from tandem.errors import TandemError, Terminated
from tandem.machine import scratch_folder
from tandem.spark import local_cluster


def main() -> None:
    """Start it, say how it is used, wait."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=7077, help="of the master")
    parser.add_argument("--page", type=int, default=8080, help="of the master's web page")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", default="1g", help="of a worker's executors")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        with local_cluster(scratch_folder(), **vars(options)) as found:
            print(f"page       {found.page}")
            print(
                f"use it     tandem engine=distributed_scan spark=standalone {_own(found.address)}"
            )
            print("end it     Ctrl-C", flush=True)
            found.master.process.wait()
            sys.exit("the master ended")
    except (KeyboardInterrupt, Terminated):
        print("ended")
    except TandemError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.status)


def _own(address: str) -> str:
    usual = "spark://127.0.0.1:7077"
    return "" if address == usual else f"spark.master={address}"


def _terminate(signum: int, _frame: object) -> None:
    raise Terminated(signum)


if __name__ == "__main__":
    main()
