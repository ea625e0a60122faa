"""The identity map: one last-writer-wins register for the whole map, compared as a set."""

from dataclasses import dataclass, field

from shared.domain.jsonvalue import canonical_json


@dataclass(frozen=True, slots=True)
class IdentityRegister:
    """`ids` maps a namespace to its identities, in the order received; namespaces without any are left out."""

    time: int
    ids: dict[str, list[str]] = field(default_factory=dict)

    def beats(self, other: "IdentityRegister | None") -> bool:
        if other is None or self.time > other.time:
            return True
        return self.time == other.time and canonical_json(self.ids) > canonical_json(other.ids)

    def others_than(self, before: "IdentityRegister | None") -> frozenset[str]:
        """The namespaces with other identities than `before`, their order aside."""
        earlier = before.ids if before else {}
        return frozenset(
            namespace
            for namespace in self.ids.keys() | earlier.keys()
            if set(self.ids.get(namespace, ())) != set(earlier.get(namespace, ()))
        )
