"""Producer and inspector of one BullMQ queue."""
