"""Push: what is public is sent to those who asked for it, as soon as it is there."""
