"""What the three kinds of process say to each other. Frames are not among it: those go through the ring.

A leg is named by its ``row`` in its media worker's ring; an utterance by ``key``, a number that control
gives out and never uses twice. Positions are in units of 10 ms, see ``gateway.ring``.
"""
