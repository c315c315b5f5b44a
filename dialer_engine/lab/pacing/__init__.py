"""The floor as a simulation of discrete events, to compare ways of pacing on the same people."""
