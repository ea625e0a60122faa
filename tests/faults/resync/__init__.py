"""An audience counted, mapped and resynced by each scope while changes flow and hosts die: is anybody missed?"""
