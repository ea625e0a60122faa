"""Measurements. Nothing here is deployed."""
