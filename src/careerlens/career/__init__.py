"""CareerLens itself: résumé reading, market data, analysis and its job types."""
