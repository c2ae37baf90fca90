"""What Pennyworth costs, measured. ``make bench`` runs everything; docs/measurements has the method and the figures."""
