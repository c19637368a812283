"""The far end: hears RTP, and says how it came. Start reading at `listener`."""
