from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from tests.notebooks.shipped import ROOT, names_of, run

ORDERS = ROOT / "notebooks" / "customers" / "your_orders.ipynb"


@pytest.fixture(scope="module")
def orders_of() -> Any:
    return names_of(ORDERS, "imports", "data")["orders_of"]


@pytest.mark.parametrize("tenant", ["globex", "initech", "acme", "T2abc", "x"])
def test_every_tenant_has_sensible_rows_of_its_own(tenant: str, orders_of: Any) -> None:
    orders = orders_of(tenant)
    assert 800 < len(orders) < 8000
    assert orders["order"].is_unique
    assert orders["order"].str.startswith(tenant[:3].upper()).all()
    assert orders["date"].is_monotonic_increasing
    assert set(orders["region"]) == {"North", "East", "South", "West"}
    assert 0.6 < orders["in_time"].mean() < 1
    pd.testing.assert_frame_equal(orders, orders_of(tenant))
    assert len(orders_of("another")) != len(orders)


@pytest.mark.long
def test_shows_the_viewers_tenant_and_nobody_elses() -> None:
    said = run(
        ORDERS,
        then="""
from dashboards import identity
identity.remember(identity.user_from("m@initech.test", ["initech"], "initech", {}))
print(current_user().tenant, nobodys().object)
from bokeh.document import Document
import json
document = Document()
document.add_root(dashboard(current_user().tenant).get_root())
text = json.dumps(document.to_json(), default=str)
print("INI-" in text, "GLO-" in text, "initech" in text)
""",
    )
    assert said.startswith("initech <b>There are no orders to show.")
    assert said.endswith("True False True\n")


def test_a_tenants_name_is_text(orders_of: Any) -> None:
    said = run(ORDERS, then="print(dashboard('<b>x').objects[0].objects[0].object)")
    assert "&lt;b&gt;x" in said
