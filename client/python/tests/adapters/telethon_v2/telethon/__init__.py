"""Stands in for Telethon v2, which no package registry has."""
