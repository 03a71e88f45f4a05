"""Recorded runs, trained again: to the same bits, or what differs; and any of their steps, explained."""
