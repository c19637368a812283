"""The neural voice: text to 8 kHz speech in exact 10 ms frames. Start at `NeuralEngine`."""
