"""What awards are counted in: currencies in integer minor units, and things such as draws or tickets."""

from decimal import Decimal
from typing import NamedTuple

# ISO 4217 (active currencies since January 2026), by the number of decimals of the minor unit.
_TWO_DECIMALS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY "
    "COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR "
    "ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
    "MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP "
    "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER "
    "ZAR ZMW ZWG"
)
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"

CURRENCY_DECIMALS: dict[str, int] = {
    **dict.fromkeys(_TWO_DECIMALS.split(), 2),
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
    **dict.fromkeys(_THREE_DECIMALS.split(), 3),
}

_SYMBOLS = {"USD": "$", "GBP": "£", "EUR": "€", "INR": "₹", "ILS": "₪", "NGN": "₦"}

THINGS: dict[str, str] = {
    "draw": "draws",
    "ticket": "tickets",
    "take-home dose": "take-home doses",
    "point": "points",
    "name slip": "name slips",
}


class Unit(NamedTuple):
    """Name what an award is counted in; `decimals` is 0 for things that are not money.

    Example:
        >>> dollar = unit_named("USD")
        >>> dollar.minor(Decimal("11.50")), dollar.plain(1150), dollar.spoken(1150)
        (1150, '11.50', '$11.50')
        >>> unit_named("draw").spoken(8)
        '8 draws'
    """

    name: str
    decimals: int = 0
    plural: str | None = None

    @property
    def is_money(self) -> bool:
        """Tell whether the unit is a currency."""
        return self.name in CURRENCY_DECIMALS

    def fits(self, amount: Decimal) -> bool:
        """Tell whether `amount` is a whole number of minor units."""
        return self._whole(amount) is not None

    def _whole(self, amount: Decimal) -> int | None:
        """Return an amount in minor units, or None; in integers, so that no decimal context can round it."""
        sign, digits, exponent = amount.as_tuple()
        if not isinstance(exponent, int):
            return None
        number = int("".join(map(str, digits))) * (-1 if sign else 1)
        scale: int = 10 ** abs(exponent + self.decimals)
        if exponent + self.decimals >= 0:
            return number * scale
        whole, rest = divmod(number, scale)
        return None if rest else whole

    def minor(self, amount: Decimal) -> int:
        """Return `amount` in minor units.

        Raises:
            ValueError: `amount` has more decimals than the unit.
        """
        whole = self._whole(amount)
        if whole is None:
            msg = f"{amount} has more decimals than {self.name}, which has {self.decimals}"
            raise ValueError(msg)
        return whole

    def decimal(self, minor: int) -> Decimal:
        """Return minor units as an exact decimal."""
        digits = tuple(map(int, str(abs(minor))))
        return Decimal((int(minor < 0), digits, -self.decimals))

    def plain(self, minor: int) -> str:
        """Return minor units as digits, with all the decimals of the unit."""
        if not self.decimals:
            return str(minor)
        sign = "-" if minor < 0 else ""
        whole, part = divmod(abs(minor), 10**self.decimals)
        return f"{sign}{whole}.{part:0{self.decimals}d}"

    def spoken(self, minor: int) -> str:
        """Return minor units as a participant would read them."""
        if minor < 0:
            return f"-{self.spoken(-minor)}"
        if not self.is_money:
            return f"{minor} {self.name if minor == 1 else self.plural or self.name}"
        symbol = _SYMBOLS.get(self.name)
        return f"{symbol}{self.plain(minor)}" if symbol else f"{self.name} {self.plain(minor)}"


def unit_named(name: str | None, declared: dict[str, str] | None = None) -> Unit:
    """Return the unit called `name`: a currency, a known thing, or one the program declares.

    Args:
        name: an ISO 4217 code, or a thing in the singular.
        declared: singular to plural of the things that the program declares.

    Raises:
        KeyError: nothing is called so.
    """
    if name is None:
        raise KeyError(name)
    if name in CURRENCY_DECIMALS:
        return Unit(name, CURRENCY_DECIMALS[name])
    return Unit(name, 0, {**THINGS, **(declared or {})}[name])
