"""The contract of MemberIndex."""

import pytest

from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile_key import INDEX_BUCKETS, bucket_of_key, profile_key
from shared.errors import ConflictError
from shared.ports.members import MemberIndex

AUDIENCE = ("ups", "a/b\\c#d?e ü 'x'")
KEYS = sorted(profile_key(f"p{number}") for number in range(60))


async def listed(index: MemberIndex, audience: AudienceKey, limit: int = 1_000) -> list[str]:
    """All keys, read bucket by bucket and page by page."""
    keys = []
    for bucket in range(INDEX_BUCKETS):
        after = ""
        while page := await index.page(audience, bucket, after, limit):
            assert [row.key for row in page] == sorted(row.key for row in page)
            assert all(bucket_of_key(row.key, INDEX_BUCKETS) == bucket for row in page)
            keys += [row.key for row in page]
            after = page[-1].key
            if len(page) < limit:
                break
    return keys


class MemberIndexContract:
    """`index` is empty."""

    @pytest.fixture
    def index(self) -> MemberIndex:
        raise NotImplementedError

    @pytest.mark.parametrize("limit", [1, 2, 1_000])
    async def test_who_is_added_is_listed_once(self, index: MemberIndex, limit: int) -> None:
        for key in (*KEYS, *KEYS[:3]):
            await index.add(AUDIENCE, key)
        assert sorted(await listed(index, AUDIENCE, limit)) == KEYS

    async def test_audiences_do_not_mix(self, index: MemberIndex) -> None:
        audiences = [("ups", "a"), ("ups", "a-01"), ("ups", "b"), ("other", "a"), ("u", "psa")]
        for number, audience in enumerate(audiences):
            await index.add(audience, KEYS[number])
        assert [await listed(index, audience) for audience in audiences] == [[key] for key in KEYS[:5]]
        assert await listed(index, ("ups", "c")) == []

    async def test_one_row(self, index: MemberIndex) -> None:
        assert await index.get(AUDIENCE, KEYS[0]) is None
        await index.add(AUDIENCE, KEYS[0])
        row = await index.get(AUDIENCE, KEYS[0])
        assert row is not None
        assert await index.page(AUDIENCE, bucket_of_key(KEYS[0], INDEX_BUCKETS), "", 10) == [row]
        assert row.written_at > 0

    async def test_a_row_that_was_added_again_is_another(self, index: MemberIndex) -> None:
        await index.add(AUDIENCE, KEYS[0])
        row = await index.get(AUDIENCE, KEYS[0])
        assert row is not None
        await index.add(AUDIENCE, KEYS[0])
        with pytest.raises(ConflictError):
            await index.delete(AUDIENCE, row)
        again = await index.get(AUDIENCE, KEYS[0])
        assert again is not None
        await index.delete(AUDIENCE, again)
        await index.delete(AUDIENCE, again)
        assert await listed(index, AUDIENCE) == []
