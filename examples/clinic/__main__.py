"""Start the clinic: python -m examples.clinic, in the folder of the checkout."""

import argparse
import os
from pathlib import Path
from secrets import token_bytes, token_urlsafe

import uvicorn
from examples.clinic.app import create_app
from examples.clinic.clinic import Clinic
from examples.clinic.demo import seed
from examples.clinic.settings import PROGRAMS, Settings

DATA = Path(__file__).parent / "data"
"""Where everything is kept, if no other place is named."""


def arguments() -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.clinic", description=__doc__)
    parser.add_argument("--db", default=f"sqlite:///{DATA / 'clinic.db'}", help="where everything is kept")
    parser.add_argument("--demo", action="store_true", help="fill an empty database with a made-up cohort")
    parser.add_argument("--zone", default="America/Los_Angeles", help="the clinic's time zone")
    parser.add_argument("--program", action="append", help="a program to enroll in; may be given repeatedly")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    return parser.parse_args()


def settings_of(given: argparse.Namespace) -> Settings:
    """Return the settings, with secrets from the environment or newly made."""
    return Settings(
        url=given.db,
        zone=given.zone,
        programs=tuple(given.program or PROGRAMS),
        prize_secret=prize_secret(DATA / "prize-secret"),
        cookie_secret=os.environ.get("CLINIC_COOKIE_SECRET") or token_urlsafe(32),
        api_tokens={"api": os.environ.get("CLINIC_API_TOKEN") or token_urlsafe(24)},
    )


def prize_secret(file: Path) -> bytes:
    """Return the secret of prize draws: from the environment, or from a file that is made once and kept."""
    given = os.environ.get("CLINIC_PRIZE_SECRET")
    if given:
        return bytes.fromhex(given)
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(token_bytes(32).hex(), "ascii")
    return bytes.fromhex(file.read_text("ascii"))


def main() -> None:
    """Open the clinic and serve it until it is interrupted."""
    given = arguments()
    DATA.mkdir(exist_ok=True)
    settings = settings_of(given)
    if given.demo:
        clinic = Clinic.open(settings)
        seed(clinic)
        clinic.close()
    if "CLINIC_API_TOKEN" not in os.environ:
        print(f"The token of /api, until this ends: {settings.api_tokens['api']}")
    print(f"Open http://{given.host}:{given.port} and choose who you are.")
    uvicorn.run(create_app(settings), host=given.host, port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
