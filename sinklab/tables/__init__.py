"""Parameter tables: folders of numbers with their joint uncertainty, checks and origin.

Names are loaded when first used: listing tables needs no statistics.
"""
