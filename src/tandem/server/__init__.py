"""A store that a team shares: MLflow's server, a PostgreSQL of its own, a folder with both's data.

Both are processes below the one that calls this, and end with it. Nothing runs as a service.
"""

from tandem.server.folder import ADMIN, Folder, opened
from tandem.server.frontend import address, front, is_local, refuse_taken, refuse_unready
from tandem.server.postgres import database

__all__ = [
    "ADMIN",
    "Folder",
    "address",
    "database",
    "front",
    "is_local",
    "opened",
    "refuse_taken",
    "refuse_unready",
]
