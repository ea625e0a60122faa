"""The pure core: what a profile is, who must hear of a change, and what they are told. No I/O, no Azure."""
