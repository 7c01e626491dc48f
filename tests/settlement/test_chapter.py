"""The worked examples of the chapter are what the close does, and the chapter shows them as they are."""

import pytest

from settlement.paper import OPERATOR
from settlement.reference import close_by_hand, flat
from settlement.stories import CHAPTER, STORIES, Story, render
from tikicash.closing import settle

ids = [told["id"] for told in STORIES]


@pytest.mark.parametrize("told", STORIES, ids=ids)
def test_an_example_of_the_chapter_is_what_the_close_does(told):
    assert Story(told).result() == told["expect"]


@pytest.mark.parametrize("told", STORIES, ids=ids)
def test_the_chapter_shows_the_example_as_it_is(told):
    assert f"<!-- {told['id']} -->\n{render(told)}\n" in CHAPTER.read_text()


def test_no_example_is_left_out_of_the_chapter():
    assert CHAPTER.read_text().count("<!-- ") == len(STORIES) == len(set(ids))


@pytest.mark.parametrize("told", STORIES, ids=ids)
def test_an_example_closes_by_hand_as_well(told, monkeypatch):
    def both(given):
        result = settle(given)
        assert flat(result) == close_by_hand(given)
        assert OPERATOR.id not in result.shares
        return result

    monkeypatch.setattr("settlement.stories.settle", both)
    assert Story(told).closes()
