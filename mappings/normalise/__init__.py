"""Bringing names, contacts, addresses, numbers and dates into one comparable form. Pure; None means "not
such a thing".
"""
