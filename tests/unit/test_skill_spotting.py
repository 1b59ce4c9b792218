"""Skills are found by every spelling, and only where the word means the skill."""

from __future__ import annotations

import pytest

from careerlens.career.analysis.sections import split
from careerlens.career.analysis.skills import SkillFinder
from careerlens.career.analysis.text import ResumeText
from careerlens.career.market.store import shipped_market


@pytest.fixture(scope="module")
def finder() -> SkillFinder:
    return SkillFinder(shipped_market().spellings)


def found(finder: SkillFinder, text: str) -> set[str]:
    return {mention.skill for mention in finder.find(split(ResumeText(text)))}


@pytest.mark.parametrize(
    ("text", "skill"),
    [
        ("Wrote services in Go and Python", "Go"),
        ("Golang services", "Go"),
        ("Python, Go, Rust", "Go"),
        ("Built engines in C++.", "C++"),
        ("C/C++ and assembler", "C++"),
        ("Tools in C# (.NET 8)", "C#"),
        ("Tools in C# (.NET 8)", ".NET"),
        ("ASP.NET Core services", ".NET"),
        ("Analysed trials in R and Python", "R"),
        ("Pages in node.js, NodeJS or Node", "Node.js"),
        ("Reactjs front ends", "React"),
        ("React/Redux front ends", "Redux"),
        ("React Native apps", "React Native"),
        ("set up CI/CD", "CI/CD"),
        ("continuous integration pipelines", "CI/CD"),
        ("k8s clusters", "Kubernetes"),
        ("Amazon Web Services", "AWS"),
        ("Postgres tuning", "PostgreSQL"),
        ("machine-learning models", "Machine learning"),
        ("data visualization", "Data visualisation"),
        ("data visualisation", "Data visualisation"),
        ("search engine optimization", "SEO"),
        ("ACLS certified", "Advanced cardiac life support"),
        ("IV insertion", "IV therapy"),
        ("reconciled accounts monthly", "Account reconciliation"),
        ("US GAAP reporting", "GAAP"),
        ("Microsoft Excel models", "Microsoft Excel"),
        ("reports in Excel", "Microsoft Excel"),
        ("go-to-market plans", "Go-to-market"),
        ("GD&T drawings", "GD&T"),
    ],
)
def test_found(finder: SkillFinder, text: str, skill: str) -> None:
    assert skill in found(finder, text)


@pytest.mark.parametrize(
    ("text", "skill"),
    [
        ("Go to market with partners", "Go"),
        ("Go-to-market plans", "Go"),
        ("go the extra mile in Python", "Go"),
        ("Ready to Go live", "Go"),
        ("Head of R&D", "R"),
        ("Managed the R & D budget", "R"),
        ("Vitamin C and zinc", "C"),
        ("C-suite reports", "C"),
        ("Built engines in C++", "C"),
        ("Tools in C#", "C"),
        ("React Native apps", "React"),
        ("JavaScript pages", "Java"),
        ("Excel at service", "Microsoft Excel"),
        ("students excel in maths", "Microsoft Excel"),
        ("a swift answer", "Swift"),
        ("Swift answers to guests", "Swift"),
        ("the rest of the team", "REST APIs"),
        ("took a rest", "REST APIs"),
        ("email me at node@react.example.com", "React"),
        ("express delivery", "Express"),
        ("lymph node biopsies", "Node.js"),
        ("an epic journey", "Epic"),
        ("her pals", "Pediatric advanced life support"),
    ],
)
def test_not_found(finder: SkillFinder, text: str, skill: str) -> None:
    assert skill not in found(finder, text)


def test_ambiguous_words_count_in_a_skills_section(finder: SkillFinder) -> None:
    assert {"Go", "R", "Microsoft Excel"} <= found(finder, "SKILLS\nGo\nR\nExcel")


def test_mentions_tell_lists_from_use(finder: SkillFinder) -> None:
    text = "EXPERIENCE\n- Ran Kubernetes for 3 years\n\nSKILLS\nTerraform"
    mentions = finder.find(split(ResumeText(text)))
    in_use = {mention.skill: mention.in_use for mention in mentions}
    assert in_use == {"Kubernetes": True, "Terraform": False}


def test_a_passage_of_a_long_line_holds_the_skill(finder: SkillFinder) -> None:
    line = "word " * 100 + "Kubernetes " + "word " * 100
    (mention,) = finder.find(split(ResumeText(line)))
    assert "Kubernetes" in mention.passage().quote
    assert mention.passage().quote in line
