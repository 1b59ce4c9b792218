"""BullMQ's protocol and nothing else: keys, scripts, packing, the connection, events."""
