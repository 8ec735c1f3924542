"""The vocabulary that every other package speaks: findings, rules, reports and errors.

Imports numpy and the standard library only, so that anything may import it.
"""
