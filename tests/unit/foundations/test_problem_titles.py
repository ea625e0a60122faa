import pytest

from shared.web.problems import title_of


@pytest.mark.parametrize(
    ("status", "title"), [(404, "Not Found"), (413, "Content Too Large"), (422, "Unprocessable Content")]
)
def test_a_problem_has_the_same_title_on_each_python(status: int, title: str) -> None:
    assert title_of(status) == title
