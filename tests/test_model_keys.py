"""The grid that the keys ask for."""

import numpy as np
import pytest

from tandem.config.composed import compose
from tandem.errors import ConfigurationError
from tandem.model_keys import GridPoint


def test_a_path_lies_evenly_by_its_logarithm_and_goes_by_the_target() -> None:
    keys = compose("model.path=11", "model.elastic_net_param=[0,1]").settings.model
    grid = keys.grid(81_234.5)
    assert grid[:2] == (GridPoint(812_300.0, 0.0), GridPoint(812_300.0, 1.0))
    assert grid[-1] == GridPoint(8.123, 1.0)
    penalties = np.array([point.reg_param for point in grid[::2]])
    assert len(penalties) == 11
    assert np.diff(np.log10(penalties)) == pytest.approx(-0.5, abs=1e-3)
    one, half = (keys.grid(s) for s in (1.0, 0.5))
    assert [p.reg_param for p in half] == pytest.approx([p.reg_param / 2 for p in one], rel=1e-3)


def test_a_list_stands_as_it_is() -> None:
    keys = compose("model.reg_param=[3,0.5]", "model.elastic_net_param=0.5").settings.model
    assert keys.grid(81_234.5) == (GridPoint(3.0, 0.5), GridPoint(0.5, 0.5))


@pytest.mark.parametrize("path", ["1", "1001", "0"])
def test_no_path_of_so_many(path: str) -> None:
    with pytest.raises(ConfigurationError, match=f"model.path: {path}: needs 2 to 1000 penalties"):
        compose(f"model.path={path}")
