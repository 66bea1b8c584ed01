"""The accounts of an enrollment, and what a posting is.

Every posting moves an amount from the account it debits to the one it credits, so the books always balance. The
balance of an account is its credits less its debits:

| account | what its balance is |
|---|---|
| `fund` | less than 0: what the program has awarded |
| `owed` | awarded, and waiting to be asked for or for its pay day |
| `in flight` | on the way to the participant: an instruction to hand it over is out |
| `issued` | handed over |
| `expired` | lost to the participant, because it was not collected in time |
| `absorbed` | less than 0: what was handed over and, after a correction, should not have been; the program bears it |
| `offset` | less than 0: the same, where the program takes it off later awards |
| `drawn` | draws that were made; what they won is awarded in money |
| `paid in` | less than 0: what the participant paid in as a deposit |
| `deposit` | what is held of it |
| `forfeited` | what lapses took of it |

In every unit they add up to 0: what was awarded and paid in is owed, in flight, issued, expired, drawn, held as a deposit
or forfeited, less what was given too much.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

FUND = "fund"
OWED = "owed"
IN_FLIGHT = "in flight"
ISSUED = "issued"
EXPIRED = "expired"
ABSORBED = "absorbed"
OFFSET = "offset"
DRAWN = "drawn"
PAID_IN = "paid in"
DEPOSIT = "deposit"
FORFEITED = "forfeited"

ACCOUNTS = (FUND, OWED, IN_FLIGHT, ISSUED, EXPIRED, ABSORBED, OFFSET, DRAWN, PAID_IN, DEPOSIT, FORFEITED)
PAYABLE = frozenset({OWED, IN_FLIGHT})
"""The accounts of what a participant has been awarded and not yet been given."""
DUE = PAYABLE | {ISSUED}
"""The accounts of what a participant is due in all, whether it was given by now or not."""

BEARS: Mapping[str, str] = MappingProxyType({"absorbed": ABSORBED, "offset": OFFSET})
"""The account that bears an overpayment, by what the program says of it."""


class Posting(NamedTuple):
    """An amount in minor units, from the account it debits to the one it credits."""

    debit: str
    credit: str
    unit: str
    amount: int
