"""Statements and receipts on paper, made beside the requests of others.

A long statement takes a second to draw, in which this process would answer nobody; and the library that draws keeps
its fonts in one place, so one is drawn at a time. It is imported when the first is wanted: most processes never do.
"""

import asyncio

from tikiwallet.payments.statement_words import Language
from tikiwallet.payments.statements import Statement
from tikiwallet.payments.types import Receipt


class Papers:
    """Makes PDF files, one at a time."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()

    async def statement_pdf(self, statement: Statement, language: Language) -> bytes:
        """Return a statement as PDF."""
        from tikiwallet.payments import statement_pdf

        async with self._one_at_a_time:
            return await asyncio.to_thread(statement_pdf.statement_pdf, statement, language)

    async def receipt_pdf(self, receipt: Receipt, language: Language) -> bytes:
        """Return the receipt of a payment as PDF."""
        from tikiwallet.payments import statement_pdf

        async with self._one_at_a_time:
            return await asyncio.to_thread(statement_pdf.receipt_pdf, receipt, language)
