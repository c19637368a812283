"""Making a voice: the teacher's speech, the networks in torch, training, measuring, export.

Everything that needs torch is in this folder; speaking with a voice needs none of it.
"""
