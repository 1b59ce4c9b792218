"""The browser and the server that the tests of the page have."""

from browser.conftest import browser, context, page, valkey

__all__ = ["browser", "context", "page", "valkey"]
