"""Who else sends RTP, given the same work. Start reading at `peer`, then `ladder`."""
