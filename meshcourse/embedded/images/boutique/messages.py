"""The messages and services of protobuf package `hipstershop`, as descriptors written in Python. No I/O.

Field names and numbers are those of microservices-demo's protos/demo.proto, for the real services speak them too.
There is no compiler step: the tables below become message classes when this module is loaded (`protos`).
"""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.images import protos

PACKAGE = "hipstershop"

#: Message → its fields, as `protos` has them.
MESSAGES = {
    "Empty": "",
    "Money": "string currency_code=1, int64 units=2, int32 nanos=3",
    "CartItem": "string product_id=1, int32 quantity=2",
    "AddItemRequest": "string user_id=1, CartItem item=2",
    "EmptyCartRequest": "string user_id=1",
    "GetCartRequest": "string user_id=1",
    "Cart": "string user_id=1, *CartItem items=2",
    "ListRecommendationsRequest": "string user_id=1, *string product_ids=2",
    "ListRecommendationsResponse": "*string product_ids=1",
    "Product": (
        "string id=1, string name=2, string description=3, string picture=4, "
        "Money price_usd=5, *string categories=6"
    ),
    "ListProductsResponse": "*Product products=1",
    "GetProductRequest": "string id=1",
    "SearchProductsRequest": "string query=1",
    "SearchProductsResponse": "*Product results=1",
    "Address": "string street_address=1, string city=2, string state=3, string country=4, int32 zip_code=5",
    "GetQuoteRequest": "Address address=1, *CartItem items=2",
    "GetQuoteResponse": "Money cost_usd=1",
    "ShipOrderRequest": "Address address=1, *CartItem items=2",
    "ShipOrderResponse": "string tracking_id=1",
    "GetSupportedCurrenciesResponse": "*string currency_codes=1",
    "CurrencyConversionRequest": "Money from=1, string to_code=2",
    "CreditCardInfo": (
        "string credit_card_number=1, int32 credit_card_cvv=2, "
        "int32 credit_card_expiration_year=3, int32 credit_card_expiration_month=4"
    ),
    "ChargeRequest": "Money amount=1, CreditCardInfo credit_card=2",
    "ChargeResponse": "string transaction_id=1",
    "OrderItem": "CartItem item=1, Money cost=2",
    "OrderResult": (
        "string order_id=1, string shipping_tracking_id=2, Money shipping_cost=3, "
        "Address shipping_address=4, *OrderItem items=5"
    ),
    "SendOrderConfirmationRequest": "string email=1, OrderResult order=2",
    # There is no field 4.
    "PlaceOrderRequest": (
        "string user_id=1, string user_currency=2, Address address=3, string email=5, CreditCardInfo credit_card=6"
    ),
    "PlaceOrderResponse": "OrderResult order=1",
    "AdRequest": "*string context_keys=1",
    "Ad": "string redirect_url=1, string text=2",
    "AdResponse": "*Ad ads=1",
}

#: Service → method → (request, response).
SERVICES: dict[str, dict[str, tuple[str, str]]] = {
    "CartService": {
        "AddItem": ("AddItemRequest", "Empty"),
        "GetCart": ("GetCartRequest", "Cart"),
        "EmptyCart": ("EmptyCartRequest", "Empty"),
    },
    "RecommendationService": {
        "ListRecommendations": ("ListRecommendationsRequest", "ListRecommendationsResponse"),
    },
    "ProductCatalogService": {
        "ListProducts": ("Empty", "ListProductsResponse"),
        "GetProduct": ("GetProductRequest", "Product"),
        "SearchProducts": ("SearchProductsRequest", "SearchProductsResponse"),
    },
    "ShippingService": {
        "GetQuote": ("GetQuoteRequest", "GetQuoteResponse"),
        "ShipOrder": ("ShipOrderRequest", "ShipOrderResponse"),
    },
    "CurrencyService": {
        "GetSupportedCurrencies": ("Empty", "GetSupportedCurrenciesResponse"),
        "Convert": ("CurrencyConversionRequest", "Money"),
    },
    "PaymentService": {"Charge": ("ChargeRequest", "ChargeResponse")},
    "EmailService": {"SendOrderConfirmation": ("SendOrderConfirmationRequest", "Empty")},
    "CheckoutService": {"PlaceOrder": ("PlaceOrderRequest", "PlaceOrderResponse")},
    "AdService": {"GetAds": ("AdRequest", "AdResponse")},
}

_CLASSES = protos.classes(PACKAGE, MESSAGES)


def of(name: str) -> Any:
    """A message's class, by its name in MESSAGES."""
    return _CLASSES[name]


def make(name: str, /, **fields: Any) -> Any:
    """A message with these fields; a message inside may be given as a message or a dict."""
    return _CLASSES[name](**fields)
