"""Names and streets of made-up customers in German, common ones first."""

from __future__ import annotations

FAMILY = [
    "Müller", "Schmidt", "Schneider", "Fischer", "Weber", "Meyer", "Wagner", "Becker", "Schulz", "Hoffmann",
    "Schäfer", "Koch", "Bauer", "Richter", "Klein", "Wolf", "Schröder", "Neumann", "Schwarz", "Zimmermann", "Braun",
    "Krüger", "Hofmann", "Hartmann", "Lange", "Schmitt", "Werner", "Krause", "Meier", "Lehmann", "Köhler", "Walter",
    "König", "Mayer", "Huber", "Kaiser", "Fuchs", "Peters", "Lang", "Scholz", "Möller", "Weiß", "Jung", "Hahn",
    "Vogel", "Friedrich", "Keller", "Günther", "Frank", "Berger", "Winkler", "Roth", "Beck", "Lorenz", "Baumann",
    "Franke", "Albrecht", "Schuster", "Simon", "Ludwig", "Böhm", "Winter", "Kraus", "Martin", "Schumacher",
    "Krämer", "Vogt", "Stein", "Jäger", "Otto", "Sommer", "Groß", "Seidel", "Heinrich", "Brandt", "Haas",
    "Schreiber", "Graf", "Dietrich", "Ziegler", "Kuhn", "Kühn", "Pohl", "Engel", "Horn", "Busch", "Bergmann",
    "Thomas", "Voigt", "Sauer", "Arnold", "Wolff", "Pfeiffer",
]  # fmt: skip
GIVEN = [
    "Andreas", "Thomas", "Michael", "Stefan", "Peter", "Klaus", "Jürgen", "Hans", "Wolfgang", "Christian", "Martin",
    "Frank", "Markus", "Alexander", "Sebastian", "Daniel", "Jan", "Maximilian", "Ursula", "Monika", "Petra",
    "Sabine", "Renate", "Andrea", "Claudia", "Susanne", "Birgit", "Karin", "Anna", "Julia", "Katharina", "Hannah",
    "Jörg", "Björn", "Günter", "Käthe", "Zoë", "Anne-Marie", "Karl-Heinz", "Hans-Peter", "Lena", "Leonie", "Lukas",
    "Felix", "Jonas", "Paul",
]  # fmt: skip
STREETS = [
    "Hauptstraße", "Schulstraße", "Gartenstraße", "Bahnhofstraße", "Dorfstraße", "Bergstraße", "Birkenweg",
    "Lindenstraße", "Kirchstraße", "Waldstraße", "Ringstraße", "Goethestraße", "Schillerstraße", "Amselweg",
    "Jahnstraße",
]  # fmt: skip
