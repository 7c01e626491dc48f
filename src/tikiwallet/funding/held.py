"""What funding holds of a person: what keeps a wallet from being closed, and what people take along.

A wallet that closed over a dispute would leave money frozen that nobody could give back.
"""

from typing import Final

from tikiwallet.funding.queries import SQL
from tikiwallet.identity.types import Obstacle, ObstacleKind, PersonId
from tikiwallet.platform.db import Database
from tikiwallet.platform.money import Balance

EXPORTED_MAX: Final = 100_000  # a person who has more gets the newest of them


class Held:
    """Reads of all tables of this context by person."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def obstacles(self, person_id: PersonId) -> list[Obstacle]:
        """Return what keeps this person's wallet from being closed."""
        return [
            Obstacle(
                kind=ObstacleKind(row["kind"]),
                amount=Balance(amount_minor=row["amount_minor"], currency=row["currency"]),
            )
            for row in await self._db.pool.fetch(SQL["obstacles_of_person"], person_id)
        ]

    async def export(self, person_id: PersonId) -> dict[str, object]:
        """Return every top-up, withdrawal and dispute, newest first, and who the person is at the provider."""
        operations = await self._db.pool.fetch(SQL["operations_of_person"], person_id, EXPORTED_MAX)
        disputes = await self._db.pool.fetch(SQL["disputes_exported"], person_id, EXPORTED_MAX)
        account = await self._db.pool.fetchrow(SQL["payout_account_of"], person_id)
        return {
            "operations": [dict(row) for row in operations],
            "disputes": [dict(row) for row in disputes],
            "customer_id": await self._db.pool.fetchval(SQL["customer_of"], person_id),
            "payout_account": None if account is None else dict(account),
        }
