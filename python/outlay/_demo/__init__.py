"""What ``outlay demo`` runs: private, and no part of the package's interface."""
