"""Voices that speak elsewhere: providers over HTTP or WebSockets, routes over any voices. Start at `config`."""
