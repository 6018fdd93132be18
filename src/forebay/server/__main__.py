"""Serve in the foreground: `python -m forebay.server --state FOLDER`. The command line has the friendlier way."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from forebay.loop import ports
from forebay.server import auth, composition, listening


def main() -> int:
    """Serve until SIGINT or SIGTERM; 1 with one line on stderr when it cannot."""
    parser = argparse.ArgumentParser(prog="python -m forebay.server", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder for the journal and all else")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=listening.PORT)
    parser.add_argument("--world", default="", help="name of a new World")
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument(
        "--tenant-programs", action="store_true", help="let tenants run programs, as forebay's own user"
    )
    parser.add_argument("--keep-days", type=int, default=0, help="how long the folders of ended gangs stay")
    said = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    options = listening.Options(
        said.state, said.host, said.port, said.world, said.tls_cert, said.tls_key,
        composition.Permissions(tenant_programs=said.tenant_programs), said.keep_days,
    )  # fmt: skip
    try:
        listening.serve(options)
    except (composition.StartError, auth.AuthError, ports.JournalError, OSError) as error:
        sys.stderr.write(f"forebay: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
