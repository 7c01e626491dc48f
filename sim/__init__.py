"""Ten thousand phones, thirty days, cheats who choose their best reply: do the promises of offline money hold?

The rules of the phones and of the close are those of `tikicash`; only the people, the places and the operator's ledger
are made up here. Run it with `python -m sim`.
"""
