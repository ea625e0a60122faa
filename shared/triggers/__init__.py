"""The function triggers: decode, call one service, map the outcome."""
