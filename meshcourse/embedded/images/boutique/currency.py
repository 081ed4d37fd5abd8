"""currencyservice: rates against the euro (figures of the European Central Bank, as upstream has them)."""

from __future__ import annotations

import math
from typing import Any

import grpc

from meshcourse.embedded.images import common
from meshcourse.embedded.images.boutique import messages, rpc

PORT = 7000
RATES = {
    **{
        "EUR": 1.0,
        "USD": 1.1305,
        "JPY": 126.40,
        "BGN": 1.9558,
        "CZK": 25.592,
        "DKK": 7.4609,
        "GBP": 0.85970,
    },
    **{
        "HUF": 315.51,
        "PLN": 4.2996,
        "RON": 4.7463,
        "SEK": 10.5375,
        "CHF": 1.1360,
        "ISK": 136.80,
        "NOK": 9.8040,
    },
    **{
        "HRK": 7.4210,
        "RUB": 74.4208,
        "TRY": 6.1247,
        "AUD": 1.6072,
        "BRL": 4.2682,
        "CAD": 1.5128,
        "CNY": 7.5857,
    },
    **{
        "HKD": 8.8743,
        "IDR": 15999.40,
        "ILS": 4.0875,
        "INR": 79.4320,
        "KRW": 1275.05,
        "MXN": 21.7999,
    },
    **{"MYR": 4.6289, "NZD": 1.6679, "PHP": 59.083, "SGD": 1.5349, "THB": 36.012, "ZAR": 16.0583},
}
_NANOS = 1e9


def _carry(units: float, nanos: float) -> tuple[float, float]:
    """Fractions of units become nanos, whole units among the nanos become units."""
    nanos += math.fmod(units, 1) * _NANOS
    return math.floor(units) + math.floor(nanos / _NANOS), math.fmod(nanos, _NANOS)


def convert(units: int, nanos: int, source: str, target: str) -> tuple[int, int]:
    """Units and nanos in another currency, by way of the euro, rounded down as upstream rounds.

    :raises LookupError: if a currency is unknown.
    """
    euros, cents = _carry(units / RATES[source], nanos / RATES[source])
    units_out, nanos_out = _carry(euros * RATES[target], math.floor(cents + 0.5) * RATES[target])
    return math.floor(units_out), math.floor(nanos_out)


async def _supported(request: Any, forward: rpc.Metadata) -> Any:
    return messages.make("GetSupportedCurrenciesResponse", currency_codes=list(RATES))


async def _convert(request: Any, forward: rpc.Metadata) -> Any:
    source = getattr(request, "from")
    try:
        units, nanos = convert(source.units, source.nanos, source.currency_code, request.to_code)
    except LookupError as error:
        raise rpc.Failed(grpc.StatusCode.INVALID_ARGUMENT, f"unknown currency {error}") from error
    return messages.make("Money", currency_code=request.to_code, units=units, nanos=nanos)


METHODS: dict[str, rpc.Method] = {"GetSupportedCurrencies": _supported, "Convert": _convert}


def main(argv: list[str]) -> int:
    """Image microservices-demo/currencyservice."""
    return common.run(lambda: rpc.serve("CurrencyService", METHODS, rpc.port_of(PORT)))
