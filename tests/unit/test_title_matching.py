"""Target roles as people type them find the role they mean, or honestly none."""

from __future__ import annotations

import pytest

from careerlens.career.market.store import shipped_market


@pytest.mark.parametrize(
    ("requested", "role"),
    [
        ("Full Stack Developer", "fullstack-developer"),
        ("Sr. Fullstack Dev (remote)", "fullstack-developer"),
        ("Senior full-stack engineer", "fullstack-developer"),
        ("Java Engineer", "backend-developer"),
        ("front-end dev", "frontend-developer"),
        ("iOS Engineer", "mobile-developer"),
        ("ICU Nurse", "registered-nurse"),
        ("RN", "registered-nurse"),
        ("Staff Nurse – night shift", "registered-nurse"),
        ("Accountent", "accountant"),
        ("SEO Specialist", "marketing-manager"),
        ("Head of Marketing", "marketing-manager"),
        ("Account Executive", "sales-representative"),
        ("High School Math Teacher", "teacher"),
        ("SRE", "devops-engineer"),
        ("ML Engineer", "machine-learning-engineer"),
        ("HR Business Partner", "hr-manager"),
        ("Product Owner", "product-manager"),
        ("UI/UX Designer", "ux-designer"),
        ("Scrum Master", "project-manager"),
        ("Mechanical Engineering", "mechanical-engineer"),
    ],
)
def test_found(requested: str, role: str) -> None:
    match = shipped_market().match(requested)
    assert match.role is not None
    assert match.role.id == role
    assert 0 < match.similarity <= 1


@pytest.mark.parametrize(
    "requested",
    ["Astronaut", "Truck driver", "manager", "Senior", "Marine Biologist", "xx", "💥💥", "Пилот"],
)
def test_none_is_near_enough(requested: str) -> None:
    match = shipped_market().match(requested)
    assert match.role is None
    assert match.requested == requested


def test_every_known_title_finds_its_own_role() -> None:
    market = shipped_market()
    strays = [
        (title, role)
        for role, title in market.role_titles
        if (found := market.match(title).role) is None or found.id != role
    ]
    assert strays == []
